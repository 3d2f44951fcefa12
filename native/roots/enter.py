"""Runs programs in a tree: nothing of it can be changed, no network, no trace left.

bubblewrap gives each program namespaces of its own. The tree is bound read-only, so
what is kept stays what was made; there is no interface but loopback, so pip cannot
fetch; and when the program ends or is killed, the kernel ends all it has started.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engineroom.platforms.probe import CPU_WORDS, NARROW, ThisMachine
from native.roots.errors import RootToolMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["EMULATORS", "MOUNT", "Ended", "Entrance", "find_emulator"]

# Where what is brought along is seen in a tree.
MOUNT = "/mnt"
EMULATORS = {
    "arm64": "qemu-aarch64-static",
    "x86": "qemu-i386-static",
    "x86_64": "qemu-x86_64-static",
}
_TIMED_OUT = 124


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
        code: its exit code; 128 and the signal's number if one killed it.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    code: int
    out: str
    err: str


class Entrance(NamedTuple):
    """A tree, and what is needed to run a program in it.

    Attributes:
        tree: the folder that becomes `/`.
        emulator: the program that runs those of another CPU, or None.
        read: folders that the program sees below MOUNT, by the name there.
        write: the same for those it may write to.
        variables: its environment, besides what every program has.
        is_writable: whether the tree itself may be changed, while it is being made.
        has_network: whether the program sees this machine's network, and with it the
            servers on its loopback.
    """

    tree: Path
    emulator: Path | None = None
    read: Mapping[str, Path] = {}
    write: Mapping[str, Path] = {}
    variables: Mapping[str, str] = {}
    is_writable: bool = False
    has_network: bool = False

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the whole command line that runs `words` in the tree."""
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
        command += ["--share-net"] if self.has_network else []
        command += ["--clearenv"]
        variables = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp"}  # noqa: S108 - a file system of its own
        variables.update({"LC_ALL": "C.UTF-8", **self.variables})
        for name, value in variables.items():
            command += ["--setenv", name, value]
        command += ["--bind" if self.is_writable else "--ro-bind", str(self.tree), "/"]
        command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 - likewise
        command += ["--tmpfs", MOUNT]
        for name, folder in self.read.items():
            command += ["--ro-bind", str(folder), f"{MOUNT}/{name}"]
        for name, folder in self.write.items():
            command += ["--bind", str(folder), f"{MOUNT}/{name}"]
        emulated: list[str] = []
        if self.emulator:
            command += ["--ro-bind", str(self.emulator), f"{MOUNT}/emulator"]
            emulated = [f"{MOUNT}/emulator"]
        return [*command, "--chdir", "/tmp", *emulated, *words]  # noqa: S108 - likewise

    def run(self, words: Sequence[str], seconds: float) -> Ended:
        """Run a program to its end, or kill it and all it started after so long."""
        try:
            done = subprocess.run(
                self.command(words),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            shown = (error.stderr or b"").decode("utf-8", "replace")
            return Ended(_TIMED_OUT, "", f"{shown}\nkilled after {seconds:.0f} s")
        except OSError as error:
            hint = "apt-get install bubblewrap"
            raise RootToolMissing(["bwrap"], str(error), hint=hint) from error
        return Ended(done.returncode, done.stdout, done.stderr)


def find_emulator(cpu: str) -> Path | None:
    """Return the program that runs programs for `cpu`; None where none is needed.

    Raises:
        RootToolMissing: it is needed, and not there.
    """
    word = ThisMachine().kernel_cpu().lower()
    own = CPU_WORDS.get(word, word)
    if cpu in (own, NARROW.get(own) if own == "x86_64" else None):
        return None
    name = EMULATORS[cpu]
    found = shutil.which(name)
    if found is None:
        hint = "apt-get install qemu-user-static"
        raise RootToolMissing([name], "it is not on the PATH", hint=hint)
    return Path(found)
