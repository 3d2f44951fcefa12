"""`engineroom store verify` and its kin: the words around looking after a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engineroom.cli import required, sign
from engineroom.cli.place import open_place
from engineroom.cli.render import visible
from engineroom.cli.store_answers import EXIT_STORE, FORMAT, problem_items

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from engineroom.cli.render import Render
    from engineroom.store import Published
    from engineroom.store.collect import Collection
    from engineroom.store.mirror import Mirrored
    from engineroom.store.transport import Entry, Transport
    from engineroom.store.verify import Finding, Verification

__all__ = ["configure_actions"]


def configure_actions(action: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Declare the actions.

    Args:
        action: makes the parser of an action from its name and what it does.
    """
    _configure_verify(
        action("verify", "hold everything in a store against its journals")
    )
    _configure_gc(action("gc", "find, mark and remove what nobody needs any more"))
    _configure_mirror(action("mirror", "keep the same store in a second place"))
    _configure_promote(
        action("promote", "publish a version of another store, or channel, as it is")
    )


def _configure_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--full",
        action="store_true",
        help="read and hash all bytes; without it sizes are taken from a listing",
    )
    parser.add_argument(
        "--key",
        action="append",
        metavar="PIN",
        help="check signatures: the key or key set to believe; may be given again."
        " Without it that of ENGINEROOM_STORE_KEY, if there is one",
    )
    parser.add_argument(
        "--remember",
        metavar="FILE",
        help="find a store that is older than one seen before, and note what is seen",
    )
    parser.set_defaults(perform=_verify)


def _configure_gc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mark",
        action="store_true",
        help="write down what nobody needs, for a sweep one grace time later",
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help="remove what an old mark lists and nobody needs still",
    )
    parser.add_argument(
        "--grace",
        type=float,
        metavar="DAYS",
        help="how old marks, bytes and uploads must be; 7 without it. Less may take"
        " bytes from under a publisher at work",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing; it is so without `--mark` and `--sweep` too",
    )
    parser.set_defaults(perform=_gc)


def _configure_mirror(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        required=True,
        metavar="PLACE",
        help="the mirror, empty or one already: a folder, or `s3://bucket/prefix`",
    )
    parser.add_argument(
        "--to-endpoint-url",
        metavar="URL",
        help="the server of the mirror's bucket; without it that of `--endpoint-url`",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count what is lacking; write nothing"
    )
    parser.set_defaults(perform=_mirror)


def _configure_promote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="a project's name")
    parser.add_argument("version", metavar="VERSION", help="the version")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PLACE",
        help="the store it was published to; without it `--store` itself",
    )
    parser.add_argument(
        "--from-endpoint-url",
        metavar="URL",
        help="the server of that store's bucket; without it that of `--endpoint-url`",
    )
    parser.add_argument(
        "--from-channel", metavar="NAME", help="only its files in this channel"
    )
    parser.add_argument(
        "--channel",
        default="release",
        metavar="NAME",
        help="whose pages are to show it; `release` without it",
    )
    required.add_options(parser)
    parser.add_argument(
        "--yanked", action="store_true", help="promote it although it is yanked"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything and write nothing"
    )
    parser.set_defaults(perform=_promote)


def _verify(arguments: argparse.Namespace, render: Render) -> int:
    import os

    from engineroom.store.head import Memory
    from engineroom.store.settings import STORE_KEY
    from engineroom.store.trust import parse_pins
    from engineroom.store.verify import verify

    pins = " ".join(arguments.key or ()) or os.environ.get(STORE_KEY, "")
    memory = Memory(arguments.remember) if arguments.remember else None
    transport = open_place(arguments)
    with render.progress("Verifying") as progress:
        outcome = verify(
            transport,
            full=arguments.full,
            pins=parse_pins(pins),
            memory=memory,
            progress=lambda step: progress.update(text=step),
        )
    if memory is not None:
        memory.save()
    if arguments.json:
        render.json(_verification_json(outcome, transport.address))
    else:
        _print_verification(outcome, render)
    return EXIT_STORE if outcome.is_damaged else 0


def _open_other(
    arguments: argparse.Namespace, place: str, endpoint_url: str | None
) -> Transport:
    """Open a second store, which is where the first is but for its own options."""
    from engineroom.store import open_store

    return open_store(
        place,
        endpoint_url=endpoint_url or arguments.endpoint_url,
        region=arguments.region,
        single_writer=arguments.single_writer,
    )


def _print_verification(outcome: Verification, render: Render) -> None:
    for finding in outcome.findings:
        text = f"{finding.severity}: {finding.error.code} {finding.error.message}"
        render.line(visible(text))
        if finding.error.hint:
            render.line(f"    {visible(finding.error.hint)}")
    if outcome.findings:
        render.line()
    render.table(
        ("projects", "entries", "objects", "pages", "unreferenced", "signatures"),
        [
            (
                outcome.projects,
                outcome.entries,
                outcome.blobs,
                outcome.pages,
                outcome.unreferenced,
                "not checked" if outcome.key_set is None else "checked",
            )
        ],
    )
    how = "all bytes were read" if outcome.is_full else "bytes were not read"
    counts = [
        f"{severity}: {sum(f.severity == severity for f in outcome.findings)}"
        for severity in ("damage", "behind", "stray")
    ]
    render.line(f"{', '.join(counts)} ({how})")


def _verification_json(outcome: Verification, address: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "store": address,
        "id": outcome.store,
        "full": outcome.is_full,
        "key_set": outcome.key_set,
        "damaged": outcome.is_damaged,
        "projects": outcome.projects,
        "entries": outcome.entries,
        "blobs": outcome.blobs,
        "pages": outcome.pages,
        "unreferenced": outcome.unreferenced,
        "unreferenced_bytes": outcome.unreferenced_bytes,
        "findings": [_finding_json(finding) for finding in outcome.findings],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "severity": finding.severity,
        "key": finding.key,
        "code": finding.error.code,
        "message": finding.error.message,
        "hint": finding.error.hint,
    }


def _gc(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store.collect import collect
    from engineroom.store.upload import GRACE_SECONDS

    grace_seconds = GRACE_SECONDS
    if arguments.grace is not None:
        grace_seconds = arguments.grace * 86_400.0
    if grace_seconds < GRACE_SECONDS:
        render.note(
            f"A grace time below {GRACE_SECONDS / 86_400:g} days: see that nobody"
            " publishes to this store meanwhile."
        )
    transport = open_place(arguments)
    with render.progress("Collecting") as progress:
        outcome = collect(
            transport,
            mark=arguments.mark and not arguments.dry_run,
            sweep=arguments.sweep and not arguments.dry_run,
            grace_seconds=grace_seconds,
            progress=lambda step: progress.update(text=step),
        )
    if arguments.json:
        render.json(_collection_json(outcome, transport.address))
    else:
        _print_collection(outcome, render)
    return 0


def _print_collection(outcome: Collection, render: Render) -> None:
    ready = {entry.key for entry in outcome.ready}
    removed = {entry.key for entry in outcome.removed}
    for entry in outcome.candidates:
        state = "not needed"
        if entry.key in removed:
            state = "removed"
        elif entry.key in ready:
            state = "marked long enough"
        render.line(f"{state}: {entry.key} ({entry.size_bytes} bytes)")
    for key in outcome.cleaned:
        render.line(f"removed: {key}")
    total_bytes = sum(entry.size_bytes for entry in outcome.candidates)
    removed_bytes = sum(entry.size_bytes for entry in outcome.removed)
    render.line(
        f"not needed: {len(outcome.candidates)} ({total_bytes} bytes), marked long"
        f" enough: {len(ready)}, removed: {len(removed)} ({removed_bytes} bytes)"
    )
    if outcome.is_dry_run:
        render.line("Dry run: nothing was written.")


def _collection_json(outcome: Collection, address: str) -> dict[str, Any]:
    def items(entries: list[Entry]) -> list[dict[str, Any]]:
        return [{"key": e.key, "size_bytes": e.size_bytes} for e in entries]

    return {
        "format": FORMAT,
        "store": address,
        "dry_run": outcome.is_dry_run,
        "candidates": items(outcome.candidates),
        "ready": items(outcome.ready),
        "removed": items(outcome.removed),
        "marks": outcome.marks,
        "cleaned": outcome.cleaned,
    }


def _mirror(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.store.mirror import mirror

    target = _open_other(arguments, arguments.to, arguments.to_endpoint_url)
    with render.progress("Mirroring") as progress:
        outcome = mirror(
            open_place(arguments),
            target,
            dry_run=arguments.dry_run,
            progress=lambda step: progress.update(text=step),
        )
    if arguments.json:
        render.json(_mirrored_json(outcome, target.address))
    else:
        for problem in outcome.problems:
            render.error(problem)
        render.table(
            ("projects", "entries", "objects", "bytes", "pages", "problems"),
            [
                (
                    outcome.projects,
                    outcome.entries,
                    outcome.blobs,
                    outcome.size_bytes,
                    outcome.pages,
                    len(outcome.problems),
                )
            ],
        )
        if outcome.is_dry_run:
            render.line("Dry run: this is what is lacking; nothing was written.")
    return EXIT_STORE if outcome.problems else 0


def _mirrored_json(outcome: Mirrored, address: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "mirror": address,
        "id": outcome.store,
        "dry_run": outcome.is_dry_run,
        "projects": outcome.projects,
        "entries": outcome.entries,
        "blobs": outcome.blobs,
        "size_bytes": outcome.size_bytes,
        "pages": outcome.pages,
        "problems": problem_items(outcome.problems),
    }


def _promote(arguments: argparse.Namespace, render: Render) -> int:
    from functools import partial

    from engineroom.store import check_release
    from engineroom.store.promote import promote

    target = source = open_place(arguments)
    if arguments.source:
        source = _open_other(arguments, arguments.source, arguments.from_endpoint_url)
    with render.progress("Promoting") as progress:
        published = promote(
            source,
            target,
            arguments.project,
            arguments.version,
            from_channel=arguments.from_channel,
            channel=arguments.channel,
            yanked=arguments.yanked,
            check=partial(check_release, required=required.required_targets(arguments)),
            dry_run=arguments.dry_run,
            sign=sign.signing_of(target),
            progress=lambda step: progress.update(text=step),
        )
    if arguments.json:
        render.json(_promoted_json(published, arguments.channel, target.address))
        return 0
    done = "would promote" if published.is_dry_run else "promoted"
    render.table(
        ("file", "bytes", "sha256 begins", "state"),
        [
            (file.name, file.size_bytes, file.sha256[:16], state)
            for commit in published.commits
            for state, files in ((done, commit.new), ("already there", commit.known))
            for file in files
        ],
    )
    return 0


def _promoted_json(published: Published, channel: str, address: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "store": address,
        "channel": channel,
        "dry_run": published.is_dry_run,
        "projects": [
            {
                "project": commit.project,
                "journal": commit.number,
                "new": [file.name for file in commit.new],
                "known": [file.name for file in commit.known],
            }
            for commit in published.commits
        ],
        "pages": list(published.pages),
    }
