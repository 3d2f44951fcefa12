"""What a statement leaves behind on its connection, and what it does to transactions.

All the statements of a text are looked at. What is written in it counts, and so does a
block of code (DO) whatever is in it; what a function or a procedure does inside is not
known here.
"""

from __future__ import annotations

from engineroom.statement.names import word_set

__all__ = ["changes_session", "controls_transaction"]

_TRANSACTION = word_set("abort begin commit end release rollback savepoint start")
_SESSION_POSTGRES = word_set(
    "deallocate discard do listen load prepare reset set unlisten"
)
_SESSION_SQLITE = word_set("attach detach")
# Of SQLite's pragmas that are given something, those that ask, work, or set what the
# file keeps. One that is given nothing only asks: https://sqlite.org/pragma.html
_PRAGMAS_OF_THE_FILE = word_set("""
    application_id auto_vacuum foreign_key_check foreign_key_list incremental_vacuum
    index_info index_list index_xinfo integrity_check optimize page_size quick_check
    schema_version table_info table_list table_xinfo user_version wal_checkpoint
""")
# What SET changes until the transaction ends.
_OF_TRANSACTION = word_set("constraints local transaction")
_TEMPORARY = word_set("pg_temp temp temporary")
_CALLS = word_set("""
    dblink_connect dblink_connect_u dblink_disconnect load_extension
    pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
    pg_advisory_unlock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    set_config setseed
""")


def changes_session(words: list[str], present: frozenset[str], backend: str) -> bool:
    """Say whether what comes next on the connection may notice that this was run.

    Args:
        words: the tokens of a text, in lower case.
        present: the same, each once.
        backend: `sqlite` or `postgres`.
    """
    if not _CALLS.isdisjoint(present):
        return True
    return any(_changes_session(one, backend) for one in _statements(words, present))


def _changes_session(words: list[str], backend: str) -> bool:
    word, second = words[0], "".join(words[1:2])
    if word in ("create", "explain", "select", "with"):
        is_temporary = not _TEMPORARY.isdisjoint(words)
        return is_temporary and ("create" in words or "into" in words)
    if backend == "sqlite":
        return word in _SESSION_SQLITE or (word == "pragma" and _sets(words))
    if word == "set":
        return second not in _OF_TRANSACTION
    if word == "prepare":
        return second != "transaction"
    if word == "declare":
        return ("with", "hold") in zip(words, words[1:])
    return word in _SESSION_POSTGRES


def _sets(words: list[str]) -> bool:
    """Whether a pragma sets something on its connection."""
    for place, word in enumerate(words):
        if word in ("=", "("):
            return words[place - 1] not in _PRAGMAS_OF_THE_FILE
    return False


def controls_transaction(words: list[str], present: frozenset[str]) -> bool:
    """Say whether a transaction begins, ends, or gets or loses a savepoint.

    Args:
        words: the tokens of a text, in lower case.
        present: the same, each once.
    """
    return any(_controls_transaction(one) for one in _statements(words, present))


def _controls_transaction(words: list[str]) -> bool:
    if words[0] in ("prepare", "set"):
        return words[1:2] == ["transaction"]
    return words[0] in _TRANSACTION


def _statements(words: list[str], present: frozenset[str]) -> list[list[str]]:
    """The statements of a text; one that has statements in it goes on to the end."""
    if ";" not in present:
        return [words] if words else []
    statements: list[list[str]] = [[]]
    for word in words:
        last = statements[-1]
        if word != ";" or (last[:1] == ["create"] and "begin" in last):
            last.append(word)
        else:
            statements.append([])
    return [one for one in statements if one]
