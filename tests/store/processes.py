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
