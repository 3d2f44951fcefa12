"""Small wheels like those of the build: a right one, and one for each fault.

A `Kit` holds all that goes into a wheel. A fault changes the kit before its RECORD is
written, or the file afterwards, so that each wheel is wrong in one way.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import warnings
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engineroom.version import __version__
from native.audit.contents import MANIFEST, SHELF, WHEEL_BYTES
from native.build.engine import Engine
from native.build.shelf import bill_of_materials, manifest_text, shelve, wheel_tag
from tests.audit.binaries import BUILD_ID, BY_ID, FILE_NAME, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.platforms.target import Target

NAME = f"engineroom-{__version__}"
INFORMATION = f"{NAME}.dist-info/"
RECORD = f"{INFORMATION}RECORD"
SBOM = f"{INFORMATION}sboms/engineroom.cdx.json"
METADATA = f"""\
Metadata-Version: 2.4
Name: engineroom
Version: {__version__}
Summary: An engine
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.9
Description-Content-Type: text/markdown

An engine.
"""
FIXED = (2020, 2, 2, 0, 0, 0)
LINUX = (BY_ID["debian-openssl-3-x86_64"], BY_ID["rhel-x86_64"])


@dataclass
class Kit:
    """All that goes into a wheel.

    Attributes:
        tag: the tag, in the file name and inside.
        members: the bytes of each member but RECORD.
        times: of members that have not the usual one.
        modes: of members that have not the usual one.
        record: lines of RECORD in place of those that would be right.
    """

    tag: str
    members: dict[str, bytes]
    times: dict[str, tuple[int, int, int, int, int, int]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    record: Callable[[list[str]], list[str]] = list

    def write(self, folder: Path, name: str = "") -> Path:
        """Write the wheel and return its path."""
        lines = [
            f"{member},sha256={_digest(data)},{len(data)}"
            for member, data in self.members.items()
        ]
        lines = self.record([*lines, f"{RECORD},,"])
        path = folder / (name or f"{NAME}-{self.tag}.whl")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
            for member, data in self.members.items():
                self._add(wheel, member, data)
            self._add(wheel, RECORD, "\n".join([*lines, ""]).encode())
        return path

    def _add(self, wheel: zipfile.ZipFile, member: str, data: bytes) -> None:
        info = zipfile.ZipInfo(member, self.times.get(member, FIXED))
        info.external_attr = self.modes.get(member, 0o100644) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        wheel.writestr(info, data)

    def edit(self, member: str, old: str, new: str) -> None:
        """Replace a text that stands in a member."""
        text = self.members[member].decode()
        assert old in text
        self.members[member] = text.replace(old, new).encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def pure_kit() -> Kit:
    """Return what goes into a wheel without an engine."""
    return Kit(
        "py3-none-any",
        {
            "engineroom/__init__.py": b'"""An engine."""\n',
            f"{INFORMATION}METADATA": METADATA.encode(),
            f"{INFORMATION}WHEEL": _wheel("py3-none-any", is_pure=True),
            f"{INFORMATION}licenses/LICENSE": b"Apache License\n",
        },
    )


def kit(
    workshop: Workshop, targets: tuple[Target, ...] = LINUX, data: bytes = b""
) -> Kit:
    """Return what goes into a wheel for targets, with one engine for all of them."""
    data = data or workshop.good(targets[0])
    made = pure_kit()
    made.tag = wheel_tag(targets)
    made.members[f"{INFORMATION}WHEEL"] = _wheel(made.tag, is_pure=False)
    carry(made, workshop.folder, dict.fromkeys(targets, data))
    return made


def carry(made: Kit, folder: Path, engines: dict[Target, bytes]) -> None:
    """Put engines into a kit, with their manifest and SBOM, as the build does."""
    shelved = shelve(
        Engine(
            target=target.id,
            backend="sqlite",
            path=folder / FILE_NAME,
            size_bytes=len(data),
            crc32=f"{zlib.crc32(data):08x}",
            sha256=hashlib.sha256(data).hexdigest(),
            build_id=BUILD_ID,
            is_new=False,
        )
        for target, data in engines.items()
    )
    for item in shelved:
        data = next(d for t, d in engines.items() if t.id == item.engine.target)
        made.members.setdefault(SHELF + item.file, data)
        made.modes[SHELF + item.file] = 0o100755
    made.members[MANIFEST] = manifest_text(shelved).encode()
    made.members[SBOM] = bill_of_materials(shelved, (), {}).encode()


def _wheel(tag: str, *, is_pure: bool) -> bytes:
    lines = [
        "Wheel-Version: 1.0",
        "Generator: tests",
        f"Root-Is-Purelib: {str(is_pure).lower()}",
        f"Tag: {tag}",
    ]
    return "\n".join([*lines, ""]).encode()


@dataclass(frozen=True)
class BrokenWheel:
    """A wheel with one fault.

    Attributes:
        id: what it is, in a test's name.
        check: the check that has to see it.
        make: writes it into a folder.
    """

    id: str
    check: str
    make: Callable[[Workshop, Path], Path]


def _changed(change: Callable[[Kit], object]) -> Callable[[Workshop, Path], Path]:
    def make(workshop: Workshop, folder: Path) -> Path:
        made = kit(workshop)
        change(made)
        return made.write(folder)

    return make


def _recorded(record: Callable[[list[str]], list[str]]) -> Callable[..., Path]:
    return _changed(lambda made: setattr(made, "record", record))


def _named(old: str, new: str) -> Callable[[Workshop, Path], Path]:
    def make(workshop: Workshop, folder: Path) -> Path:
        made = kit(workshop)
        name = f"{NAME}-{made.tag}.whl"
        assert old in name
        return made.write(folder, name.replace(old, new))

    return make


def _damaged(workshop: Workshop, folder: Path) -> Path:
    """Change a member's data, so that its checksum is another."""
    path = kit(workshop).write(folder)
    with zipfile.ZipFile(path) as wheel:
        item = wheel.getinfo(f"{INFORMATION}METADATA")
    data = bytearray(path.read_bytes())
    name, extra = struct.unpack_from("<2H", data, item.header_offset + 26)
    data[item.header_offset + 30 + name + extra + item.compress_size // 2] ^= 0xFF
    path.write_bytes(data)
    return path


def _cut(workshop: Workshop, folder: Path) -> Path:
    path = kit(workshop).write(folder)
    path.write_bytes(path.read_bytes()[:-30])
    return path


def _named_twice(workshop: Workshop, folder: Path) -> Path:
    path = kit(workshop).write(folder)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as wheel:
        warnings.simplefilter("ignore")  # zipfile warns of what is wanted here
        info = zipfile.ZipInfo("engineroom/__init__.py", FIXED)
        info.external_attr = 0o100644 << 16
        wheel.writestr(info, b"")
    return path


def _stored_twice(made: Kit) -> None:
    first, second = (f"{target.id}/{FILE_NAME}" for target in LINUX)
    made.members[SHELF + second] = data = made.members[SHELF + first]
    row = f"{LINUX[1].id},sqlite,"
    made.edit(MANIFEST, f"{row}{first}", f"{row}{second}")
    document = json.loads(made.members[SBOM])
    parts = document["metadata"]["component"]["components"]
    content = hashlib.sha256(data).hexdigest()
    hashes = [{"alg": "SHA-256", "content": content}]
    parts.append({"type": "file", "name": SHELF + second, "hashes": hashes})
    made.members[SBOM] = json.dumps(document).encode()


def _unknown_target(made: Kit) -> None:
    *_, row = made.members[MANIFEST].decode().splitlines()
    more = row.replace(f"{LINUX[1].id},", "beos-x86_64,", 1)
    made.members[MANIFEST] += f"{more}\n".encode()


def _add(name: str, data: bytes) -> Callable[[Workshop, Path], Path]:
    return _changed(lambda made: made.members.update({name: data}))


def _edit(member: str, old: str, new: str) -> Callable[[Workshop, Path], Path]:
    return _changed(lambda made: made.edit(member, old, new))


ENGINE = f"{SHELF}{LINUX[0].id}/{FILE_NAME}"
NOISE = hashlib.shake_256(b"noise").digest(WHEEL_BYTES)
BROKEN_WHEELS = (
    BrokenWheel("damaged", "archive", _damaged),
    BrokenWheel("cut", "archive", _cut),
    BrokenWheel("named-twice", "archive", _named_twice),
    BrokenWheel("out-of-the-folder", "archive", _add("../escaped.py", b"1\n")),
    BrokenWheel(
        "time",
        "members",
        _changed(lambda k: k.times.update({SBOM: (2024, 5, 6, 7, 8, 10)})),
    ),
    BrokenWheel(
        "mode", "members", _changed(lambda k: k.modes.update({SBOM: 0o100666}))
    ),
    BrokenWheel(
        "symbolic-link", "members", _changed(lambda k: k.modes.update({SBOM: 0o120777}))
    ),
    BrokenWheel("unlisted", "RECORD", _recorded(lambda lines: lines[1:])),
    BrokenWheel("listed-twice", "RECORD", _recorded(lambda lines: [*lines, lines[0]])),
    BrokenWheel("gone", "RECORD", _recorded(lambda lines: [*lines, "gone.py,,"])),
    BrokenWheel(
        "hash",
        "RECORD",
        _recorded(lambda lines: [lines[0].replace("sha256=", "sha256=A"), *lines[1:]]),
    ),
    BrokenWheel(
        "size", "RECORD", _recorded(lambda lines: [f"{lines[0]}0", *lines[1:]])
    ),
    BrokenWheel("no-record", "RECORD", _recorded(lambda _: ["nonsense"])),
    BrokenWheel("version", "metadata", _named(NAME, "engineroom-9.9.9")),
    BrokenWheel(
        "name",
        "metadata",
        _edit(f"{INFORMATION}METADATA", "Name: engineroom", "Name: boilerhouse"),
    ),
    BrokenWheel("older-tag", "tag", _named("manylinux_2_28", "manylinux_2_17")),
    BrokenWheel("other-cpu", "tag", _named("x86_64", "aarch64")),
    BrokenWheel(
        "other-tag-inside",
        "tag",
        _edit(f"{INFORMATION}WHEEL", "Tag: cp39", "Tag: cp38"),
    ),
    BrokenWheel(
        "says-it-is-pure",
        "tag",
        _edit(f"{INFORMATION}WHEEL", "lib: false", "lib: true"),
    ),
    BrokenWheel(
        "one-of-two", "targets", lambda w, folder: kit(w, LINUX[:1]).write(folder)
    ),
    BrokenWheel("too-big", "size", _add("engineroom/noise.bin", NOISE)),
    BrokenWheel(
        "no-licence",
        "licences",
        _changed(lambda k: k.members.pop(f"{INFORMATION}licenses/LICENSE")),
    ),
    BrokenWheel(
        "unnamed-licence",
        "licences",
        _edit(f"{INFORMATION}METADATA", "License-File: LICENSE\n", ""),
    ),
    BrokenWheel(
        "no-bill", "bill of materials", _changed(lambda k: k.members.pop(SBOM))
    ),
    BrokenWheel(
        "bill-of-another-engine",
        "bill of materials",
        _edit(SBOM, '"content": "', '"content": "0'),
    ),
    BrokenWheel(
        "engine-nobody-lists", "engine files", _add(f"{SHELF}old/{FILE_NAME}", b"old")
    ),
    BrokenWheel("stored-twice", "stored once", _changed(_stored_twice)),
    BrokenWheel("unknown-target", "target", _changed(_unknown_target)),
    BrokenWheel(
        "manifest-with-another-hash",
        "manifest",
        _edit(MANIFEST, f",{BUILD_ID}\nrhel", f"0,{BUILD_ID}\nrhel"),
    ),
    BrokenWheel(
        "another-build-id",
        "build id",
        _edit(MANIFEST, f"{BUILD_ID}\nrhel", "fedcba9876543210\nrhel"),
    ),
)
