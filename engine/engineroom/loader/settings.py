"""The loader's settings: environment variables that override its choice.

They are read before anything else, checked, and named in every error and by the
doctor. An empty variable counts as unset, because many shells and CI systems cannot
unset one. `SETTINGS` is what the reference page lists; every module of this name has
such a table.
"""

from __future__ import annotations

import os

from engineroom.errors import SettingError, UnknownTarget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from engineroom.platforms.target import Target

__all__ = ["SETTINGS", "Overrides", "file_setting", "read_overrides"]

TARGET = "ENGINEROOM_TARGET"
FOLDER = "ENGINEROOM_ENGINE_DIR"

# (name, what it holds, what it does)
SETTINGS = (
    (
        TARGET,
        "a target, family or alias (`engineroom targets` lists them)",
        (
            "Restricts the choice of the engine to these targets. Needed where the C"
            " library of a process cannot be found out."
        ),
    ),
    (
        FOLDER,
        "the full path of a folder",
        (
            "Takes engines from this folder, which holds a `manifest.csv` as the"
            " package's own `engines` folder does, and from nowhere else."
        ),
    ),
    (
        "ENGINEROOM_ENGINE_<BACKEND>",
        "the full path of a file, such as `/opt/_qe_sqlite.abi3.so`",
        (
            "Loads exactly this file as the engine of one backend, such as"
            " `ENGINEROOM_ENGINE_SQLITE`. It goes before the other two. Nothing"
            " vouches for its bytes, but its header, ABI and version are checked like"
            " any other's."
        ),
    ),
)


def file_setting(backend: str) -> str:
    """Return the name of the setting that holds a backend's engine file."""
    return f"ENGINEROOM_ENGINE_{backend.upper()}"


class Overrides:
    """The settings in force for one backend.

    Attributes:
        targets: what the choice is restricted to, or None.
        folder: where engines are taken from instead of the package, or empty.
        file: the one file to load, or empty.
        in_force: the settings that are set, as (name, value), in order of precedence.
    """

    __slots__ = ("file", "folder", "in_force", "targets")

    def __init__(self) -> None:
        self.targets: tuple[Target, ...] | None = None
        self.folder = ""
        self.file = ""
        self.in_force: tuple[tuple[str, str], ...] = ()


def read_overrides(backend: str, environment: Mapping[str, str]) -> Overrides:
    """Read and check the settings for a backend.

    Raises:
        SettingError: a setting holds what it cannot.
    """
    overrides = Overrides()
    names = (file_setting(backend), FOLDER, TARGET)
    overrides.in_force = tuple(
        (name, environment[name]) for name in names if environment.get(name)
    )
    for name, value in overrides.in_force:
        if name == TARGET:
            overrides.targets = _targets(backend, value)
        elif name == FOLDER:
            _check_path(backend, name, value, is_folder=True)
            overrides.folder = value
        else:
            _check_path(backend, name, value, is_folder=False)
            overrides.file = value
    return overrides


def _targets(backend: str, value: str) -> tuple[Target, ...]:
    from engineroom.platforms.select import targets_named

    try:
        return targets_named(value)
    except UnknownTarget as error:
        raise SettingError(
            backend, TARGET, value, "no target has this name", hint=error.hint
        ) from error


def _check_path(backend: str, name: str, value: str, *, is_folder: bool) -> None:
    noun = "folder" if is_folder else "file"
    problem = ""
    if not os.path.isabs(value):
        # What a relative path means depends on where the process happens to stand.
        problem = "this is not a full path"
    elif not os.path.exists(value):
        problem = f"there is no such {noun}"
    elif os.path.isdir(value) != is_folder:
        problem = f"this is no {noun}"
    if problem:
        raise SettingError(
            backend, name, value, problem, hint=f"give the full path of a {noun}"
        )
