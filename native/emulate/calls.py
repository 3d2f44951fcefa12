"""The functions of `qe_abi.h`, called in an engine that is executed.

What the package does through cffi is done here with the same functions: an error's
struct becomes an exception, handles are ended by whoever made them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from native.emulate import arrow
from native.emulate.errors import CallMisbehaved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from native.emulate.cffi_module import CffiModule

__all__ = ["Calls", "EngineError"]

_WANTS = (14, 15)  # QE_WANT_READ, QE_WANT_WRITE
_WAIT_MS = 60_000
_KINDS = {type(None): 0, int: 1, float: 2, str: 3}


class EngineError(Exception):
    """What an engine reports in its struct, or through the hook for exceptions.

    Attributes:
        status: a `qe_status`.
        native_code: the database's own number.
        sqlstate: five characters, or nothing.
        position: offset into the statement, -1 where unknown.
        message: the sentence.
    """

    def __init__(
        self, status: int, native_code: int, sqlstate: str, position: int, message: str
    ) -> None:
        self.status = status
        self.native_code = native_code
        self.sqlstate = sqlstate
        self.position = position
        self.message = message
        super().__init__(
            f"status {status}, code {native_code}, SQLSTATE {sqlstate or 'none'},"
            f" position {position}: {message}"
        )


class Calls:
    """The engine's functions.

    Args:
        module: the engine.
    """

    def __init__(self, module: CffiModule) -> None:
        self.module = module
        self.ffi = module.ffi

    def text(self, name: str) -> str:
        """Return what a function says that gives a text."""
        return str(self.ffi.string(self.module.call(name)).decode())

    def check(self, name: str, *arguments: Any) -> None:
        """Call a function that gives a status.

        Raises:
            EngineError: it is not QE_OK.
        """
        status = self.step(name, *arguments)
        if status:
            raise CallMisbehaved(name, f"asks for a wait with {status}")

    def step(self, name: str, *arguments: Any) -> int:
        """Call a function that may ask for a wait.

        Returns:
            QE_OK, QE_WANT_READ or QE_WANT_WRITE.

        Raises:
            EngineError: it failed.
        """
        error = self.module.new("qe_error")
        try:
            status = int(self.module.call(name, *arguments, error))
            if status in _WANTS:
                return status
            if status != error.status:
                raise CallMisbehaved(
                    name, f"answered {status} and wrote {error.status} as the status"
                )
            if status:
                raise EngineError(
                    status,
                    error.native_code,
                    self.ffi.string(error.sqlstate).decode(),
                    error.position,
                    self.ffi.string(error.message).decode(),
                )
            return status
        finally:
            self.module.end(error)

    def made(self, kind: str, name: str, *arguments: Any) -> Any:
        """Call a function whose last argument but one is where a handle goes."""
        out = self.module.new(kind)
        try:
            self.check(name, *arguments, out)
            return out[0]
        finally:
            self.module.end(out)

    @contextlib.contextmanager
    def connection(self, settings: Mapping[str, str]) -> Iterator[Any]:
        """Give a connection; it is closed and released afterwards."""
        texts = [
            [self.module.text(text) for text in side]
            for side in (settings.keys(), settings.values())
        ]
        lists = [self.module.new("char *", len(settings) + 1) for _ in texts]
        for side, pointers in zip(texts, lists):
            for index, pointer in enumerate(side):
                pointers[index] = pointer
        out = self.module.new("qe_connection *")
        try:
            status = self.step("qe_connection_open", *lists, out)
            made = out[0]
        finally:
            self.module.end(out, *lists, *texts[0], *texts[1])
        try:
            while status:
                self._wait(made, status)
                status = self.step("qe_connection_resume_open", made)
            yield made
            self.check("qe_connection_close", made)
        finally:
            self.module.call("qe_connection_release", made)

    def _wait(self, connection: Any, want: int) -> None:
        is_ready = self.module.new("int32_t")
        try:
            self.check("qe_connection_wait", connection, want, _WAIT_MS, is_ready)
            if not is_ready[0]:
                raise CallMisbehaved("qe_connection_wait", f"waits for {want} in vain")
        finally:
            self.module.end(is_ready)

    def script(self, connection: Any, sql: str) -> None:
        """Run every statement of a text."""
        text = self.module.text(sql)
        size = len(sql.encode())
        try:
            self.check("qe_connection_execute_script", connection, text, size)
        finally:
            self.module.end(text)

    @contextlib.contextmanager
    def statement(self, connection: Any, sql: str) -> Iterator[Any]:
        """Give a statement; it is released afterwards."""
        text = self.module.text(sql)
        try:
            size = len(sql.encode())
            made = self.made(
                "qe_statement *", "qe_statement_acquire", connection, text, size
            )
        finally:
            self.module.end(text)
        try:
            yield made
        finally:
            self.module.call("qe_statement_release", made)

    def run_many(self, statement: Any, rows: Sequence[Sequence[object]]) -> int:
        """Run a statement for each row of parameters; return how many were done."""
        width = len(rows[0])
        values = self.module.new("qe_value", width * len(rows))
        done = self.module.new("int64_t")
        texts = self._fill(values, [value for row in rows for value in row])
        try:
            self.check(
                "qe_statement_run_many", statement, values, width, len(rows), done
            )
            return int(done[0])
        finally:
            self.module.end(values, done, *texts)

    def start(self, statement: Any, row: Sequence[object] = ()) -> None:
        """Start a statement with one row of parameters."""
        values = self.module.new("qe_value", max(len(row), 1))
        texts = self._fill(values, row)
        try:
            self.check("qe_statement_start", statement, values, len(row))
        finally:
            self.module.end(values, *texts)

    def _fill(self, values: Any, given: Sequence[object]) -> list[Any]:
        texts = []
        for index, value in enumerate(given):
            entry = values[index]
            entry.kind = _KINDS.get(type(value), 4)
            if isinstance(value, int):
                entry.int64 = value
            elif isinstance(value, float):
                entry.float64 = value
            elif isinstance(value, (str, bytes)):
                data = value.encode() if isinstance(value, str) else value
                texts.append(self.ffi.cast("char *", self._bytes(data)))
                entry.data, entry.size = texts[-1], len(data)
        return texts

    def _bytes(self, data: bytes) -> int:
        return self.module.machine.memory.cstring(data)

    def fetch(self, statement: Any, most: int) -> int:
        """Read the next rows into the batch; return how many there are."""
        count = self.module.new("int64_t")
        try:
            self.check("qe_statement_fetch", statement, most, count)
            return int(count[0])
        finally:
            self.module.end(count)

    def rows(self, connection: Any, sql: str) -> list[tuple[object, ...]]:
        """Return all rows of a query, read from the buffers of its Arrow stream."""
        stream = self.module.new("struct ArrowArrayStream")
        text = self.module.text(sql)
        try:
            size = len(sql.encode())
            made = self.made(
                "qe_statement *", "qe_statement_acquire", connection, text, size
            )
            try:
                self.start(made)
                self.fetch(made, 100)
                self.check("qe_statement_arrow", made, 0, stream)
            except BaseException:
                self.module.call("qe_statement_release", made)
                raise
            try:
                return arrow.read_stream(self.module, stream)
            finally:
                arrow.release(self.module, stream)
        finally:
            self.module.end(text, stream)
