"""What can go wrong while building, each kind with a stable code.

    engineroom.errors.Error
    └── BuildError                       ER6000
        ├── PinsInvalid                  ER6001  sources.toml is refused
        ├── SourceUnavailable            ER6002  every origin of a source failed
        ├── CacheUnwritable              ER6003  no space, no permission
        ├── ToolUnusable                 ER6010  a tool is missing or not the pinned one
        ├── DefinitionInvalid            ER6011  cffi does not understand the contract
        ├── CompileFailed                ER6012
        ├── ForeignHeader                ER6013  the compiler read the machine's files
        ├── BackendUnknown               ER6014
        ├── ChangedMeanwhile             ER6015  a file is edited while it is read
        ├── WheelsMixed                  ER6020  targets that do not share a wheel
        ├── AuditFailed                  ER6030
        └── StepFailed                   ER6040  a program of the build failed

The classes of the package itself stand in `engineroom.errors`; these live here because
no user of the package can meet them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.errors import Error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "AuditFailed",
    "BackendUnknown",
    "BuildError",
    "CacheUnwritable",
    "ChangedMeanwhile",
    "CompileFailed",
    "DefinitionInvalid",
    "ForeignHeader",
    "PinsInvalid",
    "SourceUnavailable",
    "StepFailed",
    "ToolUnusable",
    "WheelsMixed",
]


class BuildError(Error):
    """Engineroom cannot be built, or what was built is refused."""

    code = "ER6000"


class PinsInvalid(BuildError):
    """The list of pinned sources is refused.

    Attributes:
        path: the list.
        key: the key at fault.
        problem: what is wrong with it.
    """

    code = "ER6001"

    def __init__(self, path: Path, key: str, problem: str) -> None:
        self.path = path
        self.key = key
        self.problem = problem
        super().__init__(
            f"`{path}` is refused: `{key}` {problem}",
            hint="the head of native/build/sources.toml tells what may stand there",
        )


class SourceUnavailable(BuildError):
    """No origin of a source gave the pinned bytes.

    Attributes:
        source: the name and version of the source.
        attempts: what was tried, in order: an origin and why it failed.
        files: what is missing: a file name and its sha256.
        folder: where the files can be put by hand.
    """

    code = "ER6002"

    def __init__(
        self,
        source: str,
        *,
        attempts: Sequence[tuple[str, str]],
        files: Sequence[tuple[str, str]],
        folder: Path,
    ) -> None:
        self.source = source
        self.attempts = tuple(attempts)
        self.files = tuple(files)
        self.folder = folder
        tried = "".join(
            f"\n  {number}. {origin}: {reason}"
            for number, (origin, reason) in enumerate(self.attempts, 1)
        )
        wanted = "".join(f"\n  {name}  sha256 {digest}" for name, digest in self.files)
        super().__init__(
            f"The source `{source}` could not be had. Tried, in order:{tried}",
            hint=f"put by hand into `{folder}`, or into a folder that"
            f" ENGINEROOM_SOURCES names, and build again:{wanted}",
        )


class CacheUnwritable(BuildError):
    """The cache cannot take what was made; nothing half-made was left in it.

    Attributes:
        path: what was to be written.
        reason: the system's words.
    """

    code = "ER6003"

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"`{path}` could not be written: {reason}",
            hint="make room, or name another folder with ENGINEROOM_CACHE; everything"
            " in it can be made again",
        )


class ToolUnusable(BuildError):
    """A tool that the build needs is missing or is not the pinned one.

    Attributes:
        tool: its name.
        problem: what is wrong with it.
    """

    code = "ER6010"

    def __init__(self, tool: str, problem: str, *, hint: str) -> None:
        self.tool = tool
        self.problem = problem
        super().__init__(f"`{tool}` cannot be used: {problem}", hint=hint)


class DefinitionInvalid(BuildError):
    """The contract between C and Python has something that cffi does not understand.

    Attributes:
        path: the contract.
        problem: cffi's words.
    """

    code = "ER6011"

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"cffi cannot read `{path}`: {problem}",
            hint="plain declarations only: no preprocessor lines, no expressions",
        )


class CompileFailed(BuildError):
    """The compiler or the linker refused.

    Attributes:
        target: what was built for.
        file: what was being made or read.
        command: the command line, to be repeated as it stands.
        log_path: the whole output.
        output: the beginning of the output.
    """

    code = "ER6012"

    def __init__(
        self, target: str, file: str, *, command: str, log_path: Path, output: str
    ) -> None:
        self.target = target
        self.file = file
        self.command = command
        self.log_path = log_path
        self.output = output
        super().__init__(
            f"`{file}` does not compile for `{target}`:\n\n{output}\n",
            hint=f"the whole output: {log_path}\nto repeat it: {command}",
        )


class ForeignHeader(BuildError):
    """A file of this machine went into an engine, which must depend on none.

    Attributes:
        target: what was built for.
        file: the file being compiled.
        header: what the compiler read.
    """

    code = "ER6013"

    def __init__(self, target: str, file: str, header: str) -> None:
        self.target = target
        self.file = file
        self.header = header
        super().__init__(
            f"`{file}` was compiled for `{target}` with `{header}`, which is neither in"
            " the tree nor a pinned source",
            hint="include it from the tree, or pin its source in"
            " native/build/sources.toml",
        )


class BackendUnknown(BuildError):
    """There is no such backend.

    Attributes:
        name: the name given.
        known: the backends there are.
    """

    code = "ER6014"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(
            f"No backend is called `{name}`",
            hint=f"the backends are {', '.join(self.known)}",
        )


class ChangedMeanwhile(BuildError):
    """A file changed each time it was compiled, so nobody knows what was compiled.

    Attributes:
        file: the file.
    """

    code = "ER6015"

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(
            f"`{file}`, or a header it includes, changes while it is being compiled",
            hint="build again once whatever writes it has ended",
        )


class WheelsMixed(BuildError):
    """Targets of several wheels were asked of a build that makes one.

    Attributes:
        wheels: each wheel's platform tag with its targets.
    """

    code = "ER6020"

    def __init__(self, wheels: Sequence[tuple[str, Sequence[str]]]) -> None:
        self.wheels = tuple((tag, tuple(targets)) for tag, targets in wheels)
        listed = "; ".join(f"{tag}: {', '.join(names)}" for tag, names in self.wheels)
        super().__init__(
            f"One wheel cannot be for {len(self.wheels)} platforms ({listed})",
            hint="name the targets of one wheel in ENGINEROOM_BUILD_TARGETS, and build"
            " once for each wheel",
        )


class AuditFailed(BuildError):
    """A wheel is not what it must be.

    Attributes:
        wheel: the wheel.
        findings: what is wrong: an engine or file, the check, what was found.
    """

    code = "ER6030"

    def __init__(self, wheel: Path, findings: Sequence[tuple[str, str, str]]) -> None:
        self.wheel = wheel
        self.findings = tuple(findings)
        listed = "".join(
            f"\n  {subject}: {check}: {found}" for subject, check, found in findings
        )
        super().__init__(
            f"`{wheel.name}` is refused by {len(self.findings)} checks:{listed}",
            hint="`python -m native.audit WHEEL` repeats the audit",
        )


class StepFailed(BuildError):
    """A program that the build ran did not succeed.

    Attributes:
        step: what was being done.
        command: the command line.
        exit_code: what the program answered.
        output: the end of what it wrote.
    """

    code = "ER6040"

    def __init__(self, step: str, *, command: str, exit_code: int, output: str) -> None:
        self.step = step
        self.command = command
        self.exit_code = exit_code
        self.output = output
        super().__init__(
            f"{step} failed: exit code {exit_code}\n\n{output}\n",
            hint=f"to repeat it: {command}",
        )
