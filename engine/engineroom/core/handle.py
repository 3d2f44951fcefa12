"""Owner of a native connection: opens it, closes it once, and warns if forgotten.

What runs most, statements and rows, goes through the session that the engine makes
for it (native/cffi/rows.c); what runs once or from elsewhere goes through cffi here.
After a fork the child abandons every open handle: the files and locks are its
parent's.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident
from _weakref import ref

from engineroom import errors
from engineroom.loader import load_engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Protocol

    from engineroom.loader import Engine

    class Reader(Protocol):
        """One cursor's statement and its rows, as native/cffi/rows.c makes it."""

        @property
        def changes(self) -> int: ...
        @property
        def last_row_id(self) -> int: ...
        @property
        def has_result(self) -> bool: ...
        def execute(self, sql: str, parameters: Any, /) -> None: ...
        def executemany(self, sql: str, rows: Any, /) -> None: ...
        def fetchone(self) -> tuple[Any, ...] | None: ...
        def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]: ...
        def fetchall(self) -> list[tuple[Any, ...]]: ...
        def columns(self) -> list[tuple[str, str | None, int, int, int]]: ...
        def arrow(self) -> object: ...
        def close(self) -> None: ...
        def __iter__(self) -> Iterator[tuple[Any, ...]]: ...
        def __next__(self) -> tuple[Any, ...]: ...

    class Session(Protocol):
        """An open connection, as native/cffi/rows.c makes it."""

        def reader(self) -> Reader: ...
        def executescript(self, sql: str, /) -> None: ...
        def begin(self) -> None: ...
        def commit(self) -> None: ...
        def rollback(self) -> None: ...


__all__ = ["Handle", "open_handle"]

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


def _adapt(value: object) -> object:
    from engineroom.core.values import adapt

    return adapt(value)


def _convert(value: object, declared: int, column: str, row: int) -> object:
    from engineroom.core.values import convert

    return convert(value, declared, column, row)


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
            hooks = (_make_error, _adapt, _convert, _load_types, _main_thread())
            error = ffi.new("qe_error *")
            out = ffi.new("qe_python **")
            # The engine holds its own references before the call returns.
            _raise(ffi, lib.qe_python_new(id(hooks), out, error), error)
            half = _python_halves[engine.backend] = out[0]
        return half


def _raise(ffi: Any, status: int, error: Any) -> None:
    if status:
        raise _make_error(
            status,
            error.native_code,
            ffi.string(error.sqlstate).decode("ascii"),
            error.position,
            ffi.string(error.message).decode("utf-8", "replace"),
            None,
            0,
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
        if self._pointer is None:
            return False
        return bool(self.engine.lib.qe_connection_in_transaction(self._pointer))

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
        _raise(ffi, getattr(lib, name)(self._pointer, *arguments, error), error)

    def abandon(self) -> None:
        """Leave the connection to the process that opened it; for a forked child."""
        if self._pointer is not None:
            self.engine.lib.qe_connection_abandon(self._pointer)

    def __del__(self) -> None:
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


def open_handle(backend: str, settings: Mapping[str, str], name: str) -> Handle:
    """Open a connection.

    Args:
        backend: which engine, such as `sqlite`.
        settings: what the backend's C file lists at its head, as text.
        name: how to speak of the connection in a warning, without secrets.

    Raises:
        LoadError: there is no engine for this process.
        DatabaseError: the database could not be opened.
    """
    engine = load_engine(backend)
    ffi, lib = engine.ffi, engine.lib
    half = _python_half(engine)
    error = ffi.new("qe_error *")
    out = ffi.new("qe_connection **")
    # cffi frees what new() gave when the last reference goes, so these lists live
    # until the call is over.
    keywords = [ffi.new("char[]", key.encode()) for key in settings]
    # A path need not be UTF-8; os.fsencode gives the bytes the system has.
    values = [ffi.new("char[]", os.fsencode(value)) for value in settings.values()]
    status = lib.qe_connection_open(
        ffi.new("char *[]", [*keywords, ffi.NULL]),
        ffi.new("char *[]", [*values, ffi.NULL]),
        out,
        error,
    )
    _raise(ffi, status, error)
    sessions: list[Session] = []
    status = lib.qe_python_attach(half, out[0], id(sessions), error)
    if status:
        lib.qe_connection_close(out[0], ffi.NULL)
        lib.qe_connection_release(out[0])
        _raise(ffi, status, error)
    return Handle(engine, out[0], sessions[0], name)
