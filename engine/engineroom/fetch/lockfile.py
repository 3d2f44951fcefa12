"""Writes engineroom.lock, whole or not at all."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from engineroom.fetch.shelf import write_durably, writing
from engineroom.lockfile import LOCK_NAME, lock_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engineroom.lockfile import LockedWheel

__all__ = ["write_lock"]


def write_lock(path: str, wheels: Iterable[LockedWheel]) -> bool:
    """Write the lock file whole or not at all; say whether it changed."""
    data = lock_text(wheels).encode()
    with writing(path):
        try:
            with open(path, "rb") as file:
                if file.read() == data:
                    return False
        except FileNotFoundError:
            pass
        folder = os.path.dirname(os.path.abspath(path))
        scratch = os.path.join(folder, f".{LOCK_NAME}-{secrets.token_hex(6)}")
        try:
            write_durably(scratch, data)
            os.replace(scratch, path)
        except OSError:
            if os.path.exists(scratch):
                os.unlink(scratch)
            raise
    return True
