"""Tells what an audit found: as a table for people, as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from native.audit.check import BAD, OK, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from native.audit.check import Check
    from native.audit.engines import EngineFacts
    from native.audit.wheels import Audit

__all__ = ["FORMAT", "block", "document", "summary", "table"]

# docs/reference/audit.md describes it; a change that breaks a reader counts it up.
FORMAT = 1


def table(checks: Sequence[Check]) -> str:
    """Return the checks as lines, one block for each subject."""
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    subject = ""
    for check in checks:
        if check.subject != subject:
            subject = check.subject
            lines.append(subject)
        lines.append(f"  {check.verdict:<7}  {check.name:<{width}}  {check.found}")
    return "\n".join(lines)


def block(audit: Audit) -> str:
    """Return a wheel's block: a line for each subject, and all that is not ok."""
    lines = [f"{audit.path.name}  {audit.size_bytes:,} bytes"]
    subjects = list(dict.fromkeys(check.subject for check in audit.checks))
    named = {subject: subject for subject in subjects}
    named[audit.path.name] = "wheel"
    width = max(len(name) for name in named.values())
    for subject in subjects:
        checks = [check for check in audit.checks if check.subject == subject]
        lines.append(f"  {named[subject]:<{width}}  {_counted(checks)}")
        odd = [check for check in checks if check.verdict != OK]
        lines += [f"    {c.verdict:<7}  {c.name}: {c.found}" for c in odd]
    return "\n".join(lines)


def _counted(checks: Sequence[Check]) -> str:
    counts = {v: sum(c.verdict == v for c in checks) for v in (OK, SKIPPED, BAD)}
    return ", ".join(
        f"{counts[verdict]} {verdict}"
        for verdict in counts
        if (counts[verdict] or verdict == OK)
    )


def summary(audits: Iterable[Audit]) -> str:
    """Return a line for each engine: size, floor, needed libraries, verdict."""
    head = ("target", "backend", "bytes", "floor", "needs", "verdict")
    rows = [
        (
            engine.target,
            engine.backend,
            f"{engine.size_bytes:,}",
            engine.floor,
            ", ".join(engine.libraries) or "nothing",
            _verdict(engine, audit),
        )
        for audit in audits
        for engine in audit.engines
    ]
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = [
        "  ".join(
            text.rjust(width) if place == 2 else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def _verdict(engine: EngineFacts, audit: Audit) -> str:
    bad = [
        check.name
        for check in audit.checks
        if check.subject == engine.subject and check.verdict == BAD
    ]
    return f"{BAD}: {', '.join(bad)}" if bad else OK


def document(audits: Sequence[Audit]) -> dict[str, Any]:
    """Return all of it for a JSON file."""
    return {
        "format": FORMAT,
        "is_ok": all(audit.is_ok for audit in audits),
        "wheels": [
            {
                "file": audit.path.name,
                "size_bytes": audit.size_bytes,
                "sha256": audit.sha256,
                "is_ok": audit.is_ok,
                "engines": [
                    {
                        "target": engine.target,
                        "backend": engine.backend,
                        "size_bytes": engine.size_bytes,
                        "floor": engine.floor,
                        "libraries": list(engine.libraries),
                        "is_ok": _verdict(engine, audit) == OK,
                    }
                    for engine in audit.engines
                ],
                "checks": [
                    {
                        "subject": check.subject,
                        "name": check.name,
                        "found": check.found,
                        "verdict": check.verdict,
                    }
                    for check in audit.checks
                ],
            }
            for audit in audits
        ],
    }
