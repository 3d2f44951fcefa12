"""Python objects as the guest sees them: boxes of a reference count and a type.

The guest counts references in a box by itself, as the limited API's macros do, so a
box's count is exact: what was not given back is seen. One object has one box for as
long as there are references to it, because C compares objects by address.

An object that the guest makes of a type of its own is the other way round: its memory
is the guest's, and here stands a `GuestObject` for it (see `python_types`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from native.emulate.errors import HeapDamaged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from native.emulate.memory import Memory

__all__ = ["GuestBytes", "GuestTuple", "Objects"]

_BOX_BYTES = 32
# A count that no program reaches: such a box is never freed.
_FOR_EVER = 1 << 40


class GuestBytes:
    """A bytes object that the guest made empty, and fills and refills in place."""

    def __init__(self, memory: Memory, at: int, size: int) -> None:
        self._memory = memory
        self.at = at
        self._size = size

    def finished(self) -> bytes:
        """Return what is in it now."""
        return self._memory.read(self.at, self._size)


class GuestTuple:
    """A tuple whose items the guest puts in one after the other."""

    def __init__(self, items: list[object]) -> None:
        self.items = items

    def finished(self) -> tuple[object, ...]:
        """Return what is in it now."""
        return tuple(finished(item) for item in self.items)


def finished(value: object) -> object:
    """Return an object as Python code may have it."""
    return value.finished() if isinstance(value, (GuestBytes, GuestTuple)) else value


class Objects:
    """All boxes.

    Args:
        memory: where they lie.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._objects: dict[int, Any] = {}
        self._addresses: dict[int, int] = {}
        self._held: dict[int, dict[int, int]] = {}
        self._buffers: dict[int, int] = {}
        self._for_ever: set[int] = set()
        self._types = {GuestBytes: bytes, GuestTuple: tuple}
        self.immortal(type)

    def immortal(self, value: object) -> int:
        """Return the box of an object that is never freed."""
        known = self._addresses.get(id(value))
        if known is not None:
            return known
        at = self._make(value)
        self._memory.set64(at, _FOR_EVER)
        self._for_ever.add(at)
        return at

    def new(self, value: object) -> int:
        """Return an object's box, with one reference more than before."""
        if isinstance(value, type) or value is None or isinstance(value, bool):
            at = self.immortal(value)
            return self.keep(at)
        known = self._addresses.get(id(value))
        if known is not None:
            return self.keep(known)
        return self._make(value)

    def _make(self, value: object) -> int:
        at = self._memory.allocate(_BOX_BYTES)
        self._objects[at] = value
        self._addresses[id(value)] = at
        self._memory.set64(at, 1)
        kind = self._types.get(type(value), type(value))
        kind_at = at if value is type else self.immortal(kind)
        self._memory.set64(at + 8, kind_at)
        return at

    def adopt(self, at: int, value: object) -> None:
        """Let an address that the guest owns stand for an object."""
        self._objects[at] = value

    def drop(self, at: int) -> None:
        """Forget such an address."""
        del self._objects[at]

    def raw(self, at: int) -> Any:
        """Return what stands behind a box, as it is."""
        try:
            return self._objects[at]
        except KeyError:
            raise HeapDamaged(f"takes {at:#x} for a Python object") from None

    def get(self, at: int) -> Any:
        """Return the object of a box, as Python code may have it."""
        return finished(self.raw(at))

    def count(self, at: int) -> int:
        """Return a box's reference count."""
        return self._memory.u64(at)

    def keep(self, at: int) -> int:
        """Add a reference; return the box."""
        self._memory.set64(at, self._memory.u64(at) + 1)
        return at

    def release(self, at: int) -> bool:
        """Take a reference away; whether it was the last.

        A box is freed with it. An object of a type of the guest's is not: whoever calls
        has to have the guest end it.
        """
        count = self._memory.u64(at) - 1
        if count < 0:
            raise HeapDamaged(f"gave back {self.raw(at)!r} more often than it had it")
        self._memory.set64(at, count)
        if count == 0 and id(self.raw(at)) in self._addresses:
            self.end(at)
        return count == 0

    def end(self, at: int) -> None:
        """Free a box without references, and what it held."""
        value = self._objects.pop(at)
        del self._addresses[id(value)]
        for inner in self._held.pop(at, {}).values():
            self.release(inner)
        buffer = self._buffers.pop(at, 0)
        self._memory.free(buffer)
        self._memory.free(at)

    def is_box(self, at: int) -> bool:
        """Whether an object lives here, and not in the guest's memory."""
        return id(self.raw(at)) in self._addresses

    def take(self, at: int) -> Any:
        """Return the object of a reference that the guest gave us."""
        value = self.get(at)
        if self.is_box(at):
            self.release(at)
        return value

    def borrowed(self, owner: int, value: object) -> int:
        """Return an object's box for as long as the owner's box lives."""
        held = self._held.setdefault(owner, {})
        key = id(value)
        if key not in held:
            held[key] = self.new(value)
        return held[key]

    def content(self, at: int) -> tuple[int, int]:
        """Return address and size of a bytes object's content."""
        value = self.raw(at)
        if isinstance(value, GuestBytes):
            return value.at, len(value.finished())
        if at not in self._buffers:
            self._buffers[at] = self._memory.cstring(value)
        return self._buffers[at], len(value)

    def make_bytes(self, size: int) -> int:
        """Return the box of a bytes object to be filled by the guest."""
        buffer = self._memory.allocate(size + 1, fill=0xCC)
        self._memory.fill(buffer + size, 0, 1)
        at = self.new(GuestBytes(self._memory, buffer, size))
        self._buffers[at] = buffer
        return at

    def counts(self) -> Mapping[int, tuple[int, str]]:
        """Return every box's count, without what stands for ever, and what it is."""
        return {
            at: (
                self._memory.u64(at) - (_FOR_EVER if at in self._for_ever else 0),
                f"{type(value).__name__} {value!r:.40}",
            )
            for at, value in self._objects.items()
        }

    def is_for_ever(self, at: int) -> bool:
        """Whether an address is the box of an object that is never freed."""
        return at in self._for_ever
