"""The doctor's report: verdict, JSON, and nothing in it that should not be pasted.

The form of the JSON is a promise, described in docs/reference/doctor-json.md.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, cast

from engineroom.doctor.findings import OK, PROBLEM, SKIPPED, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from engineroom.doctor.findings import Finding

__all__ = ["FORMAT", "Report", "clean"]

FORMAT = 1


class Report:
    """Everything that was found, and what it amounts to.

    Attributes:
        findings: the checks, in the order in which they were made.
        sections: the rest of the report by name: package, process, ...
        backend: the backend that was examined.
        hidden: texts that must not be shown, each with what is shown in its place.
    """

    def __init__(
        self,
        findings: Sequence[Finding],
        sections: dict[str, Any],
        *,
        backend: str,
        hidden: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.findings = tuple(findings)
        self.sections = sections
        self.backend = backend
        self.hidden = tuple(hidden)

    @property
    def verdict(self) -> str:
        """`ok`, `problem`, or `unknown` where neither can be said."""
        states = {finding.state for finding in self.findings}
        if PROBLEM in states:
            return PROBLEM
        return UNKNOWN if states & {UNKNOWN, SKIPPED} else OK

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is printed with `--json`."""
        verdict = self.verdict
        # The first finding that is not fine is the cause of those after it.
        cause = next((f for f in self.findings if f.state == verdict), None)
        summary, remedy = f"the {self.backend} engine answers queries", ""
        if verdict != OK and cause is not None:
            summary, remedy = cause.text, cause.remedy
        report = {
            "format": FORMAT,
            "verdict": verdict,
            "summary": summary,
            "remedy": remedy,
            "backend": self.backend,
            **self.sections,
            "checks": [
                {
                    "name": finding.name,
                    "state": finding.state,
                    "text": finding.text,
                    "remedy": finding.remedy,
                    "details": finding.details,
                }
                for finding in self.findings
            ],
        }
        cleaned: dict[str, Any] = clean(report, self.hidden)
        return cleaned


def clean(value: Any, hidden: Sequence[tuple[str, str]] = (), home: str = "") -> Any:
    """Return a JSON value in which nothing is left that should not be pasted.

    Args:
        value: the value.
        hidden: texts that must not be shown, each with what is shown in its place.
        home: the home folder, shown as `~`; that of this user if empty.
    """
    home = home or os.path.expanduser("~")
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return {
            clean(name, hidden, home): clean(part, hidden, home)
            for name, part in named.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean(part, hidden, home) for part in cast("list[Any]", value)]
    if not isinstance(value, str):
        return value
    for text, shown in hidden:
        value = value.replace(text, shown)
    # A home such as / would match everything and give nothing away.
    if len(home) > 1:
        value = re.sub(re.escape(home) + r"(?=/|$|[^\w.-])", "~", value)
    return value
