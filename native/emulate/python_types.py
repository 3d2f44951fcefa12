"""Types that the guest makes, and the objects it makes of them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from native.emulate.errors import CallMisbehaved

if TYPE_CHECKING:
    from native.emulate.python_api import PythonApi

__all__ = ["Capsule", "GuestObject", "GuestType", "read_type"]

# Numbers of slots, from CPython's typeslots.h, which never change.
_NEW, _DEALLOC, _ITERNEXT, _METHODS, _GETSET = 65, 52, 63, 64, 73
_METH_NOARGS, _METH_O, _METH_FASTCALL = 0x4, 0x8, 0x80


class GuestType:
    """A type made by PyType_FromSpec().

    Attributes:
        name: what it is called.
        size: the bytes of an object.
        slots: address by number.
        methods: address and flags by name.
        attributes: address of the getter and its closure by name.
    """

    def __init__(self, name: str, size: int, slots: dict[int, int]) -> None:
        self.name = name
        self.size = size
        self.slots = slots
        self.methods: dict[str, tuple[int, int]] = {}
        self.attributes: dict[str, tuple[int, int]] = {}

    @property
    def dealloc(self) -> int:
        """The function that ends an object."""
        return self.slots[_DEALLOC]


def read_type(api: PythonApi, spec: int) -> GuestType:
    """Read a PyType_Spec: { name, basicsize, itemsize, flags, slots }."""
    memory = api.memory
    name, size, _, _, slot = struct.unpack("<QiiI4xQ", memory.read(spec, 32))
    slots: dict[int, int] = {}
    while memory.u32(slot):
        slots[memory.u32(slot)] = memory.u64(slot + 8)
        slot += 16
    made = GuestType(memory.text(name).decode(), size, slots)
    at = slots.get(_METHODS, 0)
    while at and memory.u64(at):  # PyMethodDef: { name, function, flags, doc }
        key = memory.text(memory.u64(at)).decode()
        made.methods[key] = memory.u64(at + 8), memory.u32(at + 16)
        at += 32
    at = slots.get(_GETSET, 0)
    while at and memory.u64(at):  # PyGetSetDef: { name, get, set, doc, closure }
        key = memory.text(memory.u64(at)).decode()
        made.attributes[key] = memory.u64(at + 8), memory.u64(at + 32)
        at += 40
    return made


class GuestObject:
    """An object of such a type: what Python code would have in hand.

    It stands for one reference, which `release` gives back.
    """

    def __init__(self, api: PythonApi, at: int, kind: GuestType) -> None:
        self._api = api
        self.at = at
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind.name} at {self.at:#x}>"

    def call(self, name: str, *arguments: object) -> Any:
        """Call a method as the interpreter does.

        Raises:
            Exception: what the method raised.
            CallMisbehaved: it broke a rule of the Python API.
        """
        api = self._api
        function, flags = self.kind.methods[name]
        boxes = [api.objects.new(value) for value in arguments]
        full = f"{self.kind.name}.{name}"
        if flags == _METH_NOARGS and not boxes:
            return api.call(full, function, (self.at, 0), boxes)
        if flags == _METH_O and len(boxes) == 1:
            return api.call(full, function, (self.at, boxes[0]), boxes)
        if flags != _METH_FASTCALL:
            raise CallMisbehaved(full, f"has flags {flags:#x} that are not known here")
        array = api.memory.allocate(8 * len(boxes))
        for index, box in enumerate(boxes):
            api.memory.set64(array + 8 * index, box)
        try:
            return api.call(full, function, (self.at, array, len(boxes)), boxes)
        finally:
            api.memory.free(array)

    def attribute(self, name: str) -> Any:
        """Return what an attribute's getter gives."""
        getter, closure = self.kind.attributes[name]
        full = f"{self.kind.name}.{name}"
        return self._api.call(full, getter, (self.at, closure), [])

    def next(self) -> Any:
        """Return the next item.

        Raises:
            StopIteration: there is none.
        """
        function = self.kind.slots[_ITERNEXT]
        full = f"next({self.kind.name})"
        return self._api.call(full, function, (self.at,), [], is_next=True)

    def release(self) -> None:
        """Give the reference back; the last one ends the object."""
        self._api.give_back(self.at)


class Capsule:
    """A PyCapsule, and the reference to it.

    Attributes:
        pointer: the address in it.
        name: its name.
        at: its box.
    """

    def __init__(
        self, api: PythonApi, pointer: int, name: str, destructor: int
    ) -> None:
        self._api = api
        self._destructor = destructor
        self.pointer = pointer
        self.name = name
        self.at = 0

    def end(self) -> None:
        """Have the guest end what is in it, as when the last reference goes."""
        if self._destructor:
            self._api.machine.call(self._destructor, self.at)
        self._api.objects.end(self.at)
