"""What was tried and how it ended: what errors and the doctor show.

A verdict is a stable word for programs; the reason is the sentence for people, with
the values in it.
"""

from __future__ import annotations

from engineroom.platforms.choose import VERDICTS as TARGET_VERDICTS

__all__ = ["LOADED", "VERDICTS", "Attempt", "Refused"]

LOADED = "loaded"

# Every verdict with what it means: those on a target, then those on a file.
VERDICTS = {
    **TARGET_VERDICTS,
    "no-manifest": "the place has no list of engines",
    "manifest-damaged": "the list of engines cannot be read",
    "absent": "the place is not there",
    "none-fits": "the place lists no engine that fits",
    "unsafe-place": "other users could have put something else there",
    "missing": "the file is not there",
    "unreadable": "the file cannot be read",
    "not-a-file": "what is there is no regular file",
    "not-a-binary": "the file is neither ELF nor Mach-O",
    "truncated": "the file ends too early",
    "damaged": "the file's bytes are not those that were built",
    "wrong-type": "the file is a binary, but no shared library",
    "cffi-missing": "the package cffi, which every engine needs, cannot be imported",
    "library-missing": "a library that the file needs is not there",
    "forbidden": "the operating system does not let code be loaded from there",
    "not-loadable": "the operating system or Python refused to load the file",
    "not-an-engine": "the file was loaded, but is no engine",
    "other-abi": "engine and package do not speak the same ABI",
    "other-version": "engine and package are of different versions",
    "other-backend": "the engine is for another backend",
    "other-build": "the engine is not the build that the list names",
    "not-tried": "an engine before it was loaded",
    LOADED: "the engine is in use",
}


class Attempt:
    """One place that was tried, or could have been.

    Attributes:
        target: the target's id; empty for a file that a setting names.
        path: the file or folder; empty where there was none to try.
        verdict: a word of `VERDICTS`.
        reason: the sentence that gives the reason, with the values in it.
        details: the values by name, such as the two checksums.
    """

    __slots__ = ("details", "path", "reason", "target", "verdict")

    def __init__(
        self,
        target: str,
        path: str,
        verdict: str,
        reason: str,
        details: dict[str, object] | None = None,
    ) -> None:
        self.target = target
        self.path = path
        self.verdict = verdict
        self.reason = reason
        self.details = details or {}

    def end(
        self, verdict: str, reason: str, details: dict[str, object] | None = None
    ) -> None:
        """Note how it ended."""
        self.verdict = verdict
        self.reason = reason
        self.details = details or {}

    def __str__(self) -> str:
        place = f"{self.target} ({self.path})" if self.path and self.target else ""
        return f"{place or self.target or self.path}: {self.verdict}, {self.reason}"

    def __repr__(self) -> str:
        return f"<Attempt {self}>"


class Refused(Exception):
    """A file was refused; how the steps of an attempt report to the loop above."""

    def __init__(self, verdict: str, reason: str, **details: object) -> None:
        super().__init__(reason)
        self.verdict = verdict
        self.reason = reason
        self.details = details
