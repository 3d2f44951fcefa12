"""Where the store's settings come from, and which source goes before which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engineroom.errors import StoreNotNamed, StoreSettingWrong
from engineroom.store.settings import (
    SETTINGS,
    StoreSettings,
    read_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """
[tool.engineroom.store]
store = "s3://wheels/project"
endpoint-url = "http://file"
region = "file-1"
single-writer = true
"""
ENVIRONMENT = {
    "ENGINEROOM_STORE": "s3://wheels/environment",
    "ENGINEROOM_STORE_ENDPOINT_URL": "http://environment",
    "ENGINEROOM_STORE_REGION": "environment-1",
    "ENGINEROOM_STORE_SINGLE_WRITER": "off",
}


def project(tmp_path: Path, text: str) -> Path:
    """Write a pyproject.toml and give a folder deep below it."""
    (tmp_path / "pyproject.toml").write_text(text)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    return folder


def test_a_pyproject_above_the_working_folder_is_read(tmp_path: Path) -> None:
    folder = project(tmp_path, TABLE)
    assert read_settings(environment={}, folder=folder) == StoreSettings(
        "s3://wheels/project", "http://file", "file-1", single_writer=True
    )


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    folder = project(tmp_path, TABLE)
    assert read_settings(environment=ENVIRONMENT, folder=folder) == StoreSettings(
        "s3://wheels/environment",
        "http://environment",
        "environment-1",
        single_writer=False,
    )


def test_an_option_goes_before_both_and_each_setting_by_itself(tmp_path: Path) -> None:
    folder = project(tmp_path, TABLE)
    found = read_settings(
        store="wheels",
        region="option-1",
        environment={"ENGINEROOM_STORE_REGION": "environment-1"},
        folder=folder,
    )
    assert found == StoreSettings("wheels", "http://file", "option-1", True)


def test_what_is_empty_counts_as_not_set(tmp_path: Path) -> None:
    folder = project(tmp_path, TABLE)
    empty = dict.fromkeys(ENVIRONMENT, "")
    assert read_settings(
        store="", endpoint_url="", environment=empty, folder=folder
    ) == read_settings(environment={}, folder=folder)


def test_a_folder_in_the_file_counts_from_the_file(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.engineroom.store]\nstore = "wheels"\n')
    found = read_settings(environment={}, folder=folder)
    assert found.store == str(tmp_path / "wheels")


def test_only_the_nearest_file_counts(tmp_path: Path) -> None:
    folder = project(tmp_path, TABLE)
    (folder / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(StoreNotNamed):
        read_settings(environment={}, folder=folder)


def test_aws_own_settings_come_last(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.engineroom.store]\nstore = "s3://wheels"\n')
    of_aws = {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3"}
    found = read_settings(environment=of_aws, folder=folder)
    assert found.endpoint_url == "http://s3"
    found = read_settings(environment={**of_aws, **ENVIRONMENT}, folder=folder)
    assert found.endpoint_url == "http://environment"
    found = read_settings(environment={"AWS_REGION": "aws-1"}, folder=folder)
    assert (found.endpoint_url, found.region) == (None, "aws-1")


def test_a_file_that_says_nothing_of_stores_need_not_even_be_valid(
    tmp_path: Path,
) -> None:
    folder = project(tmp_path, "this is no TOML")
    assert read_settings(store="x", environment={}, folder=folder).store == "x"


def test_no_store_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreNotNamed) as caught:
        read_settings(environment={}, folder=tmp_path)
    assert "ENGINEROOM_STORE" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "setting", "found", "wanted"),
    [
        ("store = 1", "store in", "1", "a text"),
        (
            'store = "x"\nsingle-writer = "on"',
            "single-writer in",
            "on",
            "`true` or `false`",
        ),
        ('shop = "x"', "a key in", "shop", "store or endpoint-url"),
        ("store = ", "pyproject.toml", "Invalid value", "valid TOML"),
    ],
)
def test_what_a_setting_cannot_be_is_named(
    tmp_path: Path, text: str, setting: str, found: str, wanted: str
) -> None:
    folder = project(tmp_path, f"[tool.engineroom.store]\n{text}\n")
    with pytest.raises(StoreSettingWrong) as caught:
        read_settings(environment={}, folder=folder)
    assert setting in caught.value.setting
    assert str(tmp_path / "pyproject.toml") in caught.value.setting
    assert caught.value.found.startswith(found)
    assert wanted in caught.value.wanted


def test_a_word_that_is_no_switch_is_named(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "ENGINEROOM_STORE_SINGLE_WRITER": "maybe"}
    with pytest.raises(StoreSettingWrong, match="maybe"):
        read_settings(environment=environment, folder=tmp_path)


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.engineroom]\nstore = "x" # tool.engineroom.store')
    with pytest.raises(StoreSettingWrong, match="a table"):
        read_settings(environment={}, folder=folder)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(StoreSettingWrong, match=r"pyproject\.toml"):
        read_settings(environment={}, folder=tmp_path)


def test_every_setting_is_listed_for_the_reference() -> None:
    assert set(ENVIRONMENT) <= {name for name, _, _ in SETTINGS}
    assert all(holds and does.endswith(".") for _, holds, does in SETTINGS)
