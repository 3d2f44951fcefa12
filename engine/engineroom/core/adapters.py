"""What users add to the conversions, in both directions.

An adapter turns an object of a class of theirs into one that can be sent; a converter
turns the value of a column, as it would have come, into one of theirs. Those of a
connection go before the global ones. Cursors made afterwards heed them; a program that
registers none pays nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Union

    Adapter = Callable[[Any], object]
    Converter = Callable[[Any], object]
    Row = tuple[Any, ...]
    Parameters = Union[Sequence[Any], Mapping[str, Any], None]

__all__ = ["ADAPTERS", "Adapters", "register_adapter", "register_converter"]


class Adapters:
    """Adapters by class and converters by the name of a column's type.

    Attributes:
        above: whom to ask when it knows none itself.
    """

    __slots__ = ("_by_name", "_by_type", "above")

    def __init__(self, above: Adapters | None = None) -> None:
        self.above = above
        self._by_type: dict[type, Adapter] = {}
        self._by_name: dict[str, Converter] = {}

    def add_adapter(self, python_type: type, adapter: Adapter | None) -> None:
        """Use the function for objects of the class; None takes it away."""
        _put(self._by_type, python_type, adapter)

    def add_converter(self, type_name: str, converter: Converter | None) -> None:
        """Use the function for columns of the type; None takes it away."""
        _put(self._by_name, type_name.lower(), converter)

    @property
    def has_adapters(self) -> bool:
        """Whether any adapter is registered, here or above."""
        return bool(self._by_type) or (
            self.above is not None and self.above.has_adapters
        )

    @property
    def has_converters(self) -> bool:
        """Whether any converter is registered, here or above."""
        return bool(self._by_name) or (
            self.above is not None and self.above.has_converters
        )

    def around(self, reader: Any) -> Any:
        """Return the engine's reader, or one that asks here about every value."""
        if not self.has_adapters and not self.has_converters:
            return reader
        from engineroom.core.converting import ConvertingReader

        return ConvertingReader(reader, self)

    def adapter_of(self, value: object) -> Adapter | None:
        """Return the adapter of the value's class, or of the nearest one above it."""
        if not self.has_adapters:
            return None
        for kind in type(value).__mro__[:-1]:
            found = self.adapter_for(kind)
            if found is not None:
                return found
        return None

    def adapter_for(self, kind: type) -> Adapter | None:
        """Return the adapter of the class itself."""
        found = self._by_type.get(kind)
        if found is None and self.above is not None:
            return self.above.adapter_for(kind)
        return found

    def converter_of(self, type_name: str | None) -> Converter | None:
        """Return the converter for columns of the type."""
        found = self._by_name.get(type_name.lower()) if type_name else None
        if found is None and self.above is not None:
            return self.above.converter_of(type_name)
        return found

    def adapt(self, parameters: Parameters) -> Parameters:
        """Return one row of parameters with every object of such a class turned."""
        if parameters is None or isinstance(parameters, (str, bytes)):
            return parameters
        keys = getattr(parameters, "keys", None)
        if keys is not None:
            return {key: self._adapted(parameters[key]) for key in keys()}
        try:
            values = iter(parameters)
        except TypeError:
            return parameters  # which the engine refuses, and says what it takes
        return tuple(self._adapted(value) for value in values)

    def adapt_all(self, rows: Iterable[Parameters]) -> Iterator[Parameters]:
        """Yield rows of parameters, each with its objects turned."""
        return (self.adapt(row) for row in rows)

    def _adapted(self, value: object) -> object:
        adapter = self.adapter_of(value)
        return value if adapter is None else adapter(value)

    def row_converter(self, type_names: Sequence[str | None]) -> RowConverter | None:
        """Return what converts rows of such columns, None where nothing is to do."""
        found = [self.converter_of(name) for name in type_names]
        return RowConverter(found) if any(found) else None


class RowConverter:
    """Applies converters to the values of rows. NULL stays None."""

    __slots__ = ("_converters",)

    def __init__(self, converters: Sequence[Converter | None]) -> None:
        self._converters = converters

    def __call__(self, row: Row) -> Row:
        return tuple(
            value if converter is None or value is None else converter(value)
            for value, converter in zip(row, self._converters)
        )


def _put(table: dict[Any, Any], key: object, value: object) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


ADAPTERS = Adapters()


def register_adapter(python_type: type, adapter: Adapter | None) -> None:
    """Tell how objects of a class are sent, on every connection.

    Args:
        python_type: the class; those below it are meant too, unless they have their
            own.
        adapter: takes the object and returns one that can be sent: `int`, `float`,
            `str`, `bytes`, `date`, `list`, ... None takes the adapter away.
    """
    ADAPTERS.add_adapter(python_type, adapter)


def register_converter(type_name: str, converter: Converter | None) -> None:
    """Tell what values of a column's type become, on every connection.

    Args:
        type_name: the type as the column has it, such as `numeric`, `money` or the
            name of an enum; on SQLite as it was declared. Case does not count.
        converter: takes the value as it would have come and returns another. It does
            not see NULL. None takes the converter away.
    """
    ADAPTERS.add_converter(type_name, converter)
