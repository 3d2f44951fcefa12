"""Which wheel an install picks: ours against real pip, old pip and uv; and refusals."""

from __future__ import annotations

import random
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import NoPythonAllowed, ReleaseIncomplete, ReleaseUnresolvable
from engineroom.platforms.rows import TARGETS
from engineroom.store import Engine, File, FolderTransport, inspect_wheel, publish
from engineroom.store.environments import CLIENTS, PYTHONS, SYSTEMS
from engineroom.store.resolve import check_release, resolve
from engineroom.store.versions import is_prerelease, version_order

from .installs import ask_pip, ask_uv, is_known_to_uv
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engineroom.store.environments import Client, Python, System
    from engineroom.store.resolve import Row

PURE = "py3-none-any"
TAGS = tuple(dict.fromkeys(f"cp39-abi3-{target.wheel_tag}" for target in TARGETS))
BACKENDS = ("postgres", "sqlite")


def wheel_file(
    tag: str,
    *,
    version: str = "1.0",
    build: str = "",
    requires_python: str | None = ">=3.9",
    targets: Sequence[str] | None = None,
    backends: Sequence[str] = BACKENDS,
) -> File:
    """Describe a wheel with the engines that its platform tag is for."""
    named = "-".join(["engineroom", version, *([build] if build else []), tag])
    platforms = tag.rpartition("-")[2].split(".")
    if targets is None:
        targets = [target.id for target in TARGETS if target.wheel_tag in platforms]
    return File(
        name=f"{named}.whl",
        identity=named,
        version=version,
        size_bytes=1,
        sha256="0" * 64,
        metadata_sha256="0" * 64,
        requires_python=requires_python,
        engines=tuple(Engine(t, b, "0" * 64, 1) for t in targets for b in backends),
    )


def whole(version: str = "1.0") -> list[File]:
    """Describe a release as it should be."""
    return [wheel_file(tag, version=version) for tag in (*TAGS, PURE)]


def without(part: str, files: Sequence[File]) -> list[File]:
    """Leave out the wheels whose name has this in it."""
    return [file for file in files if part not in file.name]


def row_of(rows: Sequence[Row], system: str, python: str, client: str = "pip") -> Row:
    """Find one install."""
    (row,) = (
        row
        for row in rows
        if (str(row.system), str(row.python), str(row.client))
        == (system, python, client)
    )
    return row


def test_a_whole_release_is_right_everywhere() -> None:
    rows = check_release(whole(), "1.0")

    assert len({(row.system, row.python, row.client) for row in rows}) == len(rows)
    assert len(rows) > 1000
    assert all(row.ok for row in rows)


@pytest.mark.parametrize(
    ("system", "python", "tag"),
    [
        ("glibc 2.28 x86_64", "3.9", "cp39-abi3-manylinux_2_28_x86_64"),
        ("glibc 2.41 arm64", "3.15", "cp39-abi3-manylinux_2_28_aarch64"),
        ("musl 1.2 x86_64", "3.14", "cp39-abi3-musllinux_1_2_x86_64"),
        ("musl 1.2 arm64", "3.9", "cp39-abi3-musllinux_1_2_aarch64"),
        ("macOS 10.13 x86_64", "3.9", "cp39-abi3-macosx_10_13_x86_64"),
        ("macOS 10.16 x86_64", "3.9", "cp39-abi3-macosx_10_13_x86_64"),
        ("macOS 26.0 x86_64", "3.13", "cp39-abi3-macosx_10_13_x86_64"),
        ("macOS 11.0 arm64", "3.9", "cp39-abi3-macosx_11_0_arm64"),
        ("macOS 26.0 arm64", "3.15", "cp39-abi3-macosx_11_0_arm64"),
        ("glibc 2.27 x86_64", "3.9", PURE),
        ("musl 1.1 x86_64", "3.9", PURE),
        ("macOS 10.12 x86_64", "3.9", PURE),
        ("Windows x86_64", "3.13", PURE),
        ("glibc 2.36 x86_64", "3.13t", PURE),
        ("macOS 15.0 arm64", "3.14t", PURE),
        ("glibc 2.36 x86_64", "PyPy 3.11", PURE),
    ],
)
def test_the_wheel_for_a_machine_is_this_one(
    system: str, python: str, tag: str
) -> None:
    row = row_of(check_release(whole(), "1.0"), system, python)

    assert row.picked == f"engineroom-1.0-{tag}.whl"
    assert row.intended == (row.picked,)


def test_without_a_wheel_for_the_rest_the_rest_finds_nothing() -> None:
    rows = check_release(without("none-any", whole()), "1.0")

    row = row_of(rows, "Windows x86_64", "3.13")
    assert (row.picked, row.intended, row.ok) == ("", (), True)


@pytest.mark.parametrize("tag", TAGS)
def test_a_missing_wheel_is_named_by_its_targets(tag: str) -> None:
    with pytest.raises(ReleaseIncomplete) as caught:
        check_release(without(tag, whole()), "1.0")

    expected = {target.id for target in TARGETS if tag.endswith(target.wheel_tag)}
    assert set(caught.value.missing) == expected


def test_a_missing_backend_is_named() -> None:
    files = without(TAGS[0], whole())
    files.append(wheel_file(TAGS[0], backends=["sqlite"]))

    with pytest.raises(ReleaseIncomplete) as caught:
        check_release(files, "1.0")

    assert caught.value.missing == ("darwin-arm64 (postgres)",)


def test_the_wheel_without_engines_is_no_release_of_a_project_that_has_them() -> None:
    with pytest.raises(ReleaseIncomplete) as caught:
        check_release([*whole("0.9"), wheel_file(PURE)], "1.0")

    assert set(caught.value.missing) == {target.id for target in TARGETS}


def test_a_partial_release_is_right_where_it_has_engines() -> None:
    files = [wheel_file("cp39-abi3-manylinux_2_28_x86_64"), wheel_file(PURE)]

    rows = check_release(files, "1.0", required=())

    assert row_of(rows, "musl 1.2 x86_64", "3.13").picked.endswith("none-any.whl")
    with pytest.raises(ReleaseUnresolvable):
        check_release(
            [wheel_file("cp310-abi3-manylinux_2_28_x86_64"), wheel_file(PURE)],
            "1.0",
            required=(),
        )


def test_other_targets_can_be_required() -> None:
    files = [wheel_file("cp39-abi3-musllinux_1_2_x86_64")]
    check_release(files, "1.0", required=["linux-musl-x86_64"])

    with pytest.raises(ReleaseIncomplete) as caught:
        check_release(files, "1.0", required=["linux-musl-x86_64", "darwin-arm64"])

    assert caught.value.missing == ("darwin-arm64",)


LINUX = "cp39-abi3-manylinux_2_28_x86_64"
ENGINES = ("debian-openssl-3-x86_64", "rhel-x86_64")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(
            [wheel_file("cp310-abi3-manylinux_2_28_x86_64")],
            ["glibc 2.28 x86_64", "Python 3.9 by pip, pip 22, uv", "none-any.whl`"],
            id="a Python too new",
        ),
        pytest.param(
            [wheel_file("cp39-abi3-manylinux_2_31_x86_64", targets=ENGINES)],
            ["on glibc 2.28 x86_64 with", "none-any.whl` is taken, although engines"],
            id="a floor too high",
        ),
        pytest.param(
            [wheel_file("cp39-abi3-manylinux_2_17_x86_64", targets=ENGINES)],
            ["on glibc 2.17 x86_64, glibc 2.27 x86_64 with", "engines are not for it"],
            id="a floor too low",
        ),
        pytest.param(
            [wheel_file("py3-none-manylinux_2_28_x86_64", targets=ENGINES)],
            ["Python 3.13t, 3.14t, PyPy 3.10, PyPy 3.11", "engines are not for it"],
            id="for Pythons that load no engines",
        ),
        pytest.param(
            [wheel_file(LINUX, requires_python=">=3.10")],
            ["Python 3.9 by", "none-any.whl` is taken"],
            id="a Requires-Python of its own",
        ),
        pytest.param(
            [
                wheel_file(LINUX),
                wheel_file("cp312-abi3-manylinux_2_28_x86_64", targets=["linux-x"]),
            ],
            ["Python 3.12, 3.13, 3.14, 3.15 by", "cp312-abi3"],
            id="another wheel before it",
        ),
        pytest.param(
            [wheel_file(LINUX), wheel_file(LINUX, build="1", targets=())],
            ["engineroom-1.0-1-cp39-abi3-manylinux_2_28_x86_64.whl` is taken"],
            id="a later build without engines",
        ),
        pytest.param(
            [
                wheel_file(LINUX, targets=ENGINES[:1]),
                wheel_file(LINUX, build="1", targets=ENGINES[1:]),
            ],
            ["although engines for debian-openssl-3-x86_64, rhel-x86_64 are there"],
            id="two wheels with half of the engines each",
        ),
    ],
)
def test_a_release_that_installs_would_find_wrongly_is_refused(
    wrong: Sequence[File], said: Sequence[str]
) -> None:
    with pytest.raises(ReleaseUnresolvable) as caught:
        check_release([*without(LINUX, whole()), *wrong], "1.0")

    for part in said:
        assert part in caught.value.message
    assert len(caught.value.faults) <= 3, "equal faults are told once"


def test_an_older_version_that_fits_where_the_new_one_does_not_is_seen() -> None:
    files = without("none-any", [*whole("0.9"), *whole("1.0")])
    wrong = wheel_file("cp39-abi3-manylinux_2_31_x86_64", targets=ENGINES)
    files = [*without(f"1.0-{LINUX}", files), wrong]

    with pytest.raises(ReleaseUnresolvable) as caught:
        check_release(files, "1.0")

    (fault,) = caught.value.faults
    assert "on glibc 2.28 x86_64 with" in fault
    assert f"the older `engineroom-0.9-{LINUX}.whl` is taken" in fault


def test_a_newer_version_does_not_stand_in_the_way() -> None:
    rows = check_release([*whole("1.0"), *whole("2.0")], "1.0")

    assert all("-2.0-" not in row.picked for row in rows)


def test_a_later_build_takes_the_place_of_the_first() -> None:
    rows = check_release([*whole(), wheel_file(LINUX, build="2")], "1.0")

    row = row_of(rows, "glibc 2.36 x86_64", "3.13", "uv")
    assert row.picked == f"engineroom-1.0-2-{LINUX}.whl"
    assert len(row.intended) == 2


def test_pythons_that_a_release_is_not_for_are_left_out() -> None:
    files = [replace(file, requires_python=">=3.11") for file in whole("2.0")]

    rows = check_release([*whole("1.0"), *files], "2.0")

    assert {row.python.minor for row in rows} == {11, 12, 13, 14, 15}


def test_a_project_without_engines_needs_no_targets() -> None:
    file = wheel_file("cp312-cp312-win_amd64", targets=())
    assert check_release([file], "1.0") == ()


def test_a_wheel_for_no_python_is_refused() -> None:
    file = wheel_file(PURE, requires_python=">=3.9,<3.9")

    with pytest.raises(NoPythonAllowed) as caught:
        check_release([file], "1.0")

    assert caught.value.requires_python == ">=3.9,<3.9"


def test_older_releases_without_number_cost_next_to_nothing() -> None:
    older = [file for minor in range(400) for file in whole(f"0.{minor}")]
    wide = [wheel_file(LINUX), *without("none-any", older)]

    rows = check_release(wide, "1.0", required=())

    row = row_of(rows, "macOS 15.0 arm64", "3.13")
    assert row.picked == "engineroom-0.399-cp39-abi3-macosx_11_0_arm64.whl"


# What follows asks the installers themselves.


@pytest.fixture(scope="session")
def uv_program() -> str:
    """Give uv's path."""
    found = shutil.which("uv", path=f"{sys.prefix}/bin")
    return found or pytest.skip("uv is not installed")


def ask(
    client: Client,
    questions: Sequence[tuple[System, Python, str, list[str]]],
    pip_wheels: dict[str, Path],
    uv_program: str,
) -> list[str]:
    """Ask an installer what it would take; a question ends with index and wish."""
    if client.name == "uv":
        return [ask_uv(uv_program, *question) for question in questions]
    asked = [(s, (p.tag, p.abi, index, wish)) for s, p, index, wish in questions]
    return ask_pip(pip_wheels[client.name], "picks", asked)


def machines_of(client: Client) -> list[tuple[System, Python]]:
    """Give the machines that an installer can be asked about."""
    return [
        (system, python)
        for system in SYSTEMS
        for python in PYTHONS
        if client.runs_on(python)
        and (client.name != "uv" or is_known_to_uv(system, python))
    ]


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_installers_take_from_a_whole_release_what_we_say(
    client: Client, tmp_path: Path, pip_wheels: dict[str, Path], uv_program: str
) -> None:
    store = FolderTransport(tmp_path / "store")
    wheels = [make_wheel(tmp_path, tag=tag) for tag in (*TAGS, PURE)]
    publish(store, wheels)
    files = [inspect_wheel(path).file for path in wheels]
    chosen = random.Random(7).sample(machines_of(client), 24)
    questions = [(s, p, store.index_url, ["widget"]) for s, p in chosen]

    answers = ask(client, questions, pip_wheels, uv_program)

    for (system, python), answer in zip(chosen, answers):
        (row,) = resolve(
            files, "1.0", systems=[system], pythons=[python], clients=[client]
        )
        assert answer == row.picked, row
    assert len(set(answers)) > 3


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_installers_take_from_any_release_what_we_say(
    client: Client, tmp_path: Path, pip_wheels: dict[str, Path], uv_program: str
) -> None:
    """Releases by chance: tags, builds, versions and Pythons of all kinds."""
    chance = random.Random(11)
    store = FolderTransport(tmp_path / "store")
    machines = machines_of(client)
    asked: list[tuple[System, Python, str, list[str]]] = []
    expected: list[Row] = []
    for number in range(12):
        project = f"widget{number}"
        wheels = {
            wheel.name: wheel
            for wheel in (by_chance(chance, tmp_path, project) for _ in range(14))
        }
        publish(store, list(wheels.values()))
        files = [inspect_wheel(path).file for path in wheels.values()]
        for system, python in chance.sample(machines, 4):
            version = max((file.version for file in files), key=version_order)
            rows = resolve(
                files, version, systems=[system], pythons=[python], clients=[client]
            )
            if rows:
                wish = [project, *(["--pre"] if is_prerelease(version) else [])]
                asked.append((system, python, store.index_url, wish))
                expected.extend(rows)

    answers = ask(client, asked, pip_wheels, uv_program)

    pairs = list(zip(expected, answers))
    assert [
        f"{row.client} on {row.system}, {row.python}: {answer}, not {row.picked}"
        for row, answer in pairs
        if row.picked != answer
    ] == []
    assert "" in answers
    assert len(set(answers)) > 12


def by_chance(chance: random.Random, folder: Path, project: str) -> Path:
    """Make a wheel that some machine may take, and another may not."""
    platform = chance.choice([
        "any", "any", "linux_x86_64", "linux_aarch64", "win_amd64",
        "manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_17_x86_64",
        "manylinux_2_28_x86_64", "manylinux_2_36_x86_64", "manylinux2014_aarch64",
        "manylinux_2_17_aarch64.manylinux2014_aarch64", "manylinux_2_31_aarch64",
        "musllinux_1_1_x86_64", "musllinux_1_2_x86_64", "musllinux_1_2_aarch64",
        "macosx_10_9_x86_64", "macosx_10_13_universal2", "macosx_11_0_arm64",
        "macosx_12_0_x86_64", "macosx_11_0_universal2", "macosx_14_0_arm64",
    ])  # fmt: skip
    python = chance.choice(["py3", "py3", "py2.py3", "py310", "py313"])
    tag = f"{python}-none-{platform}"
    if platform != "any" and chance.random() < 0.7:
        minor = chance.choice([9, 11, 12, 13])
        tag = f"cp3{minor}-{chance.choice(['abi3', f'cp3{minor}'])}-{platform}"
    return make_wheel(
        folder / str(chance.random()),
        project=project,
        version=chance.choice(["1.0", "1.0", "1.1", "1.1rc1", "1.2.dev1", "0.9"]),
        build=chance.choice(["", "", "1", "2", "10", "2a"]),
        tag=tag,
        requires_python=chance.choice([None, ">=3.9", ">=3.9", ">=3.11", "<3.13"]),
    )
