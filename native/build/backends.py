"""What belongs to each backend.

An engine holds one backend. Files of native/src whose names begin with a backend's
prefix are its own, all others are shared by every engine; so adding a backend means
adding files and a row here, and changes nothing in the engines of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from native.build.errors import BackendUnknown
from native.build.postgres_options import (
    POSTGRES_FILE_DEFINES,
    POSTGRES_FILES,
    POSTGRES_FOLDERS,
    POSTGRES_LIBC_FILES,
    postgres_defines,
)
from native.build.sqlite_options import sqlite_defines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Callable

__all__ = ["BACKENDS", "Backend", "find_backend"]


def _no_defines(os_name: str) -> tuple[str, ...]:
    del os_name
    return ()


@dataclass(frozen=True)
class Backend:
    """One backend.

    Attributes:
        name: what it is called, in engine names and manifests too.
        prefix: how the names of its C files begin.
        source: the pinned source it is compiled with.
        source_files: which of that source's files are compiled.
        source_defines: macros for those, by operating system.
        file_defines: macros for single ones of them.
        source_folders: where its headers are, for those and for the backend's own
            files; if empty all are beside each other.
        libc_files: which files are compiled besides, by libc.
        speaks_tls: whether it needs OpenSSL.
    """

    name: str
    prefix: str
    source: str
    source_files: tuple[str, ...]
    source_defines: Callable[[str], tuple[str, ...]] = field(default=_no_defines)
    file_defines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source_folders: tuple[str, ...] = ()
    libc_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    speaks_tls: bool = False

    @property
    def module(self) -> str:
        """The name its engine is imported by."""
        return f"_qe_{self.name}"

    @property
    def file_name(self) -> str:
        """The name of its engine's file, on every target."""
        return f"{self.module}.abi3.so"

    @property
    def headers(self) -> tuple[str, ...]:
        """Where its source's headers are, by their roots."""
        return self.source_folders or (f"{{{self.source}}}",)

    @property
    def folders(self) -> tuple[str, ...]:
        """Where all headers are that it includes, OpenSSL's too."""
        return (*self.headers, *(("{openssl}/include",) if self.speaks_tls else ()))

    def files_for(self, libc: str) -> tuple[str, ...]:
        """Return which files of its source are compiled where this is the libc."""
        return (*self.source_files, *self.libc_files.get(libc, ()))

    def own_files(
        self, names: Iterable[str], backends: Iterable[Backend] | None = None
    ) -> tuple[str, ...]:
        """Return, sorted, those C files of native/src that go into its engine.

        Args:
            names: the names of all files there.
            backends: the backends that have files there; `BACKENDS` if None.
        """
        known = BACKENDS.values() if backends is None else backends
        others = tuple(b.prefix for b in known if b.name != self.name)
        return tuple(
            name
            for name in sorted(names)
            if name.endswith(".c") and not (others and name.startswith(others))
        )


BACKENDS = {
    "sqlite": Backend(
        name="sqlite",
        prefix="qe_sqlite",
        source="sqlite",
        source_files=("sqlite3.c",),
        source_defines=sqlite_defines,
    ),
    "postgres": Backend(
        name="postgres",
        prefix="qe_postgres",
        source="postgresql",
        source_files=POSTGRES_FILES,
        source_defines=postgres_defines,
        file_defines=POSTGRES_FILE_DEFINES,
        source_folders=POSTGRES_FOLDERS,
        libc_files=POSTGRES_LIBC_FILES,
        speaks_tls=True,
    ),
}


def find_backend(name: str) -> Backend:
    """Return a backend by its name.

    Raises:
        BackendUnknown: there is none.
    """
    try:
        return BACKENDS[name]
    except KeyError:
        raise BackendUnknown(name, tuple(BACKENDS)) from None
