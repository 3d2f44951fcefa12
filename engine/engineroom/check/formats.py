"""Findings as other programs want them: SARIF 2.1.0, and the commands of GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from engineroom.check.findings import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from engineroom.check.findings import Finding, Report

__all__ = ["github_lines", "sarif"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github_lines(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a workflow command of GitHub for each finding.

    Whatever a file is called, it cannot end the command or begin another.
    """
    for report in reports:
        for finding in report.all_findings:
            file = _property(report.shown(finding.file))
            text = finding.message
            if finding.hint:
                text += f"\nhint: {finding.hint}"
            yield (
                f"::{finding.level} file={file},line={finding.line},"
                f"title={_property(f'engineroom {finding.rule}')}::{_data(text)}"
            )


def sarif(reports: Sequence[Report], version: str) -> dict[str, Any]:
    """Return the findings as a log of SARIF 2.1.0."""
    rules = [
        {
            "id": rule,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": level},
        }
        for rule, (level, text) in RULES.items()
    ]
    results = [
        _result(report, finding)
        for report in reports
        for finding in report.all_findings
    ]
    driver = {"name": "engineroom check", "version": version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(report: Report, finding: Finding) -> dict[str, Any]:
    text = finding.message
    if finding.hint:
        text += f"\n\nhint: {finding.hint}"
    path = report.shown(finding.file)
    # Outside the working folder a path is absolute, and its address says so.
    uri = quote(path) if not path.startswith("/") else f"file://{quote(path)}"
    place = {
        "artifactLocation": {"uri": uri},
        "region": {"startLine": finding.line},
    }
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": finding.level,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
