"""Files: the flags and structures of Darwin, done to real files of this machine."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Callable

from native.emulate.errnos import darwin_errno
from native.emulate.library import Answer, Library, provides
from native.emulate.memory import signed32, signed64

if TYPE_CHECKING:
    from native.emulate.libsystem import LibSystem
    from native.emulate.machine import Machine

__all__ = ["Files"]

_OPEN_FLAGS = (
    (0x200, os.O_CREAT),
    (0x400, os.O_TRUNC),
    (0x800, os.O_EXCL),
    (0x8, os.O_APPEND),
    (0x100, os.O_NOFOLLOW),
    (0x1000000, os.O_CLOEXEC),
)
_F_GETLK, _F_FULLFSYNC, _F_UNLCK = 7, 51, 2
_F_TAKEN = (1, 2, 3, 4, 8, 9)  # flags of files and descriptors, and locks
_ENOTTY, _ENOENT, _EPERM = 25, 2, 1
_STAT = "<iHHQIIiI8qqqiII12x8x"
_STAT_BYTES = 144
_STATFS_BYTES = 2168
_BLOCK = 4096


class Files(Library):
    """Opening, reading, writing, asking. Locks are granted: nobody else is there."""

    def __init__(self, machine: Machine, system: LibSystem) -> None:
        super().__init__(machine)
        self._system = system

    def _try(self, work: Callable[[], Answer]) -> Answer:
        """Do the work, and turn a failure into errno and -1."""
        try:
            return work()
        except OSError as error:
            return self._system.fail(darwin_errno(error))

    def _path(self, index: int) -> str:
        return os.fsdecode(self.memory.text(self.machine.integer(index)))

    def _done(self, work: Callable[[], object]) -> Answer:
        def quiet() -> Answer:
            work()
            return 0

        return self._try(quiet)

    @provides("open")
    def open(self) -> Answer:
        """Open a file."""
        wanted = self.machine.integer(1)
        mode = self.machine.variadic(2)("i") & 0o7777
        flags = wanted & 3  # O_RDONLY, O_WRONLY, O_RDWR are the same
        for darwin, linux in _OPEN_FLAGS:
            flags |= linux if wanted & darwin else 0
        return self._try(lambda: os.open(self._path(0), flags, mode))

    @provides("close")
    def close(self) -> Answer:
        """Close a descriptor."""
        return self.close_now()

    def close_now(self) -> Answer:
        """Close the file of the first argument."""
        return self._done(lambda: os.close(self.machine.signed(0)))

    @provides("read")
    def read(self) -> Answer:
        """Read from where the descriptor stands."""
        size = self.machine.integer(2)
        return self._try(lambda: self._take(os.read(self.machine.signed(0), size)))

    @provides("pread")
    def pread(self) -> Answer:
        """Read from an offset."""
        file, size = self.machine.signed(0), self.machine.integer(2)
        offset = signed64(self.machine.integer(3))
        return self._try(lambda: self._take(os.pread(file, size, offset)))

    def _take(self, data: bytes) -> int:
        self.memory.write(self.machine.integer(1), data)
        return len(data)

    @provides("write")
    def write(self) -> Answer:
        """Write to where the descriptor stands."""
        data = self.memory.read(self.machine.integer(1), self.machine.integer(2))
        return self._try(lambda: os.write(self.machine.signed(0), data))

    @provides("pwrite")
    def pwrite(self) -> Answer:
        """Write to an offset."""
        file, offset = self.machine.signed(0), signed64(self.machine.integer(3))
        data = self.memory.read(self.machine.integer(1), self.machine.integer(2))
        return self._try(lambda: os.pwrite(file, data, offset))

    @provides("lseek")
    def lseek(self) -> Answer:
        """Move where the descriptor stands."""
        file, offset = self.machine.signed(0), signed64(self.machine.integer(1))
        return self._try(lambda: os.lseek(file, offset, self.machine.signed(2)))

    @provides("ftruncate")
    def ftruncate(self) -> Answer:
        """Set a file's size."""
        size = signed64(self.machine.integer(1))
        return self._done(lambda: os.ftruncate(self.machine.signed(0), size))

    @provides("fsync")
    def fsync(self) -> Answer:
        """Have a file written to the disk."""
        return self._done(lambda: os.fsync(self.machine.signed(0)))

    @provides("fcntl")
    def fcntl(self) -> Answer:
        """Lock, unlock, or do what a descriptor can."""
        return self.control_now()

    def control_now(self) -> Answer:
        """Do what the second argument asks of the file of the first."""
        command = signed32(self.machine.integer(1))
        if command == _F_GETLK:  # struct flock { start, len, pid, type, whence }
            lock = self.machine.variadic(2)("i")
            self.memory.write(lock + 20, struct.pack("<h", _F_UNLCK))
            return 0
        if command == _F_FULLFSYNC:
            return self.fsync_now()
        return 0 if command in _F_TAKEN else self._system.fail(_ENOTTY)

    def fsync_now(self) -> Answer:
        """Have the file of the first argument written to the disk."""
        return self._done(lambda: os.fsync(self.machine.signed(0)))

    @provides("flock", "fsctl", "fchmod", "fchown", "futimes", "utimes")
    def grant(self) -> int:
        """Grant what only matters when others are there."""
        return 0

    @provides("stat")
    def stat(self) -> Answer:
        """Tell about a file."""
        return self._try(lambda: self._tell(os.stat(self._path(0))))

    @provides("lstat")
    def lstat(self) -> Answer:
        """Tell about a file, or about the link itself."""
        return self._try(lambda: self._tell(os.lstat(self._path(0))))

    @provides("fstat")
    def fstat(self) -> Answer:
        """Tell about an open file."""
        return self._try(lambda: self._tell(os.fstat(self.machine.signed(0))))

    def _tell(self, status: os.stat_result) -> int:
        times = (
            status.st_atime_ns,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ctime_ns,
        )
        data = struct.pack(
            _STAT,
            status.st_dev & 0x7FFFFFFF,
            status.st_mode,
            status.st_nlink,
            status.st_ino,
            status.st_uid,
            status.st_gid,
            *(0, 0),
            *(part for moment in times for part in divmod(moment, 10**9)),
            status.st_size,
            status.st_blocks,
            *(_BLOCK, 0, 0),
        )
        self.memory.write(self.machine.integer(1), data[:_STAT_BYTES])
        return 0

    @provides("statfs", "fstatfs")
    def statfs(self) -> int:
        """Tell that the file system is Apple's."""
        at = self.machine.integer(1)
        self.memory.fill(at, 0, _STATFS_BYTES)
        self.memory.write(at, struct.pack("<IiQQ", _BLOCK, _BLOCK, 1 << 20, 1 << 19))
        self.memory.write(at + 72, b"apfs\0")
        return 0

    @provides("access")
    def access(self) -> Answer:
        """Tell whether a file may be used so."""
        is_there = os.access(self._path(0), self.machine.signed(1))
        return 0 if is_there else self._system.fail(_ENOENT)

    @provides("unlink")
    def unlink(self) -> Answer:
        """Remove a file."""
        return self._done(lambda: os.unlink(self._path(0)))

    @provides("rename")
    def rename(self) -> Answer:
        """Move a file."""
        return self._done(lambda: os.rename(self._path(0), self._path(1)))

    @provides("mkdir")
    def mkdir(self) -> Answer:
        """Make a folder."""
        return self._done(lambda: os.mkdir(self._path(0), self.machine.signed(1)))

    @provides("rmdir")
    def rmdir(self) -> Answer:
        """Remove a folder."""
        return self._done(lambda: os.rmdir(self._path(0)))

    @provides("readlink")
    def readlink(self) -> Answer:
        """Read where a link points."""

        def work() -> int:
            target = os.fsencode(os.readlink(self._path(0)))
            return self._take(target[: self.machine.integer(2)])

        return self._try(work)

    @provides("getcwd")
    def getcwd(self) -> int:
        """Write the folder we are in."""
        self.memory.write(self.machine.integer(0), os.fsencode(os.getcwd()) + b"\0")
        return self.machine.integer(0)

    @provides("gethostuuid")
    def refuse(self) -> int:
        """Refuse: no host."""
        return self._system.fail(_EPERM)
