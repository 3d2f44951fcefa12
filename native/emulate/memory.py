"""The guest's memory: one block of this process, seen at the same addresses.

So a guest pointer is a pointer here, too: the real `_cffi_backend` reads the guest's
tables in place, and functions of libc can be handed guest addresses. Each block of the
heap has a canary behind it, looked at when it is freed and at the end.
"""

from __future__ import annotations

import ctypes
import struct

from native.emulate.errors import GuestFault, HeapDamaged

__all__ = ["BASE", "LIBC", "MASK", "Memory", "round_up", "signed32", "signed64"]

BASE = 0x2_0000_0000
SIZE = 0x3000_0000  # 768 MiB, of which only what is touched becomes real
MASK = (1 << 64) - 1
LIBC = ctypes.CDLL(None, use_errno=True)
_CANARY = b"\xa5" * 16
_READ_WRITE = 3
# MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_ANONYMOUS, MAP_PRIVATE
_MAP_FLAGS = 0x104022
_LONGEST_TEXT = 1 << 24


def round_up(value: int, step: int) -> int:
    """Return the next multiple of step."""
    return (value + step - 1) // step * step


def signed32(value: int) -> int:
    """Return what the lower 32 bits mean as a signed number."""
    return ctypes.c_int32(value).value


def signed64(value: int) -> int:
    """Return what 64 bits mean as a signed number."""
    return ctypes.c_int64(value).value


class Memory:
    """The block, and the heap in it.

    Attributes:
        blocks: the live blocks of the heap: size, size in all, alignment by address.
        end: the first address behind the block.
    """

    def __init__(self) -> None:
        self.end = BASE + SIZE
        self.blocks: dict[int, tuple[int, int, int]] = {}
        self._free: dict[tuple[int, int], list[int]] = {}
        self._next = 0
        LIBC.mmap.restype = ctypes.c_void_p
        LIBC.mmap.argtypes = [
            ctypes.c_void_p,
            ctypes.c_size_t,
            *[ctypes.c_int] * 3,
            ctypes.c_long,
        ]
        if LIBC.mmap(BASE, SIZE, _READ_WRITE, _MAP_FLAGS, -1, 0) != BASE:
            raise OSError("the addresses of the guest are taken")

    def check(self, at: int, size: int) -> None:
        """Raise `GuestFault` unless all of it is the guest's."""
        if at < BASE or at + size > self.end:
            raise GuestFault(f"passed {at:#x} for the address of {size} bytes")

    def read(self, at: int, size: int) -> bytes:
        """Return bytes."""
        self.check(at, size)
        return ctypes.string_at(at, size)

    def text(self, at: int) -> bytes:
        """Return a text that ends with NUL, without it."""
        self.check(at, 1)
        found = ctypes.string_at(at)
        self.check(at, len(found) + 1)
        return found

    def write(self, at: int, data: bytes) -> None:
        """Write bytes."""
        self.check(at, len(data))
        ctypes.memmove(at, data, len(data))

    def fill(self, at: int, value: int, size: int) -> int:
        """Set bytes; return the address."""
        self.check(at, size)
        ctypes.memset(at, value, size)
        return at

    def u32(self, at: int) -> int:
        """Return an unsigned number of 32 bits."""
        return int.from_bytes(self.read(at, 4), "little")

    def u64(self, at: int) -> int:
        """Return an unsigned number of 64 bits."""
        return int.from_bytes(self.read(at, 8), "little")

    def set32(self, at: int, value: int) -> None:
        """Write a number of 32 bits."""
        self.write(at, struct.pack("<I", value & 0xFFFFFFFF))

    def set64(self, at: int, value: int) -> None:
        """Write a number of 64 bits."""
        self.write(at, struct.pack("<Q", value & MASK))

    def open_heap(self, start: int) -> None:
        """Let the heap begin at an address; once, before anything is allocated."""
        self._next = start

    def allocate(self, size: int, align: int = 16, fill: int = 0) -> int:
        """Return the address of a new block.

        Args:
            size: of bytes.
            align: the address is a multiple of it.
            fill: what every byte is set to.
        """
        whole = round_up(size + len(_CANARY), 16)
        pool = self._free.get((whole, align))
        if pool:
            at = pool.pop()
        else:
            at = round_up(self._next, align)
            self._next = at + whole
            if self._next > self.end:
                raise GuestFault("used up the 768 MiB there are")
        ctypes.memset(at, fill, size)
        ctypes.memmove(at + size, _CANARY, len(_CANARY))
        self.blocks[at] = (size, whole, align)
        return at

    def free(self, at: int) -> None:
        """End a block; 0 is allowed."""
        if not at:
            return
        if at not in self.blocks:
            raise HeapDamaged(f"frees {at:#x}, which is no live block")
        self._check_canary(at)
        size, whole, align = self.blocks.pop(at)
        ctypes.memset(at, 0xDD, size)  # who reads on reads nonsense
        self._free.setdefault((whole, align), []).append(at)

    def reallocate(self, at: int, size: int) -> int:
        """Return a block with the content of another, which is ended."""
        new = self.allocate(size, fill=0xCC)
        if at:
            kept = min(size, self.size(at))
            ctypes.memmove(new, at, kept)
            self.free(at)
        return new

    def size(self, at: int) -> int:
        """Return the size of a block."""
        if at not in self.blocks:
            raise HeapDamaged(f"takes {at:#x} for a block, which it is not")
        return self.blocks[at][0]

    def check_heap(self) -> None:
        """Look at the canary of every live block."""
        for at in self.blocks:
            self._check_canary(at)

    def cstring(self, text: bytes) -> int:
        """Return the address of a new block with the text and NUL."""
        at = self.allocate(len(text) + 1)
        self.write(at, text)
        return at

    def _check_canary(self, at: int) -> None:
        size = self.blocks[at][0]
        found = ctypes.string_at(at + size, len(_CANARY))
        if found != _CANARY:
            changed = [i for i, byte in enumerate(found) if byte != _CANARY[0]]
            raise HeapDamaged(
                f"wrote past the {size} bytes of the block at {at:#x}, bytes"
                f" {changed[0]} to {changed[-1]} behind it"
            )
