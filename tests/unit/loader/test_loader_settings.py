from __future__ import annotations

import pytest

from engineroom.errors import LoadError, SettingError
from engineroom.loader.settings import SETTINGS, file_setting, read_overrides


def test_read_overrides_of_an_empty_environment_gives_none():
    overrides = read_overrides("sqlite", {})
    assert overrides.targets is None
    assert (overrides.folder, overrides.file, overrides.in_force) == ("", "", ())


def test_read_overrides_of_empty_variables_gives_none():
    names = ("ENGINEROOM_TARGET", "ENGINEROOM_ENGINE_DIR", "ENGINEROOM_ENGINE_SQLITE")
    assert read_overrides("sqlite", dict.fromkeys(names, "")).in_force == ()


def test_read_overrides_of_all_settings_lists_them_by_precedence(tmp_path):
    file = tmp_path / "engine.so"
    file.write_bytes(b"")
    environment = {
        "ENGINEROOM_TARGET": "linux-musl",
        "ENGINEROOM_ENGINE_DIR": str(tmp_path),
        "ENGINEROOM_ENGINE_SQLITE": str(file),
        "ENGINEROOM_ENGINE_POSTGRES": "/another/backend's",
    }
    overrides = read_overrides("sqlite", environment)
    assert overrides.in_force == (
        ("ENGINEROOM_ENGINE_SQLITE", str(file)),
        ("ENGINEROOM_ENGINE_DIR", str(tmp_path)),
        ("ENGINEROOM_TARGET", "linux-musl"),
    )
    assert [t.id for t in overrides.targets] == [
        "linux-musl-x86_64",
        "linux-musl-arm64",
    ]
    assert (overrides.folder, overrides.file) == (str(tmp_path), str(file))


@pytest.mark.parametrize(
    ("value", "target"),
    [("rhel-x86_64", "rhel-x86_64"), ("darwin", "darwin-x86_64")],
    ids=["a target", "an alias"],
)
def test_read_overrides_of_a_target_takes_every_name_of_it(value, target):
    overrides = read_overrides("sqlite", {"ENGINEROOM_TARGET": value})
    assert [t.id for t in overrides.targets] == [target]


@pytest.mark.parametrize(
    ("name", "value", "problem", "hint"),
    [
        pytest.param(
            "ENGINEROOM_TARGET",
            "linux-musk",
            "no target has this name",
            "did you mean `linux-musl`",
            id="an unknown target",
        ),
        pytest.param(
            "ENGINEROOM_TARGET",
            "native",
            "no target has this name",
            "",
            id="a word that restricts nothing",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_DIR",
            "engines",
            "this is not a full path",
            "give the full path of a folder",
            id="a relative folder",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_DIR",
            "{tmp}/none",
            "there is no such folder",
            "give the full path of a folder",
            id="a missing folder",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_DIR",
            "{tmp}/file",
            "this is no folder",
            "give the full path of a folder",
            id="a file for a folder",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_SQLITE",
            "~/engine.so",
            "this is not a full path",
            "give the full path of a file",
            id="a home folder, which nobody expands",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_SQLITE",
            "{tmp}/none.so",
            "there is no such file",
            "give the full path of a file",
            id="a missing file",
        ),
        pytest.param(
            "ENGINEROOM_ENGINE_SQLITE",
            "{tmp}",
            "this is no file",
            "give the full path of a file",
            id="a folder for a file",
        ),
    ],
)
def test_read_overrides_of_a_setting_that_cannot_be_says_what_is_wrong(
    tmp_path, name, value, problem, hint
):
    (tmp_path / "file").write_bytes(b"")
    value = value.format(tmp=tmp_path)
    with pytest.raises(SettingError) as caught:
        read_overrides("sqlite", {name: value})
    error = caught.value
    assert isinstance(error, LoadError)
    assert (error.setting, error.value, error.problem) == (name, value, problem)
    assert error.cause == f"{name} is `{value}`: {problem}"
    assert hint in error.hint
    assert f"or unset {name}" in error.hint
    assert error.overrides == ((name, value),)


def test_settings_are_listed_with_value_and_meaning():
    assert [name for name, _, _ in SETTINGS] == [
        "ENGINEROOM_TARGET",
        "ENGINEROOM_ENGINE_DIR",
        "ENGINEROOM_ENGINE_<BACKEND>",
    ]
    assert file_setting("sqlite") == "ENGINEROOM_ENGINE_SQLITE"
    assert all(holds and does.endswith(".") for _, holds, does in SETTINGS)
