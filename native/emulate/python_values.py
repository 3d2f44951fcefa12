"""The limited API of CPython: making values and reading them."""

from __future__ import annotations

from typing import Any

from native.emulate.library import provides
from native.emulate.memory import MASK, signed64
from native.emulate.objects import GuestBytes, GuestTuple
from native.emulate.python_api import PythonApi
from native.emulate.python_types import Capsule

__all__ = ["PythonValues"]

_LONG_BITS = 63
# A reference count and a type.
_HEADER_BYTES = 16


class PythonValues(PythonApi):
    """Numbers, texts, bytes, tuples, lists, mappings, iterators, capsules."""

    # Numbers.

    @provides("PyLong_FromLong", "PyLong_FromLongLong", "PyLong_FromSsize_t")
    def long_from_signed(self) -> int:
        """Make an int."""
        return self.objects.new(signed64(self.machine.integer(0)))

    @provides("PyLong_FromUnsignedLong", "PyLong_FromUnsignedLongLong")
    def long_from_unsigned(self) -> int:
        """Make an int that is not negative."""
        return self.objects.new(self.machine.integer(0))

    @provides("PyLong_FromVoidPtr")
    def long_from_pointer(self) -> int:
        """Make an int of an address."""
        self.last_address = self.machine.integer(0)
        return self.objects.new(self.last_address)

    @provides("PyLong_FromString")
    def long_from_string(self) -> int:
        """Make an int of digits to a base; where they end is not asked for."""
        return self.made(lambda: int(self.text(0), self.machine.signed(2)))

    @provides("PyLong_AsLongLong", "PyLong_AsLong", "PyLong_AsSsize_t")
    def long_as_signed(self) -> int:
        """Read an int; -1 and an exception if it does not fit."""

        def work() -> int:
            value = int(self.get(0).__index__())
            if value.bit_length() > _LONG_BITS and value != -(1 << _LONG_BITS):
                raise OverflowError("int too big to convert")
            return value

        return int(self.done(work))

    @provides("PyLong_AsLongLongAndOverflow")
    def long_as_signed_or_overflow(self) -> int:
        """Read an int; -1 and where it lies if it does not fit."""
        value = int(self.get(0))
        is_past = not -(1 << _LONG_BITS) <= value < 1 << _LONG_BITS
        sign = (1 if value > 0 else -1) if is_past else 0
        self.memory.set32(self.machine.integer(1), sign)
        return -1 if is_past else value

    @provides("PyLong_AsUnsignedLong", "PyLong_AsUnsignedLongLong")
    def long_as_unsigned(self) -> int:
        """Read an int that is not negative."""

        def work() -> int:
            value = int(self.get(0))
            if not 0 <= value <= MASK:
                raise OverflowError("int out of range")
            return value

        return int(self.done(work))

    @provides("PyBool_FromLong")
    def bool_from_long(self) -> int:
        """Make a bool."""
        return self.objects.new(bool(self.machine.integer(0)))

    @provides("PyFloat_FromDouble")
    def float_from_double(self) -> int:
        """Make a float."""
        return self.objects.new(self.machine.number(0))

    @provides("PyFloat_AsDouble")
    def float_as_double(self) -> float:
        """Read a float."""
        return float(self.done(lambda: float(self.get(0))))

    # Texts and bytes.

    @provides("PyUnicode_AsUTF8String")
    def text_as_utf8(self) -> int:
        """Make bytes of a text."""
        return self.made(lambda: self.get(0).encode())

    @provides("PyUnicode_DecodeUTF8")
    def text_from_utf8(self) -> int:
        """Make a text of bytes."""
        data = self.memory.read(self.machine.integer(0), self.machine.integer(1))
        return self.made(data.decode)

    @provides("PyUnicode_GetLength")
    def text_length(self) -> int:
        """Return how many characters a text has."""
        return int(self.done(lambda: len(self.get(0))))

    @provides("PyUnicode_FromString", "PyUnicode_InternFromString")
    def text_from_string(self) -> int:
        """Make a text of one that ends with NUL."""
        return self.made(lambda: self.text(0))

    @provides("PyObject_Str")
    def text_of(self) -> int:
        """Make the text of an object."""
        return self.made(lambda: str(self.get(0)))

    @provides("PyBytes_FromStringAndSize")
    def bytes_from(self) -> int:
        """Make bytes, or room for them."""
        at, size = self.machine.integer(0), self.machine.integer(1)
        if not at:
            return self.objects.make_bytes(size)
        return self.objects.new(self.memory.read(at, size))

    @provides("PyBytes_AsString")
    def bytes_content(self) -> int:
        """Return where bytes are."""
        return self.objects.content(self.machine.integer(0))[0]

    @provides("PyBytes_AsStringAndSize")
    def bytes_content_and_size(self) -> int:
        """Tell where bytes are, and how many."""
        at, size = self.objects.content(self.machine.integer(0))
        self.memory.set64(self.machine.integer(1), at)
        self.memory.set64(self.machine.integer(2), size)
        return 0

    # Tuples and lists.

    @provides("PyTuple_Size", "PyList_Size", "PyObject_Size")
    def size(self) -> int:
        """Return how many items there are."""
        return len(self.get(0))

    @provides("PyTuple_GetItem", "PyList_GetItem")
    def item(self) -> int:
        """Return an item (borrowed)."""
        owner = self.machine.integer(0)
        values = self.objects.get(owner)
        index = signed64(self.machine.integer(1))
        if not 0 <= index < len(values):
            self.error = IndexError("index out of range")
            return 0
        return self.objects.borrowed(owner, values[index])

    @provides("PyTuple_New")
    def new_tuple(self) -> int:
        """Make a tuple to be filled."""
        return self.objects.new(GuestTuple([None] * self.machine.integer(0)))

    @provides("PyTuple_SetItem")
    def set_tuple_item(self) -> int:
        """Put an item in; the reference is taken over."""
        made = self.objects.raw(self.machine.integer(0))
        self._put(made.items, self.machine.integer(1), self.machine.integer(2))
        return 0

    @provides("PyTuple_Pack")
    def pack(self) -> int:
        """Make a tuple of objects."""
        take = self.machine.variadic(1)
        items = [self.objects.raw(take("i")) for _ in range(self.machine.integer(0))]
        at = self.objects.new(GuestTuple(items))
        for item in items:
            if isinstance(item, GuestBytes):  # whose content is with its box
                self.objects.borrowed(at, item)
        return at

    @provides("PyList_New")
    def new_list(self) -> int:
        """Make a list to be filled."""
        return self.objects.new([None] * self.machine.integer(0))

    @provides("PyList_SetItem")
    def set_list_item(self) -> int:
        """Put an item in; the reference is taken over."""
        made = self.objects.raw(self.machine.integer(0))
        self._put(made, self.machine.integer(1), self.machine.integer(2))
        return 0

    def _put(self, items: list[Any], index: int, at: int) -> None:
        value = self.objects.get(at)
        self.objects.release(at)
        items[index] = value

    @provides("PyList_Append")
    def append(self) -> int:
        """Append to a list, which holds a reference of its own."""
        at = self.machine.integer(1)
        if not self.objects.is_box(at):
            self.objects.keep(at)
        self.get(0).append(self.objects.get(at))
        return 0

    @provides("PyList_SetSlice")
    def set_slice(self) -> int:
        """Put the items of one list into another."""
        low, high = (signed64(self.machine.integer(i)) for i in (1, 2))
        self.get(0)[low:high] = self.get(3)
        return 0

    @provides("PySequence_Tuple")
    def tuple_of(self) -> int:
        """Make a tuple of anything that can be iterated."""
        return self.made(lambda: tuple(self.get(0)))

    @provides("PyArg_UnpackTuple")
    def unpack(self) -> int:
        """Write the items of a tuple of arguments (borrowed)."""
        owner = self.machine.integer(0)
        values = self.objects.get(owner)
        low, high = (signed64(self.machine.integer(i)) for i in (2, 3))
        if not low <= len(values) <= high:
            self.error = TypeError(
                f"{self.text(1)} expected {low} arguments, got {len(values)}"
            )
            return 0
        take = self.machine.variadic(4)
        for value in values:
            self.memory.set64(take("i"), self.objects.borrowed(owner, value))
        return 1

    # Mappings, attributes, iterators, capsules.

    @provides("PyMapping_Check")
    def is_mapping(self) -> int:
        """Tell whether items can be asked for by key."""
        return int(hasattr(type(self.get(0)), "__getitem__"))

    @provides("PySequence_Check")
    def is_sequence(self) -> int:
        """Tell whether items can be asked for by number, as C sees it."""
        value = self.get(0)
        return int(not isinstance(value, dict) and hasattr(type(value), "__getitem__"))

    @provides("PyMapping_GetItemString")
    def mapping_item(self) -> int:
        """Return an item by a text."""
        return self.made(lambda: self.get(0)[self.text(1)])

    @provides("PyObject_HasAttrString")
    def has_attribute(self) -> int:
        """Tell whether there is an attribute."""
        return int(hasattr(self.get(0), self.text(1)))

    @provides("PyObject_GetAttrString")
    def attribute(self) -> int:
        """Return an attribute. An object has no memory here but its header."""
        if self.text(1) == "__basicsize__":
            return self.objects.new(_HEADER_BYTES)
        return self.made(lambda: getattr(self.get(0), self.text(1)))

    @provides("PyObject_GenericSetAttr")
    def set_attribute(self) -> int:
        """Set an attribute, whatever the class's own way forbids."""

        def work() -> int:
            object.__setattr__(self.get(0), self.get(1), self.get(2))
            return 0

        return int(self.done(work))

    @provides("PyObject_IsTrue")
    def is_true(self) -> int:
        """Tell whether an object counts as true."""
        return int(self.done(lambda: bool(self.get(0))))

    @provides("PySequence_Size")
    def sequence_size(self) -> int:
        """Return how many items there are."""
        return int(self.done(lambda: len(self.get(0))))

    @provides("PyObject_GetIter")
    def iterator(self) -> int:
        """Make an iterator."""
        return self.made(lambda: iter(self.get(0)))

    @provides("PyIter_Next")
    def next_item(self) -> int:
        """Return the next item; NULL without an exception at the end."""
        try:
            return self.objects.new(next(self.get(0)))
        except StopIteration:
            return 0
        except Exception as error:
            self.error = error
            return 0

    @provides("PyCapsule_New")
    def new_capsule(self) -> int:
        """Make a capsule of an address, a name and what ends it."""
        pointer, _, destructor = (self.machine.integer(i) for i in range(3))
        capsule = Capsule(self, pointer, self.text(1), destructor)
        capsule.at = self.objects.new(capsule)
        return capsule.at

    @provides("PyCapsule_GetPointer")
    def capsule_pointer(self) -> int:
        """Return the address in a capsule of a name."""
        capsule = self.get(0)
        if capsule.name != self.text(1):
            self.error = ValueError("PyCapsule_GetPointer called with incorrect name")
            return 0
        return int(capsule.pointer)
