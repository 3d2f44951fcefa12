"""The printf family, which no function of libc can be handed: its `...` are ours."""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Callable

from native.emulate.errors import GuestFault
from native.emulate.library import Library, provides
from native.emulate.machine import as_double
from native.emulate.memory import LIBC, MASK, signed32, signed64

if TYPE_CHECKING:
    from native.emulate.memory import Memory

__all__ = ["Text"]

_SPEC = re.compile(
    rb"%([-+ #0']*)(\*|\d+)?(?:\.(\*|\d*))?(hh|h|ll|l|q|j|z|t|L)?"
    rb"([diouxXcsSpfFeEgGaAn%])"
)
_BITS = {b"hh": 8, b"h": 16, b"": 32}
_NUMBERS = re.compile(rb"%[du]")
_LONGEST = 2048


class Text(Library):
    """Formatted output; what goes to a stream goes to our standard error."""

    @provides("snprintf")
    def snprintf(self) -> int:
        """Write the text of `...` into a buffer."""
        return self._write(self.machine.integer(1), 2, self.machine.variadic(3))

    @provides("__snprintf_chk")
    def snprintf_checked(self) -> int:
        """As `snprintf`, told how large the buffer is."""
        return self._write(self.machine.integer(1), 4, self.machine.variadic(5))

    @provides("vsnprintf")
    def vsnprintf(self) -> int:
        """Write the text of a `va_list` into a buffer."""
        take = self.machine.variadic_list(self.machine.integer(3))
        return self._write(self.machine.integer(1), 2, take)

    @provides("__vsnprintf_chk")
    def vsnprintf_checked(self) -> int:
        """As `vsnprintf`, told how large the buffer is."""
        take = self.machine.variadic_list(self.machine.integer(5))
        return self._write(self.machine.integer(1), 4, take)

    @provides("__sprintf_chk")
    def sprintf_checked(self) -> int:
        """Write into a buffer of a known size."""
        return self._write(self.machine.integer(2), 3, self.machine.variadic(4))

    @provides("sscanf")
    def sscanf(self) -> int:
        """Read numbers from a text."""
        wanted = self.memory.text(self.machine.integer(1))
        if _NUMBERS.sub(b"", wanted).count(b"%"):
            raise GuestFault(f"reads more than whole numbers: {wanted!r}")
        take = self.machine.variadic(2)
        places = [take("i") for _ in _NUMBERS.findall(wanted)]
        for place in places:
            self.memory.check(place, 4)
        text = ctypes.c_char_p(self.memory.text(self.machine.integer(0)))
        return int(LIBC.sscanf(text, wanted, *map(ctypes.c_void_p, places)))

    @provides("strlcpy", "__strlcpy_chk")
    def strlcpy(self) -> int:
        """Copy a text, as much as fits."""
        source = self.memory.text(self.machine.integer(1))
        return self._put(self.machine.integer(0), self.machine.integer(2), source)

    @provides("strlcat", "__strlcat_chk")
    def strlcat(self) -> int:
        """Append a text, as much as fits."""
        to, size = self.machine.integer(0), self.machine.integer(2)
        before = len(self.memory.text(to))
        source = self.memory.text(self.machine.integer(1))
        return before + self._put(to + before, max(size - before, 0), source)

    def _write(self, size: int, format_index: int, take: Callable[[str], int]) -> int:
        text = self.memory.text(self.machine.integer(format_index))
        made = formatted(self.memory, text, take)
        return self._put(self.machine.integer(0), size, made)

    def _put(self, to: int, size: int, data: bytes) -> int:
        if size:
            self.memory.write(to, data[: size - 1] + b"\0")
        return len(data)


def formatted(memory: Memory, text: bytes, take: Callable[[str], int]) -> bytes:
    """Return what printf() makes of a format.

    Args:
        memory: where its texts are.
        text: the format.
        take: gives the arguments, as `Machine.variadic` returns it.
    """

    def one(match: re.Match[bytes]) -> bytes:
        flags, width, _, size, letter = match.groups(b"")
        if letter == b"%":
            return b"%"
        if width == b"*":
            width = b"%d" % signed32(take("i"))
        precision = match[3]
        if precision == b"*":
            given = signed32(take("i"))
            precision = None if given < 0 else b"%d" % given
        if letter == b"s":
            return _string(memory, take("i"), flags, int(width or 0), precision)
        dot = b"" if precision is None else b"." + precision
        spec = b"%" + flags + width + dot
        if letter in b"fFeEgGaA":
            value = ctypes.c_double(as_double(take("f")))
            return _by_libc(spec + letter, value)
        number = _cut(take("i"), size, letter)
        length = b"" if letter in b"cp" else b"ll"
        return _by_libc(spec + length + letter, ctypes.c_longlong(number))

    return _SPEC.sub(one, text)


def _string(
    memory: Memory, at: int, flags: bytes, width: int, precision: bytes | None
) -> bytes:
    if not at:
        raw = b"(null)"
    elif precision is None:
        raw = memory.text(at)
    else:  # such a text need not end with NUL, so no byte past the limit is read
        taken = bytearray()
        while len(taken) < int(precision or 0):
            byte = memory.read(at + len(taken), 1)
            if byte == b"\0":
                break
            taken += byte
        raw = bytes(taken)
    return raw.ljust(abs(width)) if b"-" in flags or width < 0 else raw.rjust(width)


def _cut(value: int, size: bytes, letter: bytes) -> int:
    """Return an argument as the type that its conversion names."""
    bits = _BITS.get(size, 64)
    low = value & ((1 << bits) - 1)
    if letter in b"di" and low >> (bits - 1):
        return low - (1 << bits)
    return signed64(low if letter not in b"p" else value & MASK)


def _by_libc(spec: bytes, value: ctypes.c_double | ctypes.c_longlong) -> bytes:
    buffer = ctypes.create_string_buffer(_LONGEST)
    size = LIBC.snprintf(buffer, ctypes.c_size_t(_LONGEST), spec, value)
    return buffer.raw[: min(size, _LONGEST - 1)]
