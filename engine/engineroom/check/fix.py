"""Writes missing targets into schemas: a whole new file or none.

The new text is read again before it is written; a schema in which the targets do not
stand afterwards as they should is left alone.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from engineroom.check.prisma import add_targets, read_schema
from engineroom.errors import CheckUnwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engineroom.check.findings import Finding, Report
    from engineroom.check.tree import Tree

__all__ = ["fix"]


def fix(report: Report, tree: Tree) -> list[str]:
    """Add what is missing to every schema, and return those that were written.

    Raises:
        CheckUnwritable: one could not be written; those before it were.
    """
    by_file: dict[str, list[Finding]] = {}
    for finding in report.all_findings:
        if finding.generator >= 0 and finding.level == "error":
            by_file.setdefault(finding.file, []).append(finding)
    for path, findings in by_file.items():
        _write(os.path.join(tree.root, path), _mended(tree.read(path), findings))
    return list(by_file)


def _mended(text: str, findings: Sequence[Finding]) -> str:
    """Return the schema with everything added; the last generator first."""
    for finding in sorted(findings, key=lambda one: -one.generator):
        generator = read_schema(text).generators[finding.generator]
        names = [need.name for need in finding.missing]
        text = add_targets(text, generator, names)
        value = read_schema(text).generators[finding.generator].targets
        old = generator.targets.texts if generator.targets else ()
        if value is None or value.texts != (*old, *names):
            raise CheckUnwritable(finding.file, "there is no place for the targets")
    return text


def _write(path: str, text: str) -> None:
    # A link stays one: what it leads to, within the tree, is what gets written.
    path = os.path.realpath(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=".engineroom-", dir=os.path.dirname(path)
        )
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise CheckUnwritable(path, error.strerror or str(error)) from error
