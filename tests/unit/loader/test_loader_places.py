"""The places after the package, in their order, and those that are refused."""

from __future__ import annotations

import os

import pytest

from engineroom.platforms.places import engine_places, unsafe_because, user_folder
from engineroom.version import __version__


@pytest.fixture
def user_shelf(tmp_path, shelf):
    """The user's engine folder; a shelf like the package's."""
    return type(shelf)(tmp_path / "data" / "engineroom" / "engines" / __version__)


@pytest.fixture
def load_here(load, shelf, tmp_path):
    """Load with the user's engine folder below the test's own."""
    data = str(tmp_path / "data")
    return lambda **more: load(shelf.path, **{"XDG_DATA_HOME": data, **more})


def test_an_engine_in_the_users_folder_loads_where_the_package_has_none(
    load_here, user_shelf, make_engine, host
):
    path = user_shelf.add(host.id, make_engine().read_bytes())
    found = load_here()
    assert (found["path"], found["target"]) == (str(path), host.id)
    assert found["ran"]


def test_the_package_goes_before_the_users_folder(
    load_here, shelf, user_shelf, make_engine, host
):
    path = shelf.add(host.id, make_engine().read_bytes())
    user_shelf.add(host.id, make_engine().read_bytes())
    found = load_here()
    assert found["path"] == str(path)
    # Nobody has looked there.
    assert not any("data" in attempt["path"] for attempt in found["attempts"])


def test_a_damaged_engine_of_the_package_gives_way_to_the_users(
    load_here, shelf, user_shelf, make_engine, host
):
    data = make_engine().read_bytes()
    shelf.add(host.id, data, instead=data[:-1] + b"\1")
    path = user_shelf.add(host.id, data)
    found = load_here()
    assert found["path"] == str(path)
    verdicts = [a["verdict"] for a in found["attempts"] if a["path"]]
    assert verdicts == ["damaged", "loaded"]


def test_what_a_failed_fetch_leaves_is_no_place_of_engines(load_here, shelf, tmp_path):
    """Its empty folder was the headline, in place of the engine that is missing."""
    folder = tmp_path / "data" / "engineroom" / "engines" / __version__
    folder.mkdir(parents=True)
    (folder / ".engineroom-fetch.lock").touch()
    shelf.add("rhel-arm64", b"other")
    found = load_here()
    assert "sqlite engines built for rhel-arm64" in found["cause"]
    state = {a["path"]: a["verdict"] for a in found["attempts"]}
    assert state[str(folder)] == "absent"


def test_a_setting_for_the_folder_looks_nowhere_else(
    load_here, shelf, user_shelf, make_engine, host
):
    user_shelf.add(host.id, make_engine().read_bytes())
    found = load_here(ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert found["code"] == "ER1003"
    assert not any("data" in attempt["path"] for attempt in found["attempts"])


@pytest.mark.parametrize("what", ["folder", "folder above", "manifest", "file"])
def test_a_place_that_every_user_may_write_is_refused(
    what, load_here, user_shelf, make_engine, host
):
    file = user_shelf.add(host.id, make_engine().read_bytes())
    open_to_all = {
        "folder": user_shelf.path,
        "folder above": user_shelf.path.parent,
        "manifest": user_shelf.path / "manifest.csv",
        "file": file,
    }[what]
    open_to_all.chmod(0o777)
    found = load_here()
    assert not found["ran"]
    (refused,) = [a for a in found["attempts"] if a["verdict"] == "unsafe-place"]
    assert refused["reason"] == f"every user may write {open_to_all}"
    assert refused["reason"] in found["cause"]
    assert "let nobody but you and root write there" in found["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_place_of_another_user_is_refused(load_here, user_shelf, make_engine, host):
    user_shelf.add(host.id, make_engine().read_bytes())
    os.chown(user_shelf.path, 12345, -1)
    found = load_here()
    assert not found["ran"]
    (refused,) = [a for a in found["attempts"] if a["verdict"] == "unsafe-place"]
    assert "belongs to user 12345, neither to root" in refused["reason"]


def test_an_error_lists_the_places_in_their_order(load_here, tmp_path):
    found = load_here()
    assert found["code"] == "ER1003"
    assert "This installation has no sqlite engine" in found["cause"]
    places = [(a["path"], a["verdict"]) for a in found["attempts"] if a["path"]]
    assert places == [
        (str(tmp_path / "data" / "engineroom" / "engines" / __version__), "absent"),
        (f"/usr/lib/engineroom/engines/{__version__}", "absent"),
    ]
    assert (
        f"{places[0][0]}: absent, the user's engine folder is not there"
        in (found["text"])
    )


def test_a_users_folder_for_another_target_only_is_listed_and_no_cause(
    load_here, user_shelf
):
    user_shelf.add("darwin-arm64", b"whatever")
    found = load_here()
    assert "This installation has no sqlite engine" in found["cause"]
    (attempt,) = [a for a in found["attempts"] if a["verdict"] == "none-fits"]
    assert attempt["path"] == str(user_shelf.path)


def test_a_damaged_list_in_the_users_folder_is_the_cause(load_here, user_shelf):
    (user_shelf.path / "manifest.csv").write_text("no list")
    found = load_here()
    assert f"No engine can be found in {user_shelf.path}" in found["cause"]


@pytest.mark.parametrize(
    ("environment", "system", "folder"),
    [
        ({"HOME": "/home/ada"}, "linux", "/home/ada/.local/share"),
        ({"HOME": "/u", "XDG_DATA_HOME": "/data"}, "linux", "/data"),
        ({"HOME": "/u", "XDG_DATA_HOME": "data"}, "linux", "/u/.local/share"),
        ({"HOME": "/u"}, "darwin", "/u/Library/Application Support"),
        ({"HOME": "."}, "linux", None),
        ({}, "linux", None),
    ],
    ids=["home", "XDG", "relative XDG", "macOS", "relative home", "nothing"],
)
def test_the_users_folder_never_depends_on_the_working_folder(
    environment, system, folder
):
    found = user_folder(environment, system)
    assert found == (f"{folder}/engineroom/engines/{__version__}" if folder else "")


def test_the_systems_folder_comes_last():
    below = f"engineroom/engines/{__version__}"
    assert engine_places({"HOME": "/u"}, "linux") == (
        ("user", f"/u/.local/share/{below}"),
        ("system", f"/usr/lib/{below}"),
    )
    root = "/Library/Application Support"
    assert engine_places({}, "darwin") == (("system", f"{root}/{below}"),)


def test_a_sticky_folder_above_is_safe_and_one_that_holds_the_file_is_not(tmp_path):
    folder = tmp_path / "sticky" / "own"
    folder.mkdir(parents=True)
    (tmp_path / "sticky").chmod(0o1777)
    assert unsafe_because(str(folder)) == ""
    file = tmp_path / "sticky" / "file"
    file.write_text("")
    assert unsafe_because(str(file)) == f"every user may write {tmp_path / 'sticky'}"


@pytest.mark.parametrize("is_open", ["real", "above"])
def test_a_link_is_judged_by_where_it_stands_and_where_it_leads(is_open, tmp_path):
    real, above = tmp_path / "real", tmp_path / "above"
    real.mkdir()
    above.mkdir()
    (above / "link").symlink_to(real)
    assert unsafe_because(str(above / "link")) == ""
    (tmp_path / is_open).chmod(0o777)
    found = unsafe_because(str(above / "link"))
    assert found == f"every user may write {tmp_path / is_open}"
