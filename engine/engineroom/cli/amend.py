"""`engineroom store yank` and its kin: saying something else of what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engineroom.cli.place import open_place
from engineroom.cli.sign import signing_of
from engineroom.cli.store_answers import FORMAT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from engineroom.cli.render import Render
    from engineroom.store import Amended

__all__ = ["configure_actions"]


_ACTIONS = {
    "yank": "advise against a version: installers take it only where it is pinned",
    "unyank": "take back a yank",
    "quarantine": "hold files back from the pages until `--lift`",
    "withdraw": "take files off the pages for good; their names are never given again",
}

_DONE = {
    "yank": "yanked",
    "unyank": "no longer yanked",
    "quarantine": "quarantined",
    "lift": "no longer quarantined",
    "withdraw": "withdrawn",
}


def configure_actions(action: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Declare the actions.

    Args:
        action: makes the parser of an action from its name and what it does.
    """
    for name, text in _ACTIONS.items():
        parser = action(name, text)
        parser.add_argument("project", metavar="PROJECT", help="a project's name")
        parser.add_argument(
            "version",
            metavar="VERSION",
            nargs="?" if name == "quarantine" else None,
            help="one version; without it the whole project"
            if name == "quarantine"
            else "one version",
        )
        parser.add_argument(
            "--file", metavar="NAME", help="one file of the version; else all of them"
        )
        if name != "unyank":
            parser.add_argument(
                "--reason",
                default="",
                metavar="TEXT",
                help="one line that says why; pages and installers show it",
            )
        if name == "quarantine":
            parser.add_argument(
                "--lift", action="store_true", help="end the quarantine instead"
            )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what it would be; write nothing"
        )
        parser.set_defaults(perform=_amend)


def _amend(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store import amend

    action: str = arguments.action
    if getattr(arguments, "lift", False):
        action = "lift"
    transport = open_place(arguments)
    with render.progress("Writing"):
        amended = amend(
            transport,
            action,
            arguments.project,
            arguments.version,
            file_name=arguments.file,
            reason=getattr(arguments, "reason", ""),
            dry_run=arguments.dry_run,
            sign=signing_of(transport),
        )
    if arguments.json:
        render.json(_amended_json(amended))
    else:
        _print_amended(amended, render)
    return 0


def _print_amended(amended: Amended, render: Render) -> None:
    done = _DONE[amended.action]
    names = [file.name for file in amended.files] or [f"project {amended.project}"]
    for name in names:
        would = "would be " if amended.is_dry_run else ""
        render.line(f"{name}: {would}{done}")
    if amended.is_dry_run:
        render.line("Dry run: nothing was written.")


def _amended_json(amended: Amended) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "dry_run": amended.is_dry_run,
        "project": amended.project,
        "action": amended.action,
        "journal": amended.number,
        "files": [file.name for file in amended.files],
        "pages": list(amended.pages),
    }
