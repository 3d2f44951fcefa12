"""What the doctor asks of a store of wheels: is it there, and is what it shows signed?

Only when somebody asks for it: a doctor that goes to the network by itself would hang
where there is none.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engineroom.doctor.findings import OK, PROBLEM, UNKNOWN, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["check_store"]

PROJECT = "engineroom"
_TIMEOUT_SECONDS = 10.0


def check_store(addresses: Sequence[str], sections: dict[str, Any]) -> Finding:
    """Can the store be reached, and until when are its signatures valid?

    Args:
        addresses: the stores; those of ENGINEROOM_FETCH_FROM when there are none.
        sections: where the report's part on stores goes.
    """
    from engineroom.fetch import Signatures
    from engineroom.fetch.settings import FROM
    from engineroom.store.settings import read_pins

    asked = list(addresses) or os.environ.get(FROM, "").split()
    if not asked:
        text = f"no store is named, and {FROM} is not set"
        return Finding("store", UNKNOWN, text, remedy="name one behind `--store`")
    try:
        pins = read_pins().strip()
        signatures = Signatures(pins) if pins else None
        rows = [_look(address, signatures) for address in asked]
    except Exception as error:
        code = getattr(error, "code", type(error).__name__)
        text = f"{code}: {error.args[0] if error.args else ''}"
        return Finding("store", PROBLEM, text, remedy=getattr(error, "hint", ""))
    sections["store"] = rows
    return Finding("store", OK, "; ".join(map(_sentence, rows)))


def _look(address: str, signatures: Any) -> dict[str, Any]:
    from engineroom.fetch import open_source

    source = open_source(address, timeout_seconds=_TIMEOUT_SECONDS)
    row = {"source": source.shown, "is_signed": False}
    if signatures is None:
        source.page(PROJECT)
        return {**row, "number": None, "key_id": None, "expires": None}
    head, _ = signatures.check(source, PROJECT)
    return {
        **row,
        "is_signed": True,
        "number": head.number,
        "key_id": head.signed.key_id,
        "expires": head.signed.expires,
    }


def _sentence(row: dict[str, Any]) -> str:
    if not row["is_signed"]:
        return f"{row['source']} answers; no key is pinned, so nothing vouches for it"
    return (
        f"{row['source']} answers; it is at entry {row['number']}, signed by key"
        f" {row['key_id']} until {row['expires']}"
    )
