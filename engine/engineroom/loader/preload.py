"""Loading engines when a service starts, not when its first request comes."""

from __future__ import annotations

from engineroom.loader.load import BACKENDS, Engine, load_engine

__all__ = ["preload"]


def preload(*backends: str) -> tuple[Engine, ...]:
    """Load the engines of some backends now, as their first connection would.

    A service that calls this as it starts fails there and then, with all that is known
    of the reason, and its first request does not wait. It opens no connection. What is
    loaded already is not loaded again.

    Args:
        backends: `sqlite`, `postgres`; every backend if none is named. Name those that
            the service uses: an engine it never asks for should not keep it from
            starting.

    Returns:
        The engines in the order named, each with its `backend`, `target`, `path`,
        `build_id`, `package_version` and `backend_version`.

    Raises:
        LoadError: an engine cannot be loaded; what `connect` would raise.
    """
    return tuple(load_engine(backend) for backend in backends or BACKENDS)
