"""The roots: one row each, with what must be found and chosen there.

A row is a trial; the tree of files it runs in has a name of its own, because two rows
may share one. Adding a system is adding a row.
"""

from __future__ import annotations

from typing import NamedTuple

from native.roots.errors import RootUnknown

__all__ = ["ROOTS", "TREES", "Row", "Tree", "select_rows"]


class Tree(NamedTuple):
    """A system as a folder of files.

    Attributes:
        name: what it is called here.
        kind: `debian`, or `musl` for a CPython of our own making on Debian's musl, or
            `openssl` for an OpenSSL of our own making, which goes into the former.
        suite: the Debian suite that it, or its musl, comes from.
        cpu: in the words of platforms.toml.
        packages: Debian packages besides the base system.
        bases: trees that must be there to make this one: where it is made, where its C
            library comes from, and where its OpenSSL comes from.
        without: patterns of files that are taken away from it.
    """

    name: str
    kind: str
    suite: str
    cpu: str
    packages: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


class Row(NamedTuple):
    """What is tried in a tree, and what must come out.

    Attributes:
        name: the row's name on the command line.
        tree: the tree it runs in.
        libc: the C library and, where it stands still, its version.
        python: the version of Python, or empty where the suite moves on.
        wheel_tag: the platform tag of the wheel that pip must take.
        target: the target that the loader must choose; empty if there is no engine.
        code: the code of the error where there is no engine.
        has_sqlite3: whether this Python has a sqlite3 to exchange files with.
        is_only_pure: whether the wheel without an engine is the only one on offer.
        is_placed_from_outside: whether the machine's pip installs: the root's own
            starts programs to find out about musl, and cannot under the emulator.
        tls: how the version of the OpenSSL begins that the PostgreSQL engine must bind;
            empty if there is none to bind.
        tls_file: the file it must be bound from.
        has_ssl: whether this Python has an ssl of its own.
        package: the command that must be named where OpenSSL is missing.
    """

    name: str
    tree: str
    libc: str
    python: str
    wheel_tag: str
    target: str
    code: str = ""
    has_sqlite3: bool = True
    is_only_pure: bool = False
    is_placed_from_outside: bool = False
    tls: str = ""
    tls_file: str = ""
    has_ssl: bool = True
    package: str = ""


_PYTHON = ("python3", "python3-venv", "ca-certificates")
# These two also give the musl trees their C library, and the first one is where CPython
# and OpenSSL are compiled.
_WORKSHOP = (*_PYTHON, "make", "musl", "perl")
_OPENSSL = ("usr/lib/*/libssl.so*", "usr/lib/*/libcrypto.so*")

TREES = {
    tree.name: tree
    for tree in (
        Tree("bullseye", "debian", "bullseye", "x86_64", _PYTHON),
        Tree("bookworm", "debian", "bookworm", "x86_64", _WORKSHOP),
        Tree("trixie", "debian", "trixie", "x86_64", _PYTHON),
        Tree("sid", "debian", "sid", "x86_64", _PYTHON),
        Tree("bookworm-arm64", "debian", "bookworm", "arm64", (*_PYTHON, "musl")),
        Tree("bullseye-arm64", "debian", "bullseye", "arm64", _PYTHON),
        Tree("bookworm-i386", "debian", "bookworm", "x86", _PYTHON),
        Tree(
            "bookworm-no-openssl",
            "debian",
            "bookworm",
            "x86_64",
            _PYTHON,
            without=_OPENSSL,
        ),
        Tree("musl-openssl", "openssl", "", "x86_64", bases=("bookworm",)),
        Tree("musl-openssl-arm64", "openssl", "", "arm64", bases=("bookworm",)),
        Tree(
            "musl",
            "musl",
            "bookworm",
            "x86_64",
            bases=("bookworm", "bookworm", "musl-openssl"),
        ),
        Tree(
            "musl-arm64",
            "musl",
            "bookworm",
            "arm64",
            bases=("bookworm", "bookworm-arm64", "musl-openssl-arm64"),
        ),
    )
}

_MANYLINUX, _MANYLINUX_ARM = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64"
_MUSLLINUX, _MUSLLINUX_ARM = "musllinux_1_2_x86_64", "musllinux_1_2_aarch64"
_DEBIAN, _DEBIAN_ARM = "debian-openssl-3-x86_64", "debian-openssl-3-arm64"

_LIBRARIES, _LIBRARIES_ARM = "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"

ROOTS = (
    # OpenSSL 1.1.1 and glibc 2.31: the nearest to RHEL 8 that Debian has.
    Row(
        "bullseye",
        "bullseye",
        "glibc 2.31",
        "3.9",
        _MANYLINUX,
        "rhel-x86_64",
        tls="1.1.1",
        tls_file=f"{_LIBRARIES}/libssl.so.1.1",
    ),
    Row(
        "bullseye-arm64",
        "bullseye-arm64",
        "glibc 2.31",
        "3.9",
        _MANYLINUX_ARM,
        "rhel-arm64",
        tls="1.1.1",
        tls_file=f"{_LIBRARIES_ARM}/libssl.so.1.1",
    ),
    Row(
        "bookworm",
        "bookworm",
        "glibc 2.36",
        "3.11",
        _MANYLINUX,
        _DEBIAN,
        tls="3.0.",
        tls_file=f"{_LIBRARIES}/libssl.so.3",
    ),
    Row(
        "trixie",
        "trixie",
        "glibc 2.41",
        "3.13",
        _MANYLINUX,
        _DEBIAN,
        tls="3.5.",
        tls_file=f"{_LIBRARIES}/libssl.so.3",
    ),
    Row(
        "sid",
        "sid",
        "glibc",
        "",
        _MANYLINUX,
        _DEBIAN,
        tls="3.",
        tls_file=f"{_LIBRARIES}/libssl.so.3",
    ),
    Row(
        "bookworm-arm64",
        "bookworm-arm64",
        "glibc 2.36",
        "3.11",
        _MANYLINUX_ARM,
        _DEBIAN_ARM,
        tls="3.0.",
        tls_file=f"{_LIBRARIES_ARM}/libssl.so.3",
    ),
    Row(
        "musl",
        "musl",
        "musl",
        "3.11",
        _MUSLLINUX,
        "linux-musl-x86_64",
        has_sqlite3=False,
        tls="3.5.",
        tls_file="/usr/lib/libssl.so.3",
        has_ssl=False,
    ),
    Row(
        "musl-arm64",
        "musl-arm64",
        "musl",
        "3.11",
        _MUSLLINUX_ARM,
        "linux-musl-arm64",
        has_sqlite3=False,
        is_placed_from_outside=True,
        tls="3.5.",
        tls_file="/usr/lib/libssl.so.3",
        has_ssl=False,
    ),
    # A system without OpenSSL: SQLite serves, and PostgreSQL says what to install.
    Row(
        "no-openssl",
        "bookworm-no-openssl",
        "glibc 2.36",
        "3.11",
        _MANYLINUX,
        _DEBIAN,
        has_ssl=False,
        package="apt-get install libssl3",
    ),
    # A CPU that no engine is for: of all wheels pip finds that only the pure one fits.
    Row("bookworm-i386", "bookworm-i386", "glibc 2.36", "3.11", "any", "", "ER1011"),
    # A system that engines are for, whose user has got hold of the wrong wheel.
    Row(
        "pure",
        "bookworm",
        "glibc 2.36",
        "3.11",
        "any",
        "",
        "ER1005",
        is_only_pure=True,
    ),
)


def select_rows(names: list[str]) -> tuple[Row, ...]:
    """Return the rows of these names, or all of them, in the table's order.

    Raises:
        RootUnknown: there is no such row.
    """
    known = [row.name for row in ROOTS]
    for name in names:
        if name not in known:
            raise RootUnknown(name, known)
    return tuple(row for row in ROOTS if not names or row.name in names)
