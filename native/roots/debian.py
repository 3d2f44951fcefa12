"""Makes a Debian tree: what debootstrap fetches and verifies, unpacked.

No maintainer script runs, so that one road serves every CPU: the scripts of a foreign
one could not run without the kernel's help. What they would have made and we need is
little (a few folders, the linker's cache) and is made here.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from native.build.origins import mirror_addresses
from native.roots.enter import Entrance, find_emulator
from native.roots.errors import MirrorLacks, RootToolMissing, RootUnmade

if TYPE_CHECKING:
    from native.roots.rows import Tree

__all__ = ["RECIPE", "find_mirror", "make_debian"]

# Part of a tree's name: change it when the making below changes.
RECIPE = "debian 3"

_CPUS = {"x86_64": "amd64", "arm64": "arm64", "x86": "i386"}
_SILENCE_SECONDS = 30
_MAKING_SECONDS = 900
# Left out of the trees: what no program of ours reads, two fifths of the bytes.
_NEEDLESS = (
    "debootstrap",
    "dev",
    "proc",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache",
    "var/lib/apt",
)
_FOLDERS = ("dev", "mnt", "proc", "tmp", "var/cache")


def make_debian(tree: Tree, folder: Path, log_path: Path, *, mirror: str = "") -> None:
    """Fetch and unpack a Debian into an empty folder.

    Args:
        tree: its row.
        folder: where to.
        log_path: takes the whole output.
        mirror: where from; a mirror of this machine's apt if empty.

    Raises:
        MirrorLacks: no mirror has the suite.
        RootToolMissing: debootstrap is missing, or this user is not root.
        RootUnmade: a program failed.
    """
    _check_tools()
    chosen = mirror or find_mirror(tree.suite)
    with log_path.open("w", encoding="utf-8") as log:
        command = [
            # Whatever it starts or mounts ends with it, and it ends with us.
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *("debootstrap", "--foreign", "--variant=minbase"),
            *(f"--arch={_CPUS[tree.cpu]}", f"--include={','.join(tree.packages)}"),
            *(tree.suite, str(folder), chosen),
        ]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_MAKING_SECONDS,
            check=False,
        )
    if done.returncode:
        raise _unmade(tree, "debootstrap failed", log_path)
    _unpack(tree, folder, log_path)
    for name in _NEEDLESS:
        path = folder / name
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    for pattern in tree.without:
        for path in list(folder.glob(pattern)):
            path.unlink()
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    _gather_certificates(folder)
    entrance = Entrance(folder, find_emulator(tree.cpu), is_writable=True)
    ended = entrance.run(["/sbin/ldconfig"], _MAKING_SECONDS)
    if ended.code:
        with log_path.open("a", encoding="utf-8") as log:
            log.write(ended.err)
        raise _unmade(tree, "ldconfig failed", log_path)


def find_mirror(suite: str) -> str:
    """Return the first mirror of this machine's apt that has a suite.

    Raises:
        MirrorLacks: none has.
    """
    attempts: list[tuple[str, str]] = []
    for mirror in _mirrors():
        request = urllib.request.Request(  # noqa: S310 - an address of apt's
            f"{mirror}/dists/{suite}/InRelease", method="HEAD"
        )
        try:
            with urllib.request.urlopen(request, timeout=_SILENCE_SECONDS):  # noqa: S310 - likewise
                return mirror
        except urllib.error.HTTPError as error:
            with error:
                attempts.append((mirror, f"answered {error.code}"))
        except OSError as error:
            attempts.append((mirror, f"cannot be reached: {error}"))
    raise MirrorLacks(suite, attempts)


def _mirrors() -> tuple[str, ...]:
    indexes = ""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        indexes = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SILENCE_SECONDS,
            check=False,
        ).stdout
    folder = "/etc/apt/sources.list.d"
    lists = ["/etc/apt/sources.list", *sorted(glob.glob(f"{folder}/*.list"))]
    newer = sorted(glob.glob(f"{folder}/*.sources"))
    return mirror_addresses(indexes, _texts(lists), _texts(newer))


def _texts(paths: list[str]) -> list[str]:
    return [
        Path(path).read_text(encoding="utf-8", errors="replace")
        for path in paths
        if Path(path).is_file()
    ]


def _check_tools() -> None:
    tools = ("debootstrap", "dpkg-deb", "tar", "setpriv", "unshare", "bwrap")
    missing = [name for name in tools if shutil.which(name) is None]
    if missing:
        raise RootToolMissing(
            missing,
            "not on the PATH",
            hint="apt-get install debootstrap bubblewrap qemu-user-static",
        )
    if os.geteuid() != 0:
        raise RootToolMissing(
            ["debootstrap"],
            "only root may make device files and give files to other users",
            hint="run it as root",
        )


def _unpack(tree: Tree, folder: Path, log_path: Path) -> None:
    """Unpack what debootstrap has fetched and not unpacked yet.

    `dpkg-deb -x` would replace the links /bin and /lib by folders; tar can be told not
    to.
    """
    notes = folder / "debootstrap"
    done = set((notes / "required").read_text(encoding="utf-8").split())
    for line in (notes / "debpaths").read_text(encoding="utf-8").splitlines():
        name, path = line.split(maxsplit=1)
        if name in done:
            continue
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(folder / path.lstrip("/"))],
            stdout=subprocess.PIPE,
        ) as archive:
            unpacked = subprocess.run(
                ["tar", "--keep-directory-symlink", "-xf", "-", "-C", str(folder)],
                stdin=archive.stdout,
                capture_output=True,
                text=True,
                check=False,
            )
        if archive.returncode or unpacked.returncode:
            with log_path.open("a", encoding="utf-8") as log:
                log.write(unpacked.stderr)
            raise _unmade(tree, f"{name} does not unpack", log_path)


def _gather_certificates(folder: Path) -> None:
    """Write the list of certificates, which a script would: Debian's pip wants one."""
    listed = sorted((folder / "usr/share/ca-certificates").rglob("*.crt"))
    place = folder / "etc/ssl/certs/ca-certificates.crt"
    place.write_bytes(b"".join(path.read_bytes() for path in listed))


def _unmade(tree: Tree, step: str, log_path: Path) -> RootUnmade:
    output = log_path.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
    return RootUnmade(tree.name, step, log_path=log_path, output=output)
