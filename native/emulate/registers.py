"""Registers, read fast.

Each import called reads its arguments and writes an answer, a million times in a gate.
unicorn's own methods take 4 µs a register; its C function, given them all at once,
half of that for six.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from unicorn.unicorn_py3.unicorn import uclib

if TYPE_CHECKING:
    from native.emulate.cpu import Cpu

__all__ = ["Registers"]


class Registers:
    """The registers of 64 bits, and arguments.

    Args:
        emulator: unicorn's.
        cpu: its processor.
    """

    def __init__(self, emulator: Any, cpu: Cpu) -> None:
        # The handle is what every function of the library takes.
        self._handle = emulator._uch  # noqa: SLF001 - the binding has no name for it
        self._count = len(cpu.integers)
        self._numbers = (ctypes.c_int * self._count)(*cpu.integers)
        self._values = (ctypes.c_uint64 * self._count)()
        start, step = ctypes.addressof(self._values), ctypes.sizeof(ctypes.c_uint64)
        places = (start + step * index for index in range(self._count))
        self._places = (ctypes.c_void_p * self._count)(*places)
        self._one = ctypes.c_uint64()
        self._reference = ctypes.byref(self._one)
        self._result = cpu.result

    def read_arguments(self) -> list[int]:
        """Return the arguments that are in registers."""
        uclib.uc_reg_read_batch(self._handle, self._numbers, self._places, self._count)
        return self._values[:]

    def read(self, number: int) -> int:
        """Return a register's content."""
        uclib.uc_reg_read(self._handle, number, self._reference)
        return self._one.value

    def write(self, number: int, value: int) -> None:
        """Set a register."""
        self._one.value = value
        uclib.uc_reg_write(self._handle, number, self._reference)
