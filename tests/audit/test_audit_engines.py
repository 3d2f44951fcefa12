"""Engines wrong in one way: the audit sees it in the bytes, and sees nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.binary import read_bytes
from engineroom.platforms.rows import TARGETS
from native.audit.check import CHECKS
from native.audit.elf import read_elf
from native.audit.engines import check_bytes
from native.audit.macho import read_macho
from tests.audit.binaries import BROKEN, FILE_NAME, TLS_NAME, Broken, Workshop

if TYPE_CHECKING:
    from engineroom.platforms.target import Target


def bad_checks(data: bytes, target: Target, file_name: str = FILE_NAME) -> list[str]:
    checks, _, _ = check_bytes("made", data, target, file_name)
    return [check.name for check in checks if check.verdict == "BAD"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_an_engine_made_right_has_nothing_bad(
    workshop: Workshop, target: Target
) -> None:
    assert bad_checks(workshop.good(target), target) == []


@pytest.mark.parametrize(
    "target",
    [target for target in TARGETS if target.tls_libraries],
    ids=lambda target: target.id,
)
def test_an_engine_that_speaks_tls_may_need_the_distributions_openssl(
    workshop: Workshop, target: Target
) -> None:
    data = workshop.speaking_tls(target)

    assert set(target.tls_libraries) <= set(read_elf(data).libraries)
    assert bad_checks(data, target, TLS_NAME) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.id)
def test_an_engine_made_wrong_fails_the_check_for_it_and_no_other(
    workshop: Workshop, broken: Broken
) -> None:
    assert broken.check in CHECKS
    found = bad_checks(broken.make(workshop), broken.target, broken.file_name)
    assert found == [broken.check]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_the_audit_and_the_loader_read_the_same_in_a_binary(
    workshop: Workshop, target: Target
) -> None:
    """They share no code, so that each checks the other."""
    data = workshop.good(target)
    header = read_bytes(data)

    if target.os == "darwin":
        macho = read_macho(data)
        read = (macho.cpu, macho.kind, tuple(macho.libraries))
    else:
        elf = read_elf(data)
        read = (elf.cpu, elf.kind, elf.libraries)
        assert elf.versions == tuple(sorted(header.versions))

    assert read == (header.cpu, header.kind, tuple(header.libraries))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_a_file_that_ends_early_is_a_finding_and_no_crash(
    workshop: Workshop, target: Target
) -> None:
    data = workshop.good(target)

    for size in range(0, len(data), max(1, len(data) // 60)):
        assert bad_checks(data[:size], target) != []


def test_the_oldest_system_and_the_libraries_come_with_the_checks(
    workshop: Workshop,
) -> None:
    told = {
        target.id: check_bytes("made", workshop.good(target), target, FILE_NAME)[1:]
        for target in TARGETS
    }

    assert told["rhel-x86_64"] == ("glibc 2.2.5", ("libc.so.6",))
    assert told["linux-musl-arm64"] == ("musl 1.2.0", ("libc.musl-aarch64.so.1",))
    assert told["darwin-arm64"] == ("macOS 11.0", ("/usr/lib/libSystem.B.dylib",))
