"""The slow-query log says what was slow and where it was called, and no secrets."""

from __future__ import annotations

import inspect
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import engineroom
from engineroom.metrics import Metrics, SlowLog
from tests.unit.metrics.conftest import Text

if TYPE_CHECKING:
    import pytest

SELECT = Text("select name from users where password = ?")


class AsJson(logging.Formatter):
    """What formatters for log collectors do: every attribute that is not logging's."""

    standard = frozenset({*vars(logging.makeLogRecord({})), "message"})

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                key: value
                for key, value in vars(record).items()
                if key not in self.standard
            }
        )


def test_a_slow_call_is_logged_with_the_line_that_made_it(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    log = SlowLog(0.25, metrics)
    here = inspect.currentframe()
    assert here is not None
    assert log.note(SELECT, 0.5, rows=3, attempts=2)
    line = here.f_lineno - 1
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("engineroom", "WARNING")
    assert record.getMessage() == (
        f"slow query: 0.500 s, 3 rows, attempts: 2, at {__file__}:{line}: "
        "select name from users where password = ?"
    )
    assert json.loads(AsJson().format(record)) == {
        "shape": SELECT.shape,
        "fingerprint": SELECT.fingerprint,
        "seconds": 0.5,
        "rows": 3,
        "attempts": 2,
        "caller_file": __file__,
        "caller_line": line,
    }
    assert metrics.snapshot()["counters"]["slow_queries"] == 1


def test_a_quick_call_is_not_logged(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    assert not SlowLog(0.25, metrics).note(SELECT, 0.249)
    assert caplog.records == []
    assert metrics.snapshot()["counters"]["slow_queries"] == 0


def test_the_threshold_itself_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    assert SlowLog(0.25).note(SELECT, 0.25)
    assert len(caplog.records) == 1


def test_a_name_in_quotes_forges_no_line(caplog: pytest.LogCaptureFixture) -> None:
    SlowLog(0.0).note(Text('select "a\nERROR root: all is lost\x1b[2J"'), 1.0)
    (record,) = caplog.records
    assert record.getMessage().isprintable()


def test_frames_of_the_package_and_of_contextlib_are_not_the_caller(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inside = {"log": SlowLog(0.0), "statement": SELECT}
    program = (
        "from contextlib import contextmanager\n"
        "@contextmanager\n"
        "def lease():\n"
        "    yield\n"
        "    log.note(statement, 1.0)\n"
    )
    of_the_package = os.path.join(os.path.dirname(engineroom.__file__), "pool", "x.py")
    exec(compile(program, of_the_package, "exec"), inside)
    with inside["lease"]():
        pass
    (record,) = caplog.records
    assert record.caller_file == __file__


def test_logging_is_imported_by_those_alone_who_log() -> None:
    program = (
        "import sys, engineroom.metrics\n"
        "print(sorted({'logging', 'json', 're', 'typing'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": str(Path(engineroom.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
