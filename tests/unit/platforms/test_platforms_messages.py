"""Each refusal of a target or of platforms.toml prints what its page shows."""

from __future__ import annotations

import io

import pytest

from engineroom.cli.render import Render
from engineroom.errors import Error
from engineroom.platforms.binary import read_file
from engineroom.platforms.manifest import load_targets
from engineroom.platforms.probe import probe
from engineroom.platforms.select import native_targets, select_targets
from tests.printed import as_on_a_page, example
from tests.unit.platforms.test_platforms_manifest import GOOD

CHANGES = {
    "ER1112": ("aliases = []", "aliases = ["),
    "ER1113": ('cpu = "arm64"', 'cpu = "arm64"\ncpus = "arm64"'),
    "ER1114": ('wheel_tag = "macosx_11_0_arm64"\n', ""),
    "ER1115": ('libc_floor = "11.0"', "libc_floor = 11.0"),
    "ER1116": ('cpu = "arm64"', 'cpu = "m1"'),
    "ER1117": ("aliases = []", 'aliases = ["rhel-openssl-3.0.x"]'),
    "ER1118": ('libc_floor = "11.0"', 'libc_floor = "10.13"'),
    "ER1119": ('runner = "macos-15"', 'runner = "ubuntu-24.04"'),
}


def refuse(code, folder, described):
    """Make the failure with this code happen."""
    path = folder / "platforms.toml"
    if code == "ER1101":
        select_targets(["linux-musk"])
    elif code == "ER1102":
        native_targets(facts=probe(described(system="freebsd14", cpu="amd64")))
    elif code == "ER1300":
        engine = folder / "_qe_sqlite.abi3.so"
        engine.write_text("version https://git-lfs.github.com/spec/v1\n")
        read_file(str(engine))
    else:
        old, new = CHANGES.get(code, ("", ""))
        if code in CHANGES:
            assert old in GOOD
            path.write_text(GOOD.replace(old, new))
        load_targets(str(path))


@pytest.mark.parametrize("code", ["ER1101", "ER1102", "ER1111", *CHANGES, "ER1300"])
def test_what_is_printed_is_what_the_page_shows(code, tmp_path, described):
    with pytest.raises(Error) as caught:
        refuse(code, tmp_path, described)
    err = io.StringIO()
    Render(io.StringIO(), err).error(caught.value)
    text = as_on_a_page(err.getvalue(), (tmp_path, "/home/me"))
    assert text == example(code)
