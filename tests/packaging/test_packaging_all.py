"""Wheels of every target from this machine, and what is kept of them between builds."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from native.build.cache import Cache, cache_root, file_sha256
from native.build.engine import build_engines
from native.build.errors import CacheUnwritable, StepFailed
from native.build.report import Report
from native.build.shelf import wheel_groups
from native.build.wheel import AUDIT, keep_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAGS = {
    "cp39-abi3-macosx_11_0_arm64",
    "cp39-abi3-macosx_10_13_x86_64",
    "cp39-abi3-musllinux_1_2_x86_64",
    "cp39-abi3-musllinux_1_2_aarch64",
    "cp39-abi3-manylinux_2_28_x86_64",
    "cp39-abi3-manylinux_2_28_aarch64",
    "py3-none-any",
}


@pytest.fixture
def own(tmp_path: Path, cache: Cache) -> Cache:
    """A cache with everything of the machine's but wheels."""
    build_engines([t for g in wheel_groups(["all"]) for t in g], cache, Report())
    root = tmp_path / "cache"
    root.mkdir()
    for path in cache_root().iterdir():
        if path.name not in ("logs", "refused", "scratch", "wheels"):
            (root / path.name).symlink_to(path)
    return Cache(root)


def build(tree: Path, cache: Cache, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.build", "build", *words],
        cwd=tree,
        env={
            **os.environ,
            "PYTHONPATH": f"{tree / 'engine'}{os.pathsep}{tree}",
            "ENGINEROOM_CACHE": str(cache.root),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def digests(tree: Path) -> dict[str, str]:
    wheels = (tree / "build" / "wheels").glob("*.whl")
    return {wheel.name: file_sha256(wheel) for wheel in wheels}


def test_all_wheels_come_from_one_command_and_are_the_same_wherever_it_runs(
    tmp_path: Path, own: Cache, copy_of_tree: Callable[[Path], Path]
) -> None:
    here = copy_of_tree(tmp_path / "here")
    there = copy_of_tree(tmp_path / "there" / "deeper")
    for path in there.rglob("*.py"):
        os.utime(path, (10**9, 10**9))

    first = build(here, own, "all")
    second = build(here, own, "all")
    other = Cache(own.root.parent / "other")
    own.root.rename(other.root)
    (other.root / "wheels").rename(tmp_path / "kept")
    elsewhere = build(there, other, "all")

    assert first.returncode == 0, first.stderr
    assert "7 wheels" in first.stdout
    assert {f"engineroom-0.1.0-{tag}.whl" for tag in TAGS} == set(digests(here))
    assert second.stdout.count(", as before") == 7
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert elsewhere.stdout.count(", as before") == 0
    assert digests(there) == digests(here)


def test_a_target_that_nobody_knows_is_answered_with_the_nearest(
    tmp_path: Path, cache: Cache, copy_of_tree: Callable[[Path], Path]
) -> None:
    done = build(copy_of_tree(tmp_path / "tree"), cache, "linux-musk")

    assert done.returncode == 1
    assert "linux-musl" in done.stderr
    assert not (tmp_path / "tree" / "build").exists()


def test_a_kept_wheel_that_changed_is_put_aside_and_made_again(own: Cache) -> None:
    kept, is_new = keep_wheel((), (), own, lambda _: "fine")
    assert is_new
    assert kept.with_name(AUDIT).read_text() == "fine"
    data = kept.read_bytes()
    kept.write_bytes(data[:-1])

    again, is_new = keep_wheel((), (), own, lambda _: "fine")

    assert is_new
    assert again.read_bytes() == data
    assert len(list(own.path("refused").iterdir())) == 1


def test_a_wheel_that_is_refused_is_not_kept(own: Cache) -> None:
    def refuse(wheel: Path) -> str:
        raise StepFailed("auditing", command="audit", exit_code=1, output=wheel.name)

    with pytest.raises(StepFailed):
        keep_wheel((), (), own, refuse)

    assert not own.path("wheels").exists()
    assert list(own.path("scratch").iterdir()) == []


def test_a_folder_of_a_killed_build_is_not_trusted(own: Cache) -> None:
    kept, _ = keep_wheel((), (), own, lambda _: "fine")
    kept.with_name("sha256").unlink()

    _, is_new = keep_wheel((), (), own, lambda _: "fine")

    assert is_new


def test_every_command_of_the_compiler_is_in_the_log_of_its_target(own: Cache) -> None:
    for name in ("engines", "headers", "objects"):
        own.path(name).unlink()  # the links, so that all is made anew
    targets = wheel_groups(["linux-musl-arm64"])[0]

    build_engines(targets, own, Report())

    log = own.path("logs", "linux-musl-arm64.log").read_text()
    assert log.count("exit 0\n$ ") >= 20
    assert "-target aarch64-linux-musl" in log
    assert "-o /dev/null" in log  # so that a command can be repeated as it stands


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many MiB."""
    places: list[Path] = []

    def mount(size: int) -> Path:
        place = tmp_path / f"disk-{size}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this user may not mount a small disk: {done.stderr.strip()}")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a disk as Linux does")
def test_a_full_disk_is_named_and_with_room_the_same_build_goes_on(
    small: Callable[[int], Path],
) -> None:
    cache = Cache(small(20))
    targets = wheel_groups(["linux-musl-x86_64"])[0]

    for room in (20, 40):  # too little for the sources, then for the compiler
        resize(cache.root, room)
        with pytest.raises(CacheUnwritable) as caught:
            build_engines(targets, cache, Report(), backends=["sqlite"])
        assert caught.value.reason == "No space left on device"
        assert cache.root in caught.value.path.parents
        assert list(cache.path("scratch").iterdir()) == []

    resize(cache.root, 200)
    (engine,) = build_engines(targets, cache, Report(), backends=["sqlite"])
    assert engine.size_bytes > 1_000_000


def resize(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}m", str(place)], check=True)
