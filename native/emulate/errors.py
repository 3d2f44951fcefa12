"""What can go wrong while an engine is executed; codes from ER6700 to ER6749.

native.build.errors.BuildError
└── EmulationError                   ER6700
    ├── ImageRefused                 ER6701  the file is damaged or no engine
    ├── PlacedError                  ER6702  at a place in the code
    │   ├── GuestFault               ER6703  it did what no code may
    │   ├── HeapDamaged              ER6704  it wrote past a block, or freed twice
    │   └── ImportMissing            ER6705  it called what the emulator lacks
    ├── CallMisbehaved               ER6706  it broke a rule of the Python API
    ├── InputRefused                 ER6707  neither a wheel nor an engine
    └── CheckFailed                  ER6708  it answers, and wrongly
"""

from __future__ import annotations

from native.build.errors import BuildError

__all__ = [
    "CallMisbehaved",
    "CheckFailed",
    "EmulationError",
    "GuestFault",
    "HeapDamaged",
    "ImageRefused",
    "ImportMissing",
    "InputRefused",
    "PlacedError",
]

_FAULT = "run `python -m native.emulate --trace FILE` to see the calls that led to it"


class EmulationError(BuildError):
    """An engine cannot be executed, or does wrong when it is."""

    code = "ER6700"


class ImageRefused(EmulationError):
    """A file is no Mach-O engine that could be loaded.

    Attributes:
        problem: what is wrong with it.
    """

    code = "ER6701"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"The image is refused: {problem}", hint="build the engine again"
        )


class PlacedError(EmulationError):
    """Something went wrong at a place in the code.

    Attributes:
        problem: what the engine did.
        frames: where: offsets into the image with the nearest symbol, inmost first.
    """

    code = "ER6702"

    def __init__(self, problem: str, frames: tuple[str, ...] = ()) -> None:
        self.problem = problem
        self.frames = frames
        where = f" at {' < '.join(frames)}" if frames else ""
        super().__init__(f"The engine {problem}{where}", hint=_FAULT)

    def placed(self, frames: tuple[str, ...]) -> PlacedError:
        """Return the same error with the place."""
        return self if self.frames else type(self)(self.problem, frames)


class GuestFault(PlacedError):
    """The code read, wrote or ran what it may not, ended the process, or hangs."""

    code = "ER6703"


class HeapDamaged(PlacedError):
    """The code wrote past a block of its heap, or freed what is no live block."""

    code = "ER6704"


class ImportMissing(PlacedError):
    """The code called a function that the emulator does not have."""

    code = "ER6705"


class CallMisbehaved(EmulationError):
    """A function broke a rule of the Python API.

    Attributes:
        function: the function.
        problem: the rule and what was found.
    """

    code = "ER6706"

    def __init__(self, function: str, problem: str) -> None:
        self.function = function
        self.problem = problem
        super().__init__(f"`{function}` {problem}", hint=_FAULT)


class InputRefused(EmulationError):
    """A file is neither a wheel with darwin engines nor such an engine.

    Attributes:
        path: the file.
        problem: what was found.
    """

    code = "ER6707"

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(
            f"`{path}` {problem}", hint="name wheels of macOS, or darwin engines"
        )


class CheckFailed(EmulationError):
    """An engine answers, and not what it must.

    Attributes:
        found: what it answers.
    """

    code = "ER6708"

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(found, hint=_FAULT)
