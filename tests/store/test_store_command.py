"""`engineroom store` as it is typed: what it prints and the code it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from .reader import visible
from .wheels import engine_files, make_wheel

if TYPE_CHECKING:
    from pathlib import Path


def engineroom(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engineroom", "store", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_json(*words: object) -> dict[str, Any]:
    done = engineroom(*words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_publishing_prints_what_was_done_and_what_to_type_next(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheel = make_wheel(tmp_path)
    done = engineroom("publish", wheel, "--store", store)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["file", "bytes", "sha256", "begins", "state"]
    assert lines[1].split()[0] == wheel.name
    assert lines[1].split()[-1] == "published"
    index_url = f"{store.as_uri()}/simple/"
    assert lines[-1] == f"pip install --index-url {index_url} widget"
    assert visible(store) == {wheel.name}


def test_publishing_again_says_that_nothing_is_new(tmp_path: Path) -> None:
    words = ("publish", make_wheel(tmp_path), "--store", tmp_path / "store")
    engineroom(*words)
    done = engineroom(*words)
    assert done.returncode == 0
    assert "already there" in done.stdout
    assert "Nothing new: the same bytes were published before." in done.stdout


def test_publishing_tells_programs_everything(tmp_path: Path) -> None:
    files = engine_files({"a/_qe.so": b"ELF"}, targets=["linux-musl-arm64"])
    wheel = make_wheel(tmp_path, tag="cp39-abi3-musllinux_1_2_aarch64", files=files)
    store = tmp_path / "store"
    words = ("publish", wheel, "--store", store, "--partial")
    planned = in_json(*words, "--dry-run")
    assert planned["dry_run"]
    assert not store.exists()
    value = in_json(*words)
    assert value["format"] == 1
    assert value["store"] == str(store)
    assert value["index_url"] == f"{store.as_uri()}/simple/"

    assert value["is_new_store"]
    assert value["projects"][0]["project"] == "widget"
    assert value["projects"][0]["journal"] == 1
    (file,) = value["projects"][0]["new"]
    assert file["file"] == wheel.name
    assert file["upload_time"].endswith("Z")
    assert file["engines"][0]["target"] == "linux-musl-arm64"
    known = in_json(*words)["projects"][0]["known"]
    assert known == [file]


def test_a_channels_wheels_are_installed_from_its_own_index(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheel = make_wheel(tmp_path, version="1.0.dev1")
    done = engineroom("publish", wheel, "--channel", "nightly", "--store", store)
    index_url = f"{store.as_uri()}/channels/nightly/simple/"
    assert done.stdout.splitlines()[-1] == f"pip install --index-url {index_url} widget"


def musl_wheels(folder: Path, *, tag: str = "musllinux_1_2_{}") -> list[Path]:
    """Make the wheels with engines for musl, and the one without engines."""
    wheels = [make_wheel(folder)]
    for target, cpu in (
        ("linux-musl-x86_64", "x86_64"),
        ("linux-musl-arm64", "aarch64"),
    ):
        files = engine_files({f"{target}/_qe.so": cpu.encode()}, targets=[target])
        wheels.append(
            make_wheel(folder, tag=f"cp39-abi3-{tag.format(cpu)}", files=files)
        )
    return wheels


def test_a_release_with_engines_must_have_all_or_say_which(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheels = musl_wheels(tmp_path)
    done = engineroom("publish", *wheels, "--store", store)
    assert done.returncode == 6
    assert "ER3121" in done.stderr
    assert "`darwin-arm64`" in done.stderr
    assert "musl" not in done.stderr
    assert not store.exists()
    in_json("publish", *wheels, "--store", store, "--target", "linux-musl")
    assert visible(store) == {wheel.name for wheel in wheels}
    done = engineroom(
        *("publish", wheels[1], "--store", store),
        *("--target", "linux-musl", "--partial"),
    )
    assert done.returncode == 2


def test_a_release_is_whole_with_what_the_store_has_of_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheels = musl_wheels(tmp_path)
    in_json("publish", *wheels[:2], "--store", store, "--partial")
    in_json("publish", wheels[2], "--store", store, "--target", "linux-musl")
    # A page of its own holds nothing but what is published there.
    done = engineroom(
        *("publish", wheels[2], "--store", store),
        *("--target", "linux-musl", "--channel", "nightly"),
    )
    assert done.returncode == 6
    assert "no engines for `linux-musl-x86_64`" in done.stderr


def test_a_yanked_wheel_is_no_part_of_a_release(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheels = musl_wheels(tmp_path)
    in_json("publish", *wheels[:2], "--store", store, "--partial")
    assert engineroom("yank", "widget", "1.0", "--store", store).returncode == 0
    done = engineroom("publish", wheels[2], "--store", store, "--target", "linux-musl")
    assert done.returncode == 6
    assert "no engines for `linux-musl-x86_64`" in done.stderr


def test_a_release_that_installs_would_find_wrongly_is_not_shown(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    wheels = musl_wheels(tmp_path, tag="musllinux_1_3_{}")
    done = engineroom("publish", *wheels, "--store", store, "--target", "linux-musl")
    assert done.returncode == 6
    assert "ER3122" in done.stderr
    assert "on musl 1.2 x86_64 with Python 3.9, " in done.stderr
    assert "`widget-1.0-py3-none-any.whl` is taken" in done.stderr
    assert not store.exists()


def test_a_refused_publish_ends_with_the_stores_code(tmp_path: Path) -> None:
    store = tmp_path / "store"
    engineroom("publish", make_wheel(tmp_path), "--store", store)
    other = make_wheel(tmp_path / "other", text="other")
    done = engineroom("publish", other, "--store", store)
    assert done.returncode == 6
    assert done.stdout == ""
    assert "ER3110" in done.stderr
    assert "hint: published names never change their bytes" in done.stderr
    done = engineroom("publish", other, "--store", store, "--json")
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["class"]) == ("ER3110", "FileNameTaken")


@pytest.mark.parametrize(
    "words",
    [(), ("publish", "--store", "x"), ("burn", "--store", "x")],
    ids=["no action", "no wheel", "unknown action"],
)
def test_wrong_use_ends_with_the_code_for_it(words: tuple[str, ...]) -> None:
    done = engineroom(*words)
    assert done.returncode == 2
    assert "usage: engineroom store" in done.stderr


def test_a_store_that_nothing_names_is_wrong_use() -> None:
    done = engineroom("publish", "a.whl")
    assert done.returncode == 2
    assert "ER3028" in done.stderr


def test_listing_and_showing_what_a_store_holds(tmp_path: Path) -> None:
    store = tmp_path / "store"
    wheels = [
        make_wheel(tmp_path, version="1.0"),
        make_wheel(tmp_path, version="2.0"),
        make_wheel(tmp_path, project="gadget"),
    ]
    engineroom("publish", *wheels, "--store", store)
    listing = engineroom("ls", "--store", store).stdout.splitlines()
    assert [line.split()[0] for line in listing] == ["project", "gadget", "widget"]
    projects = {p["project"]: p for p in in_json("ls", "--store", store)["projects"]}
    assert projects["widget"]["versions"] == 2
    assert projects["widget"]["size_bytes"] == sum(
        wheel.stat().st_size for wheel in wheels[:2]
    )
    shown = engineroom("show", "Widget", "--store", store).stdout.splitlines()
    assert [line.split()[0] for line in shown[1:]] == [w.name for w in wheels[:2]]
    files = in_json("show", "widget", "2.0", "--store", store)["files"]
    assert [file["file"] for file in files] == [wheels[1].name]


@pytest.mark.parametrize(
    ("words", "there"),
    [(("sprocket",), "`widget`"), (("widget", "9.9"), "`1.0`")],
    ids=["project", "version"],
)
def test_showing_what_is_not_there_names_what_is(
    tmp_path: Path, words: tuple[str, ...], there: str
) -> None:
    store = tmp_path / "store"
    engineroom("publish", make_wheel(tmp_path), "--store", store)
    done = engineroom("show", *words, "--store", store)
    assert done.returncode == 6
    assert "ER3008" in done.stderr
    assert there in done.stderr


def test_a_store_is_made_by_hand_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = in_json("init", "--store", store)
    assert first["is_new_store"]
    second = in_json("init", "--store", store)
    assert not second["is_new_store"]
    assert second["id"] == first["id"]
    done = engineroom("init", "--store", tmp_path)
    assert done.returncode == 6
    assert "ER3002" in done.stderr


def test_repairing_writes_spoiled_pages_and_names_what_is_left(tmp_path: Path) -> None:
    store = tmp_path / "store"
    engineroom("publish", make_wheel(tmp_path), "--store", store)
    page = store / "simple" / "widget" / "index.html"
    page.write_text("spoiled")
    done = engineroom("repair", "--store", store)
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "wrote simple/widget/index.html",
        "projects: 1, pages written again: 1, problems left: 0",
    ]
    next(store.rglob("*.whl")).unlink()
    done = engineroom("repair", "--store", store)
    assert done.returncode == 6
    assert "ER3006" in done.stderr
    done = engineroom("repair", "--store", store, "--json")
    assert done.returncode == 6
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem["class"] == "StoreDamaged"


def test_the_command_needs_no_engine(tmp_path: Path) -> None:
    """A broken or missing binary must not keep anyone from publishing."""
    script = (
        "import sys\n"
        "from engineroom.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "parts = ('loader', 'core', 'dbapi', 'connection', 'doctor')\n"
        "assert not [p for p in parts if f'engineroom.{p}' in sys.modules]\n"
        "assert '_cffi_backend' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    words = ["store", "publish", make_wheel(tmp_path), "--store", tmp_path / "store"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
