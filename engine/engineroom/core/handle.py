"""Owner of a native connection: opens it, closes it once, and warns if forgotten.

What runs most, statements and rows, goes through the session that the engine makes
for it (native/cffi/py_*.c); what runs once or from elsewhere goes through cffi here.
After a fork the child abandons every open handle: the files and locks are its
parent's.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident
from _weakref import ref
from math import ceil, inf
from time import monotonic

from engineroom import errors
from engineroom.loader import load_engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Protocol

    from engineroom.loader import Engine

    class Reader(Protocol):
        """One cursor's statement and its rows, as native/cffi/py_reader.c makes it."""

        @property
        def changes(self) -> int: ...
        @property
        def last_row_id(self) -> int: ...
        @property
        def has_result(self) -> bool: ...
        @property
        def is_running(self) -> bool: ...
        def execute(self, sql: str, parameters: Any, /) -> int | None: ...
        def prepare(self, sql: str, /) -> int | None: ...
        def resume(self) -> int | None: ...
        def settle(self) -> int | None: ...
        def load(self) -> int | None: ...
        def take(self, most: int, /) -> list[tuple[Any, ...]]: ...
        def executemany(self, sql: str, rows: Any, /) -> None: ...
        def fetchone(self) -> tuple[Any, ...] | None: ...
        def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]: ...
        def fetchall(self) -> list[tuple[Any, ...]]: ...
        def columns(self) -> list[tuple[str, str | None, int, int, int]]: ...
        def arrow(self) -> object: ...
        def close(self) -> None: ...
        def __iter__(self) -> Iterator[tuple[Any, ...]]: ...
        def __next__(self) -> tuple[Any, ...]: ...

    class Copier(Protocol):
        """A COPY under way, as native/cffi/py_copier.c makes it."""

        @property
        def count(self) -> int: ...
        def write(self, data: bytes, /) -> None: ...
        def write_rows(self, rows: Any, /) -> int: ...
        def write_arrow(self, capsule: object, /) -> int: ...
        def read(self) -> bytes: ...
        def rows(self) -> list[tuple[Any, ...]]: ...
        def columns(self) -> list[tuple[str, str | None, int, int, int]]: ...
        def end(self, reason: str | None, /) -> None: ...

    class Session(Protocol):
        """An open connection, as native/cffi/py_session.c makes it."""

        def reader(self) -> Reader: ...
        def copy(
            self, sql: str, shape: str | None, is_in: bool, form: int, /
        ) -> Copier: ...
        def executescript(self, sql: str, /) -> int | None: ...
        def limit(self, milliseconds: int, /) -> None: ...
        def is_gone(self) -> bool: ...
        def in_transaction(self) -> bool: ...
        def begin(self) -> int | None: ...
        def commit(self) -> int | None: ...
        def rollback(self) -> int | None: ...


__all__ = ["Handle", "Opening", "open_handle"]

# The engine's Python half, made once for each loaded engine and kept for ever.
_python_halves: dict[str, Any] = {}
_lock = allocate_lock()

# Handles that are open, so that a forked child can give them up.
_open_handles: dict[int, ref[Handle]] = {}


# The hooks that the engine calls, each importing what it needs when it is first called:
# a connection that sees no failure and no date pays for neither.
def _make_error(*parts: Any) -> errors.Error:
    from engineroom.core.failure import make_error

    return make_error(*parts)


def _make_server_error(*parts: Any) -> errors.Error:
    from engineroom.core.failure import make_error

    return make_error(*parts, is_server=True)


def _adapt(value: object, native_type: int) -> object:
    if native_type:
        from engineroom.core.postgres_values import adapt as adapt_typed

        return adapt_typed(value, native_type)
    from engineroom.core.values import adapt

    return adapt(value)


def _convert(value: object, declared: int, column: str, row: int) -> object:
    from engineroom.core.values import convert

    return convert(value, declared, column, row)


def _convert_typed(value: object, declared: int, column: str, row: int) -> object:
    from engineroom.core.postgres_values import convert

    return convert(value, declared, column, row)


def _maker_of(declared: int) -> object:
    from engineroom.core.postgres_values import maker_of

    return maker_of(declared)


# By backend. Of those that convert values one has to see the row, and one has not.
_HOOKS = {
    "sqlite": (_make_error, _adapt, _convert, None),
    "postgres": (_make_server_error, _adapt, _convert_typed, _maker_of),
}


def _load_types() -> tuple[Any, ...]:
    from engineroom.core.values import load_types

    return load_types()


def _main_thread() -> int:
    """The identifier of the thread in which signals are handled."""
    threading = sys.modules.get("threading")
    # Whoever starts threads imports threading; without it this is the only one.
    return get_ident() if threading is None else threading.main_thread().ident


def _python_half(engine: Engine) -> Any:
    with _lock:
        half = _python_halves.get(engine.backend)
        if half is None:
            ffi, lib = engine.ffi, engine.lib
            hooks = (*_HOOKS[engine.backend], _load_types, _main_thread())
            error = ffi.new("qe_error *")
            out = ffi.new("qe_python **")
            # The engine holds its own references before the call returns.
            _raise(ffi, lib.qe_python_new(id(hooks), out, error), error)
            half = _python_halves[engine.backend] = out[0]
        return half


def _raise(ffi: Any, status: int, error: Any, diagnostics: bytes | None = None) -> None:
    if status:
        raise _make_error(
            status,
            error.native_code,
            ffi.string(error.sqlstate).decode("ascii", "replace"),
            error.position,
            ffi.string(error.message).decode("utf-8", "replace"),
            None,
            0,
            diagnostics,
            bool(error.was_sent),
        )


class Handle:
    """An open native connection.

    Attributes:
        engine: the engine that serves it.
        session: what runs statements on it.
    """

    __slots__ = ("__weakref__", "_name", "_pointer", "engine", "session")

    def __init__(
        self, engine: Engine, pointer: Any, session: Session, name: str
    ) -> None:
        self.engine = engine
        self.session = session
        self._pointer = pointer
        self._name = name
        _open_handles[id(self)] = ref(self)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._pointer is None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.session.in_transaction()

    def set_autocommit(self, is_on: bool) -> None:
        """Let each statement be its own transaction, or not."""
        self._call("qe_connection_set_autocommit", int(is_on))

    def interrupt(self) -> None:
        """Stop what the connection is doing, if anything; from any thread."""
        pointer = self._pointer
        if pointer is not None:
            self.engine.lib.qe_connection_interrupt(pointer)

    def close(self) -> None:
        """Close the database; open transactions are rolled back. Twice does nothing.

        Raises:
            UsedByAnotherThread: another thread is using the connection.
        """
        if self._pointer is None:
            return
        self._call("qe_connection_close")
        pointer, self._pointer = self._pointer, None
        _open_handles.pop(id(self), None)
        self.engine.lib.qe_connection_release(pointer)

    def _call(self, name: str, *arguments: object) -> None:
        ffi, lib = self.engine.ffi, self.engine.lib
        if self._pointer is None:
            raise errors.ConnectionClosed(
                "The connection is closed",
                hint="open a new connection with `engineroom.connect()`",
            )
        error = ffi.new("qe_error *")
        status = getattr(lib, name)(self._pointer, *arguments, error)
        if status:
            data, size = ffi.new("char **"), ffi.new("int64_t *")
            lib.qe_connection_diagnostics(self._pointer, data, size)
            said = bytes(ffi.buffer(data[0], size[0])) if size[0] else None
            _raise(ffi, status, error, said)

    def set(self, keyword: str, value: str) -> None:
        """Change a setting that the backend's C file lists at its head."""
        ffi = self.engine.ffi
        self._call(
            "qe_connection_set",
            ffi.new("char[]", keyword.encode()),
            ffi.new("char[]", value.encode()),
        )

    def set_stepped(self, is_on: bool) -> None:
        """Have calls answer with wishes to wait, or wait themselves."""
        self._call("qe_connection_set_stepped", int(is_on))

    @property
    def socket(self) -> int:
        """The descriptor to wait for; -1 where there is none."""
        if self._pointer is None:
            return -1
        return int(self.engine.lib.qe_connection_socket(self._pointer))

    def about(self, what: str) -> str | None:
        """Return a fact that the backend's C file lists, None if it is not known."""
        ffi = self.engine.ffi
        text = ffi.new("char **")
        self._call("qe_connection_about", ffi.new("char[]", what.encode()), text)
        if text[0] == ffi.NULL:
            return None
        return str(ffi.string(text[0]).decode("utf-8", "replace"))

    def poll(self) -> None:
        """Read what has come unasked, without waiting."""
        self._call("qe_connection_poll")

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until something can be read; false when time is up or a signal came.

        Python handles its signals when this returns, so a long wait goes in slices.
        """
        lib = self.engine.lib
        is_ready = self.engine.ffi.new("int32_t *")
        timeout_ms = max(0, round(timeout_seconds * 1000))
        self._call("qe_connection_wait", lib.QE_WANT_READ, timeout_ms, is_ready)
        return bool(is_ready[0])

    def next_message(self) -> bytes:
        """Return the oldest message that came unasked, empty when there is none.

        Its form is told beside `qe_connection_next_message` in native/abi/qe_abi.h.
        """
        ffi = self.engine.ffi
        data, size = ffi.new("char **"), ffi.new("int64_t *")
        self._call("qe_connection_next_message", data, size)
        return bytes(ffi.buffer(data[0], size[0])) if size[0] else b""

    def cancel(self) -> tuple[int, int]:
        """Go one step towards stopping what the server does for this connection.

        Returns:
            What to wait for, 0 when it is done, and the descriptor.
        """
        ffi, lib = self.engine.ffi, self.engine.lib
        socket = ffi.new("int64_t *")
        if self._pointer is None:
            return 0, -1
        error = ffi.new("qe_error *")
        status = lib.qe_connection_cancel(self._pointer, socket, error)
        if status in (lib.QE_WANT_READ, lib.QE_WANT_WRITE):
            return int(status), int(socket[0])
        _raise(ffi, status, error)
        return 0, -1

    def abandon(self) -> None:
        """Leave the connection to the process that opened it; for a forked child."""
        if self._pointer is not None:
            self.engine.lib.qe_connection_abandon(self._pointer)

    def forget(self) -> None:
        """Close what nobody has any more, and warn; for finalisers."""
        # A handle that a fork abandoned is no longer listed: it is its parent's. And
        # while the interpreter ends there is nobody left to warn, or to import for.
        if self._pointer is None or id(self) not in _open_handles:
            return
        if not sys.is_finalizing():
            import warnings

            warnings.warn(
                f"A connection to `{self._name}` was never closed",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
        self.close()

    def __del__(self) -> None:
        self.forget()


def _abandon_all() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = allocate_lock()
    for reference in list(_open_handles.values()):
        handle = reference()
        if handle is not None:
            handle.abandon()
    _open_handles.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


# How long to wait for a server before looking for signals again.
_SLICE_SECONDS = 0.1


class Opening:
    """A connection on its way: steps that never wait, and in the end a handle.

    Args:
        backend: which engine, such as `sqlite`.
        settings: what the backend's C file lists at its head, as text.
        name: how to speak of the connection in a warning, without secrets.
        timeout_seconds: how long it may take in all, over every host and address;
            None for as long as the settings allow. Whoever waits heeds `left()`.

    Raises:
        LoadError: there is no engine for this process.
    """

    def __init__(
        self,
        backend: str,
        settings: Mapping[str, str],
        name: str,
        timeout_seconds: float | None = None,
    ) -> None:
        self._engine = load_engine(backend)
        self._half = _python_half(self._engine)
        self._settings = settings
        self._name = name
        self._error = self._engine.ffi.new("qe_error *")
        self._pointer: Any = None
        self._timeout_seconds = timeout_seconds
        self._until = inf
        if timeout_seconds is not None:
            self._until = monotonic() + timeout_seconds
            if backend == "sqlite":  # which waits for locks within its only step
                limit_ms = max(1, ceil(timeout_seconds * 1000))
                self._settings = {**settings, "limit_ms": str(limit_ms)}

    def left(self) -> float:
        """Return the seconds that are left, without end where there is no limit.

        Raises:
            ConnectTimedOut: there are none; what was begun has been given up.
        """
        left = self._until - monotonic()
        if left > 0:
            return left
        self.give_up()
        raise self.why_late()

    def why_late(self) -> errors.ConnectTimedOut:
        """Return what it fails with when the time is up."""
        return errors.ConnectTimedOut(
            "No connection came about within the time limit of "
            f"{max(self._timeout_seconds or 0, 0) * 1000:.0f} ms",
            hint="see whether host and port are right and no firewall is between, or "
            "allow more time",
        )

    @property
    def socket(self) -> int:
        """The descriptor to wait for; another one after any step."""
        return int(self._engine.lib.qe_connection_socket(self._pointer))

    def step(self) -> int | None:
        """Go on; return what has to be waited for, or None when it is open.

        Raises:
            DatabaseError: the database could not be opened.
        """
        lib = self._engine.lib
        if self._pointer is None:
            status = self._start()
        else:
            status = lib.qe_connection_resume_open(self._pointer, self._error)
        if status in (lib.QE_WANT_READ, lib.QE_WANT_WRITE):
            return int(status)
        if status:
            self.give_up()
            _raise(self._engine.ffi, status, self._error)
        return None

    def wait(self, want: int) -> None:
        """Wait for what a step asked for, or a moment.

        Raises:
            ConnectTimedOut: the time is up.
        """
        slice_ms = ceil(min(_SLICE_SECONDS, self.left()) * 1000)
        ffi, lib = self._engine.ffi, self._engine.lib
        is_ready = ffi.new("int32_t *")
        status = lib.qe_connection_wait(
            self._pointer, want, slice_ms, is_ready, self._error
        )
        _raise(ffi, status, self._error)

    def give_up(self) -> None:
        """End what was begun."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            self._engine.lib.qe_connection_close(pointer, self._engine.ffi.NULL)
            self._engine.lib.qe_connection_release(pointer)

    def finish(self) -> Handle:
        """Return the handle of a connection that is open."""
        lib = self._engine.lib
        sessions: list[Session] = []
        status = lib.qe_python_attach(
            self._half, self._pointer, id(sessions), self._error
        )
        if status:
            self.give_up()
            _raise(self._engine.ffi, status, self._error)
        pointer, self._pointer = self._pointer, None
        return Handle(self._engine, pointer, sessions[0], self._name)

    def _start(self) -> int:
        ffi = self._engine.ffi
        out = ffi.new("qe_connection **")
        # cffi frees what new() gave when the last reference goes, so these lists live
        # until the call is over.
        keywords = [ffi.new("char[]", key.encode()) for key in self._settings]
        # A path need not be UTF-8; os.fsencode gives the bytes the system has.
        values = [ffi.new("char[]", os.fsencode(v)) for v in self._settings.values()]
        status = self._engine.lib.qe_connection_open(
            ffi.new("char *[]", [*keywords, ffi.NULL]),
            ffi.new("char *[]", [*values, ffi.NULL]),
            out,
            self._error,
        )
        if out[0] != ffi.NULL:
            self._pointer = out[0]
        return int(status)


def open_handle(
    backend: str,
    settings: Mapping[str, str],
    name: str,
    timeout_seconds: float | None = None,
) -> Handle:
    """Open a connection.

    Args:
        backend: which engine, such as `sqlite`.
        settings: what the backend's C file lists at its head, as text.
        name: how to speak of the connection in a warning, without secrets.
        timeout_seconds: how long it may take in all, over every host and address.
            What a system takes to look a name up cannot be cut short, and is followed
            by the failure.

    Raises:
        LoadError: there is no engine for this process.
        ConnectTimedOut: the time is up.
        DatabaseError: the database could not be opened.
    """
    opening = Opening(backend, settings, name, timeout_seconds)
    try:
        # Between two slices Python handles its signals, so Ctrl-C ends the wait.
        while (want := opening.step()) is not None:
            opening.wait(want)
    except BaseException:
        opening.give_up()
        raise
    return opening.finish()
