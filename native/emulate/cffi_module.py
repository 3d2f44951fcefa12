"""An image that is a cffi module, as the interpreter at hand imports it.

The real `_cffi_backend` reads the guest's tables and makes its types of them; its own
functions, which the guest calls to convert values, are wrapped to unbox and box.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any

from native.emulate.clock import Clock
from native.emulate.errors import CallMisbehaved, ImageRefused
from native.emulate.files import Files
from native.emulate.libsystem import LibSystem
from native.emulate.machine import Machine
from native.emulate.memory import BASE, signed32
from native.emulate.network import Network
from native.emulate.python_values import PythonValues
from native.emulate.streams import Streams
from native.emulate.text import Text
from native.emulate.threads import Threads

if TYPE_CHECKING:
    from typing import Callable

    from native.emulate.image import Image

__all__ = ["CffiModule"]

_INIT = "_PyInit_"
_INT_TYPE = ctypes.c_int
_EXPORT_COUNT = 28
# Kinds of functions in cffi's table of globals: any, none and one argument.
_OP_VARIADIC, _OP_NO_ARGUMENT, _OP_ONE_ARGUMENT = 23, 25, 27
# Kinds of constants: the place holds a function that writes the value and answers
# whether it is at most 0. _cffi_backend calls it, so it has to be one of this process.
_OP_CONSTANTS = (11, 31)
_CONSTANT = ctypes.CFUNCTYPE(_INT_TYPE, ctypes.POINTER(ctypes.c_ulonglong))
_OBJECT, _ADDRESS, _INT = ctypes.py_object, ctypes.c_void_p, _INT_TYPE
# The functions that _cffi_backend hands to a module, by place: result and arguments
# (`_cffi_include.h`). What is not listed no generated code calls without callbacks.
_SIGNATURES: dict[int, tuple[Any, ...]] = {
    1: (_INT, _OBJECT),
    2: (_INT, _OBJECT),
    3: (_INT, _OBJECT),
    4: (_INT, _OBJECT),
    5: (_INT, _OBJECT),
    6: (ctypes.c_uint, _OBJECT),
    7: (ctypes.c_longlong, _OBJECT),
    8: (ctypes.c_ulonglong, _OBJECT),
    9: (_INT, _OBJECT),
    10: (_OBJECT, _ADDRESS, _ADDRESS),
    11: (_ADDRESS, _OBJECT, _ADDRESS),
    13: (None,),
    14: (None,),
    15: (_OBJECT, ctypes.c_char),
    16: (_OBJECT, _ADDRESS, _ADDRESS),
    17: (_INT, _ADDRESS, _ADDRESS, _OBJECT),
    18: (_OBJECT, _ADDRESS, _ADDRESS),
    19: (_INT, _OBJECT),
    20: (_OBJECT, _INT),
    22: (_INT, _OBJECT),
    23: (ctypes.c_ssize_t, _ADDRESS, _OBJECT, _ADDRESS),
    24: (_INT, _ADDRESS, _ADDRESS, _OBJECT),
    26: (_INT, _OBJECT),
    27: (_OBJECT, _INT),
}


class CffiModule:
    """The module in an image.

    Args:
        image: the image.
        trace: is told of each call out of it.

    Attributes:
        machine: what runs it.
        python: the interpreter's side.
        network: its sockets.
        streams: the files it reads.
        threads: its threads.
        name: the module's name.
        version: the version of cffi's tables in it.
        ffi: the module's `ffi`, a real one.
    """

    def __init__(
        self, image: Image, trace: Callable[[str], None] | None = None
    ) -> None:
        self.machine = Machine(image, trace=trace)
        system = LibSystem(self.machine)
        self.threads = Threads(self.machine)
        self.python = PythonValues(self.machine, self.threads)
        files = Files(self.machine, system)
        self.streams = Streams(self.machine, system)
        self.network = Network(self.machine, system, files)
        self.machine.load(
            [
                Text(self.machine),
                Clock(self.machine),
                self.streams,
                self.network,
                files,
                self.threads,
                self.python,
                system,
            ]
        )
        names = [name for name in image.exports if name.startswith(_INIT)]
        if len(names) != 1:
            raise ImageRefused(f"it has {len(names)} init functions")
        self.name = names[0][len(_INIT) :]
        entry = BASE + image.exports[names[0]]
        self._module = self.python.call(f"PyInit_{self.name}", entry, (), [])
        self.ffi: Any = self._module.ffi
        self.version = 0
        self._globals: dict[str, tuple[int, int]] = {}
        self._constants: list[Any] = []  # kept for as long as they may be called
        self._read_tables()

    def _read_tables(self) -> None:
        memory = self.machine.memory
        # What the module passed to _cffi_backend: { module name, version, functions,
        # tables }.
        raw = self.python.last_address
        self.version, exports, tables = (memory.u64(raw + 8 * i) for i in (1, 2, 3))
        for index, signature in _SIGNATURES.items():
            real = memory.u64(exports + 8 * index)
            if real:
                hook = self.machine.hook(
                    f"_cffi_exports[{index}]", self._wrapped(real, signature)
                )
                memory.set64(exports + 8 * index, hook)
        rows = memory.u64(tables + 8)
        for index in range(memory.u32(tables + 48)):
            name, address, kind, _ = struct.unpack(
                "<4Q", memory.read(rows + 32 * index, 32)
            )
            key = memory.text(name).decode()
            self._globals[key] = address, kind & 0xFF
            if kind & 0xFF in _OP_CONSTANTS:
                memory.set64(rows + 32 * index + 8, self._constant(address))

    def _constant(self, function: int) -> int:
        """Return a function of this process that answers what the guest's does."""
        memory = self.machine.memory
        at = memory.allocate(8)
        answer = signed32(self.machine.call(function, at))
        value = memory.u64(at)
        memory.free(at)

        def tell(out: Any) -> int:
            out[0] = value
            return answer

        self._constants.append(_CONSTANT(tell))
        return ctypes.cast(self._constants[-1], ctypes.c_void_p).value or 0

    def _wrapped(self, real: int, signature: tuple[Any, ...]) -> Callable[[], Any]:
        result, *kinds = signature
        function = ctypes.PYFUNCTYPE(result, *kinds)(real)
        machine, python = self.machine, self.python

        def argument(index: int, kind: Any) -> Any:
            if kind is _OBJECT:
                return python.get(index)
            if kind is ctypes.c_char:
                return bytes([machine.integer(index) & 255])
            value = machine.integer(index)
            return value if kind is _ADDRESS else signed32(value)

        def action() -> Any:
            values = [argument(index, kind) for index, kind in enumerate(kinds)]
            if result is _OBJECT:
                return python.made(lambda: function(*values))
            found = python.done(lambda: function(*values))
            return found or 0 if result is not None else None

        return action

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of its functions."""
        kinds = (_OP_VARIADIC, _OP_NO_ARGUMENT, _OP_ONE_ARGUMENT)
        return tuple(name for name, (_, kind) in self._globals.items() if kind in kinds)

    def new(self, kind: str, count: int = 1) -> Any:
        """Return a pointer to zeroed values in the guest's memory; see `end`."""
        size = int(self.ffi.sizeof(kind)) * count
        at = self.machine.memory.allocate(max(size, 1))
        return self.ffi.cast(self.ffi.typeof(f"{kind} *"), at)

    def text(self, text: str) -> Any:
        """Return a `char *` to a text in the guest's memory; see `end`."""
        at = self.machine.memory.cstring(text.encode())
        return self.ffi.cast("char *", at)

    def end(self, *pointers: Any) -> None:
        """Free what `new` and `text` gave."""
        for pointer in pointers:
            self.machine.memory.free(int(self.ffi.cast("uintptr_t", pointer)))

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function through the wrapper that cffi wrote, as Python does.

        Raises:
            CallMisbehaved: there is no such function, or it broke a rule.
            EmulationError: it did wrong.
        """
        if name not in self._globals:
            raise CallMisbehaved(name, "is not among the module's functions")
        function, kind = self._globals[name]
        getattr(self._module.lib, name)  # makes the types it uses
        python = self.python
        if kind == _OP_NO_ARGUMENT:
            return python.call(name, function, (0, 0), [])
        if kind == _OP_ONE_ARGUMENT:
            box = python.objects.new(arguments[0])
            return python.call(name, function, (0, box), [box])
        box = python.objects.new(tuple(arguments))
        return python.call(name, function, (0, box), [box])
