"""What a build says while it works, and what a failed program leaves to read."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from native.build.errors import StepFailed
from native.build.programs import run_program
from native.build.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def report_at(times: list[float], live: io.StringIO) -> Report:
    ticks: Iterator[float] = iter(times)
    return Report(out=io.StringIO(), live=live, clock=lambda: next(ticks))


def test_steps_are_lines_with_the_name_in_front() -> None:
    out = io.StringIO()
    report = Report(out=out, live=io.StringIO())

    report.step("wheel", "made")
    report.line("done")

    assert out.getvalue() == "wheel      made\ndone\n"


def test_work_of_under_a_second_draws_nothing() -> None:
    live = Terminal()

    with report_at([0.0, 0.5, 0.9], live).progress("fetching") as advance:
        advance(1, 2)
        advance(2, 2)

    assert live.getvalue() == ""


def test_longer_work_is_drawn_on_a_terminal_and_wiped_at_the_end() -> None:
    live = Terminal()

    with report_at([0.0, 0.5, 1.5, 1.55, 2.0], live).progress("fetching") as advance:
        for done in (1, 2, 3, 4):
            advance(done, 4)

    assert live.getvalue() == (
        "\r\x1b[Kfetching   50 %  2 s\r\x1b[Kfetching  100 %  2 s\r\x1b[K"
    )


def test_an_unknown_total_is_drawn_as_an_amount() -> None:
    live = Terminal()

    with report_at([0.0, 3.0], live).progress("fetching") as advance:
        advance(12345, 0)

    assert "fetching  12,345  3 s" in live.getvalue()


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    live = io.StringIO()

    with report_at([0.0, 5.0], live).progress("fetching") as advance:
        advance(1, 2)

    assert live.getvalue() == ""


def test_a_program_gives_its_output() -> None:
    assert run_program("asking", [sys.executable, "-c", "print(6 * 7)"]) == "42\n"


def test_a_program_that_fails_is_told_with_step_command_code_and_words() -> None:
    code = "import sys; print('said'); sys.stderr.write('why'); sys.exit(3)"

    with pytest.raises(StepFailed) as caught:
        run_program("asking", [sys.executable, "-c", code])

    error = caught.value
    assert (error.code, error.step, error.exit_code) == ("ER6040", "asking", 3)
    assert error.output == "said\nwhy"
    assert error.command.startswith(sys.executable)
    assert f"to repeat it: {error.command}" in str(error)


def test_a_program_that_is_not_there_is_told_likewise() -> None:
    with pytest.raises(StepFailed) as caught:
        run_program("asking", ["/no/such/program", "x"])

    assert caught.value.exit_code == 127
    assert "No such file" in caught.value.output
