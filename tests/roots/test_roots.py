"""The roots' pure parts; `nox -s roots` itself is what tests the wheels."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from native.build.cache import Cache
from native.roots import exits, needs, smoke
from native.roots.__main__ import main
from native.roots.enter import Ended, Entrance, find_emulator
from native.roots.errors import RootToolMissing, RootUnknown, WheelsMissing
from native.roots.kept import Shelf, listing_sha256
from native.roots.rows import ROOTS, TREES, Row, select_rows
from native.roots.server import started_server
from native.roots.table import Result, as_json, table
from native.roots.trial import (
    Check,
    Outcome,
    judge_doctor,
    judge_exit,
    judge_outside,
    judge_server_doctor,
    offered,
)
from tests.unit.systems import System

BY_NAME = {row.name: row for row in ROOTS}


def told(row: Row, **changes: object) -> str:
    engine = {"target": row.target, "sha256": "a", "sha256_listed": "a"}
    report = {
        "verdict": "ok" if row.target else "problem",
        "summary": "a sentence",
        "remedy": "" if row.target else "a command",
        "engine": engine if row.target else None,
        "candidates": [{"target": target.id} for target in TARGETS],
    }
    return json.dumps({**report, **changes})


def test_every_linux_target_is_what_a_root_must_choose() -> None:
    chosen = {row.target for row in ROOTS}
    linux = {target.id for target in TARGETS if target.os == "linux"}
    assert chosen - {""} == linux


def test_every_row_has_a_wheel_tag_of_its_target_and_a_tree() -> None:
    tags = {target.id: target.wheel_tag for target in TARGETS}
    for row in ROOTS:
        assert row.wheel_tag == tags.get(row.target, "any")
        assert bool(row.code) == (not row.target)
        assert set(TREES[row.tree].bases) <= set(TREES)


def test_every_row_with_an_engine_has_an_openssl_to_bind_or_a_command_to_get_it() -> (
    None
):
    for row in ROOTS:
        assert bool(row.tls) == bool(row.tls_file)
        assert bool(row.tls or row.package) == bool(row.target)


def test_openssl_is_tried_in_the_series_there_are_on_both_cpus() -> None:
    found = {(row.tls[:3], TREES[row.tree].cpu) for row in ROOTS if row.tls}
    for series in ("1.1", "3.0", "3.5"):
        assert {(series, "x86_64"), (series, "arm64")} <= found


def test_rows_are_selected_by_name_in_the_order_of_the_table() -> None:
    assert [row.name for row in select_rows(["pure", "sid"])] == ["sid", "pure"]
    assert select_rows([]) == ROOTS


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(RootUnknown) as caught:
        select_rows(["bulseye"])
    assert "did you mean `bullseye`" in caught.value.hint


def test_the_command_line_lists_the_roots(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    written = capsys.readouterr().out
    assert all(row.name in written for row in ROOTS)


def test_the_command_line_ends_with_1_for_an_unknown_root(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--only", "fedora"]) == 1
    assert "ER6071" in capsys.readouterr().err


def test_a_program_in_a_root_has_no_network_and_cannot_change_the_tree() -> None:
    command = Entrance(Path("/t"), read={"a": Path("/x")}).command(["/bin/true"])
    assert "--unshare-all" in command
    assert "--share-net" not in command
    assert command[command.index("/t") - 1] == "--ro-bind"
    assert command[-1] == "/bin/true"
    assert command[command.index("/x") - 1 :][:3] == ["--ro-bind", "/x", "/mnt/a"]


def test_a_program_sees_the_network_only_where_it_is_let() -> None:
    command = Entrance(Path("/t"), has_network=True).command(["/bin/true"])
    assert command.index("--share-net") > command.index("--unshare-all")


def test_a_program_of_another_cpu_is_run_by_the_emulator() -> None:
    command = Entrance(Path("/t"), Path("/q")).command(["/bin/true"])
    assert command[-2:] == ["/mnt/emulator", "/bin/true"]
    assert command[command.index("/q") - 1] == "--ro-bind"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="asks about this CPU")
def test_no_emulator_is_needed_for_this_cpu_and_its_32_bits() -> None:
    assert find_emulator("x86_64") is None
    assert find_emulator("x86") is None


def test_wheels_offered_are_those_of_this_release(tmp_path: Path) -> None:
    names = [
        f"engineroom-{__version__}-cp39-abi3-manylinux_2_28_x86_64.whl",
        f"engineroom-{__version__}-py3-none-any.whl",
        "engineroom-0.0.1-cp39-abi3-manylinux_2_28_x86_64.whl",
        "other-1.0-py3-none-any.whl",
    ]
    for name in names:
        (tmp_path / name).touch()
    found = offered(tmp_path, BY_NAME["bookworm"])
    assert [path.name for path in found] == names[:2]
    assert [p.name for p in offered(tmp_path, BY_NAME["pure"])] == names[1:2]
    with pytest.raises(WheelsMissing):
        offered(tmp_path, BY_NAME["musl"])


def test_pip_is_told_every_tag_of_a_system() -> None:
    options = needs.pip_platforms(TREES["musl-arm64"], "3.11")
    assert "--platform=musllinux_1_2_aarch64" in options
    assert "--abi=cp311" in options
    assert not any("manylinux" in option for option in options)


@pytest.mark.parametrize(
    ("name", "changes", "ended", "problem"),
    [
        pytest.param("bookworm", {}, {}, "", id="right"),
        pytest.param("pure", {}, {"code": 1}, "", id="right without an engine"),
        pytest.param("bookworm", {}, {"code": 1}, "exit code 1", id="wrong code"),
        pytest.param("pure", {}, {"code": 0}, "1 was wanted", id="fine without engine"),
        pytest.param("bookworm", {}, {"code": 139}, "exit code 139", id="crash"),
        pytest.param("bookworm", {}, {"out": "{"}, "no JSON", id="half"),
        pytest.param(
            "bookworm", {"verdict": "unknown"}, {}, "verdict unknown", id="verdict"
        ),
        pytest.param(
            "bookworm",
            {"engine": {"target": "rhel-x86_64"}},
            {},
            "it chose rhel-x86_64, the table says debian-openssl-3-x86_64",
            id="other target",
        ),
        pytest.param(
            "sid",
            {
                "engine": {
                    "target": "debian-openssl-3-x86_64",
                    "sha256": "a",
                    "sha256_listed": "b",
                }
            },
            {},
            "not the one that its manifest lists",
            id="other bytes",
        ),
        pytest.param("pure", {"remedy": ""}, {"code": 1}, "what to do", id="no remedy"),
        pytest.param(
            "pure", {"candidates": []}, {"code": 1}, "darwin-arm64", id="no candidates"
        ),
    ],
)
def test_the_doctor_is_judged_by_code_verdict_target_and_bytes(
    name: str, changes: dict[str, object], ended: dict[str, object], problem: str
) -> None:
    row = BY_NAME[name]
    said = Ended(**{"code": 0, "out": told(row, **changes), "err": "", **ended})  # type: ignore[arg-type]
    found, _ = judge_doctor(said, row)
    assert (problem in found) if problem else not found


def told_of_server(row: Row, **changes: object) -> str:
    report = {
        "verdict": "ok" if row.tls else "problem",
        "summary": "a sentence",
        "remedy": "" if row.tls else f"{row.package}; and more",
        "tls": {"version": f"{row.tls}7", "file": row.tls_file},
        "server": {"tls_version": "TLSv1.3"},
    }
    return json.dumps({**report, **changes})


@pytest.mark.parametrize(
    ("name", "changes", "ended", "problem"),
    [
        pytest.param("bullseye", {}, {}, "", id="right"),
        pytest.param("no-openssl", {}, {"code": 1}, "", id="right without OpenSSL"),
        pytest.param("trixie", {}, {"code": 1}, "exit code 1", id="wrong code"),
        pytest.param("no-openssl", {}, {}, "1 was wanted", id="fine without OpenSSL"),
        pytest.param(
            "no-openssl",
            {"remedy": "install OpenSSL"},
            {"code": 1},
            "its remedy is 'install OpenSSL'",
            id="no command",
        ),
        pytest.param(
            "bullseye",
            {"tls": {"version": "3.0.2", "file": "/libssl.so.3"}},
            {},
            "it has bound 3.0.2 libssl.so.3, the table says 1.1.1",
            id="another version",
        ),
        pytest.param(
            "musl",
            {"server": {"tls_version": None}},
            {},
            "a sentence",
            id="not encrypted",
        ),
        pytest.param("sid", {"summary": "s3cret"}, {}, "password", id="the password"),
    ],
)
def test_the_doctor_of_a_server_is_judged_by_code_openssl_and_encryption(
    name: str, changes: dict[str, object], ended: dict[str, object], problem: str
) -> None:
    row = BY_NAME[name]
    out = told_of_server(row, **changes)
    said = Ended(**{"code": 0, "out": out, "err": "", **ended})  # type: ignore[arg-type]
    found, _ = judge_server_doctor(said, row, "s3cret")
    assert (problem in found) if problem else not found


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        pytest.param(Ended(0, "done\n", ""), "", id="well"),
        pytest.param(Ended(139, "done\n", ""), "exit code 139", id="crash"),
        pytest.param(Ended(0, "done\n", "Exception ignored"), "ignored", id="words"),
        pytest.param(Ended(0, "", ""), "in place of", id="never got there"),
    ],
)
def test_an_end_is_judged_by_code_words_and_output(ended: Ended, problem: str) -> None:
    found = judge_exit(ended, "done\n")
    assert (problem in found) if problem else not found


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(Cache(tmp_path))


def fill(folder: Path) -> None:
    (folder / "usr").mkdir()
    (folder / "usr" / "python").write_text("binary")
    (folder / "bin").symlink_to("usr")


def test_a_tree_is_made_once(shelf: Shelf) -> None:
    with shelf.hold("t", "r", fill, fresh=False) as kept:
        assert (kept.path / "bin" / "python").read_text() == "binary"
        assert kept.why == "missing"
    with shelf.hold("t", "r", fill, fresh=False) as kept:
        assert kept.why == ""


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda tree: (tree / "usr/python").write_text("binarz"), id="a bit"
        ),
        pytest.param(lambda tree: (tree / "usr/python").unlink(), id="a file is gone"),
        pytest.param(lambda tree: (tree / "usr/python").chmod(0o700), id="a mode"),
        pytest.param(lambda tree: (tree / "more").touch(), id="a file more"),
        pytest.param(
            lambda tree: (tree.parent / "root.json").write_text("{"), id="half a record"
        ),
        pytest.param(lambda tree: (tree.parent / "root.json").unlink(), id="no record"),
    ],
)
def test_a_damaged_tree_is_made_anew(shelf: Shelf, spoil: object) -> None:
    with shelf.hold("t", "r", fill, fresh=False) as kept:
        pass
    assert callable(spoil)
    spoil(kept.path)
    with shelf.hold("t", "r", fill, fresh=False) as again:
        assert again.why == "damaged"
        assert (again.path / "bin" / "python").read_text() == "binary"
    assert again.path == kept.path


def test_another_recipe_takes_the_place_of_the_tree(shelf: Shelf) -> None:
    with shelf.hold("t", "one", fill, fresh=False) as old:
        pass
    with shelf.hold("t-arm64", "one", fill, fresh=False) as other:
        pass
    with shelf.hold("t", "two", fill, fresh=False) as new:
        assert new.path != old.path
    assert not old.path.exists()
    assert other.path.exists()


def test_a_making_that_fails_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        fill(folder)
        raise OSError("the network is gone")

    with (
        pytest.raises(OSError, match="network"),
        shelf.hold("t", "r", fail, fresh=False),
    ):
        pass
    assert not list(tmp_path.glob("roots/t-*"))
    assert not list(tmp_path.glob("scratch/*"))


def test_two_at_once_make_a_tree_once(shelf: Shelf) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        fill(folder)

    def use() -> None:
        with shelf.hold("t", "r", make, fresh=False) as kept:
            assert (kept.path / "usr" / "python").exists()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_listing_reads_no_pipe_and_no_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = listing_sha256(tmp_path)
    (tmp_path / "pipe").unlink()
    assert listing_sha256(tmp_path) != before


def result(*checks: Check, error: str = "") -> Result:
    outcome = None
    if not error:
        outcome = Outcome(
            {"libc": "glibc 2.36"}, "cp39", "here", "3.0.1 libssl.so.3", checks
        )
    return Result(BY_NAME["bookworm"], outcome, error, 1.25, Path("/log"))


def test_a_row_is_passed_only_if_something_was_checked_and_all_is_well() -> None:
    good, bad = Check("a", True, "fine"), Check("b", False, "not fine")
    assert result(good).is_passed
    assert not result(good, bad).is_passed
    assert not result().is_passed
    assert not result(error="no mirror").is_passed


def test_the_table_and_the_json_name_every_failure() -> None:
    results = [result(Check("b", False, "not fine")), result(error="no mirror")]
    shown = table(results)
    assert "bookworm: b: not fine\n  log: /log" in shown
    assert "bookworm: root: no mirror" in shown
    document = as_json(results)
    assert not document["is_passed"]
    assert document["roots"][0]["checks"][0]["text"] == "not fine"
    assert document["roots"][1]["error"] == "no mirror"


def run(script: object, *words: str) -> subprocess.CompletedProcess[str]:
    path = str(getattr(script, "__file__", script))
    return subprocess.run(
        [sys.executable, path, *words], capture_output=True, text=True, check=False
    )


def test_the_questions_report_a_failure_for_what_they_find_otherwise(
    tmp_path: Path,
) -> None:
    """Under expectations that nothing meets, none of these may pass."""
    wrong = {**BY_NAME["bookworm"]._asdict(), "libc": "other 1.0", "wheel_tag": "none"}
    expected = tmp_path / "expected.json"
    expected.write_text(json.dumps({**wrong, "target": "amiga"}))
    done = run(smoke, str(expected), str(tmp_path))
    assert done.returncode == 0, done.stderr
    checks = {c["name"]: c["is_passed"] for c in json.loads(done.stdout)["checks"]}
    assert not checks["system"]
    assert not checks["wheel"]
    assert not checks["engine"]


def test_the_questions_to_the_server_report_what_they_find_otherwise(
    tmp_path: Path,
) -> None:
    """What is right here passes, and what the table has otherwise does not."""
    script = Path(smoke.__file__).with_name("smoke_postgres.py")
    expected = tmp_path / "expected.json"
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(started_server())
        except RootToolMissing as missing:
            pytest.skip(str(missing))
        server.copy_files(tmp_path)
        wrong = {
            **BY_NAME["bookworm"]._asdict(),
            "target": "amiga",
            "tls_file": "/usr/lib/libssl.so.9",
            "url": server.url(str(tmp_path)),
            "secret": server.secret,
        }
        expected.write_text(json.dumps(wrong))
        done = run(script, str(expected), str(tmp_path), "after")
        for way in exits.WAYS_OF_SERVER:
            ended = run(exits, way, str(tmp_path), server.url(str(tmp_path)))
            said = Ended(ended.returncode, ended.stdout, ended.stderr)
            assert judge_exit(said, "done\n") == "", way
    assert done.returncode == 0, done.stderr
    checks = {c["name"]: c["is_passed"] for c in json.loads(done.stdout)["checks"]}
    bad = {"tls bound", "connection", "own ssl"}
    assert {name for name, is_passed in checks.items() if not is_passed} == bad


@pytest.mark.parametrize("way", exits.WAYS)
def test_every_way_to_end_ends_well_here(way: str, tmp_path: Path) -> None:
    done = run(exits, way, str(tmp_path))
    assert judge_exit(Ended(done.returncode, done.stdout, done.stderr), "done\n") == ""


@pytest.mark.parametrize(
    ("name", "version", "openssl", "cpu", "problem"),
    [
        pytest.param("bullseye", "2.31", "1.1", "x86_64", "", id="right"),
        pytest.param("bookworm-i386", "2.36", "3", "x86", "", id="right without"),
        pytest.param("pure", "2.36", "3", "x86_64", "", id="the wheel is not asked"),
        pytest.param(
            "bullseye",
            "2.31",
            "3",
            "x86_64",
            "it chose debian-openssl-3-x86_64, the table says rhel-x86_64",
            id="another target",
        ),
        pytest.param(
            "bullseye", "2.32", "1.1", "x86_64", "it found glibc 2.32", id="libc"
        ),
        pytest.param(
            "bookworm-i386", "2.36", "3", "x86_64", "1 was wanted", id="too good"
        ),
        pytest.param("trixie", "2.17", "3", "x86_64", "exit code 1: ", id="refused"),
    ],
)
def test_what_the_doctor_says_from_outside_is_held_against_the_table(
    tmp_path: Path, name: str, version: str, openssl: str, cpu: str, problem: str
) -> None:
    system = System(tmp_path / "tree").debian(version, openssl, cpu=cpu)
    found = judge_outside(system.folder, BY_NAME[name])
    assert problem in found
    assert bool(found) == bool(problem)
