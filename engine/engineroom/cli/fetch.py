"""`engineroom fetch`: bring engines for any target into a folder, from a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.fetch import Fetched, Signatures, Source
    from engineroom.platforms.target import Target

__all__ = ["HELP", "configure", "run"]

HELP = "get the engines of any target from a store into a folder"

FORMAT = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--target",
        action="extend",
        nargs="+",
        metavar="NAME",
        help="targets, families, aliases, `native` or `all`; without it those of this"
        " machine or of ENGINEROOM_TARGET, and for `--lock` all",
    )
    parser.add_argument(
        "--from",
        dest="sources",
        action="extend",
        nargs="+",
        metavar="SOURCE",
        help="store folders or `https://` addresses of indexes, asked in order;"
        " without it those of ENGINEROOM_FETCH_FROM",
    )
    parser.add_argument(
        "--into",
        metavar="DIR",
        help="the folder for the engines; without it that of ENGINEROOM_ENGINE_DIR, or"
        " the user's engine folder, where the loader looks after the package",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--lock", action="store_true", help="write the lock file and fetch nothing else"
    )
    mode.add_argument(
        "--locked", action="store_true", help="take only what the lock file records"
    )
    parser.add_argument(
        "--lock-file",
        default="engineroom.lock",
        metavar="FILE",
        help="the lock file; without it `engineroom.lock` in the working folder",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="use no network, and fail if an engine is missing",
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="PIN",
        help="take only what is signed by keys that follow from this key or key set;"
        " may be given again. Without it that of ENGINEROOM_STORE_KEY or of"
        " pyproject.toml",
    )
    parser.add_argument(
        "--remember",
        metavar="FILE",
        help="refuse states of a store older than those noted in this file, and note"
        " them there; with a key",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a silence of a source is borne; 30 without it",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Fetch, or write the lock file; print what is there then."""
    from engineroom.fetch import open_source
    from engineroom.fetch.settings import FROM
    from engineroom.loader.settings import TARGET
    from engineroom.platforms.select import select_targets

    here = "all" if arguments.lock else os.environ.get(TARGET) or "native"
    names = arguments.target or [here]
    targets = select_targets(names)
    addresses = arguments.sources or os.environ.get(FROM, "").split()
    sources = [open_source(a, timeout_seconds=arguments.timeout) for a in addresses]
    if arguments.lock:
        return _lock(arguments, targets, sources, render)
    return _fetch(arguments, targets, sources, render)


def _fetch(
    arguments: argparse.Namespace,
    targets: tuple[Target, ...],
    sources: list[Source],
    render: Render,
) -> int:
    from engineroom.fetch import fetch, read_lock
    from engineroom.loader.settings import FOLDER

    lock = read_lock(arguments.lock_file) if arguments.locked else None
    into = arguments.into or os.environ.get(FOLDER) or _user_folder()
    folder = os.path.abspath(os.path.expanduser(into))
    with render.progress("Fetching") as progress:
        fetched = fetch(
            targets,
            sources,
            folder,
            lock=lock,
            signatures=_signatures(arguments),
            is_offline=arguments.offline,
            progress=lambda text, done, total: progress.update(
                f"Fetching {text} (KiB)", done=done, total=total or None
            ),
        )
    if arguments.json:
        render.json(_json(fetched))
        return 0
    for failure in fetched.failures:
        render.note(f"passed over a source: {failure.code}: {failure.message}")
    render.table(
        ("target", "backend", "bytes", "sha256 begins", "state"),
        [
            (
                row.target,
                row.backend,
                row.size_bytes,
                row.sha256[:16],
                "fetched" if row.target in fetched.new else "already there",
            )
            for row in fetched.rows
        ],
    )
    render.line()
    render.line(f"The engines are in {fetched.folder}")
    if arguments.into:
        render.line("To use them: set ENGINEROOM_ENGINE_DIR to that folder")
    return 0


def _lock(
    arguments: argparse.Namespace,
    targets: tuple[Target, ...],
    sources: list[Source],
    render: Render,
) -> int:
    from engineroom.fetch import make_lock, write_lock

    asked = [source for source in sources if source.is_local or not arguments.offline]
    with render.progress("Locking") as progress:
        wheels = make_lock(
            targets,
            asked,
            signatures=_signatures(arguments),
            progress=lambda text, done, total: progress.update(
                f"Reading {text} (KiB)", done=done, total=total or None
            ),
        )
    is_changed = write_lock(arguments.lock_file, wheels)
    if arguments.json:
        value = {
            "format": FORMAT,
            "lock_file": os.path.abspath(arguments.lock_file),
            "is_changed": is_changed,
            "targets": [target.id for target in targets],
            "wheels": [wheel.file for wheel in wheels],
        }
        render.json(value)
        return 0
    state = "written" if is_changed else "was up to date"
    render.line(
        f"{arguments.lock_file} {state}: targets: {len(targets)}, wheels: {len(wheels)}"
    )
    return 0


def _signatures(arguments: argparse.Namespace) -> Signatures | None:
    """Say whose signatures are needed; None where nothing asks for any."""
    from engineroom.fetch import Signatures
    from engineroom.store.settings import read_pins

    pins = read_pins(given=" ".join(arguments.key or ()))
    return Signatures(pins, arguments.remember) if pins.strip() else None


def _json(fetched: Fetched) -> dict[str, object]:
    return {
        "format": FORMAT,
        "folder": fetched.folder,
        "engines": [
            {
                "target": row.target,
                "backend": row.backend,
                "file": row.file,
                "size_bytes": row.size_bytes,
                "sha256": row.sha256,
                "build_id": row.build_id,
                "is_new": row.target in fetched.new,
            }
            for row in fetched.rows
        ],
        "passed_over": [
            {"code": failure.code, "url": failure.url, "reason": failure.reason}
            for failure in fetched.failures
        ],
    }


def _user_folder() -> str:
    import sys

    from engineroom.errors import ShelfUnwritable
    from engineroom.platforms.places import user_folder

    folder = user_folder(os.environ, sys.platform)
    if not folder:
        raise ShelfUnwritable("~", "neither XDG_DATA_HOME nor HOME names a full path")
    return folder


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86400:
        raise ValueError(text)
    return value
