"""Where OpenSSL is not there, the error names its package for this distribution."""

from __future__ import annotations

import pytest

from engineroom.loader.attempt import Attempt, Refused
from engineroom.loader.explain import explain
from engineroom.loader.find import PACKAGE_SHELF
from engineroom.loader.handshake import bind_tls
from engineroom.loader.remedy import reinstall
from engineroom.loader.settings import Overrides
from engineroom.platforms.facts import Fact
from engineroom.platforms.probe import probe

MUSL = "Error loading shared library libssl.so.3: No such file or directory"
GLIBC = "libssl.so.3: cannot open shared object file: No such file or directory"
NEITHER = "OpenSSL could not be loaded: libssl.so.3: no such file; libssl.so.1.1: no"


def explained(distribution, like, verdict, reason):
    facts = probe(thorough=True)
    facts.distribution_id = Fact(distribution, "here")
    facts.distribution_like = Fact(like, "here")
    attempt = Attempt(
        "a-target", f"{PACKAGE_SHELF}/_qe_postgres.abi3.so", verdict, reason
    )
    return explain("postgres", [attempt], facts, Overrides())


@pytest.mark.parametrize(
    ("distribution", "like", "verdict", "reason", "command"),
    [
        pytest.param(
            "alpine", None, "library-missing", MUSL,
            "apk add libssl3 libcrypto3", id="Alpine",
        ),
        pytest.param(
            "debian", None, "library-missing", GLIBC,
            "apt-get install libssl3", id="Debian",
        ),
        pytest.param(
            "linuxmint", "ubuntu debian", "library-missing", GLIBC,
            "apt-get install libssl3", id="Mint, which is like Ubuntu",
        ),
        pytest.param(
            "rocky", "rhel centos fedora", "openssl-missing", NEITHER,
            "dnf install openssl-libs", id="Rocky, bound when loaded",
        ),
        pytest.param(
            "opensuse-leap", "suse opensuse", "library-missing", GLIBC,
            "zypper install libopenssl3", id="openSUSE",
        ),
        pytest.param(
            "nixos", None, "library-missing", GLIBC,
            "install OpenSSL 3, with libssl.so.3 and libcrypto.so.3, from your system",
            id="a distribution that is not known",
        ),
    ],
)  # fmt: skip
def test_the_hint_is_the_command_of_this_distribution(
    distribution, like, verdict, reason, command
):
    error = explained(distribution, like, verdict, reason)
    assert error.hint.startswith(f"{command}; ")
    assert "libssl.so.3" in error.cause
    assert "a-target" in str(error)


def test_another_library_that_is_missing_has_another_hint():
    reason = "libz.so.1: cannot open shared object file: No such file or directory"
    error = explained("debian", None, "library-missing", reason)
    assert "libssl" not in error.hint
    assert "package of your system" in error.hint


def test_an_engine_refused_for_another_reason_is_installed_again():
    error = explained("debian", None, "damaged", "libssl.so.3 is in these words")
    assert error.hint.startswith(reinstall())


class Answers:
    """An engine's two holds, as cffi has them, whose engine finds no OpenSSL."""

    def __init__(self, status, message):
        self.status = status
        self.message = message

    def new(self, _):
        return self

    def string(self, text):
        return text

    def qe_backend_bind_tls(self, _):
        return self.status


def test_an_engine_that_finds_no_openssl_is_refused_with_its_words():
    answers = Answers(19, NEITHER.encode())
    with pytest.raises(Refused) as caught:
        bind_tls(answers, answers)
    assert (caught.value.verdict, caught.value.reason) == ("openssl-missing", NEITHER)


def test_an_engine_that_has_openssl_is_not_refused():
    answers = Answers(0, b"")
    bind_tls(answers, answers)
