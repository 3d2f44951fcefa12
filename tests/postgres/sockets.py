"""The sockets that this process has open, by what the system says."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_sockets() -> dict[str, int]:
    """Return the sockets of this process: their names and descriptors."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # Closed since, as the listing's own was.
            continue
        if target.startswith("socket:"):
            found[target] = int(name)
    return found


@contextmanager
def as_socket(descriptor: int) -> Iterator[socket.socket]:
    """Give a socket object for a descriptor that belongs to somebody else."""
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        yield copy
