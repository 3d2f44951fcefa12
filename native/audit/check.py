"""One thing that was looked at, and the list of all there is to look at.

`CHECKS` is that list: a check that is not in it cannot be made, the reference page has
a line for each, and the tests have a broken sample for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from native.build.errors import AuditFailed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["BAD", "CHECKS", "OK", "SKIPPED", "Check", "judged", "listed", "refuse_bad"]

OK, BAD, SKIPPED = "ok", "BAD", "skipped"
_SHOWN = 12

CHECKS = {
    # Every wheel.
    "archive": "it is a zip file, whole, with plain and different names",
    "members": "all have one fixed time, and the mode of a file or a program",
    "RECORD": "it lists every member once, with the right hash and size",
    "metadata": "name and version agree with the file name",
    "tag": "it is the one platforms.toml has for the targets inside",
    "targets": "all targets of that tag are there",
    "size": "it is within the budget",
    "licences": "their texts are there",
    "bill of materials": "it lists the engines with their hashes",
    "engine files": "each is in the manifest, and nothing else is",
    "stored once": "no two members are the same bytes",
    # Programs of others.
    "twine": "`twine check --strict` passes",
    "check-wheel-contents": "it finds nothing to complain about",
    "limited API": "`abi3audit` finds nothing beyond the tag's Python",
    "auditwheel": "`auditwheel show` gives the tag or an older one, OpenSSL aside",
    "delocate": "`delocate-listdeps` lists libSystem alone",
    # Every engine.
    "target": "the manifest names one of platforms.toml",
    "manifest": "size, checksum and hash are those of the file",
    "build id": "the manifest's is the one in the engine",
    "build paths": "no folder of the building machine is in it",
    "format": "ELF for Linux, Mach-O for macOS, and readable",
    "file type": "a 64-bit shared library",
    "CPU": "that of the target",
    "own name": "the file name, nothing around it",
    "needed libraries": "those of the target's row; OpenSSL's where TLS is spoken",
    "open symbols": "each is in the stable ABI, or in a library that is named",
    "exports": "the module's init function alone",
    "run path": "none",
    "debug information": "none",
    "text relocations": "none: loading writes to no code",
    "executable stack": "not asked for",
    "writable code": "nothing is writable and executable",
    # ELF engines.
    "glibc needed": "no newer than the target's floor; none at all for musl",
    "musl symbols": "each is one that musl 1.2.0 exports",
    "OpenSSL symbols": "each was in OpenSSL 3.0.0; none where it is not needed",
    "packed relocations": "none: loaders as old as the floor skip them",
    "page size": "loads with pages of 64 KiB on arm64, of 4 KiB on x86_64",
    "RELRO": "its tables are read-only after loading",
    "bound when loaded": "every symbol is",
    # Mach-O engines.
    "macOS needed": "it is the target's floor exactly",
    "newer macOS": "no symbol came to macOS after the target's floor",
    "namespace": "two levels: each symbol names its library",
    "symbol origins": "CPython's from any library, all others from libSystem",
    "signature": "each page has the hash that is signed; required on arm64",
    # Two builds.
    "reproducible": "the other build's wheel is the same bytes",
}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        subject: the wheel, or an engine in it.
        name: what was looked at; one of `CHECKS`.
        found: what is there.
        verdict: `ok`, `BAD` or `skipped`.
    """

    subject: str
    name: str
    found: str
    verdict: str

    def __post_init__(self) -> None:
        assert self.name in CHECKS, self.name


def judged(subject: str, name: str, found: str, is_ok: bool) -> Check:
    """Return a check with the verdict that follows."""
    return Check(subject, name, found, OK if is_ok else BAD)


def listed(names: Iterable[str], otherwise: str = "none") -> str:
    """Return names as one text: at most a dozen, then how many more."""
    all_names = list(names)
    more = len(all_names) - _SHOWN
    shown = ", ".join(all_names[:_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown or otherwise


def refuse_bad(path: Path, checks: Iterable[Check]) -> None:
    """Raise `AuditFailed` if any check is bad."""
    findings = [(c.subject, c.name, c.found) for c in checks if c.verdict == BAD]
    if findings:
        raise AuditFailed(path, findings)
