from __future__ import annotations

import pytest

from engineroom.loader.find import read_shelf

HEAD = (
    "# engineroom engines, format 1, package 0.1.0\n"
    "target,backend,file,size_bytes,crc32,sha256,build_id\n"
)
SHA256 = "0123456789abcdef" * 4
ROW = f"rhel-x86_64,sqlite,a/_qe_sqlite.abi3.so,1234,0a0b0c0d,{SHA256},b1\n"


def shelf_of(tmp_path, text):
    (tmp_path / "manifest.csv").write_bytes(text.encode())
    return read_shelf(str(tmp_path), "package")


def test_read_shelf_of_a_good_manifest_gives_every_engine(tmp_path):
    shelf = shelf_of(tmp_path, HEAD + ROW + ROW.replace("rhel", "debian-openssl-3"))
    assert (shelf.path, shelf.origin) == (str(tmp_path), "package")
    assert (shelf.verdict, shelf.problem) == ("", "")
    first, second = shelf.engines
    assert first.target == "rhel-x86_64"
    assert first.backend == "sqlite"
    assert first.path == str(tmp_path / "a" / "_qe_sqlite.abi3.so")
    assert first.is_listed
    assert first.size_bytes == 1234
    assert first.crc32 == "0a0b0c0d"
    assert first.sha256 == SHA256
    assert first.build_id == "b1"
    # Two targets may share one file.
    assert (second.target, second.path) == ("debian-openssl-3-x86_64", first.path)


def test_read_shelf_of_a_manifest_without_rows_is_an_empty_shelf(tmp_path):
    shelf = shelf_of(tmp_path, HEAD)
    assert (shelf.engines, shelf.verdict) == ((), "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "line 1: `` does not start with", id="empty"),
        pytest.param(
            HEAD.replace("format 1", "format 2"),
            "line 1: `# engineroom engines, format 2, package 0.1.0` does not start"
            " with `# engineroom engines, format 1,`",
            id="a newer format",
        ),
        pytest.param(
            HEAD.replace("format 1", "format 10"), "line 1: ", id="a format 10 is no 1"
        ),
        pytest.param(
            HEAD.splitlines()[0], "line 2: `` is not `target,", id="no header"
        ),
        pytest.param(
            HEAD.replace("crc32,sha256", "sha256,crc32"),
            "line 2: `target,backend,file,size_bytes,sha256,crc32,build_id` is not",
            id="columns in another order",
        ),
        pytest.param(HEAD + "a,b,c\n", "line 3: 3 values, not 7", id="too few values"),
        pytest.param(HEAD + ROW + ROW[:60], "line 4: 6 values, not 7", id="cut off"),
        pytest.param(HEAD + "\n", "line 3: 1 values, not 7", id="an empty line"),
        pytest.param(
            HEAD + ROW.replace("a/_qe", "../_qe"),
            "line 3: `../_qe_sqlite.abi3.so` is no path below the folder",
            id="a path that climbs",
        ),
        pytest.param(
            HEAD + ROW.replace("a/_qe", "/etc/_qe"),
            "line 3: `/etc/_qe_sqlite.abi3.so` is no path below the folder",
            id="a full path",
        ),
        pytest.param(
            HEAD + ROW.replace("a/_qe", "a\\_qe"),
            "line 3: `a\\_qe_sqlite.abi3.so` is no path below the folder",
            id="a backslash",
        ),
        pytest.param(
            HEAD + ROW.replace("a/_qe", "c:_qe"),
            "line 3: `c:_qe_sqlite.abi3.so` is no path below the folder",
            id="a drive",
        ),
        pytest.param(
            HEAD + ROW.replace(",1234,", ",-1,"), "line 3: `-1` is no size", id="size"
        ),
        pytest.param(
            HEAD + ROW.replace(",1234,", ",١٢,"),
            "line 3: `١٢` is no size",
            id="Arabic digits",
        ),
        pytest.param(
            HEAD + ROW.replace("0a0b0c0d", "0A0B0C0D"),
            "line 3: `0A0B0C0D` is no crc32",
            id="upper case",
        ),
        pytest.param(
            HEAD + ROW.replace("0a0b0c0d", "0a0b0c"),
            "line 3: `0a0b0c` is no crc32",
            id="short checksum",
        ),
        pytest.param(
            HEAD + ROW.replace(SHA256, SHA256[:-1]),
            f"line 3: `{SHA256[:-1]}` is no sha256",
            id="short hash",
        ),
    ],
)
def test_read_shelf_of_a_damaged_manifest_names_line_and_value(tmp_path, text, problem):
    shelf = shelf_of(tmp_path, text)
    assert shelf.verdict == "manifest-damaged"
    assert shelf.problem.startswith(f"manifest.csv, {problem}")
    assert shelf.engines == ()


def test_read_shelf_of_a_manifest_that_is_no_text_says_so(tmp_path):
    (tmp_path / "manifest.csv").write_bytes(HEAD.encode() + b"\xff\n")
    shelf = read_shelf(str(tmp_path), "package")
    assert (shelf.verdict, shelf.problem) == (
        "manifest-damaged",
        "manifest.csv cannot be read: it is not UTF-8",
    )


def test_read_shelf_of_a_manifest_that_is_a_folder_says_so(tmp_path):
    (tmp_path / "manifest.csv").mkdir()
    shelf = read_shelf(str(tmp_path), "package")
    assert shelf.verdict == "manifest-damaged"
    assert shelf.problem == "manifest.csv cannot be read: Is a directory"


def test_read_shelf_without_a_manifest_tells_folder_from_no_folder(tmp_path):
    assert read_shelf(str(tmp_path), "package").problem == "it has no manifest.csv"
    none = read_shelf(str(tmp_path / "none"), "package")
    assert (none.verdict, none.problem) == ("no-manifest", "no such folder")
