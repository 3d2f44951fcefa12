"""The slow-query log: which statement was slow, and which line of a program ran it.

Parameters never reach it, nor literals, because a shape has none.
"""

from __future__ import annotations

from engineroom.metrics.caller import caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.metrics.registry import Metrics
    from engineroom.metrics.shapes import Shaped

__all__ = ["LOGGER", "SlowLog"]

LOGGER = "engineroom"
_MESSAGE = "slow query: %.3f s, %d rows, attempts: %d, at %s:%d: %s"


class SlowLog:
    """Logs calls that take long, as warnings of the logger `engineroom`.

    What the message says is in the record's attributes too, for formatters that write
    JSON: `shape`, `fingerprint`, `seconds`, `rows`, `attempts`, `caller_file` and
    `caller_line`.

    Args:
        threshold_seconds: what takes as long is slow.
        metrics: where slow calls are counted too, as `slow_queries`.
    """

    def __init__(
        self, threshold_seconds: float, metrics: Metrics | None = None
    ) -> None:
        import logging  # five milliseconds that only those pay who want the log

        self.threshold_seconds = threshold_seconds
        self._metrics = metrics
        self._logger = logging.getLogger(LOGGER)

    def note(
        self, statement: Shaped, seconds: float, *, rows: int = 0, attempts: int = 1
    ) -> bool:
        """Log a call if it was slow, and say whether it was."""
        if seconds < self.threshold_seconds:
            return False
        if self._metrics is not None:
            self._metrics.count("slow_queries")
        shape = statement.shape
        if not shape.isprintable():
            # A name in quotes may hold a line break, which would forge a line of log.
            shape = shape.encode("unicode_escape").decode("ascii")
        file, line = caller()
        self._logger.warning(
            _MESSAGE,
            seconds,
            rows,
            attempts,
            file,
            line,
            shape,
            extra={
                "shape": shape,
                "fingerprint": statement.fingerprint,
                "seconds": seconds,
                "rows": rows,
                "attempts": attempts,
                "caller_file": file,
                "caller_line": line,
            },
        )
        return True
