"""Asks Apple's own headers which symbols are newer than a target's floor.

A symbol of a newer macOS links without a word and ends the load on an older one. The
headers that zig carries say since when each function exists, and the compiler knows how
to read them: it is given a file that mentions every symbol, and its complaints are the
answer. Symbols that no header here declares are left to the list in `symbols`.
"""

from __future__ import annotations

import functools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.cache import Cache, cache_root
from native.build.errors import ToolUnusable
from native.build.toolchain import find_zig

if TYPE_CHECKING:
    from engineroom.platforms.target import Target

__all__ = ["newer_symbols"]

_HEADERS = (
    "copyfile.h", "ctype.h", "dirent.h", "dlfcn.h", "errno.h", "execinfo.h", "fcntl.h",
    "fenv.h", "grp.h", "inttypes.h", "libkern/OSAtomic.h", "locale.h", "mach/mach.h",
    "mach/mach_time.h", "malloc/malloc.h", "math.h", "netdb.h", "os/lock.h", "poll.h",
    "pthread.h", "pwd.h", "sched.h", "semaphore.h", "setjmp.h", "signal.h", "stdio.h",
    "stdlib.h", "string.h", "strings.h", "sys/clonefile.h", "sys/event.h",
    "sys/ioctl.h", "sys/mman.h", "sys/mount.h", "sys/param.h", "sys/random.h",
    "sys/resource.h", "sys/select.h", "sys/socket.h", "sys/stat.h", "sys/sysctl.h",
    "sys/time.h", "sys/uio.h", "sys/wait.h", "sys/xattr.h", "termios.h", "time.h",
    "unistd.h", "utime.h", "uuid/uuid.h", "wchar.h", "wctype.h", "xlocale.h",
)  # fmt: skip
# macOS has it since 15.4, newer than any floor.
_PROOF = "strchrnul"
_NEWER = re.compile(r"error: '(\w+)' is only available on macOS ([\d.]+)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@functools.cache
def newer_symbols(symbols: frozenset[str], target: Target) -> tuple[str, ...]:
    """Return the symbols that came after a target's floor, each with its version.

    Args:
        symbols: as in the symbol table, with an underscore in front.
        target: a row for macOS.

    Raises:
        ToolUnusable: the compiler is missing, or cannot read the headers.
    """
    # `_open$INODE64` and the like are forms of one function.
    bare = {s[1:].partition("$")[0] for s in symbols if s.startswith("_")}
    told = _complaints(sorted(filter(_IDENTIFIER.fullmatch, bare)), target)
    return tuple(f"{name} ({since})" for name, since in sorted(set(told)))


def _complaints(names: list[str], target: Target) -> list[tuple[str, str]]:
    zig = find_zig(Cache(cache_root()))
    # The first complaint proves that the headers were read.
    asked = dict.fromkeys((_PROOF, *names))
    lines = [
        *(f"#if __has_include(<{h}>)\n#include <{h}>\n#endif" for h in _HEADERS),
        "extern void engineroom_use(void *);",
        *(f"void use_{n}(void) {{ engineroom_use((void *)&{n}); }}" for n in asked),
    ]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "names.c").write_text("\n".join(lines), encoding="utf-8")
        done = subprocess.run(
            [
                *(*zig.command, "-target", target.zig_triple, "-ferror-limit=0"),
                *("-Werror=unguarded-availability", "-c", "names.c", "-o", "names.o"),
            ],
            cwd=folder,
            env=zig.environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    told: list[tuple[str, str]] = _NEWER.findall(done.stderr)
    if _PROOF not in dict(told):
        raise ToolUnusable(
            "zig",
            (done.stderr.strip() or "it did not see macOS's headers").splitlines()[-1],
            hint="install the ziglang that pyproject.toml pins",
        )
    return [(name, since) for name, since in told if name in names]
