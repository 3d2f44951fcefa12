"""Everything checked about a wheel before a store takes it; nothing is written here.

A published name can never get other bytes, so what is wrong with a wheel has to be
found now: a name clients cannot fetch, an archive cut off or made to overwhelm or
escape, a RECORD or METADATA that installers will refuse, an engine that is not the one
its manifest lists, a library that does not run where the platform tag promises.
"""

from __future__ import annotations

import base64
import csv
import email.parser
import hashlib
import io
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from engineroom.errors import (
    WheelEngineWrong,
    WheelMetadataWrong,
    WheelNameRefused,
    WheelRecordWrong,
    WheelUnreadable,
)
from engineroom.store.archive import Archive, Digest, archive_errors
from engineroom.store.entry import Engine, File
from engineroom.store.names import (
    NameRefused,
    WheelName,
    expand_tag,
    is_requires_python,
    normalise_project,
    normalise_version,
    parse_wheel_name,
)
from engineroom.store.transport import CHUNK_BYTES
from engineroom.store.wheel_binaries import check_binaries

if TYPE_CHECKING:
    from collections.abc import Generator
    from email.message import Message
    from pathlib import Path

__all__ = ["Wheel", "inspect_wheel"]

_ENGINES_FOLDER = "engineroom/engines/"
_MANIFEST = f"{_ENGINES_FOLDER}manifest.csv"
_MANIFEST_COLUMNS = (
    "target",
    "backend",
    "file",
    "size_bytes",
    "crc32",
    "sha256",
    "build_id",
)
_RECORD_HASHES = ("sha256", "sha384", "sha512")
_UNRECORDED_SUFFIXES = ("/RECORD", "/RECORD.jws", "/RECORD.p7s")


@dataclass(frozen=True)
class Wheel:
    """A wheel that passed every check.

    Attributes:
        path: where it is.
        project: its project's normalised name.
        file: what the journal will say of it.
        metadata: its METADATA, byte for byte.
    """

    path: Path
    project: str
    file: File
    metadata: bytes


def inspect_wheel(path: Path) -> Wheel:
    """Check a wheel and say what a store needs to know of it.

    Raises:
        WheelRefused: of the kind that says what is wrong.
    """
    try:
        name = parse_wheel_name(path.name)
    except NameRefused as error:
        raise WheelNameRefused(str(path), str(error)) from error
    with _open_wheel(path) as file:
        size_bytes, sha256 = _measure(file)
        file.seek(0)
        with archive_errors(path):
            contents = Archive(path, file, size_bytes)
            return _check(path, name, contents, size_bytes, sha256)


def _check(
    path: Path, name: WheelName, contents: Archive, size_bytes: int, sha256: str
) -> Wheel:
    dist_info = _dist_info(path, name, contents)
    record = contents.text(f"{dist_info}/RECORD", WheelRecordWrong)
    used = [name for name in _RECORD_HASHES if f",{name}=" in record]
    digests = contents.digest_all({"sha256", *used})
    _check_record(path, record, digests)
    metadata = contents.text(f"{dist_info}/METADATA", WheelMetadataWrong)
    requires_python = _check_metadata(path, name, metadata)
    _check_tags(path, name, contents.text(f"{dist_info}/WHEEL", WheelMetadataWrong))
    check_binaries(path, name, contents)
    return Wheel(
        path=path,
        project=name.project,
        file=File(
            name=name.text,
            identity=name.identity,
            version=name.version,
            size_bytes=size_bytes,
            sha256=sha256,
            metadata_sha256=hashlib.sha256(metadata.encode()).hexdigest(),
            requires_python=requires_python,
            engines=_engines(path, contents, digests),
        ),
        metadata=metadata.encode(),
    )


@contextmanager
def _open_wheel(path: Path) -> Generator[BinaryIO, None, None]:
    try:
        # Asked before opening, which for a pipe would wait for a writer.
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            is_folder = stat.S_ISDIR(mode)
            raise WheelUnreadable(
                str(path), "it is a folder" if is_folder else "it is no regular file"
            )
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise WheelUnreadable(str(path), reason) from error


def _measure(file: BinaryIO) -> tuple[int, str]:
    digest = hashlib.sha256()
    size_bytes = 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size_bytes += len(chunk)
    return size_bytes, digest.hexdigest()


def _dist_info(path: Path, name: WheelName, contents: Archive) -> str:
    folders = {member.split("/")[0] for member in contents.names if "/" in member}
    found = sorted(folder for folder in folders if folder.endswith(".dist-info"))
    if len(found) != 1:
        listed = ", ".join(f"`{folder}`" for folder in found) or "none"
        raise WheelMetadataWrong(
            str(path), f"it should have one .dist-info folder and has {listed}"
        )
    project, _, version = found[0][: -len(".dist-info")].partition("-")
    try:
        is_right = (normalise_project(project), normalise_version(version)) == (
            name.project,
            name.version,
        )
    except NameRefused:
        is_right = False
    if not is_right:
        raise WheelMetadataWrong(
            str(path), f"its folder `{found[0]}` is not for {_spell(name)}"
        )
    return found[0]


def _check_record(path: Path, record: str, digests: dict[str, Digest]) -> None:
    seen: set[str] = set()
    try:
        rows = [row for row in csv.reader(io.StringIO(record)) if row]
    except csv.Error as error:
        raise WheelRecordWrong(str(path), f"RECORD is no CSV: {error}") from error
    for row in rows:
        if len(row) != 3:
            raise WheelRecordWrong(str(path), f"RECORD has the row {row!r}")
        member, hash_text, size_text = row
        if member not in digests:
            raise WheelRecordWrong(
                str(path), f"RECORD lists `{member}`, which the archive does not have"
            )
        if member in seen:
            raise WheelRecordWrong(str(path), f"RECORD lists `{member}` twice")
        seen.add(member)
        if _is_unrecorded(member):
            continue
        _check_row(path, member, hash_text, size_text, digests[member])
    missing = sorted(m for m in digests if m not in seen and not _is_unrecorded(m))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise WheelRecordWrong(str(path), f"RECORD leaves out `{missing[0]}`{more}")


def _is_unrecorded(member: str) -> bool:
    folder, _, _ = member.partition("/")
    return folder.endswith(".dist-info") and member.endswith(_UNRECORDED_SUFFIXES)


def _check_row(
    path: Path, member: str, hash_text: str, size_text: str, digest: Digest
) -> None:
    algorithm, _, listed = hash_text.partition("=")
    if algorithm not in _RECORD_HASHES:
        raise WheelRecordWrong(
            str(path), f"RECORD gives `{member}` the hash `{hash_text}`; sha256 does"
        )
    encoded = base64.urlsafe_b64encode(digest.by_algorithm[algorithm])
    found = encoded.decode().rstrip("=")
    if listed.rstrip("=") != found:
        raise WheelRecordWrong(
            str(path),
            f"`{member}` has {algorithm} {found}, and RECORD says {listed}",
        )
    if size_text != str(digest.size_bytes):
        raise WheelRecordWrong(
            str(path),
            f"`{member}` has {digest.size_bytes} bytes, and RECORD says {size_text!r}",
        )


def _check_metadata(path: Path, name: WheelName, text: str) -> str | None:
    """Check METADATA against the file's name; give its Requires-Python."""
    message = email.parser.HeaderParser().parsestr(text)
    if not _one(path, message, "Metadata-Version").startswith(("1.", "2.")):
        version = message["Metadata-Version"]
        raise WheelMetadataWrong(str(path), f"its Metadata-Version is `{version}`")
    try:
        project = normalise_project(_one(path, message, "Name"))
        version = normalise_version(_one(path, message, "Version"))
    except NameRefused as error:
        raise WheelMetadataWrong(str(path), f"in METADATA {error}") from error
    if (project, version) != (name.project, name.version):
        raise WheelMetadataWrong(
            str(path),
            f"METADATA is of `{project}` {version}, and the file is named as"
            f" {_spell(name)}",
        )
    if "Requires-Python" not in message:
        return None
    requires = " ".join(_one(path, message, "Requires-Python").split())
    if not is_requires_python(requires):
        raise WheelMetadataWrong(
            str(path), f"its Requires-Python `{requires}` cannot be read by installers"
        )
    return requires


def _one(path: Path, message: Message, field: str) -> str:
    values = message.get_all(field) or []
    if len(values) != 1:
        raise WheelMetadataWrong(
            str(path), f"METADATA has {len(values)} fields `{field}`, not one"
        )
    return str(values[0]).strip()


def _check_tags(path: Path, name: WheelName, text: str) -> None:
    message = email.parser.HeaderParser().parsestr(text)
    version = str(message.get("Wheel-Version", "")).strip()
    if not version.startswith("1."):
        raise WheelMetadataWrong(str(path), f"its Wheel-Version is `{version}`")
    build = str(message.get("Build", name.build)).strip()
    if build != name.build:
        raise WheelMetadataWrong(
            str(path), f"WHEEL has build tag `{build}`, the file's name `{name.build}`"
        )
    try:
        tags = frozenset[str]().union(
            *(expand_tag(str(tag).strip()) for tag in message.get_all("Tag") or [])
        )
    except NameRefused as error:
        raise WheelMetadataWrong(str(path), f"in WHEEL {error}") from error
    if tags != name.tags:
        inside = ", ".join(sorted(tags)) or "none"
        outside = ", ".join(sorted(name.tags))
        raise WheelMetadataWrong(
            str(path), f"WHEEL has the tags {inside}, the file's name {outside}"
        )


def _engines(
    path: Path, contents: Archive, digests: dict[str, Digest]
) -> tuple[Engine, ...]:
    """Check the engines against the wheel's manifest of them, when it has one."""
    if _MANIFEST not in digests:
        return ()
    head, _, table = contents.text(_MANIFEST, WheelRecordWrong).partition("\n")
    if not head.startswith("# engineroom engines, format 1,"):
        raise WheelEngineWrong(str(path), f"`{_MANIFEST}` begins with `{head}`")
    rows = list(csv.reader(io.StringIO(table)))
    if not rows or tuple(rows[0]) != _MANIFEST_COLUMNS:
        raise WheelEngineWrong(
            str(path),
            f"`{_MANIFEST}` has the columns `{','.join(rows[0] if rows else [])}`",
        )
    return tuple(_engine(path, row, digests) for row in rows[1:])


def _engine(path: Path, row: list[str], digests: dict[str, Digest]) -> Engine:
    if len(row) != len(_MANIFEST_COLUMNS):
        raise WheelEngineWrong(
            str(path), f"`{_MANIFEST}` has the row `{','.join(row)}`"
        )
    target, backend, file, size_text, crc32, sha256, _ = row
    digest = digests.get(f"{_ENGINES_FOLDER}{file}")
    if digest is None:
        raise WheelEngineWrong(
            str(path), f"`{_MANIFEST}` lists `{file}`, which the archive does not have"
        )
    found = {
        "size_bytes": str(digest.size_bytes),
        "crc32": f"{digest.crc32:08x}",
        "sha256": digest.by_algorithm["sha256"].hex(),
    }
    listed = {"size_bytes": size_text, "crc32": crc32, "sha256": sha256}
    for column, value in found.items():
        if listed[column] != value:
            raise WheelEngineWrong(
                str(path),
                f"engine `{file}` has {column} {value}, and the manifest says"
                f" {listed[column]}",
            )
    return Engine(target, backend, sha256, digest.size_bytes)


def _spell(name: WheelName) -> str:
    return f"`{name.project}` {name.version}"
