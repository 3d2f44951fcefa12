"""Which store is meant: options, then the environment, then pyproject.toml.

Each setting is looked for by itself, so a pipeline may name another store and keep the
rest. A pyproject.toml is the one of the project that the working folder is in, as for
other tools. `SETTINGS` is what the reference page lists.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engineroom.errors import MissingExtra, StoreNotNamed, StoreSettingWrong

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SETTINGS",
    "SIGNING_KEY",
    "STORE_KEY",
    "StoreSettings",
    "read_pins",
    "read_settings",
]

_TABLE = "tool.engineroom.store"
_KEYS = ("store", "endpoint-url", "region", "single-writer", "key")
_AWS_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_WORDS = {"on": True, "off": False}

SIGNING_KEY = "ENGINEROOM_SIGNING_KEY"
STORE_KEY = "ENGINEROOM_STORE_KEY"

# (name, what it holds, what it does)
SETTINGS = (
    (
        "ENGINEROOM_STORE",
        "a folder, or `s3://bucket/prefix`",
        (
            f"The store that `engineroom store` works on. `store` in `[{_TABLE}]` of"
            " pyproject.toml, where a folder counts from that file; `--store` goes"
            " before both."
        ),
    ),
    (
        "ENGINEROOM_STORE_ENDPOINT_URL",
        "the address of an S3 server, such as `http://127.0.0.1:8333`",
        (
            "The server of a bucket, where it is not the region's own. `endpoint-url`"
            " in pyproject.toml; `--endpoint-url` goes before both. AWS_ENDPOINT_URL_S3"
            " and AWS_ENDPOINT_URL count where none of them is set."
        ),
    ),
    (
        "ENGINEROOM_STORE_REGION",
        "the name of a region, such as `eu-central-1`",
        (
            "The region of a bucket. `region` in pyproject.toml; `--region` goes before"
            " both. AWS_REGION, AWS_DEFAULT_REGION and the profile count where none of"
            " them is set."
        ),
    ),
    (
        "ENGINEROOM_STORE_SINGLE_WRITER",
        "`on` or `off`",
        (
            "`on` vouches that no two publishers ever run at a time, so that a server"
            " may be used that ignores `If-None-Match`. `single-writer = true` in"
            " pyproject.toml; `--single-writer` goes before both."
        ),
    ),
    (
        SIGNING_KEY,
        "the path of a private key's file, or the key itself as PEM text",
        (
            "Signs what is published; `engineroom store key new` makes one. It is"
            " never shown."
        ),
    ),
    (
        STORE_KEY,
        "pins with spaces between: `sha256:` of a key set or `ed25519:` of a key",
        (
            "`engineroom fetch`, `store sign` and `store key` believe only what is"
            " signed by keys that follow from these. `key` in pyproject.toml; `--key`"
            " goes before both."
        ),
    ),
)


@dataclass(frozen=True)
class StoreSettings:
    """Which store is meant and how it is reached.

    Attributes:
        store: a folder, a `file://` address, or `s3://bucket/prefix`.
        endpoint_url: the server of a bucket; None for the region's own.
        region: a bucket's region; None for boto3's usual choice.
        single_writer: whether nobody else writes to it.
    """

    store: str
    endpoint_url: str | None
    region: str | None
    single_writer: bool


def read_settings(
    *,
    store: str | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
    single_writer: bool = False,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> StoreSettings:
    """Find the settings in force.

    Args:
        store: the option `--store`; what is empty counts as not given, as do the
            next three.
        endpoint_url: the option `--endpoint-url`.
        region: the option `--region`.
        single_writer: the option `--single-writer`.
        environment: the environment, if not this process's.
        folder: where to look for pyproject.toml, and above; the working folder if None.

    Raises:
        StoreNotNamed: when nothing names a store.
        StoreSettingWrong: when a setting holds what it cannot.
        MissingExtra: when Python is older than 3.11 and tomli is missing.
    """
    sources = _Sources.of(
        os.environ if environment is None else environment, folder or Path.cwd()
    )
    named = sources.text(store, "ENGINEROOM_STORE", "store")
    if named is None:
        raise StoreNotNamed
    region = sources.text(region, "ENGINEROOM_STORE_REGION", "region")
    endpoint_url = sources.text(
        endpoint_url, "ENGINEROOM_STORE_ENDPOINT_URL", "endpoint-url"
    )
    return StoreSettings(
        store=named,
        endpoint_url=endpoint_url or sources.of_aws(*_AWS_ENDPOINTS),
        # boto3 itself knows only AWS_DEFAULT_REGION, others of AWS's tools this one.
        region=region or sources.of_aws("AWS_REGION"),
        single_writer=single_writer
        or sources.switch("ENGINEROOM_STORE_SINGLE_WRITER", "single-writer"),
    )


def read_pins(
    *,
    given: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Find the pins in force, with spaces between; empty where nothing is pinned.

    Args:
        given: the option `--key`; what is empty counts as not given.
        environment: the environment, if not this process's.
        folder: where to look for pyproject.toml, and above; the working folder if None.

    Raises:
        StoreSettingWrong: when a setting holds what it cannot.
        MissingExtra: when Python is older than 3.11 and tomli is missing.
    """
    sources = _Sources.of(
        os.environ if environment is None else environment, folder or Path.cwd()
    )
    return sources.text(given, STORE_KEY, "key") or ""


@dataclass(frozen=True)
class _Sources:
    """Where settings come from when they are not given as options."""

    environment: Mapping[str, str]
    file: Path | None
    table: Mapping[str, Any]

    @classmethod
    def of(cls, environment: Mapping[str, str], folder: Path) -> _Sources:
        places = (folder, *folder.absolute().parents)
        files = (place / "pyproject.toml" for place in places)
        file = next((each for each in files if each.is_file()), None)
        return cls(environment, file, {} if file is None else _read_table(file))

    def text(self, option: str | None, variable: str, key: str) -> str | None:
        """Find a text; what is empty counts as not set."""
        if option or self.environment.get(variable):
            return option or self.environment[variable]
        value = self.table.get(key, "")
        if not isinstance(value, str):
            raise self._wrong(key, value, "a text")
        if key == "store" and value and "://" not in value:
            assert self.file is not None
            return str(self.file.parent / value)
        return value or None

    def switch(self, variable: str, key: str) -> bool:
        """Find whether something is on."""
        word = self.environment.get(variable)
        if word:
            if word not in _WORDS:
                raise StoreSettingWrong(variable, word, "`on` or `off`")
            return _WORDS[word]
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "`true` or `false`")
        return value

    def of_aws(self, *variables: str) -> str | None:
        """Find what AWS's own tools would take."""
        return next(
            (self.environment[v] for v in variables if self.environment.get(v)), None
        )

    def _wrong(self, key: str, value: object, wanted: str) -> StoreSettingWrong:
        return StoreSettingWrong(_place(self.file, key), str(value), wanted)


def _read_table(file: Path) -> dict[str, Any]:
    """Read the table of a pyproject.toml, and nothing of one that has none."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreSettingWrong(str(file), str(error), "settings in UTF-8") from error
    if _TABLE not in text:
        return {}
    table: dict[str, Any] = _parse(file, text)
    for name in _TABLE.split("."):
        value: object = table.get(name, {})
        if not isinstance(value, dict):
            raise StoreSettingWrong(f"`{name}` of {file}", str(value), "a table")
        table = cast("dict[str, Any]", value)
    for key in table:
        if key not in _KEYS:
            raise StoreSettingWrong(_place(file, "a key"), key, " or ".join(_KEYS))
    return table


def _parse(file: Path, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise MissingExtra("Settings in pyproject.toml", "tomli", "s3") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StoreSettingWrong(str(file), str(error), "valid TOML") from error


def _place(file: Path | None, key: str) -> str:
    return f"{key} in `[{_TABLE}]` of {file}"
