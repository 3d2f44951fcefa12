"""What all tests share: Ctrl-C, also where a shell runs them in the background.

A program that is started so is told to ignore it, and those tests that are stopped by
it would go on for ever.
"""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, as where a terminal is."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
