"""Programs of others judge wheels: what they accept, and one fault for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from native.audit.programs import PROGRAMS, check_programs
from tests.audit.archives import INFORMATION, LINUX, Kit, kit, pure_kit
from tests.audit.binaries import DEBIAN, GLIBC, MAC, MUSL, NEWER, Workshop, calling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.platforms.target import Target


def _engine_of_python_3_13(workshop: Workshop) -> Kit:
    declaration = f"int {NEWER.replace('text', 'char *')};"
    return kit(workshop, data=workshop.make(GLIBC, source=calling(NEWER, declaration)))


def _engine_of_glibc_2_38(workshop: Workshop) -> Kit:
    source = calling(
        "strlcpy(text, text, 3)",
        "unsigned long strlcpy(char *, char *, unsigned long);",
    )
    triple = "x86_64-linux-gnu.2.38"
    return kit(workshop, data=workshop.make(GLIBC, source=source, triple=triple))


def _engine_with_another_library(workshop: Workshop) -> Kit:
    library = workshop.library(MAC, "/usr/lib/libcharset.1.dylib")
    return kit(workshop, (MAC,), workshop.make(MAC, library))


def _description_that_cannot_be_shown(workshop: Workshop) -> Kit:
    made = kit(workshop)
    metadata = f"{INFORMATION}METADATA"
    made.edit(metadata, "text/markdown", "text/x-rst")
    made.edit(metadata, "An engine.\n", ".. nonsense::\n")
    return made


def _tests_of_the_package(workshop: Workshop) -> Kit:
    made = kit(workshop)
    made.members["tests/__init__.py"] = b"1\n"
    return made


BROKEN_FOR = {
    "twine": (_description_that_cannot_be_shown, LINUX),
    "check-wheel-contents": (_tests_of_the_package, LINUX),
    "limited API": (_engine_of_python_3_13, LINUX),
    "auditwheel": (_engine_of_glibc_2_38, LINUX),
    "delocate": (_engine_with_another_library, (MAC,)),
}


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        pytest.param(
            LINUX,
            ["twine", "check-wheel-contents", "limited API", "auditwheel"],
            id="glibc",
        ),
        pytest.param((MUSL,), ["limited API", "auditwheel"], id="musl"),
        pytest.param((MAC,), ["limited API", "delocate"], id="macos"),
    ],
)
def test_every_program_accepts_a_wheel_made_right(
    workshop: Workshop,
    tmp_path: Path,
    targets: tuple[Target, ...],
    names: list[str],
) -> None:
    path = kit(workshop, targets).write(tmp_path)

    checks = check_programs(path, targets, names)

    assert [check.name for check in checks] == names
    assert [check.found for check in checks if check.verdict == "BAD"] == []


def test_the_programs_for_engines_have_nothing_to_say_without_one(
    tmp_path: Path,
) -> None:
    checks = check_programs(pure_kit().write(tmp_path), (), tuple(PROGRAMS))

    assert [check.name for check in checks] == ["twine", "check-wheel-contents"]
    assert {check.verdict for check in checks} == {"ok"}


@pytest.mark.parametrize("name", BROKEN_FOR)
def test_every_program_refuses_a_wheel_made_wrong(
    workshop: Workshop, tmp_path: Path, name: str
) -> None:
    make: Callable[[Workshop], Kit]
    make, targets = BROKEN_FOR[name]
    path = make(workshop).write(tmp_path)

    (check,) = check_programs(path, targets, [name])

    if check.verdict == "skipped":
        pytest.skip(check.found)
    assert (check.name, check.verdict) == (name, "BAD")
    assert str(path) not in check.found


@pytest.mark.parametrize("target", [DEBIAN, MUSL], ids=["glibc", "musl"])
def test_auditwheel_objects_to_openssl_alone_and_that_is_allowed(
    workshop: Workshop, tmp_path: Path, target: Target
) -> None:
    targets = LINUX if target is DEBIAN else (target,)
    path = kit(workshop, targets, workshop.speaking_tls(target)).write(tmp_path)

    (check,) = check_programs(path, targets, ["auditwheel"])

    assert check.verdict == "ok"
    assert check.found.endswith(" but for libcrypto.so.3, libssl.so.3")


def test_auditwheel_objecting_to_openssl_and_to_more_is_a_finding(
    workshop: Workshop, tmp_path: Path
) -> None:
    library = workshop.library(DEBIAN, "libxml2.so.2")
    data = workshop.speaking_tls(DEBIAN, "SSL_new", library)

    (check,) = check_programs(
        kit(workshop, data=data).write(tmp_path), LINUX, ["auditwheel"]
    )

    assert check.verdict == "BAD"


def test_openssl_does_not_hide_a_glibc_that_is_too_new(
    workshop: Workshop, tmp_path: Path
) -> None:
    newer = "x86_64-linux-gnu.2.36"
    data = workshop.speaking_tls(DEBIAN, "arc4random", triple=newer)
    path = kit(workshop, data=data).write(tmp_path)

    (check,) = check_programs(path, LINUX, ["auditwheel"])

    assert (check.verdict, "manylinux_2_36" in check.found) == ("BAD", True)
