"""The answer to all questions about a text of SQL at once."""

from __future__ import annotations

from hashlib import blake2b

from engineroom.statement.effects import changes_session, controls_transaction
from engineroom.statement.lexer import split
from engineroom.statement.reading import is_certain_read
from engineroom.statement.shape import make_shape

__all__ = ["Statement", "recognise"]


class Statement:
    """What a text of SQL is.

    Attributes:
        shape: the text without its values, in one way of writing.
        fingerprint: 16 hex digits that stand for the shape, in every run the same.
        word: the first word, in lower case; empty if there is none.
        is_read: whether it is certain that nothing is changed.
        changes_session: whether something may be left behind on the connection.
        controls_transaction: whether it begins or ends a transaction or a savepoint.
    """

    __slots__ = (
        "changes_session",
        "controls_transaction",
        "fingerprint",
        "is_read",
        "shape",
        "word",
    )

    def __init__(self, sql: str, backend: str) -> None:
        tokens, is_whole = split(sql, backend)
        if sql.isascii():
            words = [*map(str.lower, tokens)]
        else:
            # A name with other letters is no keyword, but may be one in lower case.
            words = [one.lower() if one.isascii() else one for one in tokens]
        present = frozenset(words)
        first = next((one for one in words if one not in "(;"), "")
        shape = make_shape(tokens, words)
        self.shape = shape
        data = shape.encode("utf-8", "surrogatepass")
        self.fingerprint = blake2b(data, digest_size=8).hexdigest()
        self.word = first if first.isidentifier() else ""
        self.is_read = is_whole and is_certain_read(words, present, backend)
        self.changes_session = changes_session(words, present, backend)
        self.controls_transaction = controls_transaction(words, present)

    def __repr__(self) -> str:
        return f"<Statement {self.fingerprint} {self.shape!r}>"


def recognise(sql: str, backend: str) -> Statement:
    """Tell what a text of SQL is; any text will do.

    Args:
        sql: the text.
        backend: the database it is for: `sqlite` or `postgres`.
    """
    return Statement(sql, backend)
