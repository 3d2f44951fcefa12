"""The N+1 finder, for the statements of one client."""

from __future__ import annotations

from engineroom.metrics.repeats import Repeats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["RepeatsOfClient"]


class RepeatsOfClient(Repeats):
    """Hears of a client's statements while its block lasts.

    Args:
        watching: those who hear of them.
        limit, fail: as of `Repeats`.
    """

    def __init__(self, watching: list[Repeats], limit: int, *, fail: bool) -> None:
        super().__init__(limit, fail=fail)
        self._watching = watching

    def __enter__(self) -> RepeatsOfClient:
        self._watching.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watching.remove(self)
        super().__exit__(kind, error, traceback)
