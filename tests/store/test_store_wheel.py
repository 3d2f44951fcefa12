"""Every wheel that must not be published, each refused with the right class."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engineroom.errors import (
    WheelBroken,
    WheelEngineWrong,
    WheelMetadataWrong,
    WheelNameRefused,
    WheelRecordWrong,
    WheelRefused,
    WheelUnreadable,
    WheelUnsafe,
)
from engineroom.store import Engine, inspect_wheel

from .wheels import engine_files, make_wheel, write_zip

if TYPE_CHECKING:
    from pathlib import Path

INFO = "widget-1.0.dist-info"


def test_a_good_wheel_is_described(tmp_path: Path) -> None:
    path = make_wheel(
        tmp_path, project="Wid.get", version="1.0", requires_python=">=3.9, <4"
    )
    wheel = inspect_wheel(path)
    assert wheel.project == "wid-get"
    assert wheel.file.name == "Wid.get-1.0-py3-none-any.whl"
    assert wheel.file.version == "1.0"
    assert wheel.file.size_bytes == path.stat().st_size
    assert wheel.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert wheel.file.requires_python == ">=3.9, <4"
    assert wheel.metadata.startswith(b"Metadata-Version: 2.1\nName: Wid.get\n")
    assert wheel.file.metadata_sha256 == hashlib.sha256(wheel.metadata).hexdigest()
    assert wheel.file.engines == ()
    assert wheel.file.upload_time == ""


def test_a_wheel_without_requires_python_is_for_every_python(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, requires_python=None)
    assert inspect_wheel(path).file.requires_python is None


def test_engines_are_listed_once_for_each_target_that_shares_them(
    tmp_path: Path,
) -> None:
    files = engine_files({"a/_qe.so": b"ELF"}, targets=("linux-a", "linux-b"))
    engines = inspect_wheel(make_wheel(tmp_path, files=files)).file.engines
    sha256 = hashlib.sha256(b"ELF").hexdigest()
    assert engines == (
        Engine("linux-a", "sqlite", sha256, 3),
        Engine("linux-b", "sqlite", sha256, 3),
    )


def test_a_record_of_better_hashes_than_sha256_is_accepted(tmp_path: Path) -> None:
    import base64

    def row(name: str, data: bytes) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha512(data).digest())
        return f"{name},sha512={digest.decode().rstrip('=')},{len(data)}"

    plain = make_wheel(tmp_path / "plain")
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rows = [row(n, d) for n, d in members.items() if not n.endswith("/RECORD")]
    record = "\r\n".join([*rows, f"{INFO}/RECORD,,", ""]).encode()
    path = make_wheel(tmp_path, record=record)
    assert inspect_wheel(path).file.name == path.name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("widget-1.0+abc-py3-none-any.whl", "local versions"),
        ("widget.whl", "1 parts"),
        ("widget-1.0-py3-none-any.zip", "does not end in"),
    ],
)
def test_a_file_name_that_is_no_wheels_is_refused(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(WheelNameRefused, match=reason) as caught:
        inspect_wheel(make_wheel(tmp_path, name=name))
    assert caught.value.path == str(tmp_path / name)
    assert caught.value.code == "ER3103"


def _missing(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_missing, "No such file or directory"),
        (_folder, "it is a folder"),
        (_dangling, "No such file or directory"),
    ],
    ids=["missing", "a folder", "a dangling link"],
)
def test_a_wheel_that_is_not_there_is_refused(
    tmp_path: Path, spoil: Any, reason: str
) -> None:
    path = make_wheel(tmp_path)
    spoil(path)
    with pytest.raises(WheelUnreadable, match=reason):
        inspect_wheel(path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "widget-1.0-py3-none-any.whl"
    os.mkfifo(path)
    with pytest.raises(WheelUnreadable, match="no regular file"):
        inspect_wheel(path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _head_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _text(path: Path) -> None:
    path.write_text("<html>404 Not Found</html>")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _prefixed(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[0]
    data[info.header_offset + 30 + len(info.filename) + 5] ^= 0xFF
    path.write_bytes(data)


def _encrypt(path: Path) -> None:
    # Bit 0 of the flags, in the member's own header and in the central one.
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [_truncate, _head_only, _text, _empty, _prefixed, _flip, _encrypt],
    ids=lambda function: function.__name__.strip("_"),
)
def test_a_file_that_is_no_whole_archive_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = make_wheel(tmp_path, text="x" * 2000)
    spoil(path)
    with pytest.raises(WheelBroken) as caught:
        inspect_wheel(path)
    assert caught.value.path == str(path)
    assert caught.value.code == "ER3104"


def test_a_member_packed_by_a_rare_method_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("extra.txt", "x")
    with pytest.raises(WheelBroken, match="method 12"):
        inspect_wheel(path)


def test_an_archive_that_would_unpack_to_too_much_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, files={"zeros": bytes(80 << 20)})
    assert path.stat().st_size < 200_000
    with pytest.raises(WheelBroken, match="would unpack to 83886"):
        inspect_wheel(path)


def test_a_small_archive_of_well_packing_text_is_no_bomb(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, files={"zeros": bytes(10 << 20)})
    assert inspect_wheel(path).project == "widget"


def test_an_archive_whose_members_overlap_is_refused(tmp_path: Path) -> None:
    """The bombs of overlapping members give every name the same packed bytes."""
    path = make_wheel(tmp_path, files={"a": bytes(100)})
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(WheelBroken, match="overlaps"):
        inspect_wheel(path)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "a/../../evil.py",
        "/etc/evil",
        "a//b.py",
        "./a.py",
        "a\\b.py",
        "a\x07b.py",
        "C:/evil.py",
    ],
)
def test_a_member_that_would_leave_its_folder_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(WheelUnsafe, match="is not safe"):
        inspect_wheel(make_wheel(tmp_path, files={name: b"x"}))


def test_a_member_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(WheelUnsafe, match="`link` is no plain file"):
        inspect_wheel(path)


def test_a_member_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    with (
        zipfile.ZipFile(path, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("widget.py", "import os")
    with pytest.raises(WheelUnsafe, match=r"`widget\.py` is in it twice"):
        inspect_wheel(path)


def _row(data: bytes, text: str) -> bytes:
    """Put a row in the place of RECORD's row of widget.py."""
    rows = data.splitlines(keepends=True)
    assert rows[0].startswith(b"widget.py,sha256=")
    rows[0] = text.encode()
    return b"".join(rows)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "leaves out `widget.py`"),
        ("widget.py,sha256=AAAA,29\n", "RECORD says AAAA"),
        ("widget.py,md5=AAAA,29\n", "the hash `md5=AAAA`"),
        ("widget.py,,\n", "the hash ``"),
        ("widget.py\n", "has the row"),
        ("gone.py,sha256=AAAA,1\n", "lists `gone.py`"),
    ],
)
def test_a_record_that_is_not_true_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    with zipfile.ZipFile(make_wheel(tmp_path / "plain")) as archive:
        record = archive.read(f"{INFO}/RECORD")
    path = make_wheel(tmp_path, record=_row(record, text))
    with pytest.raises(WheelRecordWrong, match=reason):
        inspect_wheel(path)


def test_a_record_with_a_wrong_size_or_a_row_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(make_wheel(tmp_path / "plain")) as archive:
        record = archive.read(f"{INFO}/RECORD").decode()
    first = record.splitlines()[0]
    longer = record.replace(first, f"{first}0", 1).encode()
    with pytest.raises(WheelRecordWrong, match="bytes, and RECORD says"):
        inspect_wheel(make_wheel(tmp_path, record=longer))
    twice = f"{first}\n{record}".encode()
    with pytest.raises(WheelRecordWrong, match="twice"):
        inspect_wheel(make_wheel(tmp_path, record=twice))


def test_a_file_changed_after_the_wheel_was_built_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(make_wheel(tmp_path)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["widget.py"] += b"import os\n"
    path = tmp_path / "changed" / "widget-1.0-py3-none-any.whl"
    write_zip(path, members)
    with pytest.raises(WheelRecordWrong, match=r"`widget\.py` has sha256"):
        inspect_wheel(path)


def _metadata(**fields: str) -> bytes:
    values = {"Metadata-Version": "2.1", "Name": "widget", "Version": "1.0"}
    values.update({key.replace("_", "-"): value for key, value in fields.items()})
    return "".join(f"{key}: {value}\n" for key, value in values.items()).encode()


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (_metadata(Name="gadget"), "METADATA is of `gadget` 1.0"),
        (_metadata(Version="1.1"), "METADATA is of `widget` 1.1"),
        (_metadata(Version="one"), "in METADATA `one` is no version"),
        (_metadata(Name="wid get"), "in METADATA `wid get` is no project name"),
        (_metadata(Metadata_Version="9.9"), "Metadata-Version is `9.9`"),
        (_metadata(Requires_Python="three"), "Requires-Python `three`"),
        (_metadata() + b"Version: 1.0\n", "2 fields `Version`"),
        (b"Metadata-Version: 2.1\nVersion: 1.0\n", "0 fields `Name`"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_metadata_that_disagrees_is_refused(
    tmp_path: Path, metadata: bytes, reason: str
) -> None:
    with pytest.raises(WheelMetadataWrong, match=reason):
        inspect_wheel(make_wheel(tmp_path, metadata=metadata))


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (
            b"Wheel-Version: 1.0\nTag: cp39-abi3-linux_x86_64\n",
            "the tags cp39-abi3-linux_x86_64, the file's name py3-none-any",
        ),
        (b"Wheel-Version: 1.0\n", "the tags none"),
        (b"Wheel-Version: 1.0\nTag: py3\n", "`py3` is no tag"),
        (b"Wheel-Version: 2.0\nTag: py3-none-any\n", "Wheel-Version is `2.0`"),
        (b"Wheel-Version: 1.0\nTag: py3-none-any\nBuild: 7\n", "build tag `7`"),
    ],
)
def test_tags_that_disagree_are_refused(
    tmp_path: Path, wheel: bytes, reason: str
) -> None:
    with pytest.raises(WheelMetadataWrong, match=reason):
        inspect_wheel(make_wheel(tmp_path, wheel=wheel))


def test_a_wheel_renamed_by_hand_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path)
    renamed = path.rename(tmp_path / "widget-1.1-py3-none-any.whl")
    with pytest.raises(
        WheelMetadataWrong, match=r"`widget-1\.0\.dist-info` is not for"
    ):
        inspect_wheel(renamed)


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        ("METADATA", WheelMetadataWrong),
        ("WHEEL", WheelMetadataWrong),
        ("RECORD", WheelRecordWrong),
    ],
)
def test_a_wheel_that_lacks_one_of_its_own_files_is_refused(
    tmp_path: Path, member: str, kind: type[WheelRefused]
) -> None:
    path = make_wheel(tmp_path, leave_out=(f"{INFO}/{member}",))
    with pytest.raises(kind, match=f"it has no `{INFO}/{member}`"):
        inspect_wheel(path)


def test_a_zip_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "widget-1.0-py3-none-any.whl"
    write_zip(path, {"readme.txt": b"hello"})
    with pytest.raises(
        WheelMetadataWrong, match=r"one \.dist-info folder and has none"
    ):
        inspect_wheel(path)


def test_a_wheel_with_two_dist_info_folders_is_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, files={"other-1.dist-info/METADATA": b""})
    with pytest.raises(WheelMetadataWrong, match=r"has `other-1\.dist-info`, `widget-"):
        inspect_wheel(path)


ENGINES = "engineroom/engines"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (f"{zlib.crc32(b'ELF'):08x}", "00000000", "has crc32"),
        (hashlib.sha256(b"ELF").hexdigest(), "0" * 64, "has sha256"),
        (",3,", ",4,", "has size_bytes 3, and the manifest says 4"),
        ("a/_qe.so", "a/_gone.so", "lists `a/_gone.so`"),
        ("a/_qe.so", "../engines/a/_qe.so", "lists `../engines/a/_qe.so`"),
        (",b1", "", "has the row"),
        ("backend", "back", "has the columns"),
        ("format 1", "format 2", "begins with"),
    ],
    ids=["crc32", "sha256", "size", "missing", "path", "row", "columns", "format"],
)
def test_an_engine_that_is_not_the_listed_one_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    files = engine_files({"a/_qe.so": b"ELF"})
    manifest = files[f"{ENGINES}/manifest.csv"].decode()
    assert old in manifest
    files[f"{ENGINES}/manifest.csv"] = manifest.replace(old, new).encode()
    with pytest.raises(WheelEngineWrong, match=reason):
        inspect_wheel(make_wheel(tmp_path, files=files))


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_damage_is_refused_and_nothing_else_comes_out(
    tmp_path: Path, data: st.DataObject
) -> None:
    """A wheel with bytes changed is refused, or unpacks to the very same files."""
    path = make_wheel(tmp_path, files=engine_files({"a/_qe.so": b"ELF" * 50}))
    whole = path.read_bytes()
    spoiled = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(spoiled)), st.integers(0, len(spoiled))))
    path.write_bytes(spoiled[:cut])
    try:
        wheel = inspect_wheel(path)
    except WheelRefused:
        return
    path.write_bytes(whole)
    original = inspect_wheel(path)
    assert wheel.metadata == original.metadata
    assert wheel.file.engines == original.file.engines
