"""Small real wheels, made in a moment, and made wrong on purpose where a test asks.

Written with `zipfile` rather than a build back end, because most tests need a wheel
that no back end would make; test_store_installers.py also publishes one that hatchling
built.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def make_wheel(
    folder: Path,
    *,
    project: str = "widget",
    version: str = "1.0",
    build: str = "",
    tag: str = "py3-none-any",
    text: str = "",
    files: Mapping[str, bytes] | None = None,
    requires_python: str | None = ">=3.8",
    requires: Iterable[str] = (),
    name: str | None = None,
    metadata: bytes | None = None,
    wheel: bytes | None = None,
    record: bytes | None = None,
    leave_out: Iterable[str] = (),
) -> Path:
    """Write a wheel; the arguments from `name` on put something wrong in its place.

    `text` goes into the module, so that wheels of one name can differ in their bytes.
    """
    stem = f"{project.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    tags = [f"{p}-{a}-{o}" for p, a, o in _unfold(tag)]
    members = dict(files or {})
    members.setdefault(
        f"{project.replace('-', '_')}.py",
        f"VERSION = {version!r}\nTEXT = {text!r}\n".encode(),
    )
    members[f"{info}/METADATA"] = metadata or _metadata(
        project, version, requires_python, requires
    )
    members[f"{info}/WHEEL"] = wheel or _wheel(tags, build)
    members = {key: data for key, data in members.items() if key not in leave_out}
    members[f"{info}/RECORD"] = record or _record(members, f"{info}/RECORD")
    parts = [stem, *([build] if build else []), tag]
    path = folder / (name or f"{'-'.join(parts)}.whl")
    write_zip(path, {k: v for k, v in members.items() if k not in leave_out})
    return path


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive whose bytes depend on nothing but its members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def engine_files(
    engines: Mapping[str, bytes], *, targets: Iterable[str] = ("linux-x",)
) -> dict[str, bytes]:
    """Give engines and the manifest that lists them, as a build lays them out."""
    lines = [
        "# engineroom engines, format 1, package 1.0",
        "target,backend,file,size_bytes,crc32,sha256,build_id",
    ]
    for file, data in engines.items():
        lines.extend(
            f"{target},sqlite,{file},{len(data)},{zlib.crc32(data):08x},"
            f"{hashlib.sha256(data).hexdigest()},b1"
            for target in targets
        )
    members = {f"engineroom/engines/{file}": data for file, data in engines.items()}
    members["engineroom/engines/manifest.csv"] = ("\n".join(lines) + "\n").encode()
    return members


def _unfold(tag: str) -> list[tuple[str, str, str]]:
    pythons, abis, platforms = (part.split(".") for part in tag.split("-"))
    return [(p, a, o) for p in pythons for a in abis for o in platforms]


def _metadata(
    project: str, version: str, requires_python: str | None, requires: Iterable[str]
) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
    if requires_python is not None:
        lines.append(f"Requires-Python: {requires_python}")
    lines.extend(f"Requires-Dist: {requirement}" for requirement in requires)
    return ("\n".join(lines) + "\n\nA wheel made by a test.\n").encode()


def _wheel(tags: Iterable[str], build: str) -> bytes:
    lines = ["Wheel-Version: 1.0", "Generator: test", "Root-Is-Purelib: true"]
    lines.extend(f"Tag: {tag}" for tag in tags)
    if build:
        lines.append(f"Build: {build}")
    return ("\n".join(lines) + "\n").encode()


def _record(members: Mapping[str, bytes], own_name: str) -> bytes:
    lines: list[str] = []
    for name, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        lines.append(f"{name},sha256={digest.decode().rstrip('=')},{len(data)}")
    lines.append(f"{own_name},,")
    return ("\n".join(lines) + "\n").encode()
