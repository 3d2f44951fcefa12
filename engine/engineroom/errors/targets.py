"""What platforms.toml and the names of targets can be wrong in: ER1100 to ER1119."""

from __future__ import annotations

from engineroom.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class TargetError(Error):
    """A target, or the list of targets, is the problem."""

    code = "ER1100"


class UnknownTarget(TargetError):
    """No target, family or alias has this name.

    Attributes:
        name: the name that was given.
        nearest: the names that come close to it, the closest first.
        known: every name that selects something.
        built_for: a sentence that says what Engineroom is built for.
    """

    code = "ER1101"

    def __init__(
        self, name: str, *, nearest: Sequence[str], known: Sequence[str], built_for: str
    ) -> None:
        self.name = name
        self.nearest = tuple(nearest)
        self.known = tuple(known)
        self.built_for = built_for
        close = " or ".join(f"`{candidate}`" for candidate in self.nearest)
        super().__init__(
            f"No target is called `{name}`. {built_for}",
            hint=(f"did you mean {close}? " if close else "")
            + "`engineroom targets` lists all",
        )


class NoNativeTarget(TargetError):
    """`native` was asked for on a system that no target fits.

    Attributes:
        system: this system in a few words.
        built_for: a sentence that says what Engineroom is built for.
    """

    code = "ER1102"

    def __init__(self, *, system: str, built_for: str) -> None:
        self.system = system
        self.built_for = built_for
        super().__init__(
            f"No target fits this system ({system}). {built_for}",
            hint="name a target instead of `native`; `engineroom targets` lists all",
        )


class ManifestError(TargetError):
    """The list of targets, platforms.toml, is refused.

    Attributes:
        path: the file.
        line: the line at fault, counted from 1; 0 where no line is.
        key: the key at fault, such as `target.rhel-arm64.cpu`; or empty.
        value: what was found there, as it would be written; or empty.
        problem: what is wrong with it.
        allowed: what may stand there.
    """

    code = "ER1110"

    def __init__(
        self,
        path: str,
        problem: str,
        *,
        line: int = 0,
        key: str = "",
        value: str = "",
        allowed: str = "",
    ) -> None:
        self.path = path
        self.line = line
        self.key = key
        self.value = value
        self.problem = problem
        self.allowed = allowed
        place = f"{path}:{line}" if line else path
        about = f" `{key}`" if key else ""
        about += f" is {value}:" if value else ":" if key else ""
        super().__init__(
            f"{place}:{about} {problem}", hint=f"allowed: {allowed}" if allowed else ""
        )


class ManifestUnreadable(ManifestError):
    """The file is missing, or cannot be read as UTF-8."""

    code = "ER1111"


class ManifestSyntaxError(ManifestError):
    """The file is no TOML."""

    code = "ER1112"


class ManifestUnknownKey(ManifestError):
    """A key has no meaning here."""

    code = "ER1113"


class ManifestMissingField(ManifestError):
    """A target lacks a field."""

    code = "ER1114"


class ManifestWrongType(ManifestError):
    """A value is of the wrong type, or empty."""

    code = "ER1115"


class ManifestUnknownWord(ManifestError):
    """A value is not one of the words that are known there."""

    code = "ER1116"


class ManifestDuplicate(ManifestError):
    """A name or key stands twice."""

    code = "ER1117"


class ManifestImpossibleFloor(ManifestError):
    """The oldest system of a target contradicts what else is said of it."""

    code = "ER1118"


class ManifestContradiction(ManifestError):
    """Two values of a target, or of targets that share a wheel, cannot both be true."""

    code = "ER1119"
