"""What a release can be refused for as a whole: ER3111, ER3120 to ER3139."""

from __future__ import annotations

from engineroom.errors.store import PublishError, WheelRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class WheelTagWrong(WheelRefused):
    """A binary in the wheel does not run where the wheel's platform tag promises."""

    code = "ER3111"
    advice = (
        "build that binary for the platform in the wheel's name, or name the wheel for"
        " what the binary needs"
    )


class NoPythonAllowed(PublishError):
    """No Python there could ever be satisfies a wheel's Requires-Python.

    Attributes:
        name: the wheel's file name.
        requires_python: what it asks for.
    """

    code = "ER3120"

    def __init__(self, name: str, requires_python: str) -> None:
        self.name = name
        self.requires_python = requires_python
        super().__init__(
            f"`{name}` is for no Python: its Requires-Python is `{requires_python}`",
            hint="correct `requires-python` in its pyproject.toml and build it again",
        )


class ReleaseIncomplete(PublishError):
    """A release has not the engines that it should have.

    Attributes:
        project: the project's normalised name.
        version: the release.
        missing: the targets, with the backend in brackets where one alone is missing.
    """

    code = "ER3121"

    def __init__(self, project: str, version: str, missing: Sequence[str]) -> None:
        self.project = project
        self.version = version
        self.missing = tuple(missing)
        listed = ", ".join(f"`{target}`" for target in missing)
        super().__init__(
            f"`{project}` {version} has no engines for {listed}",
            hint="publish all wheels of a release in one command; `--target` says"
            " which it must have, `--partial` lets it have any",
        )


class ReleaseUnresolvable(PublishError):
    """Some installs of a release would find nothing, or take the wrong wheel.

    Attributes:
        project: the project's normalised name.
        version: the release.
        faults: a sentence for each.
    """

    code = "ER3122"

    def __init__(self, project: str, version: str, faults: Sequence[str]) -> None:
        self.project = project
        self.version = version
        self.faults = tuple(faults)
        listed = "".join(f"\n  {fault}" for fault in faults)
        super().__init__(
            f"Installs of `{project}` {version} would go wrong:{listed}",
            hint="compare the wheels' tags and Requires-Python with the targets of the"
            " engines in them; `engineroom targets` lists what each is for",
        )
