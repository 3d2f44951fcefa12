"""What finding and loading an engine can fail with: ER1000 to ER1002, 1200, 1300."""

from __future__ import annotations

from engineroom.errors import Error, InterfaceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class Attempted(Protocol):
        """One place that was tried; see `engineroom.loader.attempt.Attempt`."""

        @property
        def target(self) -> str:
            """The target's id."""
            ...

        @property
        def path(self) -> str:
            """The file or folder."""
            ...

        @property
        def verdict(self) -> str:
            """The stable word."""
            ...

        @property
        def reason(self) -> str:
            """The sentence."""
            ...

        @property
        def details(self) -> Mapping[str, object]:
            """The values by name."""
            ...


class LoadError(InterfaceError, ImportError):
    """No engine could be loaded for a backend; what is raised is one of its kinds.

    Attributes:
        backend: the backend that was asked for, such as `sqlite`.
        cause: the sentence that says why.
        attempts: every place that was tried, in order, each with its `target`,
            `path`, `verdict` and `reason`.
        facts: what is known of this process, each fact with its source; or None.
        overrides: the settings in force, as (name, value).
        decisive: the one of the attempts that decided which error this is, or None.
    """

    code = "ER1000"

    def __init__(
        self,
        backend: str,
        cause: str,
        *,
        attempts: Sequence[Attempted] = (),
        facts: object = None,
        overrides: Sequence[tuple[str, str]] = (),
        decisive: Attempted | None = None,
        hint: str = "run `engineroom doctor`",
    ) -> None:
        self.backend = backend
        self.cause = cause
        self.attempts = tuple(attempts)
        self.facts = facts
        self.overrides = tuple(overrides)
        self.decisive = decisive
        paragraphs = [cause]
        if self.attempts:
            tried = "\n".join(f"  {attempt}" for attempt in self.attempts)
            paragraphs.append(f"tried:\n{tried}")
        if self.overrides:
            settings = "\n".join(f"  {name}={value}" for name, value in self.overrides)
            paragraphs.append(f"settings in force:\n{settings}")
        super().__init__("\n\n".join(paragraphs), hint=hint)


class UnsupportedPlatform(LoadError):
    """Engineroom is built for no system on which this process could load it.

    Where that has a reason of its own, such as Windows or a CPU, the class is the one
    for that reason.
    """

    code = "ER1001"


class SettingError(LoadError):
    """A setting of the loader has a value it cannot take; nothing was tried.

    Attributes:
        setting: the environment variable.
        value: what it holds.
        problem: what is wrong with that.
    """

    code = "ER1200"

    def __init__(
        self, backend: str, setting: str, value: str, problem: str, *, hint: str
    ) -> None:
        self.setting = setting
        self.value = value
        self.problem = problem
        super().__init__(
            backend,
            f"{setting} is `{value}`: {problem}",
            overrides=[(setting, value)],
            hint=f"{hint}, or unset {setting};"
            " for the evidence run `engineroom doctor`",
        )


class MissingExtra(InterfaceError, ImportError):
    """Something was asked for that an optional package does.

    Attributes:
        feature: what was asked for.
        package: the package that is not there.
        extra: the extra of engineroom that brings it.
    """

    code = "ER1002"

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature = feature
        self.package = package
        self.extra = extra
        super().__init__(
            f"{feature} needs the package `{package}`, which is not installed",
            hint=f"python -m pip install 'engineroom[{extra}]'",
        )


class MalformedBinary(Error):
    """A file is no binary that we can read, or ends too early.

    Attributes:
        reason: what is wrong, as a clause about the file.
        is_truncated: whether the file ends before it should.
    """

    code = "ER1300"

    def __init__(self, reason: str, *, is_truncated: bool = False) -> None:
        self.reason = reason
        self.is_truncated = is_truncated
        super().__init__(
            f"Not a readable binary: {reason}",
            hint="install the file again; `engineroom doctor` checks every engine",
        )
