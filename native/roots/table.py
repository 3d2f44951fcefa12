"""Tells what came out: a table for people, JSON for programs, a log for each root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from native.roots.rows import Row
    from native.roots.trial import Outcome

__all__ = ["Result", "as_json", "log_text", "table"]

_HEAD = (
    "root", "libc", "Python", "its OpenSSL", "wheel", "target", "OpenSSL bound",
    "checks", "seconds",
)  # fmt: skip


class Result(NamedTuple):
    """A row that has been tried, or could not be.

    Attributes:
        row: the row.
        outcome: what came out; None if it could not be tried.
        error: why it could not.
        seconds: how long it took, with the making of what was missing.
        log_path: where all of it is told.
    """

    row: Row
    outcome: Outcome | None
    error: str
    seconds: float
    log_path: Path

    @property
    def is_passed(self) -> bool:
        """Whether it was tried and every check passed."""
        checks = self.outcome.checks if self.outcome else ()
        return bool(checks) and all(check.is_passed for check in checks)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """What is wrong: the check's name and what was found."""
        if self.outcome is None:
            return [("root", self.error)]
        return [(c.name, c.text) for c in self.outcome.checks if not c.is_passed]


def table(results: Sequence[Result]) -> str:
    """Return the table, and under it every failure with its log."""
    lines = [_HEAD, *(_cells(result) for result in results)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(_HEAD))]
    shown = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in lines
    ]
    for result in results:
        for name, text in result.failures:
            told = text.strip().replace("\n", "\n    ")
            shown.append(
                f"\n{result.row.name}: {name}: {told}\n  log: {result.log_path}"
            )
    return "\n".join(shown)


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return all that was found."""
    return {
        "format": 1,
        "is_passed": bool(results) and all(result.is_passed for result in results),
        "roots": [
            {
                "name": result.row.name,
                "expected": result.row._asdict(),
                "is_passed": result.is_passed,
                "error": result.error,
                "system": result.outcome.system if result.outcome else {},
                "wheel": result.outcome.wheel if result.outcome else "",
                "target": result.outcome.target if result.outcome else "",
                "tls": result.outcome.tls if result.outcome else "",
                "seconds": round(result.seconds, 1),
                "checks": [
                    check._asdict()
                    for check in (result.outcome.checks if result.outcome else ())
                ],
            }
            for result in results
        ],
    }


def log_text(result: Result) -> str:
    """Return the log of one root."""
    lines = [f"{result.row}", f"{result.seconds:.1f} s", ""]
    if result.outcome is None:
        return "\n".join([*lines, result.error, ""])
    lines += [f"{name}: {value}" for name, value in result.outcome.system.items()]
    for check in result.outcome.checks:
        verdict = "ok" if check.is_passed else "BAD"
        lines.append(f"{verdict:<4} {check.name}: {check.text.strip()}")
    return "\n".join([*lines, ""])


def _cells(result: Result) -> tuple[str, ...]:
    outcome = result.outcome
    if outcome is None:
        return (result.row.name, *("-",) * 6, "none", f"{result.seconds:.1f}")
    system = outcome.system
    passed = sum(check.is_passed for check in outcome.checks)
    openssl = system.get("openssl", "")
    return (
        result.row.name,
        system.get("libc", "-"),
        system.get("python", "-"),
        openssl.split()[1] if openssl else "-",
        outcome.wheel or "-",
        outcome.target or "none",
        outcome.tls or "none",
        f"{passed}/{len(outcome.checks)}",
        f"{result.seconds:.1f}",
    )
