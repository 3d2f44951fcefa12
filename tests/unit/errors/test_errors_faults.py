"""What each error says of itself: a word, and what can be done about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engineroom import errors
from engineroom.errors.faults import FAULTS, ROWS, fault_of

ROOT = Path(__file__).parents[3]
KINDS = [
    kind
    for kind in (getattr(errors, name) for name in dir(errors))
    if isinstance(kind, type) and issubclass(kind, errors.Error)
]
RUNNING = [
    kind for kind in KINDS if kind.code.startswith("ER2") and kind is not errors.Error
] + [errors.LoadError]
# PEP 249's, which are so wide that what is below them has to be decided by itself.
WIDE = (
    errors.DatabaseError,
    errors.InterfaceError,
    errors.OperationalError,
    errors.ProgrammingError,
)


def answers(kind):
    row = fault_of(kind)
    return row.word, row.is_retryable, row.is_poison


@pytest.mark.parametrize("kind", RUNNING, ids=lambda kind: kind.__name__)
def test_every_error_of_connections_and_queries_has_a_word(kind):
    row = fault_of(kind)
    assert row.word in FAULTS
    assert row.word
    if kind not in WIDE:
        wide = {name.__name__ for name in WIDE}
        assert not wide & set(row.names), "nobody has decided about this class"


@pytest.mark.parametrize(
    "kind",
    [kind for kind in RUNNING if len(kind.__bases__) > 1],
    ids=lambda kind: kind.__name__,
)
def test_what_has_two_bases_that_disagree_is_decided_by_itself(kind):
    ours = [base for base in kind.__bases__ if issubclass(base, errors.Error)]
    if len({answers(base) for base in ours}) > 1:
        assert kind.__name__ in fault_of(kind).names


def test_each_class_stands_in_one_row_and_is_there():
    named = [name for row in ROWS for name in row.names]
    assert len(set(named)) == len(named)
    assert set(named) <= {kind.__name__ for kind in KINDS}
    assert {row.word for row in ROWS} == set(FAULTS) - {""}


@pytest.mark.parametrize(
    ("error", "word", "retryable", "poisons"),
    [
        (errors.ConnectFailed("x"), "unreachable", True, False),
        (errors.InvalidPassword("x"), "access", False, False),
        (errors.TlsFailed("x"), "unreachable", False, False),
        (errors.TooManyConnections("x"), "capacity", True, False),
        (errors.CannotConnectNow("x"), "unreachable", True, False),
        (errors.ConnectTimedOut("x"), "connect-timeout", True, False),
        (errors.ConnectionLost("x"), "broken-reply", True, True),
        (errors.AdminShutdown("x"), "broken-reply", True, True),
        (errors.ProtocolViolation("x"), "broken-reply", True, True),
        (errors.TimedOut("x"), "timeout", True, False),
        (errors.IdleInTransactionTimeout("x"), "timeout", False, True),
        (errors.QueryCanceled("x"), "interrupted", False, False),
        (errors.LockNotAvailable("x"), "lock-timeout", True, False),
        (errors.DatabaseLocked("x"), "lock-timeout", True, False),
        (errors.SerializationFailure("x"), "serialisation", True, False),
        (errors.DeadlockDetected("x"), "serialisation", True, False),
        (errors.TransactionRolledBack("x"), "transaction", False, False),
        (errors.ReadOnlyTransaction("x"), "read-only", True, False),
        (errors.ReadOnly("x"), "read-only", False, False),
        (errors.StalePlan("x"), "stale-plan", True, False),
        (errors.InvalidStatementName("x"), "stale-plan", True, False),
        (errors.UniqueViolation("x"), "data-refused", False, False),
        (errors.InFailedTransaction("x"), "transaction", False, False),
        (errors.DiskFull("x"), "capacity", False, False),
        (errors.ServerIoFailed("x"), "engine-fault", False, False),
        (errors.DataCorrupted("x"), "engine-fault", False, False),
        (errors.UndefinedTable("x"), "statement", False, False),
        (errors.InsufficientPrivilege("x"), "access", False, False),
        (errors.ConnectionClosed("x"), "not-connected", False, True),
        (errors.UsedAfterFork("x"), "statement", False, True),
        (errors.DeadlineExceeded(1.0, spent={}, doing="x"), "timeout", False, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_is_decided(error, word, retryable, poisons):
    assert error.fault == word
    assert error.retryable is retryable
    assert error.poisons_connection is poisons
    assert error.sent_to_server is False


@pytest.mark.parametrize("severity", ["FATAL", "PANIC"])
def test_a_server_that_goes_takes_the_connection_with_it_whatever_its_reason(severity):
    # A standby ends sessions that are in the way of its recovery by 40001.
    error = errors.SerializationFailure("terminating connection due to conflict")
    assert not error.poisons_connection
    error.severity = severity
    assert error.poisons_connection
    assert error.fault == "serialisation"


def test_a_server_that_tells_of_another_servers_loss_goes_on_itself():
    error = errors.ConnectionLost("could not receive data from foreign server")
    error.severity = "ERROR"
    assert not error.poisons_connection


@pytest.mark.parametrize(
    ("late", "poisons"),
    [
        (errors.TimedOut("x"), True),
        (errors.DeadlineExceeded(1.0, spent={}, doing="querying"), True),
        (errors.ConnectTimedOut("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_time_that_is_up_spends_the_connection_whose_answer_may_still_come(
    late, poisons
):
    assert not late.poisons_connection
    late.was_sent = True
    assert late.poisons_connection is poisons


def test_what_was_sent_is_told_by_the_error_itself():
    error = errors.ConnectionLost("x")
    assert not error.sent_to_server
    error.was_sent = True
    assert error.sent_to_server
    assert not errors.ConnectionClosed("x").sent_to_server


def test_a_class_that_somebody_derives_is_decided_as_ours():
    class Mine(errors.UniqueViolation):
        pass

    assert Mine("x").fault == "data-refused"


def test_an_error_of_the_store_has_no_word():
    error = errors.StoreError("x")
    assert (error.fault, error.retryable, error.poisons_connection) == (
        "",
        False,
        False,
    )
    assert not error.sent_to_server


def test_every_word_is_explained_and_no_other():
    page = (ROOT / "docs" / "concepts" / "errors.md").read_text("utf-8")
    told = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert told == [word for word in FAULTS if word]


def test_nothing_is_decided_before_somebody_asks():
    code = (
        "import sys; import engineroom.core.failure; from engineroom import errors\n"
        "error = errors.SqlError('x'); str(error)\n"
        "assert 'engineroom.errors.faults' not in sys.modules\n"
        "assert error.fault == 'statement'\n"
        "assert 'engineroom.errors.faults' in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "engine")},
        timeout=60,
    )
