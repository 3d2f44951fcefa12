"""What all tests share: Ctrl-C, and nothing of what this user has at home.

A program that a shell starts in the background is told to ignore Ctrl-C, and those
tests that are stopped by it would go on for ever. Engines that this user has fetched
would be taken for those that a test expects to be missing.
"""

from __future__ import annotations

import os
import signal

# The long tests of faults: collected only when they are asked for by their folder.
collect_ignore = ["faults"]


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, as where a terminal is; hide the user's engines."""
    os.environ["XDG_DATA_HOME"] = os.path.join(os.sep, "no-data")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
