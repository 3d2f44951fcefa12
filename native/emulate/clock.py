"""Time, and who the process is."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

from native.emulate.library import Library, provides
from native.emulate.memory import signed64

if TYPE_CHECKING:
    from native.emulate.machine import Machine

__all__ = ["Clock"]

_NUMBERS = {
    "hw.ncpu": 2,
    "hw.activecpu": 2,
    "hw.optional.arm.FEAT_LSE": 1,
    "hw.optional.neon": 1,
    # What the first of Apple's own processors says.
    "hw.optional.armv8_2_sha512": 1,
    "hw.optional.armv8_2_sha3": 1,
}
# Darwin's numbers: _SC_PAGESIZE, _SC_NPROCESSORS_CONF, _SC_NPROCESSORS_ONLN.
_SC_PAGESIZE, _SC_CPUS = 29, (57, 58)
_BILLION = 10**9
_ERANGE = 34
_USER = {"name": b"somebody\0", "home": b"/var/empty\0"}


class Clock(Library):
    """Clocks, dates, and facts about machine and process."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._moment = 0

    @provides("time")
    def time(self) -> int:
        """Return the seconds since 1970."""
        now = int(time.time())
        if self.machine.integer(0):
            self.memory.set64(self.machine.integer(0), now)
        return now

    @provides("gettimeofday")
    def gettimeofday(self) -> int:
        """Write seconds and microseconds since 1970."""
        seconds, rest = divmod(time.time_ns(), _BILLION)
        data = struct.pack("<qii", seconds, rest // 1000, 0)
        self.memory.write(self.machine.integer(0), data)
        return 0

    @provides("clock_gettime")
    def clock_gettime(self) -> int:
        """Write the time of one of the clocks; 0 is that of the calendar."""
        is_real = self.machine.integer(0) == 0
        now = time.time_ns() if is_real else time.monotonic_ns()
        data = struct.pack("<qq", *divmod(now, _BILLION))
        self.memory.write(self.machine.integer(1), data)
        return 0

    @provides("mach_absolute_time")
    def mach_absolute_time(self) -> int:
        """Return the ticks since the machine started."""
        return time.monotonic_ns()

    @provides("nanosleep", "usleep")
    def sleep(self) -> int:
        """Do not sleep: there is nobody to wait for."""
        return 0

    @provides("localtime_r", "gmtime_r")
    def broken_down_into(self) -> int:
        """Write a moment's year, month and so on; the machine stands in UTC."""
        self.memory.write(self.machine.integer(1), self._fields())
        return self.machine.integer(1)

    @provides("localtime", "gmtime")
    def broken_down(self) -> int:
        """Return the same in memory of our own, as good as until the next call."""
        if not self._moment:
            self._moment = self.memory.allocate(56)
        self.memory.write(self._moment, self._fields())
        return self._moment

    def _fields(self) -> bytes:
        moment = time.gmtime(signed64(self.memory.u64(self.machine.integer(0))))
        return struct.pack(
            "<9iiqQ",
            moment.tm_sec,
            moment.tm_min,
            moment.tm_hour,
            moment.tm_mday,
            moment.tm_mon - 1,
            moment.tm_year - 1900,
            (moment.tm_wday + 1) % 7,
            moment.tm_yday - 1,
            *(0, 0, 0, 0),
        )

    @provides("getpid")
    def getpid(self) -> int:
        """Return the process's number."""
        return os.getpid()

    @provides("getuid", "geteuid")
    def getuid(self) -> int:
        """Return the number that the first user of a Mac has."""
        return 501

    @provides("getgid", "getegid")
    def getgid(self) -> int:
        """Return the number of the group `staff`."""
        return 20

    @provides("getpwuid_r")
    def getpwuid_r(self) -> int:
        """Write who the first user of a Mac is, whose home is empty."""
        entry, buffer, size, out = (self.machine.integer(i) for i in range(1, 5))
        texts = b"".join(_USER.values())
        if size < len(texts):
            return _ERANGE
        self.memory.write(buffer, texts)
        places = {}
        for name, text in _USER.items():
            places[name], buffer = buffer, buffer + len(text)
        empty = places["name"] + len(_USER["name"]) - 1
        numbers = (places["name"], empty, 501, 20, 0, empty, empty)
        data = struct.pack("<QQIIQQQ", *numbers)
        data += struct.pack("<QQQ", places["home"], empty, 0)
        self.memory.write(entry, data)
        self.memory.set64(out, entry)
        return 0

    @provides("sysconf")
    def sysconf(self) -> int:
        """Return a number about the system, -1 for what it does not tell."""
        name = self.machine.signed(0)
        if name == _SC_PAGESIZE:
            return self.machine.cpu.page_size
        return 2 if name in _SC_CPUS else -1

    @provides("getpagesize")
    def getpagesize(self) -> int:
        """Return the size of a page."""
        return self.machine.cpu.page_size

    @provides("sysctlbyname")
    def sysctlbyname(self) -> int:
        """Write a number about the machine."""
        name = self.memory.text(self.machine.integer(0)).decode("ascii", "replace")
        if name not in _NUMBERS:
            return -1
        if self.machine.integer(1):
            self.memory.set32(self.machine.integer(1), _NUMBERS[name])
        return 0
