"""The processor with an image in its memory: imports, calls, faults.

An import is bound to a stub, and the emulator stops at each stub long enough to run a
Python function. One that calls the guest again is run once the emulator has stopped
altogether, because it does not nest.
"""

from __future__ import annotations

import re
import struct
import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Callable

from unicorn import unicorn_const
from unicorn.unicorn_py3.unicorn import Uc, UcError

from native.emulate.cpu import ARM64
from native.emulate.errors import CallMisbehaved, GuestFault, ImportMissing, PlacedError
from native.emulate.library import Blocked, Postponed
from native.emulate.memory import BASE, MASK, Memory, round_up, signed32
from native.emulate.registers import Registers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from native.emulate.image import Image
    from native.emulate.library import Action, Answer, Library

__all__ = ["Machine"]

_PAGE = 0x4000
_STUB_BYTES = 16
_STUBS_BYTES = 0x10000
_STACK_BYTES = 8 << 20
_DEEPEST_FRAME = 12
# Leaves of a function may use what is below the stack pointer (the red zone).
_GAP_BYTES = 512
_SUFFIX = re.compile(r"\$(INODE64|DARWIN_EXTSN|NOCANCEL|1050)$")


class Machine:
    """One image, ready to be called. One for a process, since its addresses are fixed.

    Args:
        image: what to run.
        timeout_seconds: how long a call may take.
        trace: is told of each call out of the image.

    Attributes:
        image: the image.
        cpu: its processor.
        memory: what it lives in.
        called: how often each import was called.
        missing: imports that no library here has.
        fixups: how many addresses were corrected, how many imports bound.
        arguments: those in registers of the import that is being run.
    """

    def __init__(
        self,
        image: Image,
        *,
        timeout_seconds: float = 120.0,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.image = image
        self.cpu = image.cpu
        self.memory = Memory()
        self.called: dict[str, int] = {}
        self.missing: list[str] = []
        self.fixups = (0, 0)
        self._timeout = timeout_seconds
        self._deadline = 0.0
        self._trace = trace
        self._hooks: list[tuple[str, Action | None]] = []
        self._pending: tuple[Action, list[int], int, int] | None = None
        self._is_in_hook = False
        self._fault: PlacedError | None = None
        self._depth = 0
        self._symbol_offsets = [offset for offset, _ in image.symbols]
        self._stubs = BASE + round_up(image.top, _PAGE) + _PAGE
        stack = self._stubs + _STUBS_BYTES + _PAGE
        self._stack_top = stack + _STACK_BYTES
        self._heap = self._stack_top + _PAGE
        make: Any = Uc  # carries no types
        self._emulator: Any = make(*self.cpu.mode)
        self._emulator.ctl_set_cpu_model(self.cpu.model)
        self._registers = Registers(self._emulator, self.cpu)
        self.arguments: list[int] = []
        self._place(stack)

    def _place(self, stack: int) -> None:
        stub = self.cpu.give_back.ljust(_STUB_BYTES, b"\0")
        self.memory.write(self._stubs, stub * (_STUBS_BYTES // _STUB_BYTES))
        self.memory.open_heap(self._heap)
        self._stop = self.hook("<stop>", None)
        self.fixups = self.image.place(self.memory)
        for offset, size, is_writable, is_code in self.image.areas():
            self._map(BASE + offset, size, is_writable=is_writable, is_code=is_code)
        self._map(self._stubs, _STUBS_BYTES, is_writable=False, is_code=True)
        self._map(stack, _STACK_BYTES)
        self._map(self._heap, self.memory.end - self._heap)
        self._emulator.hook_add(
            unicorn_const.UC_HOOK_CODE,
            self._on_stub,
            begin=self._stubs,
            end=self._stubs + _STUBS_BYTES - 1,
        )

    def _map(
        self, at: int, size: int, *, is_writable: bool = True, is_code: bool = False
    ) -> None:
        protection = unicorn_const.UC_PROT_READ
        protection |= unicorn_const.UC_PROT_WRITE if is_writable else 0
        protection |= unicorn_const.UC_PROT_EXEC if is_code else 0
        low, high = at // 4096 * 4096, round_up(at + size, 4096)
        self._emulator.mem_map_ptr(low, high - low, protection, low)

    def load(self, libraries: Sequence[Library]) -> None:
        """Bind the image's imports to the libraries, and run its initialisers."""
        addresses: dict[str, int] = {}
        for binding in self.image.bindings:
            if binding.symbol not in addresses:
                addresses[binding.symbol] = self._resolve(binding.symbol, libraries)
        self.image.bind(self.memory, addresses)
        for function in self.image.initialisers(self.memory):
            self.call(function, 0, 0, 0, 0)

    def _resolve(self, symbol: str, libraries: Sequence[Library]) -> int:
        name = _SUFFIX.sub("", symbol[1:] if symbol.startswith("_") else symbol)
        for library in libraries:
            data = library.data()
            if name in data:
                return data[name]
            action = library.find(name)
            if action is not None:
                return self.hook(name, action)
        self.missing.append(name)
        return self.hook(name, None)

    def hook(self, name: str, action: Action | None) -> int:
        """Return an address that runs the action when the guest calls it."""
        if len(self._hooks) * _STUB_BYTES >= _STUBS_BYTES:
            raise GuestFault(f"has more than {len(self._hooks)} imports")
        self._hooks.append((name, action))
        return self._stubs + _STUB_BYTES * (len(self._hooks) - 1)

    # What an action reads.

    def register(self, number: int) -> int:
        """Return a register's content."""
        return self._registers.read(number)

    def set_register(self, number: int, value: int) -> None:
        """Set a register."""
        self._registers.write(number, value)

    def integer(self, index: int) -> int:
        """Return an argument, counted from 0, as 64 bits without a sign."""
        if index < len(self.arguments):
            return self.arguments[index]
        past = index - len(self.arguments)
        return self.memory.u64(self.stacked() + 8 * past)

    def signed(self, index: int) -> int:
        """Return an argument that is an int of C."""
        return signed32(self.integer(index))

    def number(self, index: int = 0) -> float:
        """Return a floating-point argument, counted among those alone."""
        return as_double(self._emulator.reg_read(self.cpu.floats[index]))

    def stacked(self) -> int:
        """Return where the arguments on the stack begin."""
        return self.register(self.cpu.stack) + (0 if self.cpu.link is not None else 8)

    def variadic(self, fixed: int) -> Callable[[str], int]:
        """Return a reader of the arguments in place of `...`.

        Args:
            fixed: how many integer arguments come before.

        Returns:
            A function to be called for each with `i` or `f`; gives its 64 bits.
        """
        taken = {"i": fixed, "f": 0, "stack": self.stacked()}
        kinds = {"i": self.cpu.integers, "f": self.cpu.floats}

        def take(kind: str) -> int:
            registers = kinds[kind]
            if not self.cpu.variadic_on_stack and taken[kind] < len(registers):
                taken[kind] += 1
                number = registers[taken[kind] - 1]
                return int(self._emulator.reg_read(number)) & MASK
            taken["stack"] += 8
            return self.memory.u64(taken["stack"] - 8)

        return take

    def variadic_list(self, at: int) -> Callable[[str], int]:
        """Return the like reader of a `va_list`."""
        place = [at]
        memory = self.memory

        def take_arm64(kind: str) -> int:
            del kind
            place[0] += 8
            return memory.u64(place[0] - 8)

        def take_x86(kind: str) -> int:
            # struct { gp_offset, fp_offset; overflow_arg_area, reg_save_area }
            offset, step, limit = (at, 8, 48) if kind == "i" else (at + 4, 16, 176)
            if memory.u32(offset) < limit:
                memory.set32(offset, memory.u32(offset) + step)
                return memory.u64(memory.u64(at + 16) + memory.u32(offset) - step)
            memory.set64(at + 8, memory.u64(at + 8) + 8)
            return memory.u64(memory.u64(at + 8) - 8)

        return take_arm64 if self.cpu is ARM64 else take_x86

    # Calls into the guest.

    def outside(self) -> None:
        """Make sure that the guest can be called now; see `Postponed`."""
        if self._is_in_hook:
            raise Postponed

    def call(self, function: int, *arguments: int) -> int:
        """Call a function of the guest and return its answer as 64 bits.

        Raises:
            EmulationError: it did not come to an end as it should.
        """
        self.outside()
        if self._fault is not None:
            # What was interrupted is half done, so nothing can be cleaned up after it.
            raise self._fault
        saved = self.context() if self._depth else None
        if saved is None:
            self._deadline = time.monotonic() + self._timeout
        inner = self.register(self.cpu.stack) - _GAP_BYTES if self._depth else 0
        self.prepare(function, inner or self._stack_top - 4096, *arguments)
        before = self._depth
        self.run(function)
        assert self._depth == before
        result = self.register(self.cpu.result)
        if saved is not None:
            self.restore(saved)
        return result & MASK

    def prepare(self, function: int, stack: int, *arguments: int) -> None:
        """Set the registers as at the first instruction of a function."""
        if len(arguments) > len(self.cpu.integers):
            raise CallMisbehaved(self.symbol(function), "takes too many arguments")
        stack &= ~15
        if self.cpu.link is not None:
            self.set_register(self.cpu.link, self._stop)
        else:
            stack -= 8
            self.memory.set64(stack, self._stop)
        self.set_register(self.cpu.stack, stack)
        self.set_register(self.cpu.frame, 0)
        for register, value in zip(self.cpu.integers, arguments):
            self.set_register(register, value & MASK)

    def run(self, counter: int, answer: Answer = None) -> None:
        """Run from an address until the function that was prepared gives back.

        Args:
            counter: where.
            answer: what the import that is gone back from answers.
        """
        self.answer(answer)
        self._depth += 1
        try:
            while counter != self._stop:
                counter = self._run_on(counter)
        except UcError as error:
            self._fault = GuestFault(f"made a fault: {error}", self.frames())
            raise self._fault from None
        except PlacedError as error:
            self._fault = error.placed(self.frames())
            raise self._fault from None
        finally:
            self._depth -= 1

    def _run_on(self, counter: int) -> int:
        """Run until something has to be done outside; return where to go on."""
        left = max(self._deadline - time.monotonic(), 0.001)
        self._emulator.emu_start(counter, self._stop, timeout=int(left * 1e6))
        if self._pending is None:
            if self.register(self.cpu.counter) != self._stop:
                raise GuestFault(f"does not come back within {self._timeout:.0f} s")
            return self._stop
        (action, self.arguments, counter, stack), self._pending = self._pending, None
        try:
            result = action()
        except Blocked as blocked:
            blocked.counter, blocked.stack = counter, stack
            raise
        self.answer(result)
        self.set_register(self.cpu.stack, stack)
        return counter

    def answer(self, value: Answer) -> None:
        """Put an answer where the guest looks for it."""
        if isinstance(value, float):
            (bits,) = struct.unpack("<Q", struct.pack("<d", value))
            self._emulator.reg_write(self.cpu.floats[0], bits)
        elif value is not None:
            self.set_register(self.cpu.result, int(value) & MASK)

    def context(self) -> Any:
        """Return all registers, for `restore`."""
        return self._emulator.context_save()

    def restore(self, context: Any) -> None:
        """Set all registers."""
        self._emulator.context_restore(context)

    def _on_stub(self, emulator: Any, address: int, size: int, data: Any) -> None:
        del size, data
        name, action = self._hooks[(address - self._stubs) // _STUB_BYTES]
        if name == "<stop>":
            return
        self.called[name] = self.called.get(name, 0) + 1
        if self._trace is not None:
            shown = ", ".join(f"{self.integer(i):#x}" for i in range(4))
            self._trace(f"{name}({shown})")
        if action is None:
            raise ImportMissing(f"called `{name}`, which the emulator lacks,")
        self._is_in_hook = True
        self.arguments = self._registers.read_arguments()
        try:
            self.answer(action())
        except (Postponed, Blocked):
            stack = self.register(self.cpu.stack)
            if self.cpu.link is not None:
                back = self.register(self.cpu.link)
            else:
                back, stack = self.memory.u64(stack), stack + 8
            self._pending = (action, self.arguments, back, stack)
            emulator.emu_stop()
        finally:
            self._is_in_hook = False

    def symbol(self, address: int) -> str:
        """Return an address as an offset into the image, with the symbol before it."""
        offset = address - BASE
        index = bisect_right(self._symbol_offsets, offset) - 1
        if index < 0 or address >= self._stubs:
            return f"{offset:#x}"
        return f"{offset:#x} ({self.image.symbols[index][1]})"

    def frames(self) -> tuple[str, ...]:
        """Return where the guest is and who called, inmost first."""
        found = [self.symbol(self.register(self.cpu.counter))]
        frame = self.register(self.cpu.frame)
        while self._stubs < frame < self._stack_top and len(found) < _DEEPEST_FRAME:
            found.append(self.symbol(self.memory.u64(frame + 8)))
            frame = self.memory.u64(frame)
        return tuple(found)


def as_double(bits: int) -> float:
    """Return what 64 bits mean as a floating-point number."""
    (value,) = struct.unpack("<d", struct.pack("<Q", bits & MASK))
    return float(value)
