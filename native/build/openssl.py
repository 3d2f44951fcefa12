"""What OpenSSL's own Configure would write, made once and kept.

Engines do not run OpenSSL's build: its files are compiled one by one as all others are
(native/build/plan.py). But some of its headers, a few C files and its assembly are
written by perl programs from the answers of Configure, and which files there are to
compile stands in those answers, too. `prepare_openssl` has Configure answer, has make
write just these files, and puts them beside the ones that are compiled unchanged. What
comes out is hashed as a fetched source is, and depends neither on the folder, the time
and the environment nor on a compiler of the machine.

There are two kinds: headers to compile against, the same ones for all of Linux, and all
that OpenSSL is made of for one target of macOS.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from native.build.cache import text_sha256
from native.build.errors import ToolUnusable
from native.build.openssl_options import configuration
from native.build.programs import run_program
from native.build.sources import tree_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.platforms.target import Target
    from native.build.cache import Cache
    from native.build.openssl_options import Configuration
    from native.build.report import Report
    from native.build.toolchain import Toolchain

__all__ = ["OpenSSL", "OpenSSLFile", "prepare_openssl"]

# Raised when this module makes something else of the same answers.
_FORMAT = "3"
_ANSWERS = Path(__file__).with_name("openssl_answers.pl")
# Modules that belong to perl, and that some systems install apart from it.
_PERL_MODULES = ("File::Compare", "FindBin", "IPC::Cmd", "JSON::PP")
_HINT = (
    "install perl with its modules, and make: `apt-get install perl make`, `dnf install"
    " perl-core make` or `apk add perl make`; macOS has both in its developer tools"
)
_LIST = "files.json"
_FOLDERS = ("crypto", "include", "providers", "ssl")
_SUFFIXES = (".c", ".h", ".inc")


@dataclass(frozen=True)
class OpenSSLFile:
    """A file of OpenSSL to compile.

    Attributes:
        name: its path in the root.
        macros: what it is compiled with, such as `SHA256_ASM`.
        folders: where its headers are in the root, in order.
    """

    name: str
    macros: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class OpenSSL:
    """A prepared OpenSSL.

    Attributes:
        folder: where it is; its public headers are in `include`.
        digest: a hash of all files in it.
        files: what to compile; none where its headers alone are wanted.
    """

    folder: Path
    digest: str
    files: tuple[OpenSSLFile, ...]


def prepare_openssl(
    target: Target, source: Path, cache: Cache, toolchain: Toolchain, report: Report
) -> OpenSSL:
    """Return OpenSSL as it is for the engine of a target.

    Args:
        target: a row of platforms.toml.
        source: the unpacked source, as `ensure_source` gives it.
        cache: where it is kept.
        toolchain: the compiler; what writes assembly asks it what it understands.
        report: told what happens.

    Raises:
        ToolUnusable: perl or make is missing.
        StepFailed: one of OpenSSL's programs failed.
        CacheUnwritable: it could not be kept.
    """
    wanted = configuration(target)
    answers = _ANSWERS.read_text(encoding="utf-8")
    words = (wanted.platform, *wanted.options, str(wanted.is_whole))
    key = text_sha256(_FORMAT, source.name, toolchain.name, answers, *words)
    place = cache.path("openssl", key[:32])
    if place.is_dir():
        kept = _kept(place)
        if kept is not None:
            return kept
        aside = cache.put_aside(place, "changed-on-disk")
        report.step("openssl", f"changed on disk, now at {aside}")
    with cache.scratch() as scratch, report.progress("configuring OpenSSL"):
        made = scratch / "made"
        _make(wanted, source, scratch, toolchain, made / "tree")
        digest = tree_sha256(made / "tree")
        (made / "sha256").write_text(digest, encoding="utf-8")
        cache.keep_folder(made, place)
    report.step("openssl", f"configured for {wanted.platform}")
    kept = _kept(place)
    assert kept is not None
    return kept


def _kept(place: Path) -> OpenSSL | None:
    """Return what was prepared before, if it still is what it was."""
    tree = place / "tree"
    try:
        digest = (place / "sha256").read_text(encoding="utf-8")
        if tree_sha256(tree) != digest:
            return None
        listed = json.loads((tree / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return OpenSSL(tree, digest, tuple(_file(entry) for entry in listed))


def _file(entry: dict[str, Any]) -> OpenSSLFile:
    return OpenSSLFile(entry["name"], tuple(entry["macros"]), tuple(entry["folders"]))


def _make(
    wanted: Configuration,
    source: Path,
    scratch: Path,
    toolchain: Toolchain,
    tree: Path,
) -> None:
    """Configure a copy of the source, and take from it what is wanted."""
    environment = _environment(scratch, toolchain)
    perl = _perl(environment)
    copy = scratch / "source"
    shutil.copytree(source, copy)

    def run(*command: str) -> str:
        step = f"configuring OpenSSL for {wanted.platform}"
        return run_program(step, command, environment=environment, folder=copy)

    run(perl, "Configure", wanted.platform, *wanted.options)
    answers = json.loads(run(perl, "-I.", str(_ANSWERS)))
    written = answers["written"]
    if wanted.is_whole:
        run("make", "-j2", *written)
        _take(copy, tree, _FOLDERS, _SUFFIXES)
        for entry in answers["files"]:  # its assembly
            _copy(copy, tree, copy / entry["name"])
            if entry["name"].lower().endswith(".s"):
                _hide(tree / entry["name"])
    else:
        run("make", *(name for name in written if name.startswith("include/openssl/")))
        _take(copy, tree, ("include/openssl",), (".h",))
    listed = answers["files"] if wanted.is_whole else []
    text = json.dumps(listed, indent=1, sort_keys=True)
    (tree / _LIST).write_text(text, encoding="utf-8")


def _environment(scratch: Path, toolchain: Toolchain) -> dict[str, str]:
    """Make an environment in which the compiler is called `cc`.

    Its command would name a folder of this machine, and OpenSSL writes down how its
    compiler was called.
    """
    folder = scratch / "bin"
    folder.mkdir()
    compiler = folder / "cc"
    words = shlex.join(toolchain.command)
    compiler.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    compiler.chmod(0o755)
    return {
        **toolchain.environment,
        "ZIG_LOCAL_CACHE_DIR": str(scratch / "zig"),
        "PATH": os.pathsep.join((str(folder), os.environ.get("PATH", os.defpath))),
        "CC": compiler.name,
        "LC_ALL": "C",
        "PERL_HASH_SEED": "0",
        "SOURCE_DATE_EPOCH": "0",
        "TMPDIR": str(scratch),
    }


def _perl(environment: dict[str, str]) -> str:
    """Return perl, having seen that it and make are here and whole."""
    path = environment["PATH"]
    for name in ("perl", "make"):
        if shutil.which(name, path=path) is None:
            raise ToolUnusable(name, "it is not installed", hint=_HINT)
    perl = str(shutil.which("perl", path=path))
    for module in _PERL_MODULES:
        command = [perl, f"-M{module}", "-e", "1"]
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False
        )
        if done.returncode:
            raise ToolUnusable("perl", f"its module `{module}` is missing", hint=_HINT)
    return perl


def _hide(path: Path) -> None:
    """Have an assembly file keep its symbols inside the engine, as C's are.

    The compiler's option for C has no say there, and zig's linker for macOS exports
    whatever the files leave visible; of what is `.comm` it forgets that it is hidden.
    """
    text = path.read_text(encoding="utf-8")
    text = re.sub(
        r"(?m)^\s*\.comm\s+(\w+),(\d+),(\d+)",
        r".globl\t\1\n.zerofill\t__DATA,__bss,\1,\2,\3",
        text,
    )
    names = re.findall(r"(?m)^\s*\.globl\s+(\w+)", text)
    hidden = "".join(f".private_extern\t{name}\n" for name in names)
    path.write_text(f"{text}\n{hidden}", encoding="utf-8")


def _take(
    source: Path, tree: Path, folders: Iterable[str], suffixes: tuple[str, ...]
) -> None:
    for folder in folders:
        for path in sorted((source / folder).rglob("*")):
            if path.suffix in suffixes:
                _copy(source, tree, path)


def _copy(source: Path, tree: Path, path: Path) -> None:
    place = tree / path.relative_to(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)
