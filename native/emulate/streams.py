"""FILE of C: files that are opened by name, read line by line or in pieces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from native.emulate.errnos import darwin_errno
from native.emulate.library import Library, provides
from native.emulate.memory import signed64

if TYPE_CHECKING:
    from native.emulate.libsystem import LibSystem
    from native.emulate.machine import Machine

__all__ = ["Streams"]

_FILE_BYTES = 152
_EBADF = 9


class Streams(Library):
    """Files for reading. Nothing is written: the engine has nothing to write so.

    Attributes:
        asked: the paths that were to be opened, in order.
    """

    def __init__(self, machine: Machine, system: LibSystem) -> None:
        super().__init__(machine)
        self._system = system
        self._files: dict[int, BinaryIO] = {}
        self.asked: list[str] = []
        self._at_end: set[int] = set()

    def _file(self, index: int) -> BinaryIO:
        return self._files[self.machine.integer(index)]

    @provides("fopen")
    def fopen(self) -> int:
        """Open a file for reading; NULL if that is not what is asked."""
        path = os.fsdecode(self.memory.text(self.machine.integer(0)))
        self.asked.append(path)
        mode = self.memory.text(self.machine.integer(1))
        if not mode.startswith(b"r") or b"+" in mode:
            self._system.fail(_EBADF)
            return 0
        try:
            file = open(path, "rb")  # noqa: SIM115 - the guest closes it
        except OSError as error:
            self._system.fail(darwin_errno(error))
            return 0
        at = self.memory.allocate(_FILE_BYTES)
        self._files[at] = file
        return at

    @provides("fclose")
    def fclose(self) -> int:
        """Close a file."""
        at = self.machine.integer(0)
        self._files.pop(at).close()
        self._at_end.discard(at)
        self.memory.free(at)
        return 0

    @provides("fread")
    def fread(self) -> int:
        """Read items of a size."""
        at, size, count = (self.machine.integer(i) for i in range(3))
        data = self._file(3).read(size * count)
        self.memory.write(at, data)
        if len(data) < size * count:
            self._at_end.add(self.machine.integer(3))
        return len(data) // size if size else 0

    @provides("fgets")
    def fgets(self) -> int:
        """Read to the end of a line; NULL at the end of the file."""
        at, size = self.machine.integer(0), self.machine.signed(1)
        line = self._file(2).readline(size - 1)
        if not line:
            self._at_end.add(self.machine.integer(2))
            return 0
        self.memory.write(at, line + b"\0")
        return at

    @provides("feof")
    def feof(self) -> int:
        """Tell whether the end was reached."""
        return int(self.machine.integer(0) in self._at_end)

    @provides("ferror", "clearerr", "setbuf")
    def ferror(self) -> int:
        """Tell that nothing went wrong."""
        self._file(0)
        return 0

    @provides("fseek")
    def fseek(self) -> int:
        """Move where a file stands."""
        offset = signed64(self.machine.integer(1))
        self._file(0).seek(offset, self.machine.signed(2))
        self._at_end.discard(self.machine.integer(0))
        return 0

    @provides("ftell")
    def ftell(self) -> int:
        """Tell where a file stands."""
        return self._file(0).tell()

    @provides("fileno")
    def fileno(self) -> int:
        """Return the descriptor of a file."""
        return self._file(0).fileno()
