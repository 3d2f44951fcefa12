"""Values made of values: PostgreSQL's ranges, multiranges and arrays with bounds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, NoReturn

    _Items = list[Any]
else:
    _Items = list

__all__ = ["Array", "Multirange", "Range"]

_BOUNDS = ("[)", "[]", "()", "(]")


class Array(_Items):
    """A list whose indexes do not start at 1 in the database.

    Arrays that start at 1, which nearly all do, are plain lists.

    Attributes:
        lower_bounds: the first index of each dimension.
    """

    __slots__ = ("lower_bounds",)
    lower_bounds: tuple[int, ...]

    def __init__(
        self, items: Iterable[Any] = (), lower_bounds: Iterable[int] = (1,)
    ) -> None:
        super().__init__(items)
        self.lower_bounds = tuple(lower_bounds)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Array) and self.lower_bounds != other.lower_bounds:
            return False
        return _Items.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as every list

    def __repr__(self) -> str:
        return f"Array({_Items.__repr__(self)}, lower_bounds={self.lower_bounds})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Array, (list(self), self.lower_bounds)


class Range:
    """All values between two bounds. Cannot be changed, and can be a key.

    Attributes:
        lower: the lower bound; None where there is none.
        upper: the upper bound; None where there is none.
        bounds: `[` or `(`, then `]` or `)`; a square one belongs to the range, and a
            side without a bound is round.
        is_empty: whether no value is within it.

    Args:
        lower: as above.
        upper: as above.
        bounds: as above.
        empty: makes the range that holds nothing.

    Raises:
        ValueError: the lower bound is above the upper, or `bounds` is no such pair.
    """

    __slots__ = ("bounds", "is_empty", "lower", "upper")
    lower: Any
    upper: Any
    bounds: str
    is_empty: bool

    def __init__(
        self,
        lower: Any = None,
        upper: Any = None,
        bounds: str = "[)",
        *,
        empty: bool = False,
    ) -> None:
        if bounds not in _BOUNDS:
            raise ValueError(f"The bounds of a range cannot be `{bounds}`")
        # Bounds that Python cannot hold come as text; those cannot be compared.
        if lower is not None and type(lower) is type(upper):
            if lower > upper:
                raise ValueError(f"A range cannot go from {lower!r} to {upper!r}")
            empty = empty or (lower == upper and bounds != "[]")
        if empty:
            lower = upper = None
        first = "(" if lower is None else bounds[0]
        last = ")" if upper is None else bounds[1]
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        object.__setattr__(self, "bounds", first + last)
        object.__setattr__(self, "is_empty", empty)

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"A range cannot be changed: `{name}`")

    __delattr__ = __setattr__

    @property
    def is_lower_inclusive(self) -> bool:
        """Whether the lower bound belongs to the range."""
        return self.bounds[0] == "["

    @property
    def is_upper_inclusive(self) -> bool:
        """Whether the upper bound belongs to the range."""
        return self.bounds[1] == "]"

    def __contains__(self, value: Any) -> bool:
        if self.is_empty:
            return False
        if self.lower is not None:
            if value < self.lower:
                return False
            if value == self.lower and not self.is_lower_inclusive:
                return False
        if self.upper is not None:
            if value > self.upper:
                return False
            if value == self.upper and not self.is_upper_inclusive:
                return False
        return True

    def __bool__(self) -> bool:
        return not self.is_empty

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Range):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        if self.is_empty:
            return "Range(empty=True)"
        return f"Range({self.lower!r}, {self.upper!r}, {self.bounds!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _range, self._parts()

    def _parts(self) -> tuple[Any, Any, str, bool]:
        return self.lower, self.upper, self.bounds, self.is_empty


def _range(lower: Any, upper: Any, bounds: str, empty: bool) -> Range:
    return Range(lower, upper, bounds, empty=empty)


class Multirange:
    """Ranges in a row. Cannot be changed, and can be a key.

    Those that come from the database are in order, apart and not empty; what goes
    there is brought into that form by the database.
    """

    __slots__ = ("_ranges",)
    _ranges: tuple[Range, ...]

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        object.__setattr__(self, "_ranges", tuple(ranges))

    def __setattr__(self, name: str, value: object = None) -> NoReturn:
        raise AttributeError(f"A multirange cannot be changed: `{name}`")

    __delattr__ = __setattr__

    def __iter__(self) -> Iterator[Range]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def __getitem__(self, index: int) -> Range:
        return self._ranges[index]

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, Range):
            return value in self._ranges
        return any(value in each for each in self._ranges)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Multirange):
            return NotImplemented
        return self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return f"Multirange({list(self._ranges)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Multirange, (self._ranges,)
