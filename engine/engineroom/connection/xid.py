"""Names of two-phase transactions, as PEP 249 has them and as PostgreSQL keeps them.

PostgreSQL gives a prepared transaction one name. The three parts are written into it as
psycopg2 and psycopg do, who have it from PostgreSQL's JDBC driver, so that each can
finish what another has begun: `42_Z3RyaWQ=_YnF1YWw=`. A name that has no such form
stands for itself.
"""

from __future__ import annotations

import base64
import binascii

from engineroom import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator
    from typing import Union

    Part = Union[int, str, None]

__all__ = ["Xid"]

_FORMAT_MAX = 0x7FFFFFFF
_PART_MAX = 64
# PostgreSQL's GIDSIZE, without the terminator.
_NAME_MAX = 199


class Xid:
    """The name of a two-phase transaction. `connection.xid()` makes one.

    Its three parts can also be had by place: `format_id, gtrid, bqual = xid`.

    Attributes:
        format_id: a number that says what the other two mean; None where the
            transaction's name was not made of three parts.
        gtrid: the global transaction's identifier, or that name.
        bqual: which branch of it this is; None likewise.
        prepared: when it was prepared, for one that `tpc_recover()` found.
        owner: who prepared it, likewise.
        database: in which database, likewise.
    """

    __slots__ = ("bqual", "database", "format_id", "gtrid", "owner", "prepared")

    def __init__(self, format_id: int | None, gtrid: str, bqual: str | None) -> None:
        self.format_id = format_id
        self.gtrid = gtrid
        self.bqual = bqual
        self.prepared: datetime.datetime | None = None
        self.owner: str | None = None
        self.database: str | None = None

    @classmethod
    def from_parts(cls, format_id: int, gtrid: str, bqual: str) -> Xid:
        """Return a name of three parts.

        Raises:
            Misuse: a part is too large, or holds what is not printable ASCII.
        """
        if not 0 <= format_id <= _FORMAT_MAX:
            raise errors.Misuse(
                f"The format of a transaction's name cannot be `{format_id}`",
                hint=f"take a number from 0 to {_FORMAT_MAX}",
            )
        for part in (gtrid, bqual):
            if len(part) > _PART_MAX or not (part.isascii() and part.isprintable()):
                raise errors.Misuse(
                    f"A part of a transaction's name cannot be `{part}`",
                    hint=f"take up to {_PART_MAX} printable ASCII characters",
                )
        return cls(format_id, gtrid, bqual)

    @classmethod
    def from_name(cls, name: str) -> Xid:
        """Return what PostgreSQL's name of a transaction means.

        Raises:
            Misuse: no transaction has such a name.
        """
        if not name or "\0" in name or len(name.encode()) > _NAME_MAX:
            raise errors.Misuse(
                f"A transaction cannot be named `{name[:_NAME_MAX]}`",
                hint=f"names have 1 to {_NAME_MAX} bytes",
            )
        read = cls._read(name)
        return read if read is not None else cls(None, name, None)

    @classmethod
    def _read(cls, name: str) -> Xid | None:
        parts = name.split("_")
        if len(parts) != 3 or not (parts[0].isascii() and parts[0].isdecimal()):
            return None
        try:
            gtrid, bqual = (
                base64.b64decode(part, validate=True).decode("ascii")
                for part in parts[1:]
            )
            read = cls.from_parts(int(parts[0]), gtrid, bqual)
        except (binascii.Error, UnicodeDecodeError, errors.Misuse):
            return None
        # One that would be written otherwise was not made of parts.
        return read if read.name == name else None

    @property
    def name(self) -> str:
        """PostgreSQL's name of it."""
        if self.format_id is None or self.bqual is None:
            return self.gtrid
        gtrid, bqual = (
            base64.b64encode(part.encode()).decode()
            for part in (self.gtrid, self.bqual)
        )
        return f"{self.format_id}_{gtrid}_{bqual}"

    def __getitem__(self, index: int) -> Part:
        return (self.format_id, self.gtrid, self.bqual)[index]

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[Part]:
        return iter((self.format_id, self.gtrid, self.bqual))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Xid) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Xid({self.format_id!r}, {self.gtrid!r}, {self.bqual!r})"
