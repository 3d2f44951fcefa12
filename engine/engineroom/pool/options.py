"""What `engineroom.open()` takes besides the URL, in one table.

Each option has a row: its name, its default, what it may be and what it means. The
reference page is made from this table.
"""

from __future__ import annotations

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypedDict

    from engineroom.dbapi import Connection

    class OpenOptions(TypedDict, total=False):
        """The keywords, for type checkers."""

        min_size: int
        max_size: int
        deadline_seconds: float
        warm_up_seconds: float
        attempts: int
        pauses_seconds: Sequence[float]
        jitter: float
        lifetime_seconds: float
        idle_seconds: float
        validate_seconds: float
        hot: Sequence[str]
        on_connect: Callable[[Any], Any] | None
        credentials: Callable[[], Any] | None
        pooler: Literal["none", "session", "transaction", "statement"]
        pin_seconds: float
        health_seconds: float
        health_cache_seconds: float
        slow_seconds: float | None
        leak_seconds: float

    OnConnect = Callable[[Connection], object]
    Credentials = Callable[[], Mapping[str, object]]

__all__ = ["OPTIONS", "Option", "Options"]

_DAY = 86400.0
_SHOWN = (bool, int, float, str)


class Option:
    """One row of the table.

    Attributes:
        name: the keyword.
        default: what holds when it is not given.
        takes: what it may be, in words.
        meaning: one sentence.
    """

    __slots__ = ("_fits", "default", "meaning", "name", "takes")

    def __init__(
        self,
        name: str,
        default: object,
        takes: str,
        meaning: str,
        fits: Callable[[Any], bool],
    ) -> None:
        self.name = name
        self.default = default
        self.takes = takes
        self.meaning = meaning
        self._fits = fits

    def check(self, value: object) -> None:
        """Refuse a value that the option cannot be.

        Raises:
            OptionRefused: as it says.
        """
        try:
            is_fit = self._fits(value)
        except (TypeError, ValueError):
            is_fit = False
        if not is_fit:
            # Credentials that stand where a function should must not be shown.
            shown = value if isinstance(value, _SHOWN) else type(value).__name__
            raise errors.OptionRefused(self.name, shown, f"it takes {self.takes}")


def _number(
    name: str, default: float, least: float, most: float, meaning: str
) -> Option:
    takes = f"a number from {least:g} to {most:g}"
    return Option(name, default, takes, meaning, lambda v: least <= float(v) <= most)


def _count(name: str, default: int, least: int, most: int, meaning: str) -> Option:
    takes = f"a whole number from {least} to {most}"
    return Option(
        name,
        default,
        takes,
        meaning,
        lambda v: int(v) == v and least <= v <= most,
    )


def _hook(name: str, meaning: str) -> Option:
    return Option(name, None, "a function", meaning, lambda v: v is None or callable(v))


_POOLERS = ("none", "session", "transaction", "statement")

OPTIONS = (
    _count("min_size", 1, 0, 10000, "how many connections are kept open"),
    _count("max_size", 10, 1, 10000, "how many connections there are at most"),
    _number(
        "deadline_seconds",
        4.0,
        0.01,
        _DAY,
        "how long a call may take, with all its waits, attempts and pauses",
    ),
    _number("warm_up_seconds", 2.5, 0.01, _DAY, "how long a warm-up may take"),
    _count("attempts", 3, 1, 100, "how often a call is tried that may be repeated"),
    Option(
        "pauses_seconds",
        (0.5, 1.0),
        "a sequence of numbers of at least 0",
        "how long to pause after the first attempt, the second and so on",
        lambda v: all(float(each) >= 0 for each in v),
    ),
    _number("jitter", 0.1, 0, 1, "by which part a pause is longer or shorter"),
    _number(
        "lifetime_seconds",
        3600.0,
        0.01,
        36500 * _DAY,
        "how old a connection may become",
    ),
    _number(
        "idle_seconds",
        600.0,
        0.01,
        36500 * _DAY,
        "how long a connection beyond `min_size` may go unused",
    ),
    _number(
        "validate_seconds",
        30.0,
        0,
        36500 * _DAY,
        "after how long without use a connection is asked before it is handed out",
    ),
    Option(
        "hot",
        (),
        "a sequence of statements",
        "statements that are prepared on each new connection",
        lambda v: not isinstance(v, str) and all(isinstance(each, str) for each in v),
    ),
    _hook("on_connect", "called with each new connection before its first use"),
    _hook(
        "credentials",
        "called before each connect; gives a mapping with `user`, `password` or both, "
        "and perhaps `valid_seconds`",
    ),
    Option(
        "pooler",
        "none",
        " or ".join(f"`{word}`" for word in _POOLERS),
        "how a pooler such as PgBouncer between here and the server shares servers",
        lambda v: v in _POOLERS,
    ),
    _number(
        "pin_seconds",
        1.0,
        0,
        _DAY,
        "how long after a write its thread or task reads from the primary",
    ),
    _number("health_seconds", 1.0, 0.01, _DAY, "how long `health()` may take"),
    _number(
        "health_cache_seconds", 0.1, 0, 1, "how old an answer of `health()` may be"
    ),
    Option(
        "slow_seconds",
        None,
        "a number of at least 0, or None for no log",
        "from which time on a statement is logged as slow",
        lambda v: v is None or float(v) >= 0,
    ),
    _number(
        "leak_seconds",
        60.0,
        0.01,
        36500 * _DAY,
        "after how long a lease that was not given back is reported",
    ),
)
_BY_NAME = {option.name: option for option in OPTIONS}


class Options:
    """The options of one client, each an attribute.

    Raises:
        OptionRefused: there is no such option, or it cannot be this.
    """

    min_size: int
    max_size: int
    deadline_seconds: float
    warm_up_seconds: float
    attempts: int
    pauses_seconds: tuple[float, ...]
    jitter: float
    lifetime_seconds: float
    idle_seconds: float
    validate_seconds: float
    hot: tuple[str, ...]
    on_connect: OnConnect | None
    credentials: Credentials | None
    pooler: str
    pin_seconds: float
    health_seconds: float
    health_cache_seconds: float
    slow_seconds: float | None
    leak_seconds: float

    def __init__(self, given: Mapping[str, object]) -> None:
        for name in given:
            if name not in _BY_NAME:
                raise _unknown(name)
        for name, option in _BY_NAME.items():
            value = given.get(name, option.default)
            option.check(value)
            setattr(self, name, value)
        self.pauses_seconds = tuple(self.pauses_seconds)
        self.hot = tuple(self.hot)
        if self.min_size > self.max_size:
            raise errors.OptionRefused(
                "min_size",
                self.min_size,
                f"it is at most `max_size`, which is {self.max_size}",
            )


def _unknown(name: str) -> errors.OptionRefused:
    from difflib import get_close_matches

    near = get_close_matches(name, _BY_NAME, 1)
    hint = (
        f"perhaps `{near[0]}` was meant" if near else f"they are {', '.join(_BY_NAME)}"
    )
    return errors.OptionRefused(name, "", "there is no such option", hint=hint)
