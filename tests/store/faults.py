"""Ways to make a publisher die, at every step there is, without changing its code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engineroom.store import Transport
    from engineroom.store.transport import Body, Entry, Stored

# What the interpreter reports of a program's dealings with files (PEP 578).
_FILE_EVENTS = {"open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.scandir"}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it, as nothing catches -9."""


class KillingTransport:
    """A transport whose process ends right before, or right after, its n-th write.

    Right after is the case of a request that was carried out and whose answer is lost.
    From then on no thread of it gets anything done.
    """

    def __init__(self, inner: Transport, *, write: int, is_done: bool) -> None:
        self._inner = inner
        self._write = write
        self._is_done = is_done
        self.writes = 0
        self._is_dead = False
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return self._inner.address

    @property
    def index_url(self) -> str:
        return self._inner.index_url

    @property
    def parallel(self) -> int:
        # One at a time: else which write is the n-th would be a matter of chance.
        return 1

    @property
    def replaces_conditionally(self) -> bool:
        return self._inner.replaces_conditionally

    @property
    def checks_bytes(self) -> bool:
        return self._inner.checks_bytes

    @property
    def slash_pages(self) -> bool:
        return self._inner.slash_pages

    def get(self, key: str) -> Stored | None:
        return self._inner.get(key)

    def version_of(self, data: bytes) -> str:
        return self._inner.version_of(data)

    def open(
        self, key: str, *, start: int = 0, stop: int | None = None
    ) -> BinaryIO | None:
        return self._inner.open(key, start=start, stop=stop)

    def size(self, key: str) -> int | None:
        return self._inner.size(key)

    def put_if_absent(self, key: str, body: Body) -> bool:
        self._count(is_done=False)
        is_ours = self._inner.put_if_absent(key, body)
        self._count(is_done=True)
        return is_ours

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        self._count(is_done=False)
        is_ours = self._inner.replace(key, body, expected=expected)
        self._count(is_done=True)
        return is_ours

    def delete(self, key: str) -> None:
        self._count(is_done=False)
        self._inner.delete(key)
        self._count(is_done=True)

    def list(self, prefix: str) -> Iterator[str]:
        return self._inner.list(prefix)

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        return self._inner.entries(prefix, is_deep=is_deep)

    def folders(self, prefix: str) -> Iterator[str]:
        return self._inner.folders(prefix)

    def sweep(self, *, older_than_seconds: float) -> tuple[str, ...]:
        return self._inner.sweep(older_than_seconds=older_than_seconds)

    def now(self) -> float:
        return self._inner.now()

    def link(self, key: str, *, seconds: int) -> str | None:
        return self._inner.link(key, seconds=seconds)

    def _count(self, *, is_done: bool) -> None:
        with self._lock:
            if self._is_dead:
                raise Killed
            if not is_done:
                self.writes += 1
            if self.writes == self._write and is_done is self._is_done:
                self._is_dead = True
                raise Killed


class OvertakenTransport(KillingTransport):
    """A transport that lets someone else act right before its first call of a kind."""

    def __init__(
        self, inner: Transport, *, before: str, act: Callable[[], object]
    ) -> None:
        super().__init__(inner, write=0, is_done=False)
        self._before = before
        self._act: Callable[[], object] | None = act

    def get(self, key: str) -> Stored | None:
        self._step_aside(f"get {key}")
        return super().get(key)

    def list(self, prefix: str) -> Iterator[str]:
        self._step_aside("list")
        return super().list(prefix)

    def entries(self, prefix: str, *, is_deep: bool = True) -> Iterator[Entry]:
        self._step_aside("entries")
        return super().entries(prefix, is_deep=is_deep)

    def folders(self, prefix: str) -> Iterator[str]:
        self._step_aside("folders")
        return super().folders(prefix)

    def put_if_absent(self, key: str, body: Body) -> bool:
        self._step_aside(f"put_if_absent {key}")
        return super().put_if_absent(key, body)

    def replace(self, key: str, body: Body, *, expected: str | None) -> bool:
        self._step_aside(f"replace {key}")
        return super().replace(key, body, expected=expected)

    def delete(self, key: str) -> None:
        self._step_aside(f"delete {key}")
        super().delete(key)

    def _step_aside(self, call: str) -> None:
        if self._act is not None and call == self._before:
            act, self._act = self._act, None
            act()


class RepeatingTransport(KillingTransport):
    """A transport that sends each creation twice, as after an answer that was lost."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner, write=0, is_done=False)

    def put_if_absent(self, key: str, body: Body) -> bool:
        super().put_if_absent(key, body)
        return super().put_if_absent(key, body)


class _CountingTransport:
    """A transport that tells of each call, by its name, before it is made."""

    def __init__(self, inner: Transport, tell: Callable[[str], None]) -> None:
        self._inner = inner
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **options: Any) -> Any:
            self._tell(name)
            return value(*arguments, **options)

        return call


def act_at_call(inner: Transport, number: int, act: Callable[[], object]) -> Transport:
    """Give a transport that does something right before its n-th call, reads too."""
    lock = threading.Lock()
    count = 0

    def tell(_name: str) -> None:
        nonlocal count
        with lock:
            count += 1
            if count == number:
                act()

    return cast("Transport", _CountingTransport(inner, tell))


def kill_at_call(inner: Transport, number: int) -> Transport:
    """Give a transport that ends this process by SIGKILL right before its n-th call.

    That is right after the call before it, with its answer lost. Calls of other threads
    are under way when it happens, as in life.
    """
    return act_at_call(inner, number, lambda: os.kill(os.getpid(), signal.SIGKILL))


def kill_at_file_event(root: Path, number: int) -> None:
    """End this process by SIGKILL as it begins its n-th dealing with files below root.

    Meant for a child: the hook that does it can never be removed.
    """
    below = os.fspath(root)
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in _FILE_EVENTS:
            return
        path = arguments[0]
        if not isinstance(path, (str, os.PathLike)):
            return
        if os.fspath(path).startswith(below):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
