"""`engineroom store key` and `store sign`: the keys of a store, and its signatures.

The private key comes from ENGINEROOM_SIGNING_KEY and from nowhere else: an argument
would stand in the list of processes and in the shell's history.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from engineroom.cli.place import add_options, open_place
from engineroom.cli.store_answers import EXIT_STORE, FORMAT, problem_items

if TYPE_CHECKING:
    import argparse

    from engineroom.cli.render import Render
    from engineroom.store.derive import Sign
    from engineroom.store.renew import Renewals
    from engineroom.store.signing import Signer
    from engineroom.store.transport import Transport
    from engineroom.store.trust import KeySet

__all__ = ["configure_actions", "signing_of"]

_UNITS_SECONDS = {"d": 86_400.0, "h": 3_600.0}
_DAYS_MAX = 366


def configure_actions(actions: Any) -> None:
    """Declare `key` and `sign` among the actions of `engineroom store`."""
    sign = _action(actions, "sign", "sign heads again that come near their expiry")
    add_options(sign)
    _add_pins(sign)
    sign.add_argument(
        "--project",
        action="append",
        metavar="NAME",
        help="only this project's head; may be given again. Without it all heads",
    )
    sign.add_argument(
        "--lifetime",
        type=_lifetime,
        default=_lifetime("30d"),
        metavar="TIME",
        help="for how long signatures count, such as `30d` or `12h`; 30d without it",
    )
    sign.add_argument(
        "--adopt",
        action="store_true",
        help="sign also heads that no trusted key has signed, as they are now",
    )
    sign.add_argument(
        "--remember",
        metavar="FILE",
        help="refuse heads older than those noted in this file, and note them there",
    )
    _add_dry_run(sign)
    sign.set_defaults(perform=_sign)
    text = "make, list and change the keys that sign a store"
    key = actions.add_parser(
        "key", help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    _configure_key(
        key.add_subparsers(dest="key_action", metavar="ACTION", required=True)
    )


def signing_of(transport: Transport) -> Sign:
    """Give what signs the heads of a store, for the commands that write them."""
    import time

    from engineroom.store.renew import signer_for, signing

    return signing(signer_for(transport, os.environ, now=time.time()))


def _configure_key(actions: Any) -> None:
    new = _action(actions, "new", "make a private key in a new file")
    new.add_argument("file", metavar="FILE", help="the file; it must not be there yet")
    new.set_defaults(perform=_new)

    init = _action(actions, "init", "make the first key set of a store")
    add_options(init)
    init.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="PIN",
        help="a further public key for the set, such as a spare; may be given again",
    )
    init.add_argument(
        "--start-over",
        action="store_true",
        help="make a set that stands for itself, when no key of the last one may or"
        " can sign; readers refuse it until they pin it",
    )
    _add_dry_run(init)
    init.set_defaults(perform=_init)

    add = _action(actions, "add", "add a public key to a store's key set")
    add.add_argument("pin", metavar="PIN", help="the public key, as `ed25519:...`")
    add.add_argument("--note", default="", metavar="TEXT", help="a word about it")
    add_options(add)
    _add_pins(add)
    _add_dry_run(add)
    add.set_defaults(perform=_add)

    retire = _action(actions, "retire", "let a key's signatures count no longer")
    retire.add_argument("key_id", metavar="KEY-ID", help="its id, from `key show`")
    retire.add_argument(
        "--until",
        type=_time,
        metavar="TIME",
        help="until when they count, such as `2026-01-31T00:00:00Z`; without it now",
    )
    add_options(retire)
    _add_pins(retire)
    _add_dry_run(retire)
    retire.set_defaults(perform=_retire)

    show = _action(actions, "show", "list a store's keys, and the pins for readers")
    add_options(show)
    _add_pins(show)
    show.set_defaults(perform=_show)


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_pins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key",
        action="append",
        metavar="PIN",
        help="the key or key set to believe; may be given again. Without it that of"
        " ENGINEROOM_STORE_KEY or pyproject.toml, or else the signing key's own",
    )


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything and write nothing"
    )


def _lifetime(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,4})([dh])", text)
    seconds = int(match[1]) * _UNITS_SECONDS[match[2]] if match else 0.0
    if not 0 < seconds <= _DAYS_MAX * _UNITS_SECONDS["d"]:
        raise ValueError(text)
    return seconds


def _time(text: str) -> int:
    from engineroom.store.times import utc_seconds

    return utc_seconds(text)


def _signer() -> Signer:
    from engineroom.errors import KeyUnusable
    from engineroom.store.settings import SIGNING_KEY
    from engineroom.store.signing import Signer

    signer = Signer.of_environment(os.environ)
    if signer is None:
        raise KeyUnusable(SIGNING_KEY, "it is not set")
    return signer


def _pins(arguments: argparse.Namespace, signer: Signer | None) -> tuple[str, ...]:
    from engineroom.store.settings import read_pins
    from engineroom.store.trust import parse_pins, show_public

    pins = parse_pins(read_pins(given=" ".join(arguments.key or ())))
    return pins if pins or signer is None else (show_public(signer.public),)


def _public(pin: str) -> bytes:
    from engineroom.errors import PinInvalid
    from engineroom.store.trust import public_of

    public = public_of(pin)
    if public is None:
        raise PinInvalid(pin)
    return public


def _new(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.errors import KeyFileUnwritable
    from engineroom.store.signing import Signer, new_private_key
    from engineroom.store.trust import show_public

    text = new_private_key()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(arguments.file, flags, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise KeyFileUnwritable(arguments.file, reason) from error
    signer = Signer(text, arguments.file)
    pin = show_public(signer.public)
    if arguments.json:
        render.json(
            {
                "format": FORMAT,
                "file": os.path.abspath(arguments.file),
                "key_id": signer.key_id,
                "pin": pin,
            }
        )
        return 0
    render.line(f"The private key {signer.key_id} is in {arguments.file}: keep it safe")
    render.line(f"Its public half: {pin}")
    return 0


def _init(arguments: argparse.Namespace, render: Render) -> int:
    import time

    from engineroom.store import read_store
    from engineroom.store.renew import reader_of
    from engineroom.store.trust import first_keys, read_key_sets, restart_keys

    signer = _signer()
    publics = [(_public(pin), "") for pin in arguments.also]
    transport = open_place(arguments)
    store = read_store(transport).store
    sets = read_key_sets(reader_of(transport)) if arguments.start_over else ()
    now = time.time()
    made = (
        restart_keys(sets[-1], publics, signer, now=now)
        if sets
        else first_keys(store, publics, signer, now=now)
    )
    return _put(arguments, transport, made, render)


def _add(arguments: argparse.Namespace, render: Render) -> int:
    import time

    from engineroom.store.renew import reader_of
    from engineroom.store.trust import add_key, newest_trusted

    signer = _signer()
    public = _public(arguments.pin)
    transport = open_place(arguments)
    before = newest_trusted(reader_of(transport), _pins(arguments, signer))
    made = add_key(before, public, arguments.note, signer, now=time.time())
    return _put(arguments, transport, made, render)


def _retire(arguments: argparse.Namespace, render: Render) -> int:
    import time

    from engineroom.store.renew import reader_of
    from engineroom.store.trust import newest_trusted, retire_key

    signer = _signer()
    now = time.time()
    until = now if arguments.until is None else arguments.until
    transport = open_place(arguments)
    before = newest_trusted(reader_of(transport), _pins(arguments, signer))
    made = retire_key(before, arguments.key_id, until, signer, now=now)
    code = _put(arguments, transport, made, render)
    if not arguments.json:
        render.line("Now sign the heads with a key that stays: engineroom store sign")
    return code


def _show(arguments: argparse.Namespace, render: Render) -> int:
    from engineroom.errors import KeySetMissing
    from engineroom.store import keys
    from engineroom.store.renew import reader_of
    from engineroom.store.trust import newest_trusted, read_key_sets

    get = reader_of(open_place(arguments))
    pins = _pins(arguments, None)
    sets = read_key_sets(get)
    if not sets:
        raise KeySetMissing(keys.key_set(1))
    if pins:
        newest_trusted(get, pins)
    if arguments.json:
        value = _keys_json(sets[-1])
        value["checked_against"] = list(pins)
        value["first_pin"] = f"sha256:{sets[0].sha256}"
        render.json(value)
        return 0
    _print_keys(sets[-1], render)
    render.line(f"The first key set: sha256:{sets[0].sha256}")
    render.line(
        f"The newest follows from {' '.join(pins)}"
        if pins
        else "Nothing is pinned here, so nothing vouches for these but the store itself"
    )
    return 0


def _put(
    arguments: argparse.Namespace, transport: Transport, made: KeySet, render: Render
) -> int:
    from engineroom.store.trust import put_key_set

    if not arguments.dry_run:
        put_key_set(transport, made)
    if arguments.json:
        value = _keys_json(made)
        value["dry_run"] = arguments.dry_run
        render.json(value)
        return 0
    _print_keys(made, render)
    render.line(
        f"Dry run: nothing was written to {made.key}"
        if arguments.dry_run
        else f"The keys are in {made.key}, which readers may pin: sha256:{made.sha256}"
    )
    return 0


def _keys_json(made: KeySet) -> dict[str, Any]:
    from engineroom.store.trust import show_public

    return {
        "format": FORMAT,
        "store_id": made.store,
        "number": made.number,
        "time": made.time,
        "pin": f"sha256:{made.sha256}",
        "starts_over": made.starts_over,
        "keys": [
            {
                "key_id": key.key_id,
                "pin": show_public(key.public),
                "since": key.since,
                "until": key.until,
                "note": key.note,
            }
            for key in made.keys
        ],
    }


def _print_keys(made: KeySet, render: Render) -> None:
    from engineroom.store.trust import show_public

    render.table(
        ("key", "public", "counts from", "until", "note"),
        [
            (
                key.key_id,
                show_public(key.public),
                key.since,
                key.until or "further notice",
                key.note,
            )
            for key in made.keys
        ],
    )
    render.line()


def _sign(arguments: argparse.Namespace, render: Render) -> int:
    import time

    from engineroom.store import find_project
    from engineroom.store.head import Memory
    from engineroom.store.renew import check_signer, reader_of, renew_heads
    from engineroom.store.trust import follow

    signer = _signer()
    memory = Memory(arguments.remember) if arguments.remember else None
    transport = open_place(arguments)
    check_signer(transport, signer, now=time.time())
    trust = follow(reader_of(transport), _pins(arguments, signer))
    names = [find_project(transport, name) for name in arguments.project or ()]
    with render.progress("Signing") as progress:
        outcome = renew_heads(
            transport,
            signer,
            trust,
            projects=names or None,
            adopt=arguments.adopt,
            dry_run=arguments.dry_run,
            memory=memory,
            lifetime_seconds=arguments.lifetime,
            progress=lambda key: progress.update(text=f"Signing {key}"),
        )
    if memory is not None and not arguments.dry_run:
        memory.save()
    if arguments.json:
        render.json(_sign_json(outcome, transport.address, arguments.dry_run))
    else:
        _print_signed(outcome, arguments.dry_run, render)
    return EXIT_STORE if outcome.problems else 0


def _sign_json(outcome: Renewals, address: str, dry_run: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "store": address,
        "dry_run": dry_run,
        "heads": [
            {
                "key": one.key,
                "is_new": one.is_new,
                "key_id": one.key_id,
                "expires": one.expires,
            }
            for one in outcome.renewals
        ],
        "problems": problem_items(outcome.problems),
    }


def _print_signed(outcome: Renewals, dry_run: bool, render: Render) -> None:
    new = "would be signed" if dry_run else "signed"
    render.table(
        ("head", "state", "key", "expires"),
        [
            (one.key, new if one.is_new else "still fresh", one.key_id, one.expires)
            for one in outcome.renewals
        ],
    )
    for problem in outcome.problems:
        render.error(problem)
