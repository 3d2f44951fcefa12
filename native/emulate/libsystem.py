"""libSystem: memory, text, numbers, sorting, jumps.

Pure functions on memory are libc's own, handed the guest's addresses once those have
been looked at. What is different on Darwin, or reaches the process, is written here
and in `files`, `clock`, `threads` and `text`.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import re
from typing import TYPE_CHECKING, Callable

from native.emulate.errors import GuestFault
from native.emulate.library import Library, provides
from native.emulate.memory import LIBC, signed32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from native.emulate.library import Action
    from native.emulate.machine import Machine

__all__ = ["LibSystem"]

# Name: how many addresses come first, and whether a size follows that says how many
# bytes each has (texts end with NUL).
_SAME = {
    "memcpy": (2, True), "memmove": (2, True), "memcmp": (2, True), "bcmp": (2, True),
    "memset": (1, False), "memchr": (1, False), "strlen": (1, False),
    "strnlen": (1, False), "strcmp": (2, False), "strncmp": (2, False),
    "strcasecmp": (2, False), "strncasecmp": (2, False), "strchr": (1, False),
    "strrchr": (1, False), "strstr": (2, False), "strspn": (2, False),
    "strcspn": (2, False), "strpbrk": (2, False), "strcpy": (2, False),
    "strncpy": (2, False), "strcat": (2, False), "strncat": (2, False),
    "stpcpy": (2, False), "strtol": (1, False), "strtoll": (1, False),
    "strtoul": (1, False), "strtoull": (1, False), "atoi": (1, False),
    "atol": (1, False), "atoll": (1, False), "toupper": (0, False),
    "tolower": (0, False),
    "isalpha": (0, False), "isdigit": (0, False), "isalnum": (0, False),
    "isspace": (0, False), "isupper": (0, False), "islower": (0, False),
    "isxdigit": (0, False), "isprint": (0, False), "ispunct": (0, False),
}  # fmt: skip
# What succeeds by doing nothing, because here is one process without signals.
_NOTHING = frozenset(
    [
        "pthread_sigmask",
        "sigprocmask",
        "sigaction",
        "signal",
        "malloc_set_zone_name",
        "atexit",
        "__cxa_atexit",
        "srandomdev",
        "dlerror",
        "dlopen",
        "dlsym",
        "dlclose",
        "getenv",
        "confstr",
        "fflush",
        "setlocale",
        "munmap",
        "mprotect",
        "mlock",
        "issetugid",
    ]
)
_ONE_NUMBER = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "exp",
        "log",
        "log2",
        "log10",
        "sqrt",
        "fabs",
        "ceil",
        "floor",
        "trunc",
        "round",
        "rint",
    ]
)
_TWO_NUMBERS = frozenset(["pow", "fmod", "atan2"])
_CHECKED = re.compile(r"__(mem\w+|str\w+)_chk")
_ZONE = ((16, "size"), (24, "malloc"), (32, "calloc"), (48, "free"), (56, "realloc"))
_EINVAL, _ENOTSUP, _MAP_ANON = 22, 45, 0x1000
_LIBM = ctypes.CDLL("libm.so.6")


class LibSystem(Library):
    """Functions of libSystem that touch neither files nor threads."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.errno = self.memory.allocate(16)
        self._texts: dict[int, int] = {}
        self._jumps: dict[int, tuple[list[int], int]] = {}
        self._zone = self.memory.allocate(256)
        self._data = self._make_data()
        for offset, name in _ZONE:  # malloc_zone_t: callers read its functions
            self.memory.set64(
                self._zone + offset,
                machine.hook(f"zone.{name}", self.find(f"malloc_zone_{name}")),
            )

    def fail(self, code: int) -> int:
        """Set errno to a number of Darwin's, and answer -1."""
        self.memory.set32(self.errno, code)
        return -1

    def data(self) -> Mapping[str, int]:
        """Return the addresses of standard streams, canary and character classes."""
        return self._data

    def find(self, name: str) -> Action | None:
        """Return a function: one of the methods, of libc or of libm."""
        found = super().find(name)
        if found is not None:
            return found
        if name in _SAME:
            return self._forward(name)
        if name in _NOTHING:
            return lambda: 0
        if name in _ONE_NUMBER or name in _TWO_NUMBERS:
            return self._calculate(name, 1 if name in _ONE_NUMBER else 2)
        checked = _CHECKED.fullmatch(name)
        return self.find(checked[1]) if checked else None

    def _forward(self, name: str) -> Action:
        function = getattr(LIBC, name)
        function.restype = ctypes.c_uint64
        function.argtypes = [ctypes.c_uint64] * 4
        addresses, has_size = _SAME[name]
        machine, check = self.machine, self.memory.check

        def action() -> int:
            values = machine.arguments[:4]
            size = values[2] if has_size or name == "memset" else 1
            if size or not has_size:
                for index in range(addresses):
                    check(values[index], size)
            return int(function(*values))

        return action

    def _calculate(self, name: str, count: int) -> Action:
        function = getattr(_LIBM, name)
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_double] * count
        return lambda: float(
            function(*(self.machine.number(index) for index in range(count)))
        )

    def _make_data(self) -> dict[str, int]:
        def cell(value: int) -> int:
            at = self.memory.allocate(16)
            self.memory.set64(at, value)
            return at

        streams = ("__stderrp", "__stdoutp", "__stdinp")
        data = {name: cell(self.memory.allocate(256)) for name in streams}
        data["__stack_chk_guard"] = cell(0x5BD1E995A7C3F100)
        # ctype.h's macros read the tables of _DefaultRuneLocale.
        rune = data["_DefaultRuneLocale"] = self.memory.allocate(4096)
        for code in range(128):
            letter = chr(code)
            self.memory.set32(rune + 60 + 4 * code, _classes(letter))
            self.memory.set32(rune + 60 + 1024 + 4 * code, ord(letter.lower()))
            self.memory.set32(rune + 60 + 2048 + 4 * code, ord(letter.upper()))
        return data

    @provides("__error")
    def error(self) -> int:
        """Return where errno is."""
        return self.errno

    # The heap. What it gives is filled with a pattern unless zeroes are promised.

    @provides("malloc")
    def malloc(self) -> int:
        """Allocate a block."""
        return self.memory.allocate(self.machine.integer(0), fill=0xCC)

    @provides("calloc")
    def calloc(self) -> int:
        """Allocate a block of zeroes."""
        return self.memory.allocate(self.machine.integer(0) * self.machine.integer(1))

    @provides("realloc")
    def realloc(self) -> int:
        """Give a block another size."""
        return self.memory.reallocate(self.machine.integer(0), self.machine.integer(1))

    @provides("free")
    def free(self) -> int:
        """End a block."""
        self.memory.free(self.machine.integer(0))
        return 0

    @provides("posix_memalign")
    def posix_memalign(self) -> int:
        """Allocate a block at a multiple of a number."""
        place, align, size = (self.machine.integer(i) for i in range(3))
        self.memory.set64(place, self.memory.allocate(size, align, 0xCC))
        return 0

    @provides("malloc_size")
    def malloc_size(self) -> int:
        """Return the size of a block."""
        return self.memory.size(self.machine.integer(0))

    @provides("malloc_default_zone", "malloc_create_zone")
    def malloc_zone(self) -> int:
        """Return the one zone there is."""
        return self._zone

    @provides("malloc_zone_malloc")
    def zone_malloc(self) -> int:
        """As `malloc`, from a zone."""
        return self.memory.allocate(self.machine.integer(1), fill=0xCC)

    @provides("malloc_zone_calloc")
    def zone_calloc(self) -> int:
        """As `calloc`, from a zone."""
        return self.memory.allocate(self.machine.integer(1) * self.machine.integer(2))

    @provides("malloc_zone_realloc")
    def zone_realloc(self) -> int:
        """As `realloc`, from a zone."""
        return self.memory.reallocate(self.machine.integer(1), self.machine.integer(2))

    @provides("malloc_zone_free")
    def zone_free(self) -> int:
        """As `free`, from a zone."""
        self.memory.free(self.machine.integer(1))
        return 0

    @provides("malloc_zone_size")
    def zone_size(self) -> int:
        """Return the size of a block; 0 for one that is not this zone's."""
        at = self.machine.integer(1)
        return self.memory.size(at) if at in self.memory.blocks else 0

    @provides("mmap")
    def mmap(self) -> int:
        """Give pages; files are not mapped."""
        if not self.machine.integer(3) & _MAP_ANON:
            return self.fail(_ENOTSUP)
        size = self.machine.integer(1)
        return self.memory.allocate(size, self.machine.cpu.page_size)

    @provides("bzero", "__bzero")
    def bzero(self) -> int:
        """Set bytes to zero."""
        return self.memory.fill(self.machine.integer(0), 0, self.machine.integer(1))

    @provides("memset_s")
    def memset_s(self) -> int:
        """Set bytes in a way that no compiler leaves out."""
        at, _, value, size = (self.machine.integer(i) for i in range(4))
        self.memory.fill(at, value & 255, size)
        return 0

    @provides("memset_pattern16")
    def memset_pattern16(self) -> None:
        """Fill memory with sixteen bytes again and again."""
        at, pattern, size = (self.machine.integer(i) for i in range(3))
        data = self.memory.read(pattern, 16) * (size // 16 + 1)
        self.memory.write(at, data[:size])

    @provides("strdup")
    def strdup(self) -> int:
        """Copy a text into a new block."""
        return self.memory.cstring(self.memory.text(self.machine.integer(0)))

    @provides("timingsafe_bcmp")
    def timingsafe_bcmp(self) -> int:
        """Tell whether bytes differ."""
        left, right, size = (self.machine.integer(i) for i in range(3))
        return int(self.memory.read(left, size) != self.memory.read(right, size))

    @provides("strtod")
    def strtod(self) -> float:
        """Read a number from a text."""
        function = LIBC.strtod
        function.restype = ctypes.c_double
        function.argtypes = [ctypes.c_uint64] * 2
        self.memory.check(self.machine.integer(0), 1)
        return float(function(self.machine.integer(0), self.machine.integer(1)))

    @provides("ldexp")
    def ldexp(self) -> float:
        """Multiply by a power of two."""
        return math.ldexp(self.machine.number(0), self.machine.signed(0))

    @provides("strerror")
    def strerror(self) -> int:
        """Return a text for an errno, which is good for ever."""
        code = self.machine.signed(0)
        if code not in self._texts:
            self._texts[code] = self.memory.cstring(b"error %d" % code)
        return self._texts[code]

    @provides("__maskrune")
    def maskrune(self) -> int:
        """Tell which of some classes a character past ASCII is of: none, in C."""
        return 0

    @provides("strerror_r")
    def strerror_r(self) -> int:
        """Write a text for an errno."""
        text = b"error %d" % self.machine.signed(0)
        data = text[: max(self.machine.integer(2) - 1, 0)] + b"\0"
        self.memory.write(self.machine.integer(1), data)
        return 0

    @provides("random", "arc4random")
    def random(self) -> int:
        """Return a random number."""
        return int.from_bytes(os.urandom(4), "little") >> 1

    @provides("arc4random_buf", "getentropy", "CCRandomGenerateBytes")
    def random_bytes(self) -> int:
        """Write random bytes."""
        data = os.urandom(self.machine.integer(1))
        self.memory.write(self.machine.integer(0), data)
        return 0

    @provides("fwrite", "fputs", "puts", "printf", "fprintf", "vfprintf")
    def write_out(self) -> int:
        """Refuse: an engine has nothing to say on the terminal."""
        raise GuestFault("wrote to a standard stream")

    @provides("abort", "__assert_rtn", "__stack_chk_fail", "exit", "_exit")
    def end_process(self) -> int:
        """Tell that the engine wanted to end the process."""
        raise GuestFault("called abort(), exit() or a failed check of the compiler's")

    @provides("dyld_stub_binder")
    def bind_stub(self) -> int:
        """Refuse: every import is bound when the image is loaded."""
        raise GuestFault("called the lazy binder")

    @provides("_setjmp", "setjmp", "sigsetjmp")
    def setjmp(self) -> int:
        """Keep the registers."""
        machine = self.machine
        registers = [machine.register(number) for number in machine.cpu.saved]
        back = 0 if machine.cpu.link else self.memory.u64(registers[-1])
        self._jumps[machine.integer(0)] = registers, back
        return 0

    @provides("_longjmp", "longjmp", "siglongjmp")
    def longjmp(self) -> int:
        """Set them as they were kept."""
        machine = self.machine
        registers, back = self._jumps[machine.integer(0)]
        answer = machine.signed(1) or 1
        for number, value in zip(machine.cpu.saved, registers):
            machine.set_register(number, value)
        if not machine.cpu.link:
            self.memory.set64(registers[-1], back)
        return answer

    @provides("qsort")
    def qsort(self) -> None:
        """Sort, asking the guest which comes first."""
        self.machine.outside()
        base, count, width, function = (self.machine.integer(i) for i in range(4))
        compare, end = self._comparer(function, width)
        items = [self.memory.read(base + i * width, width) for i in range(count)]
        items.sort(key=functools.cmp_to_key(compare))
        self.memory.write(base, b"".join(items))
        end()

    def _comparer(
        self, function: int, width: int
    ) -> tuple[Callable[[bytes, bytes], int], Callable[[], None]]:
        left, right = self.memory.allocate(width), self.memory.allocate(width)

        def compare(first: bytes, second: bytes) -> int:
            self.memory.write(left, first)
            self.memory.write(right, second)
            return signed32(self.machine.call(function, left, right))

        def end() -> None:
            self.memory.free(left)
            self.memory.free(right)

        return compare, end

    @provides("bsearch")
    def bsearch(self) -> int:
        """Search what is sorted, asking the guest."""
        self.machine.outside()
        key, base, count, width, function = (self.machine.integer(i) for i in range(5))
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            order = signed32(self.machine.call(function, key, base + middle * width))
            if order == 0:
                return base + middle * width
            low, high = (middle + 1, high) if order > 0 else (low, middle)
        return 0


def _classes(letter: str) -> int:
    """Return a character's classes as Darwin's _CTYPE_ bits."""
    code = ord(letter)
    told = (
        (0x100, letter.isalpha()),
        (0x200, code < 32 or code == 127),
        (0x400, letter.isdigit()),
        (0x800, 32 < code < 127),
        (0x1000, letter.islower()),
        (0x2000, 32 < code < 127 and not letter.isalnum()),
        (0x4000, code == 32 or 9 <= code <= 13),
        (0x8000, letter.isupper()),
        (0x10000, letter in "0123456789abcdefABCDEF"),
        (0x20000, code in (9, 32)),
        (0x40000, 32 <= code < 127),
    )
    return sum(bit for bit, is_in in told if is_in)
