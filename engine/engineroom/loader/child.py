"""What a child process does that is to show what becomes of loading an engine.

It tells its parent, a line at a time, which file it is about to load and how that went,
so that whatever ends it the parent knows which engine that was. `doctor/trial.py` is
the parent. It stands here because it imports the loader and next to nothing else.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.loader.find import EngineFile

__all__ = ["run"]


def run(backend: str, mark: str) -> None:
    """Load the engine of a backend and tell how that went.

    Args:
        backend: the backend.
        mark: what each line to the parent begins with, because engines may write too.
    """

    def tell(*words: str) -> None:
        # At once, past every buffer; on a line of its own whatever was written before.
        os.write(1, os.fsencode("\n" + "\t".join((mark, *words)) + "\n"))

    def announce(file: EngineFile) -> None:
        tell("loading", file.target, file.path)

    _leave_no_core()
    from engineroom.errors import LoadError
    from engineroom.loader.load import find_and_load

    try:
        find_and_load(backend, announce=announce)
    except LoadError:
        tell("refused")
    else:
        tell("loaded")


def _leave_no_core() -> None:
    """Have the system write no memory dump if an engine crashes, which is no news."""
    try:
        import resource
    except ImportError:  # not on every system
        return
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
