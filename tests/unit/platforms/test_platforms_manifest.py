"""Reading platforms.toml. Long because one table holds every fault a file can have."""

from __future__ import annotations

import pytest

from engineroom.errors import (
    ManifestContradiction,
    ManifestDuplicate,
    ManifestError,
    ManifestImpossibleFloor,
    ManifestMissingField,
    ManifestSyntaxError,
    ManifestUnknownKey,
    ManifestUnknownWord,
    ManifestUnreadable,
    ManifestWrongType,
)
from engineroom.platforms.manifest import load_targets, parse_targets, rows_text
from engineroom.platforms.rows import TARGETS

# A file of two good rows. Tests change one thing in it; line 4 is `family`.
GOOD = """\
format = 1

[target.rhel-x86_64]
family = "rhel"
aliases = ["rhel-openssl-3.0.x"]
os = "linux"
cpu = "x86_64"
libc = "glibc"
libc_floor = "2.28"
zig_triple = "x86_64-linux-gnu.2.28"
zig_cpu = "x86_64"
tls = "system-openssl-1.1-or-3"
libraries = ["libc.so.6"]
tls_libraries = []
wheel_tag = "manylinux_2_28_x86_64"
cibuildwheel = "cp39-manylinux_x86_64"
runner = "ubuntu-24.04"

[target.darwin-arm64]
family = "darwin-arm64"
aliases = []
os = "darwin"
cpu = "arm64"
libc = "libSystem"
libc_floor = "11.0"
zig_triple = "aarch64-macos.11.0"
zig_cpu = "apple_m1"
tls = "static-openssl-3"
libraries = ["/usr/lib/libSystem.B.dylib"]
tls_libraries = []
wheel_tag = "macosx_11_0_arm64"
cibuildwheel = "cp39-macosx_arm64"
runner = "macos-15"
"""
DEBIAN = (
    GOOD[: GOOD.index("[target.darwin")]
    .replace("format = 1\n\n", "")
    .replace("rhel", "debian")
)
MUSL = """
[target.linux-musl-x86_64]
family = "linux-musl"
aliases = []
os = "linux"
cpu = "x86_64"
libc = "musl"
libc_floor = "1.2.0"
zig_triple = "x86_64-linux-musl"
zig_cpu = "x86_64"
tls = "system-openssl-3"
libraries = ["libc.musl-x86_64.so.1"]
tls_libraries = ["libssl.so.3"]
wheel_tag = "musllinux_1_2_x86_64"
cibuildwheel = "cp39-musllinux_x86_64"
runner = "ubuntu-24.04"
"""


def refusal(text):
    with pytest.raises(ManifestError) as caught:
        parse_targets(text, "platforms.toml")
    error = caught.value
    return type(error), error.line, error.key, error.value


def test_load_targets_of_the_real_file_gives_the_rows_that_the_package_carries(
    platforms_toml,
):
    assert load_targets(str(platforms_toml)) == TARGETS
    assert [target.id for target in TARGETS] == [
        "darwin-arm64",
        "darwin-x86_64",
        "linux-musl-x86_64",
        "linux-musl-arm64",
        "debian-openssl-3-x86_64",
        "debian-openssl-3-arm64",
        "rhel-x86_64",
        "rhel-arm64",
    ]


def test_parse_targets_of_good_rows_keeps_every_field():
    first, second = parse_targets(GOOD, "platforms.toml")
    assert first.fields() == {
        "id": "rhel-x86_64",
        "family": "rhel",
        "aliases": ("rhel-openssl-3.0.x",),
        "os": "linux",
        "cpu": "x86_64",
        "libc": "glibc",
        "libc_floor": "2.28",
        "zig_triple": "x86_64-linux-gnu.2.28",
        "zig_cpu": "x86_64",
        "tls": "system-openssl-1.1-or-3",
        "libraries": ("libc.so.6",),
        "tls_libraries": (),
        "wheel_tag": "manylinux_2_28_x86_64",
        "cibuildwheel": "cp39-manylinux_x86_64",
        "runner": "ubuntu-24.04",
    }
    assert second.id == "darwin-arm64"


def test_rows_text_when_run_gives_the_same_targets():
    targets = parse_targets(GOOD + MUSL, "platforms.toml")
    names: dict[str, object] = {}
    exec(rows_text(targets), names)
    assert names["TARGETS"] == targets


MISSING = ManifestMissingField
TYPE = ManifestWrongType
WORD = ManifestUnknownWord
FLOOR = ManifestImpossibleFloor
CLASH = ManifestContradiction
TWICE = ManifestDuplicate


@pytest.mark.parametrize(
    ("old", "new", "kind", "line", "key", "value"),
    [
        # What the file must hold at all.
        pytest.param("format = 1\n", "\n", MISSING, 0, "format", "", id="no format"),
        pytest.param(
            "format = 1", "format = 2", TYPE, 1, "format", "2", id="newer format"
        ),
        pytest.param(
            "format = 1", "format = true", TYPE, 1, "format", "true", id="true is not 1"
        ),
        pytest.param(
            "format = 1",
            "format = 1\nname = 1",
            ManifestUnknownKey,
            2,
            "name",
            "",
            id="unknown key at the top",
        ),
        pytest.param(GOOD, "format = 1\n", MISSING, 0, "target", "", id="no targets"),
        pytest.param(
            GOOD,
            "format = 1\ntarget = 3\n",
            MISSING,
            2,
            "target",
            "",
            id="targets are no tables",
        ),
        pytest.param(
            GOOD,
            "format = 1\n[target]\nx = 3\n",
            TYPE,
            3,
            "target.x",
            "3",
            id="a target is no table",
        ),
        # What a row must hold.
        pytest.param(
            'cpu = "x86_64"',
            'cpu = "x86_64"\ncolour = "red"',
            ManifestUnknownKey,
            8,
            "target.rhel-x86_64.colour",
            "",
            id="unknown key",
        ),
        pytest.param(
            'tls = "static-openssl-3"\n',
            "",
            MISSING,
            19,
            "target.darwin-arm64.tls",
            "",
            id="missing field is told by the table's line",
        ),
        pytest.param(
            'zig_cpu = "x86_64"',
            "zig_cpu = 64",
            TYPE,
            11,
            "target.rhel-x86_64.zig_cpu",
            "64",
            id="number for text",
        ),
        pytest.param(
            'zig_cpu = "x86_64"',
            'zig_cpu = ""',
            TYPE,
            11,
            "target.rhel-x86_64.zig_cpu",
            '""',
            id="empty text",
        ),
        pytest.param(
            'zig_cpu = "x86_64"',
            'zig_cpu = ["a"]',
            TYPE,
            11,
            "target.rhel-x86_64.zig_cpu",
            '["a"]',
            id="list for text",
        ),
        pytest.param(
            'libraries = ["libc.so.6"]',
            'libraries = "libc.so.6"',
            TYPE,
            13,
            "target.rhel-x86_64.libraries",
            '"libc.so.6"',
            id="text for list",
        ),
        pytest.param(
            'libraries = ["libc.so.6"]',
            "libraries = []",
            TYPE,
            13,
            "target.rhel-x86_64.libraries",
            "[]",
            id="empty list",
        ),
        pytest.param(
            'libraries = ["libc.so.6"]',
            'libraries = ["libc.so.6", 6]',
            TYPE,
            13,
            "target.rhel-x86_64.libraries",
            '["libc.so.6", 6]',
            id="number in a list",
        ),
        # Words.
        pytest.param(
            'os = "linux"',
            'os = "windows"',
            WORD,
            6,
            "target.rhel-x86_64.os",
            '"windows"',
            id="unknown os",
        ),
        pytest.param(
            'cpu = "x86_64"',
            'cpu = "amd64"',
            WORD,
            7,
            "target.rhel-x86_64.cpu",
            '"amd64"',
            id="unknown cpu",
        ),
        pytest.param(
            'libc = "glibc"',
            'libc = "gnu"',
            WORD,
            8,
            "target.rhel-x86_64.libc",
            '"gnu"',
            id="unknown libc",
        ),
        pytest.param(
            'tls = "static-openssl-3"',
            'tls = "rustls"',
            WORD,
            28,
            "target.darwin-arm64.tls",
            '"rustls"',
            id="unknown tls",
        ),
        # Names.
        pytest.param(
            "[target.rhel-x86_64]",
            '[target."rhel x86"]',
            WORD,
            3,
            "target.rhel x86",
            '"rhel x86"',
            id="a name with a space",
        ),
        pytest.param(
            '["rhel-openssl-3.0.x"]',
            '["all"]',
            TWICE,
            5,
            "target.rhel-x86_64.aliases",
            '"all"',
            id="an alias that means all",
        ),
        pytest.param(
            '["rhel-openssl-3.0.x"]',
            '["native"]',
            TWICE,
            5,
            "target.rhel-x86_64.aliases",
            '"native"',
            id="an alias that means this machine",
        ),
        pytest.param(
            'family = "rhel"',
            'family = "centos"',
            CLASH,
            4,
            "target.rhel-x86_64.family",
            '"centos"',
            id="a family that does not fit the name",
        ),
        pytest.param(
            '["rhel-openssl-3.0.x"]',
            '["darwin-arm64"]',
            TWICE,
            5,
            "target.rhel-x86_64.aliases",
            '"darwin-arm64"',
            id="an alias that is a target",
        ),
        pytest.param(
            '["rhel-openssl-3.0.x"]',
            '["rhel"]',
            TWICE,
            5,
            "target.rhel-x86_64.aliases",
            '"rhel"',
            id="an alias that is a family",
        ),
        pytest.param(
            '["rhel-openssl-3.0.x"]',
            '["a", "a"]',
            TWICE,
            5,
            "target.rhel-x86_64.aliases",
            '"a"',
            id="an alias twice in a row",
        ),
        pytest.param(
            "aliases = []",
            'aliases = ["rhel-openssl-3.0.x"]',
            TWICE,
            21,
            "target.darwin-arm64.aliases",
            '"rhel-openssl-3.0.x"',
            id="an alias of two",
        ),
        # Floors.
        pytest.param(
            'libc_floor = "2.28"',
            'libc_floor = "new"',
            TYPE,
            9,
            "target.rhel-x86_64.libc_floor",
            '"new"',
            id="a floor that is no version",
        ),
        pytest.param(
            'libc_floor = "2.28"',
            'libc_floor = "2.34"',
            FLOOR,
            9,
            "target.rhel-x86_64.libc_floor",
            '"2.34"',
            id="a glibc above the wheel's promise",
        ),
        pytest.param(
            'libc_floor = "2.28"',
            'libc_floor = "2.5"',
            FLOOR,
            9,
            "target.rhel-x86_64.libc_floor",
            '"2.5"',
            id="a glibc that cannot be built for",
        ),
        pytest.param(
            '"x86_64-linux-gnu.2.28"',
            '"x86_64-linux-gnu.2.34"',
            FLOOR,
            10,
            "target.rhel-x86_64.zig_triple",
            '"x86_64-linux-gnu.2.34"',
            id="a triple with another floor",
        ),
        pytest.param(
            'libc_floor = "11.0"',
            'libc_floor = "12.0"',
            FLOOR,
            25,
            "target.darwin-arm64.libc_floor",
            '"12.0"',
            id="a macOS above the wheel's",
        ),
        pytest.param(
            'libc_floor = "11.0"',
            'libc_floor = "10.15"',
            FLOOR,
            25,
            "target.darwin-arm64.libc_floor",
            '"10.15"',
            id="a macOS older than the CPU",
        ),
        pytest.param(
            "macosx_11_0_arm64",
            "macosx_12_0_arm64",
            FLOOR,
            25,
            "target.darwin-arm64.libc_floor",
            '"11.0"',
            id="a macOS below the wheel's",
        ),
        # What contradicts itself.
        pytest.param(
            'libc = "glibc"',
            'libc = "libSystem"',
            CLASH,
            8,
            "target.rhel-x86_64.libc",
            '"libSystem"',
            id="the other system's libc",
        ),
        pytest.param(
            '"x86_64-linux-gnu.2.28"',
            '"aarch64-linux-gnu.2.28"',
            CLASH,
            10,
            "target.rhel-x86_64.zig_triple",
            '"aarch64-linux-gnu.2.28"',
            id="a triple for another CPU",
        ),
        pytest.param(
            "manylinux_2_28_x86_64",
            "manylinux_2_28_aarch64",
            CLASH,
            15,
            "target.rhel-x86_64.wheel_tag",
            '"manylinux_2_28_aarch64"',
            id="a wheel for another CPU",
        ),
        pytest.param(
            "manylinux_2_28_x86_64",
            "manylinux2014_x86_64",
            CLASH,
            15,
            "target.rhel-x86_64.wheel_tag",
            '"manylinux2014_x86_64"',
            id="a tag of the old kind",
        ),
        pytest.param(
            "macosx_11_0_arm64",
            "macosx_11_0_aarch64",
            CLASH,
            31,
            "target.darwin-arm64.wheel_tag",
            '"macosx_11_0_aarch64"',
            id="the other system's word for the CPU",
        ),
        pytest.param(
            "cp39-manylinux_x86_64",
            "cp39-musllinux_x86_64",
            CLASH,
            16,
            "target.rhel-x86_64.cibuildwheel",
            '"cp39-musllinux_x86_64"',
            id="an identifier for another wheel",
        ),
        pytest.param(
            "macos-15",
            "ubuntu-24.04",
            CLASH,
            33,
            "target.darwin-arm64.runner",
            '"ubuntu-24.04"',
            id="a runner of another system",
        ),
        pytest.param(
            '["libc.so.6"]',
            '["libm.so.6"]',
            CLASH,
            13,
            "target.rhel-x86_64.libraries",
            '["libm.so.6"]',
            id="libraries without the libc",
        ),
        pytest.param(
            '["libc.so.6"]',
            '["libc.so.6", "/lib/libm.so"]',
            CLASH,
            13,
            "target.rhel-x86_64.libraries",
            '"/lib/libm.so"',
            id="a path where a name belongs",
        ),
        pytest.param(
            "tls_libraries = []",
            'tls_libraries = ["libssl.so.3"]',
            CLASH,
            14,
            "target.rhel-x86_64.tls_libraries",
            '["libssl.so.3"]',
            id="TLS libraries where none are linked",
        ),
    ],
)
def test_parse_targets_of_one_fault_names_kind_line_key_and_value(
    old, new, kind, line, key, value
):
    assert old in GOOD
    assert refusal(GOOD.replace(old, new, 1)) == (kind, line, key, value)


def test_parse_targets_of_a_shared_wheel_with_two_runners_refuses():
    text = GOOD + DEBIAN.replace("ubuntu-24.04", "ubuntu-22.04")
    assert refusal(text) == (
        ManifestContradiction,
        48,
        "target.debian-x86_64.runner",
        '"ubuntu-22.04"',
    )


def test_parse_targets_of_a_musl_row_with_an_older_floor_refuses():
    text = GOOD + MUSL.replace('"1.2.0"', '"1.1.24"')
    kind, line, key, value = refusal(text)
    assert (kind, key, value) == (
        ManifestImpossibleFloor,
        "target.linux-musl-x86_64.libc_floor",
        '"1.1.24"',
    )
    assert text.splitlines()[line - 1] == 'libc_floor = "1.1.24"'


@pytest.mark.parametrize(
    ("text", "kind", "line", "key"),
    [
        pytest.param(
            GOOD + DEBIAN + DEBIAN,
            TWICE,
            50,
            "target.debian-x86_64",
            id="a table twice",
        ),
        pytest.param(
            GOOD.replace('os = "linux"', 'os = "linux"\nos = "linux"'),
            TWICE,
            7,
            "target.rhel-x86_64.os",
            id="a key twice",
        ),
        pytest.param(
            GOOD.replace('os = "linux"', "os = linux"),
            ManifestSyntaxError,
            6,
            "",
            id="no quotes",
        ),
        pytest.param(
            GOOD.replace("aliases = []", "aliases = ["),
            ManifestSyntaxError,
            22,
            "",
            id="a list with no end",
        ),
    ],
)
def test_parse_targets_of_what_is_no_toml_names_the_line(text, kind, line, key):
    assert refusal(text)[:3] == (kind, line, key)


def test_a_refusal_says_file_line_key_value_and_what_is_allowed():
    with pytest.raises(ManifestUnknownWord) as caught:
        parse_targets(
            GOOD.replace('cpu = "arm64"', 'cpu = "m1"'), "some/platforms.toml"
        )
    assert str(caught.value) == (
        'ER1116: some/platforms.toml:23: `target.darwin-arm64.cpu` is "m1":'
        " no such word\n\nhint: allowed: x86_64 or arm64"
    )


def test_a_duplicate_says_where_the_first_one_stands():
    with pytest.raises(ManifestDuplicate) as caught:
        parse_targets(GOOD + DEBIAN + DEBIAN, "platforms.toml")
    assert caught.value.message == (
        "platforms.toml:50: `target.debian-x86_64`: stands twice; first in line 34"
    )


@pytest.mark.parametrize("kind", ["missing", "a folder", "not UTF-8"])
def test_load_targets_of_what_cannot_be_read_says_why(tmp_path, kind):
    path = tmp_path / "platforms.toml"
    if kind == "a folder":
        path.mkdir()
    elif kind == "not UTF-8":
        path.write_bytes(b"# \xff\n")
    with pytest.raises(ManifestUnreadable) as caught:
        load_targets(str(path))
    assert caught.value.path == str(path)
    assert caught.value.problem.startswith("cannot be read: ")
