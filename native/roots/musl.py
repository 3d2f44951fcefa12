"""Makes a musl tree: CPython and OpenSSL compiled by zig, Debian's musl, and no more.

There is no musl distribution in a Debian mirror, but there is its C library, in a
release as old as our users have. CPython is compiled within a Debian tree, whose Python
of the same release does the steps that need a Python that runs here; so the two CPUs go
the same way, and the machine needs neither make nor a compiler. OpenSSL, of the version
whose headers the engines are compiled with, goes the same way and is kept by itself: it
takes as long, and changes at other times.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.pins import load_sources
from native.build.sources import ensure_source
from native.build.toolchain import find_zig
from native.roots.enter import MOUNT, Entrance
from native.roots.errors import RootUnmade

if TYPE_CHECKING:
    from native.build.cache import Cache
    from native.build.report import Report
    from native.roots.rows import Tree

__all__ = ["MADE", "make_musl", "make_openssl"]

_SCRIPT = Path(__file__).with_name("musl_build.sh").read_text(encoding="utf-8")
_OPENSSL = Path(__file__).with_name("openssl_build.sh").read_text(encoding="utf-8")
_PINS = Path(__file__).with_name("sources.toml")
# By kind of tree: what is part of its name, so that it changes with what the tree is
# made by, and the source that is compiled for it.
MADE = {
    "musl": ("\n".join(("musl 2", _SCRIPT, _PINS.read_text("utf-8"))), "cpython"),
    "openssl": (f"openssl 1\n{_OPENSSL}", "openssl"),
}

_CPUS = {"x86_64": "x86_64", "arm64": "aarch64"}
_COMPILING_SECONDS = 1800
_NEEDLESS = ("share/man", "lib/pkgconfig", "lib/libpython3.11.a", "include")
_FOLDERS = ("dev", "etc", "lib", "mnt", "proc", "tmp", "usr/share")


def make_musl(
    tree: Tree,
    folder: Path,
    log_path: Path,
    *,
    workshop: Path,
    musl: Path,
    openssl: Path,
    cache: Cache,
    report: Report,
) -> None:
    """Compile CPython and put a tree together in an empty folder.

    Args:
        tree: its row.
        folder: where to.
        log_path: takes the whole output.
        workshop: the Debian tree to compile in.
        musl: the Debian tree, for the same CPU, whose musl is taken.
        openssl: the tree that `make_openssl` has made for the same CPU.
        cache: has the sources and zig's own cache.
        report: told of what is fetched.

    Raises:
        RootUnmade: it does not compile.
        SourceUnavailable: the sources could not be had.
    """
    with cache.scratch() as work:
        # The whole archive: the build proper keeps the headers alone.
        python = replace(load_sources()["cpython"], unpack="", tree_sha256="")
        for source, name in ((python, "python"), (load_sources(_PINS)["zlib"], "zlib")):
            kept = ensure_source(source, cache, report)
            _unpack(kept / source.files[0].name, work / name)
        _compile(tree, "CPython", _SCRIPT, folder, work, workshop, cache, log_path)
    _complete(folder, musl, _CPUS[tree.cpu])
    for path in sorted((openssl / "usr/lib").iterdir()):
        shutil.copy(path, folder / "usr/lib" / path.name)


def make_openssl(
    tree: Tree,
    folder: Path,
    log_path: Path,
    *,
    workshop: Path,
    cache: Cache,
    report: Report,
) -> None:
    """Compile OpenSSL's two libraries into an empty folder.

    Args:
        tree: its row.
        folder: where to.
        log_path: takes the whole output.
        workshop: the Debian tree to compile in.
        cache: has the source and zig's own cache.
        report: told of what is fetched.

    Raises:
        RootUnmade: it does not compile.
        SourceUnavailable: the source could not be had.
    """
    kept = ensure_source(load_sources()["openssl"], cache, report)
    with cache.scratch() as work:
        shutil.copytree(kept, work / "openssl")
        _compile(tree, "OpenSSL", _OPENSSL, folder, work, workshop, cache, log_path)


def _compile(
    tree: Tree,
    what: str,
    script: str,
    folder: Path,
    work: Path,
    workshop: Path,
    cache: Cache,
    log_path: Path,
) -> None:
    """Run a script in the workshop, and move what it has made to a folder."""
    (work / "build.sh").write_text(script, encoding="utf-8")
    zig = find_zig(cache)
    own = Path(zig.environment["ZIG_GLOBAL_CACHE_DIR"])
    own.mkdir(parents=True, exist_ok=True)
    entrance = Entrance(
        workshop,
        read={"zig": Path(zig.command[0]).parent},
        write={"work": work, "cache": own},
    )
    jobs = str(os.cpu_count() or 1)
    words = ["/bin/sh", f"{MOUNT}/work/build.sh", _CPUS[tree.cpu], jobs]
    ended = entrance.run(words, _COMPILING_SECONDS)
    told = f"{ended.out}\n{ended.err}"
    log_path.write_text(told, encoding="utf-8")
    if ended.code:
        step = f"{what} does not compile"
        output = told[-2000:].strip()
        raise RootUnmade(tree.name, step, log_path=log_path, output=output)
    for made in (work / "made").iterdir():
        shutil.move(str(made), str(folder / made.name))


def _unpack(archive: Path, place: Path) -> None:
    """Unpack an archive whose files lie in one folder, as `place`."""
    aside = place.with_name(f"{place.name}.unpacked")
    with tarfile.open(archive) as tar:
        # The bytes are pinned; where Python can be careful all the same, it is.
        if hasattr(tarfile, "data_filter"):
            tar.extractall(aside, filter="data")
        else:
            tar.extractall(aside)  # noqa: S202 - see above
    (only,) = aside.iterdir()
    only.rename(place)


def _complete(folder: Path, musl: Path, cpu: str) -> None:
    """Add the C library, pip and the folders a system has; drop what none reads."""
    for name in _NEEDLESS:
        path = folder / "usr" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    loader = f"lib/ld-musl-{cpu}.so.1"
    # In Debian a link; here the file itself, as in Alpine.
    shutil.copy(musl / "usr/lib" / f"{cpu}-linux-musl" / "libc.so", folder / loader)
    (folder / loader).chmod(0o755)
    wheels = "usr/share/python-wheels"
    shutil.copytree(musl / wheels, folder / wheels)
