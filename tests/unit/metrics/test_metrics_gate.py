"""Each rule of the gate passes what is well, finds what is not, and says when it
cannot tell. The snapshots are made by `Metrics`, as those of a client are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from engineroom.metrics import Metrics
from engineroom.metrics.gate import (
    RULES,
    THRESHOLDS,
    Finding,
    Thresholds,
    judge,
    verdict_of,
)
from tests.unit.metrics.conftest import Text

if TYPE_CHECKING:
    from collections.abc import Callable

SELECT = Text("select ?")
SECONDS = 30.0


def over(
    before: Callable[[Metrics], None] | None, within: Callable[[Metrics], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the snapshots at both ends of a window of half a minute."""
    metrics = Metrics()
    if before is not None:
        before(metrics)
    begin = metrics.snapshot()
    within(metrics)
    end = metrics.snapshot()
    end["time"] = begin["time"] + SECONDS
    return begin, end


def calls(metrics: Metrics, well: int, **failed: int) -> None:
    stats = metrics.shapes.stats(SELECT)
    for _ in range(well):
        stats.add(0.001, 1)
    for fault, count in failed.items():
        for _ in range(count):
            stats.add_error(fault.replace("_", "-"), 0.5)


def health(metrics: Metrics, passed: int, failed: int = 0) -> None:
    metrics.count("health_checks", passed, result="pass")
    metrics.count("health_checks", failed, result="fail")


def retry(metrics: Metrics, well: int, again: int, **failed: int) -> None:
    calls(metrics, well, **failed)
    metrics.count("retries", again, fault="broken-reply")


def time_out(metrics: Metrics, well: int, ended: int) -> None:
    calls(metrics, well - ended, timeout=ended)
    metrics.count("timeouts", ended, phase="waiting")


def disagree(metrics: Metrics, checks: int, times: int) -> None:
    health(metrics, checks)
    metrics.count("health_disagreements", times, kind="health passed, query failed")


def warm(metrics: Metrics, *seconds: float) -> None:
    for one in seconds:
        metrics.observe("warm_up_seconds", one)


def warming(metrics: Metrics, seconds: float) -> None:
    metrics.gauge("warming_for_seconds", lambda: seconds)


def fail_blindly(metrics: Metrics, failed: int, checks_failed: int = 0) -> None:
    calls(metrics, 100 - failed, unreachable=failed)
    health(metrics, 200, checks_failed)


def fail_of_itself(metrics: Metrics, failed: int) -> None:
    calls(metrics, 10 - failed, statement=failed)
    health(metrics, 10)


class Case(NamedTuple):
    word: str
    within: Callable[[Metrics], None]
    state: str
    measured: float | None
    sentence: str
    before: Callable[[Metrics], None] | None = None


CASES = [
    Case(
        "health-failures", lambda m: health(m, 199, 1), "ok", 0.005,
        "1 of 200 health checks failed: 0.5 %, with the line at 1 %",
    ),
    Case(
        "health-failures", lambda m: health(m, 198, 2), "problem", 0.01,
        "2 of 200 health checks failed: 1 %, with the line at 1 %",
    ),
    Case(
        "health-failures", lambda m: health(m, 11, 1), "problem", 1 / 12,
        "1 of 12 health checks failed: 8.33 %, with the line at 1 %;"
        " so few that a single one is over it",
    ),
    Case(
        "health-failures", lambda m: health(m, 12), "ok", 0.0,
        "0 of 12 health checks failed: 0 %, with the line at 1 %;"
        " so few that a single one is over it",
    ),
    Case(
        "health-failures", lambda m: calls(m, 5), "unknown", None,
        "There were no health checks within the window",
    ),
    Case(
        "health-failures", lambda m: health(m, 100), "ok", 0.0,
        "0 of 100 health checks failed: 0 %, with the line at 1 %",
        before=lambda m: health(m, 0, 500),
    ),
    Case(
        "retries", lambda m: retry(m, 100, 4), "ok", 0.04,
        "4 of 100 calls were made again: 4 %, with the line at 5 %",
    ),
    Case(
        "retries", lambda m: retry(m, 100, 5), "problem", 0.05,
        "5 of 100 calls were made again: 5 %, with the line at 5 %",
    ),
    Case(
        "retries", lambda m: health(m, 5), "unknown", None,
        "There were no calls within the window",
    ),
    Case(
        "timeouts", lambda m: time_out(m, 1_000, 19), "ok", 0.019,
        "19 of 1000 calls ran into the deadline: 1.9 %, with the line at 2 %",
    ),
    Case(
        "timeouts", lambda m: time_out(m, 1_000, 20), "problem", 0.02,
        "20 of 1000 calls ran into the deadline: 2 %, with the line at 2 %",
    ),
    Case(
        "timeouts", lambda m: health(m, 5), "unknown", None,
        "There were no calls within the window",
    ),
    Case(
        "slow-warm-up", lambda m: warm(m, 0.1, 5.0), "ok", 0,
        "0 of 2 warm-ups took longer than 5 s",
    ),
    Case(
        "slow-warm-up", lambda m: warm(m, 0.1, 5.1), "problem", 1,
        "1 of 2 warm-ups took longer than 5 s",
    ),
    Case(
        "slow-warm-up", lambda m: warm(m, 0.1), "ok", 0,
        "0 of 1 warm-ups took longer than 5 s", before=lambda m: warm(m, 9.0),
    ),
    Case(
        "slow-warm-up", lambda m: calls(m, 1), "problem", 1,
        "1 of 1 warm-ups took longer than 5 s", before=lambda m: warm(m, 9.0),
    ),
    Case(
        "slow-warm-up", lambda m: calls(m, 1), "unknown", None,
        "No warm-up has ended yet",
    ),
    Case(
        "endless-warm-up", lambda m: warming(m, 0.0), "ok", 0.0,
        "The client is not warming", before=lambda m: warming(m, 0.0),
    ),
    Case(
        "endless-warm-up", lambda m: warming(m, 2.0), "ok", 2.0,
        "The client is warming, for 2.0 s by now", before=lambda m: warming(m, 1.0),
    ),
    Case(
        "endless-warm-up", lambda m: warming(m, 31.0), "problem", 31.0,
        "The client has been warming for 31.0 s, and all the window",
        before=lambda m: warming(m, 1.0),
    ),
    Case(
        "endless-warm-up", lambda m: warming(m, 31.0), "unknown", None,
        "The client does not tell how long it has been warming",
    ),
    Case(
        "blind-health", lambda m: fail_blindly(m, 4), "ok", 0.04,
        "Health passed 100 % of 200 times, while 4 % of 100 calls failed by what it"
        " should see",
    ),
    Case(
        "blind-health", lambda m: fail_blindly(m, 5), "problem", 0.05,
        "Health passed 100 % of 200 times, while 5 % of 100 calls failed by what it"
        " should see",
    ),
    Case(
        "blind-health", lambda m: fail_blindly(m, 50, 100), "ok", 0.5,
        "Health passed 66.7 % of 300 times, while 50 % of 100 calls failed by what it"
        " should see",
    ),
    Case(
        "blind-health",
        lambda m: fail_of_itself(m, 5),
        "ok", 0.0,
        "Health passed 100 % of 10 times, while 0 % of 10 calls failed by what it"
        " should see",
    ),
    Case(
        "blind-health", lambda m: calls(m, 5), "unknown", None,
        "There were not both health checks and calls within the window",
    ),
    Case(
        "dead-retry", lambda m: calls(m, 5, broken_reply=3, stale_plan=2), "problem",
        5,
        "5 calls failed by what another attempt may mend, and 0 attempts were made"
        " for such",
    ),
    Case(
        "dead-retry", lambda m: calls(m, 5, unreachable=4, statement=50), "ok", 4,
        "4 calls failed by what another attempt may mend, and 0 attempts were made"
        " for such",
    ),
    Case(
        "dead-retry",
        lambda m: retry(m, 5, 2, unreachable=9),
        "ok", 9,
        "9 calls failed by what another attempt may mend, and 2 attempts were made"
        " for such",
    ),
    Case(
        "dead-retry", lambda m: calls(m, 5, statement=50), "unknown", None,
        "Nothing failed within the window that another attempt may mend",
    ),
    Case(
        "disagreements", lambda m: disagree(m, 2_000, 1), "ok", 0.0005,
        "1 of 2000 health checks were contradicted by a query nearby: 0.05 %, with"
        " the line at 0.1 %",
    ),
    Case(
        "disagreements", lambda m: disagree(m, 2_000, 2), "problem", 0.001,
        "2 of 2000 health checks were contradicted by a query nearby: 0.1 %, with"
        " the line at 0.1 %",
    ),
    Case(
        "disagreements", lambda m: calls(m, 5), "unknown", None,
        "There were no health checks within the window",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.word}: {case.sentence}"
)
def test_a_rule_finds_what_there_is(case: Case) -> None:
    begin, end = over(case.before, case.within)
    (finding,) = [one for one in judge(begin, end) if one.word == case.word]
    assert finding.sentence == case.sentence
    assert finding.state == case.state
    assert finding.measured == pytest.approx(case.measured)
    assert bool(finding.hint) == (case.state == "problem")


def test_every_rule_is_tried_in_every_state() -> None:
    tried = {(case.word, case.state) for case in CASES}
    words = {finding.word for finding in judge(*over(None, lambda _: None))}
    assert len(words) == len(RULES)
    assert tried == {(w, s) for w in words for s in ("ok", "problem", "unknown")}


@pytest.mark.parametrize(
    ("name", "value", "within", "word"),
    [
        ("health_failures", 0.001, lambda m: health(m, 199, 1), "health-failures"),
        ("retries", 0.01, lambda m: retry(m, 100, 4), "retries"),
        ("timeouts", 0.001, lambda m: time_out(m, 1_000, 19), "timeouts"),
        ("warm_up_seconds", 2.5, lambda m: warm(m, 5.0), "slow-warm-up"),
        ("failing_queries", 0.01, lambda m: fail_blindly(m, 4), "blind-health"),
        ("unretried", 2, lambda m: calls(m, 1, unreachable=4), "dead-retry"),
        ("disagreements", 0.0001, lambda m: disagree(m, 2_000, 1), "disagreements"),
    ],
)
def test_each_threshold_moves_the_line(
    name: str, value: float, within: Callable[[Metrics], None], word: str
) -> None:
    begin, end = over(None, within)

    def state(thresholds: Thresholds) -> str:
        found = judge(begin, end, thresholds)
        return next(one.state for one in found if one.word == word)

    assert state(Thresholds()) == "ok"
    assert state(Thresholds(**{name: value})) == "problem"
    assert name in THRESHOLDS


def test_a_threshold_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="latency"):
        Thresholds(latency=1.0)


def test_a_warm_up_is_judged_by_the_bucket_at_or_above_the_threshold() -> None:
    begin, end = over(None, lambda m: warm(m, 4.9, 5.1))
    (found,) = [
        one
        for one in judge(begin, end, Thresholds(warm_up_seconds=3))
        if one.word == "slow-warm-up"
    ]
    assert found.sentence == "1 of 2 warm-ups took longer than 5 s"
    (found,) = [
        one
        for one in judge(begin, end, Thresholds(warm_up_seconds=1_000))
        if one.word == "slow-warm-up"
    ]
    assert found.state == "ok"


def test_a_client_that_was_started_anew_is_judged_by_all_it_counted() -> None:
    before = Metrics()
    calls(before, 1_000)
    health(before, 1_000)
    after = Metrics()
    health(after, 8, 2)
    findings = judge(before.snapshot(), after.snapshot())
    assert findings[0].measured == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["ok", "problem", "unknown"], "problem"),
        (["ok", "unknown"], "ok"),
        (["unknown", "unknown"], "unknown"),
    ],
)
def test_the_verdict_is_the_worst_that_is_known(
    states: list[str], verdict: str
) -> None:
    findings = [Finding("x", state, 0, 0, 0, "", "") for state in states]
    assert verdict_of(findings) == verdict


def test_a_finding_is_plain_data() -> None:
    begin, end = over(None, lambda m: health(m, 0, 4))
    assert judge(begin, end)[0].as_dict() == {
        "hint": "see `query_errors` for the fault, and the database's log for the"
        " reason",
        "measured": 1.0,
        "samples": 4,
        "sentence": "4 of 4 health checks failed: 100 %, with the line at 1 %;"
        " so few that a single one is over it",
        "state": "problem",
        "threshold": 0.01,
        "word": "health-failures",
    }
