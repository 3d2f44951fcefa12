"""Children of the test process: to be killed, to lose rights, to race."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED = 97


def start_child(work: Callable[[], None]) -> int:
    """Run something in a fork of this process; give the child's id.

    A fork rather than a new interpreter: a hundred of them take a second.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait_for(child: int) -> int:
    """Give how a child ended: its exit code, or the negative number of its signal."""
    _, status = os.waitpid(child, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def in_child(work: Callable[[], None]) -> int:
    """Run something in a child to its end and give how it ended."""
    return wait_for(start_child(work))


def run_at_once(works: list[Callable[[], None]]) -> list[int]:
    """Run each in a child; all wait at one pipe until the last has started."""
    gate, hold = os.pipe()

    def held(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            os.close(hold)
            os.read(gate, 1)  # returns when the last holder of the other end is gone
            work()

        return run

    children = [start_child(held(work)) for work in works]
    os.close(gate)
    os.close(hold)
    return [wait_for(child) for child in children]
