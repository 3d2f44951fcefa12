"""What a client says through `logging`, as the logger `engineroom`.

Each record has attributes for formatters that write JSON: `event`, and what belongs to
it. A program that has not imported `logging` listens to nothing, and does not pay for
its import; only a leak, which nobody else would tell, is said all the same.
"""

from __future__ import annotations

import sys

__all__ = ["INFO", "WARNING", "tell"]

# logging's own numbers.
INFO = 20
WARNING = 30


def tell(
    level: int, event: str, message: str, *, is_urgent: bool = False, **facts: object
) -> None:
    """Log something that has happened.

    Args:
        level: `INFO` or `WARNING`.
        event: a word for it.
        message: a sentence.
        is_urgent: whether it is said to those too who have not imported `logging`.
        facts: attributes of the record.
    """
    if not is_urgent and "logging" not in sys.modules:
        return
    import logging

    logger = logging.getLogger("engineroom")
    if logger.isEnabledFor(level):
        logger.log(level, "%s", message, extra={"event": event, **facts})
