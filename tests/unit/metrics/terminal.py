"""The monitor on a terminal: what stands on the screen when it is ended."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from tests.unit.metrics.served import command, environment

COLUMNS, LINES = 100, 40
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")


class Terminal:
    """A pseudo-terminal with the monitor in it."""

    def __init__(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        self._written = b""
        self.process = subprocess.Popen(
            command(*words),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment(), "TERM": "xterm-256color"},
        )
        os.close(slave)

    @property
    def text(self) -> str:
        """Everything that was written, with the codes of the terminal."""
        return self._written.decode("utf-8", "replace")

    @property
    def picture(self) -> str:
        """The last picture that was drawn whole, as plain text."""
        # Each begins by sending the cursor home, so the last may be half there.
        drawn = CONTROL.sub("", self.text.split("\x1b[H")[-2])
        return "\n".join(line.rstrip() for line in drawn.splitlines()).rstrip()

    def read_until(self, text: str, times: int = 1, seconds: float = 30.0) -> None:
        """Read what is written until a text has come that often."""
        until = time.monotonic() + seconds
        while self.text.count(text) < times:
            assert time.monotonic() < until, f"no {text!r} came: {self.text}"
            if select.select([self._master], [], [], 0.1)[0]:
                self._written += os.read(self._master, 1 << 16)

    def interrupt(self) -> int:
        """Send what Ctrl-C sends, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                self._written += os.read(self._master, 1 << 16)
            except OSError:  # what a terminal says when its program has ended
                break
        return self.process.wait(1)

    def close(self) -> None:
        """End the monitor if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
