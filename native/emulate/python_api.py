"""The limited API of CPython, as far as cffi's code and `native/cffi` use it: the base.

Errors, calls, reference counts and types are here; making and reading values is in
`python_values`.
"""

from __future__ import annotations

import builtins
import importlib
import struct
from typing import TYPE_CHECKING, Any, Callable

from native.emulate.errors import CallMisbehaved, GuestFault
from native.emulate.library import Library, provides
from native.emulate.memory import BASE, signed32, signed64
from native.emulate.objects import Objects
from native.emulate.python_types import Capsule, GuestObject, GuestType, read_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from native.emulate.machine import Machine
    from native.emulate.threads import Threads

__all__ = ["PythonApi"]

_EXCEPTION = "PyExc_"
_TYPE = "_Type"
_THREAD_STATE = BASE + 128
# CPython's Py_TPFLAGS_..._SUBCLASS, which the Check macros look at.
_SUBCLASS_FLAGS = {
    int: 1 << 24,
    list: 1 << 25,
    tuple: 1 << 26,
    bytes: 1 << 27,
    str: 1 << 28,
    dict: 1 << 29,
    BaseException: 1 << 30,
    type: 1 << 31,
}
_TP_NEW = 65


class PythonApi(Library):
    """What an image takes from the interpreter.

    Attributes:
        objects: the boxes.
        error: the exception that is set, or None.
        last_address: what PyLong_FromVoidPtr() was last given.
    """

    def __init__(self, machine: Machine, threads: Threads) -> None:
        super().__init__(machine)
        self.objects = Objects(self.memory)
        self.error: BaseException | None = None
        self.last_address = 0
        self._threads = threads
        self._lock_count = 0
        self._raised: dict[str, int] = {}
        self._data = {
            "_Py_NoneStruct": self.objects.immortal(None),
            "_Py_TrueStruct": self.objects.immortal(True),
            "_Py_FalseStruct": self.objects.immortal(False),
        }
        for name, kind in (("Long", int), ("Float", float), ("Unicode", str)):
            self._data[f"Py{name}{_TYPE}"] = self.objects.immortal(kind)

    def data(self) -> Mapping[str, int]:
        """Return the addresses of None, True, False, types and exceptions."""
        if not self._raised:
            for name, value in vars(builtins).items():
                if isinstance(value, type) and issubclass(value, BaseException):
                    cell = self.memory.allocate(16)
                    self.memory.set64(cell, self.objects.immortal(value))
                    self._raised[_EXCEPTION + name] = cell
            self._data.update(self._raised)
        return self._data

    # What the methods need.

    def get(self, index: int) -> Any:
        """Return an argument that is an object."""
        return self.objects.get(self.machine.integer(index))

    def text(self, index: int) -> str:
        """Return an argument that is a text."""
        return self.memory.text(self.machine.integer(index)).decode()

    def made(self, make: Callable[[], object], failed: int = 0) -> int:
        """Return the box of what a function makes; 0 and an exception if it fails."""
        try:
            return self.objects.new(make())
        except Exception as error:
            self.error = error
            return failed

    def done(self, work: Callable[[], Any], failed: int = -1) -> Any:
        """Return what a function returns; -1 and an exception if it fails."""
        try:
            return work()
        except Exception as error:
            self.error = error
            return failed

    def give_back(self, at: int) -> None:
        """Give a reference back, and have the guest end its own objects."""
        if self.objects.is_box(at):
            self.objects.release(at)
            return
        self.machine.outside()
        if self.objects.release(at):
            self._end(at)

    def _end(self, at: int) -> None:
        kept, self.error = self.error, None
        self.machine.call(self.objects.raw(at).kind.dealloc, at)
        self.error = kept

    def call(
        self,
        name: str,
        function: int,
        arguments: tuple[int, ...],
        boxes: Sequence[int],
        *,
        is_next: bool = False,
    ) -> Any:
        """Call a function of the guest that gives an object.

        Args:
            name: what to call it in an error.
            function: its address.
            arguments: for its registers.
            boxes: references of ours that are among them; given back.
            is_next: whether no object and no exception means the end.

        Raises:
            Exception: what it raised.
            CallMisbehaved: it broke a rule of the Python API.
        """
        lock = self._lock_count
        self.error = None
        answer = self.machine.call(function, *arguments)
        # A function may keep an argument; whether it lets it go is seen at the end.
        for box in boxes:
            self.give_back(box)
        if self._lock_count != lock:
            raise CallMisbehaved(name, "came back without the interpreter lock")
        if answer and self.error is not None:
            raise CallMisbehaved(name, f"gave an object and raised {self.error!r}")
        if not answer:
            self._raise(name, is_next=is_next)
        value = self.objects.raw(answer)
        if isinstance(value, Capsule):
            return value
        return self.objects.take(answer)

    def _raise(self, name: str, *, is_next: bool) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        if is_next:
            raise StopIteration
        raise CallMisbehaved(name, "gave neither an object nor an exception")

    # Modules, types, objects of theirs.

    @provides("PyImport_ImportModule")
    def import_module(self) -> int:
        """Import a module of the interpreter at hand."""
        return self.made(lambda: importlib.import_module(self.text(0)))

    @provides("PyType_FromSpec")
    def type_from_spec(self) -> int:
        """Make a type."""
        return self.objects.new(read_type(self, self.machine.integer(0)))

    @provides("PyType_GetFlags")
    def type_flags(self) -> int:
        """Tell which of the basic types a type derives from."""
        kind = self.get(0)
        if isinstance(kind, GuestType):
            return 0
        flags = _SUBCLASS_FLAGS.items()
        return sum(flag for base, flag in flags if issubclass(kind, base))

    @provides("PyType_IsSubtype")
    def type_is_subtype(self) -> int:
        """Tell whether a type derives from another."""
        kind, base = self.get(0), self.get(1)
        return int(kind is base or (isinstance(kind, type) and issubclass(kind, base)))

    @provides("PyType_GetSlot")
    def type_slot(self) -> int:
        """Return what makes a type's bare objects: (type, arguments, names)."""
        if self.machine.signed(1) != _TP_NEW:
            self.error = SystemError("only Py_tp_new is known here")
            return 0
        kind = self.get(0)
        return self.machine.hook(f"{kind.__name__}.__new__", self._make_bare)

    def _make_bare(self) -> int:
        kind, names = self.get(0), self.get(2) if self.machine.integer(2) else {}
        return self.made(lambda: kind.__new__(kind, *self.get(1), **names))

    @provides("PyObject_Call")
    def call_object(self) -> int:
        """Call an object with a tuple, and perhaps a dict, of arguments."""
        return self._construct()

    def _construct(self) -> int:
        names = self.get(2) if self.machine.integer(2) else {}
        return self.made(lambda: self.get(0)(*self.get(1), **names))

    @provides("_PyObject_New")
    def new_object(self) -> int:
        """Make an object of one of the guest's types; it keeps its type."""
        kind_at = self.machine.integer(0)
        kind = self.objects.raw(kind_at)
        at = self.memory.allocate(kind.size, fill=0xCC)
        self.memory.write(at, struct.pack("<QQ", 1, self.objects.keep(kind_at)))
        self.objects.adopt(at, GuestObject(self, at, kind))
        return at

    @provides("PyObject_Free")
    def free_object(self) -> int:
        """Free the memory of an object."""
        at = self.machine.integer(0)
        self.objects.drop(at)
        self.memory.free(at)
        return 0

    @provides("_Py_Dealloc")
    def dealloc(self) -> int:
        """End an object whose last reference went."""
        at = self.machine.integer(0)
        value = self.objects.raw(at)
        if isinstance(value, Capsule):
            self.machine.outside()
            value.end()
        elif self.objects.is_box(at):
            self.objects.end(at)
        else:
            self.machine.outside()
            self._end(at)
        return 0

    @provides("PyObject_GC_UnTrack")
    def untrack(self) -> int:
        """Take an object from the collector, which never looks at a box."""
        return self.done(lambda: self.get(0) and 0, 0) or 0

    @provides("PyMem_Malloc", "PyObject_Malloc")
    def allocate(self) -> int:
        """Allocate memory."""
        return self.memory.allocate(self.machine.integer(0), fill=0xCC)

    @provides("PyMem_Free")
    def free(self) -> int:
        """Free memory."""
        self.memory.free(self.machine.integer(0))
        return 0

    # Calls. What is called belongs to this interpreter, never to the guest.

    @provides("PyObject_CallMethod", "_PyObject_CallMethod_SizeT")
    def call_method(self) -> int:
        """Call a method with arguments by a format."""
        form = self.machine.integer(2)  # NULL where there are no arguments
        made = self._build(self.memory.text(form), 3) if form else ()
        return self.made(lambda: getattr(self.get(0), self.text(1))(*made))

    @provides("PyObject_CallFunction", "_PyObject_CallFunction_SizeT")
    def call_function(self) -> int:
        """Call an object with arguments by a format."""
        made = self._build(self.memory.text(self.machine.integer(1)), 2)
        return self.made(lambda: self.get(0)(*made))

    @provides("PyObject_CallFunctionObjArgs")
    def call_with_objects(self) -> int:
        """Call an object with objects, up to NULL."""
        take = self.machine.variadic(1)
        given = []
        while at := take("i"):
            given.append(self.objects.get(at))
        return self.made(lambda: self.get(0)(*given))

    @provides("Py_BuildValue", "_Py_BuildValue_SizeT")
    def build_value(self) -> int:
        """Make a tuple by a format, or one object."""
        form = self.memory.text(self.machine.integer(0))
        made = self._build(form.strip(b"()"), 1)
        is_tuple = form.startswith(b"(") or len(made) != 1
        return self.objects.new(tuple(made) if is_tuple else made[0])

    def _build(self, form: bytes, fixed: int) -> list[object]:
        take = self.machine.variadic(fixed)
        made: list[object] = []
        for letter in form.decode():
            value = take("i")
            if letter == "O":
                made.append(self.objects.get(value))
            elif letter in "sz":
                made.append(self.memory.text(value).decode() if value else None)
            elif letter == "i":
                made.append(signed32(value))
            elif letter in "Ln":
                made.append(signed64(value))
            else:
                raise GuestFault(f"builds a value of the unknown format `{letter}`")
        return made

    # Exceptions.

    def _set(self, kind: Any, value: object) -> None:
        self.error = value if isinstance(value, BaseException) else kind(value)

    @provides("PyErr_SetString")
    def set_string(self) -> None:
        """Raise an exception with a text."""
        self._set(self.get(0), self.text(1))

    @provides("PyErr_SetObject")
    def set_object(self) -> None:
        """Raise an exception."""
        self._set(self.get(0), self.get(1))

    @provides("PyErr_NoMemory")
    def no_memory(self) -> int:
        """Raise MemoryError."""
        self.error = MemoryError()
        return 0

    @provides("PyErr_Occurred")
    def occurred(self) -> int:
        """Return the type of the exception that is set (borrowed), or NULL."""
        return self.objects.immortal(type(self.error)) if self.error is not None else 0

    @provides("PyErr_Clear")
    def clear(self) -> int:
        """Forget the exception."""
        self.error = None
        return 0

    @provides("PyErr_ExceptionMatches")
    def matches(self) -> int:
        """Tell whether the exception is of a type."""
        return int(isinstance(self.error, self.get(0)))

    @provides("PyErr_Fetch")
    def fetch(self) -> None:
        """Hand out the exception: type, value and no traceback, each a reference."""
        error, self.error = self.error, None
        kind = self.objects.new(type(error)) if error is not None else 0
        value = self.objects.new(error) if error is not None else 0
        for index, at in enumerate((kind, value, 0)):
            self.memory.set64(self.machine.integer(index), at)

    @provides("PyErr_Restore")
    def restore(self) -> None:
        """Take back what `fetch` handed out."""
        kind, value, _ = (self.machine.integer(i) for i in range(3))
        self.error = self.objects.take(value) if value else None
        if kind:
            self.objects.release(kind)

    # Threads and signals.

    @provides("PyEval_SaveThread")
    def save_thread(self) -> int:
        """Let the interpreter lock go."""
        self._lock_count += 1
        return _THREAD_STATE

    @provides("PyEval_RestoreThread")
    def restore_thread(self) -> int:
        """Take it again."""
        if self.machine.integer(0) != _THREAD_STATE or self._lock_count < 1:
            raise GuestFault("takes an interpreter lock that it has")
        self._lock_count -= 1
        return 0

    @provides("PyGILState_Ensure")
    def ensure(self) -> int:
        """Take the lock from anywhere."""
        return 1

    @provides("PyGILState_Release")
    def release(self) -> int:
        """Let it go as it was."""
        return 0

    @provides("PyThread_get_thread_ident")
    def thread_ident(self) -> int:
        """Return what Python calls the thread."""
        return self._threads.identity

    @provides("PyErr_CheckSignals", "PyOS_InterruptOccurred", "PyErr_SetInterrupt")
    def no_signal(self) -> int:
        """Tell that there was no signal."""
        return 0
