"""What can go wrong in `native.ci`, each kind with a stable code.

    native.build.errors.BuildError
    └── PipelineError                    ER6400
        ├── EnginesDiffer                ER6401  two builds of a wheel are not the same
        ├── ReleaseRefused               ER6402  something is missing, or too much
        ├── WorkflowsRefused             ER6403  a workflow file has a fault
        └── MachineUnfit                 ER6404  no container can be run here

They follow native/build/errors.py, and no user of the package can meet them either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from native.build.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EnginesDiffer",
    "MachineUnfit",
    "PipelineError",
    "ReleaseRefused",
    "WorkflowsRefused",
]


class PipelineError(BuildError):
    """Something of continuous integration failed that is no fault of the build."""

    code = "ER6400"


class EnginesDiffer(PipelineError):
    """Two builds of the same wheel carry different engines.

    Attributes:
        first: one folder.
        second: the other.
        differences: a sentence for each.
    """

    code = "ER6401"

    def __init__(self, first: str, second: str, differences: Sequence[str]) -> None:
        self.first = first
        self.second = second
        self.differences = tuple(differences)
        listed = "".join(f"\n  {difference}" for difference in differences)
        super().__init__(
            f"The wheels in `{first}` and `{second}` are not of the same make:{listed}",
            hint="build both again from one commit; what differs then depends on the"
            " machine, and `python -m native.build engine` shows the command lines",
        )


class ReleaseRefused(PipelineError):
    """What is to be published is not what a release consists of.

    Attributes:
        subject: the folder or tag that is refused.
        problems: a sentence for each.
    """

    code = "ER6402"

    def __init__(self, subject: str, problems: Sequence[str]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(
            f"`{subject}` is no release:{listed}",
            hint="docs/internals/ci.md tells what belongs to a release",
        )


class WorkflowsRefused(PipelineError):
    """actionlint finds faults in the workflow files.

    Attributes:
        findings: its lines: file, line, column, what is wrong.
    """

    code = "ER6403"

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        listed = "".join(f"\n  {finding}" for finding in findings)
        super().__init__(
            f"The workflows have {len(findings)} faults:{listed}",
            hint="`python -m native.ci lint` repeats this",
        )


class MachineUnfit(PipelineError):
    """cibuildwheel's containers cannot be run on this machine.

    Attributes:
        problem: what is in the way.
    """

    code = "ER6404"

    def __init__(self, problem: str, *, hint: str) -> None:
        self.problem = problem
        super().__init__(f"No container can be run here: {problem}", hint=hint)
