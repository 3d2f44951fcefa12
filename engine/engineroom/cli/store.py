"""`engineroom store`: publish wheels, look at a store, mend its pages.

Words only: every decision is in `engineroom.store`, which is imported when a command
runs, so that `engineroom --help` does not wait for it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from engineroom.cli import amend, probe, required, serve, sign, upkeep
from engineroom.cli.place import add_options, index_of, install_line, open_place
from engineroom.cli.store_answers import EXIT_STORE, FORMAT, problem_items

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from engineroom.cli.render import Render
    from engineroom.store import File, Outline, Published, Repair

__all__ = ["HELP", "configure", "run"]

HELP = "publish wheels to an artifact store and look after it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    publish = _action(actions, "publish", "check wheels and publish them")
    publish.add_argument("wheels", nargs="+", metavar="WHEEL", help="a wheel file")
    publish.add_argument(
        "--channel",
        default="release",
        metavar="NAME",
        help="whose pages show the wheels; `release`, without it, has those at the top."
        " Any other shows its newest 60 versions",
    )
    publish.add_argument(
        "--attestation",
        action="append",
        default=[],
        metavar="FILE",
        help="an attestation made in CI, named as its wheel with `.publish.attestation`"
        " or the like after it; may be given again",
    )
    publish.add_argument(
        "--commit",
        metavar="ID",
        help="the full id of the source commit; it gets pages of its own",
    )
    required.add_options(publish)
    publish.add_argument(
        "--dry-run", action="store_true", help="check everything and write nothing"
    )
    publish.set_defaults(perform=_publish)

    init = _action(actions, "init", "make an empty store; publish does so by itself")
    init.set_defaults(perform=_init)

    ls = _action(actions, "ls", "list the projects in a store")
    ls.set_defaults(perform=_ls)

    show = _action(actions, "show", "list the wheels of a project")
    show.add_argument("project", metavar="PROJECT", help="a project's name")
    show.add_argument("version", nargs="?", metavar="VERSION", help="one version only")
    show.set_defaults(perform=_show)

    repair = _action(
        actions, "repair", "bring all pages up to the journal and report damage"
    )
    repair.set_defaults(perform=_repair)

    probe.configure(
        _action(actions, "probe", "prove that a place keeps what a store needs of it")
    )
    amend.configure_actions(partial(_action, actions))
    upkeep.configure_actions(partial(_action, actions))
    serve.configure(
        _action(actions, "serve", "serve a store to installers and to people")
    )
    sign.configure_actions(actions)


def run(arguments: argparse.Namespace, render: Render) -> int:
    """Perform the chosen action; give the exit code."""
    code: int = arguments.perform(arguments, render)
    return code


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _publish(arguments: argparse.Namespace, render: Render) -> int:
    from pathlib import Path

    from engineroom.store import check_release, publish

    transport = open_place(arguments)
    paths = [Path(wheel) for wheel in arguments.wheels]
    with render.progress("Publishing") as progress:
        published = publish(
            transport,
            paths,
            attestations=[Path(one) for one in arguments.attestation],
            channel=arguments.channel,
            commit=arguments.commit,
            check=partial(check_release, required=required.required_targets(arguments)),
            dry_run=arguments.dry_run,
            sign=sign.signing_of(transport),
            progress=lambda step: progress.update(text=step),
        )
    if arguments.json:
        value = _published_json(published)
        value["store"] = transport.address
        value["index_url"] = index_of(transport, arguments.channel)
        render.json(value)
        return 0
    _print_published(published, render)
    if not published.is_dry_run:
        names = (commit.project for commit in published.commits)
        render.line()
        render.line(install_line(transport, names, arguments.channel))
    return 0


def _init(arguments: argparse.Namespace, render: Render) -> int:
    import time

    from engineroom.store import ensure_store, utc_text

    transport = open_place(arguments)
    identity, is_new = ensure_store(transport, utc_text(time.time()))
    if arguments.json:
        render.json(
            {
                "format": FORMAT,
                "store": transport.address,
                "id": identity.store,
                "created": identity.created,
                "is_new_store": is_new,
            }
        )
    else:
        state = "made" if is_new else "was there already"
        render.line(f"The store {transport.address} {state}: {identity.store}")
    return 0


def _ls(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store import Journal, list_projects, read_store

    transport = open_place(arguments)
    identity = read_store(transport)
    projects = [
        Journal(transport, identity, name).read_on()
        for name in list_projects(transport)
    ]
    if arguments.json:
        value = {
            "format": FORMAT,
            "store": transport.address,
            "id": identity.store,
            "projects": [_project_json(project) for project in projects],
        }
        render.json(value)
        return 0
    render.table(
        ("project", "newest", "changed", "versions", "files", "bytes", "status"),
        [
            (
                outline.project,
                outline.newest,
                outline.updated,
                len(outline.versions),
                outline.file_count,
                outline.size_bytes,
                outline.status,
            )
            for outline in projects
        ],
    )
    return 0


def _show(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.errors import ProjectMissing
    from engineroom.store import find_project, read_project, read_store

    transport = open_place(arguments)
    identity = read_store(transport)
    name = find_project(transport, arguments.project)
    project = read_project(transport, identity, name)
    wanted: str | None = arguments.version
    files = [f for f in project.files if wanted is None or f.version == wanted]
    if wanted is not None and not files:
        raise ProjectMissing(f"{name} {wanted}", project.versions)
    outline = project.outline
    if arguments.json:
        render.json(
            {
                "format": FORMAT,
                "store": transport.address,
                "project": name,
                "journal": project.number,
                "status": outline.status,
                "status_reason": outline.status_reason,
                "files": [_file_json(file) for file in files],
            }
        )
        return 0
    render.table(
        ("file", "bytes", "sha256 begins", "published", "in", "state", "engines"),
        [
            (
                file.name,
                file.size_bytes,
                file.sha256[:16],
                file.upload_time,
                " ".join(file.channels),
                _state(file),
                " ".join(f"{e.target}/{e.backend}" for e in file.engines) or "none",
            )
            for file in files
        ],
    )
    if outline.status != "active":
        reason = f": {outline.status_reason}" if outline.status_reason else ""
        render.line(f"The project is {outline.status}{reason}")
    return 0


def _state(file: File) -> str:
    """Say in a word or two what became of a file; the gravest of it."""
    for word, reason in (
        ("withdrawn", file.withdrawn),
        ("quarantined", file.quarantined),
        ("yanked", file.yanked),
    ):
        if reason is not None:
            return f"{word}: {reason}" if reason else word
    return "offered"


def _repair(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store import repair

    transport = open_place(arguments)
    with render.progress("Repairing") as progress:
        outcome = repair(
            transport,
            sign.signing_of(transport),
            progress=lambda name: progress.update(text=name),
        )
    if arguments.json:
        render.json(_repair_json(outcome, transport.address))
    else:
        for key in outcome.pages:
            render.line(f"wrote {key}")
        for path in outcome.removed:
            render.line(f"removed {path}, left by a writer that died")
        for problem in outcome.problems:
            render.error(problem)
        render.line(
            f"projects: {len(outcome.projects)}, pages written again:"
            f" {len(outcome.pages)}, problems left: {len(outcome.problems)}"
        )
    return EXIT_STORE if outcome.problems else 0


def _print_published(published: Published, render: Render) -> None:
    new = "would publish" if published.is_dry_run else "published"
    render.table(
        ("file", "bytes", "sha256 begins", "state"),
        [
            (file.name, file.size_bytes, file.sha256[:16], state)
            for commit in published.commits
            for state, files in ((new, commit.new), ("already there", commit.known))
            for file in files
        ],
    )
    if published.is_dry_run:
        render.line("Dry run: every check passed and nothing was written.")
        return
    if not any(commit.new for commit in published.commits):
        render.line("Nothing new: the same bytes were published before.")


def _published_json(published: Published) -> dict[str, Any]:
    def items(files: Iterable[File]) -> list[dict[str, Any]]:
        return [_file_json(file) for file in files]

    return {
        "format": FORMAT,
        "dry_run": published.is_dry_run,
        "is_new_store": published.is_new_store,
        "projects": [
            {
                "project": commit.project,
                "journal": commit.number,
                "new": items(commit.new),
                "known": items(commit.known),
            }
            for commit in published.commits
        ],
        "pages": list(published.pages),
    }


def _project_json(outline: Outline) -> dict[str, Any]:
    return {
        "project": outline.project,
        "journal": outline.number,
        "status": outline.status,
        "status_reason": outline.status_reason,
        "newest": outline.newest or None,
        "changed": outline.updated,
        "versions": len(outline.versions),
        "channels": sorted(outline.channels),
        "files": outline.file_count,
        "size_bytes": outline.size_bytes,
    }


def _file_json(file: File) -> dict[str, Any]:
    return {
        "file": file.name,
        "version": file.version,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "metadata_sha256": file.metadata_sha256,
        "requires_python": file.requires_python,
        "upload_time": file.upload_time or None,
        "channels": list(file.channels),
        "commits": list(file.commits),
        "yanked": file.yanked,
        "quarantined": file.quarantined,
        "withdrawn": file.withdrawn,
        "provenance_sha256": file.provenance_sha256,
        "engines": [
            {
                "target": engine.target,
                "backend": engine.backend,
                "size_bytes": engine.size_bytes,
                "sha256": engine.sha256,
            }
            for engine in file.engines
        ],
    }


def _repair_json(outcome: Repair, address: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "store": address,
        "projects": list(outcome.projects),
        "pages": list(outcome.pages),
        "removed": list(outcome.removed),
        "problems": problem_items(outcome.problems),
    }
