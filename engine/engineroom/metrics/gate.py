"""The gate: may a deploy go on, by what a client counted over a window?

Two snapshots and thresholds go in, findings come out; nothing is asked and nothing is
waited for here. Each rule is a function, and `RULES` is all of them in the order in
which they are shown. A rule that has nothing to judge says `unknown`, never `ok`.
"""

from __future__ import annotations

from engineroom.metrics.window import Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["RULES", "THRESHOLDS", "Finding", "Thresholds", "judge", "verdict_of"]

# Where each line is if nobody says otherwise, and what it is about.
THRESHOLDS: dict[str, tuple[float, str]] = {
    "health_failures": (0.01, "the share of health checks that may fail"),
    "retries": (0.05, "the share of calls that may be made again"),
    "timeouts": (0.02, "the share of calls that the deadline may end"),
    "warm_up_seconds": (5.0, "how long a warm-up may take"),
    "failing_queries": (
        0.05,
        "the share of calls that may fail by what health should see, while it passes",
    ),
    "unretried": (5, "failures that a retry may mend, before none is suspicious"),
    "disagreements": (
        0.001,
        "the share of health checks that a query nearby may contradict",
    ),
}

# What a check on the path of the queries cannot miss.
_OF_HEALTH = frozenset(
    (
        "not-connected", "unreachable", "capacity", "connect-timeout", "broken-reply",
        "timeout", "engine-fault",
    )
)  # fmt: skip
# What another attempt on another connection may mend. Words that also stand for what
# waits out the deadline, or needs the whole transaction again, are not among them.
_OF_RETRY = frozenset(("unreachable", "connect-timeout", "broken-reply", "stale-plan"))


class Thresholds:
    """Where each rule draws its line; see `THRESHOLDS`."""

    __slots__ = tuple(THRESHOLDS)

    if TYPE_CHECKING:
        health_failures: float
        retries: float
        timeouts: float
        warm_up_seconds: float
        failing_queries: float
        unretried: float
        disagreements: float

    def __init__(self, **given: float) -> None:
        for name, (default, _) in THRESHOLDS.items():
            setattr(self, name, given.pop(name, default))
        if given:
            raise TypeError(f"there are no thresholds {', '.join(given)}")


class Finding:
    """What a rule found.

    Attributes:
        word: the rule.
        state: `ok`, `problem`, or `unknown` where there was nothing to judge.
        measured: what was measured; None where there was nothing.
        threshold: where the line is.
        samples: of how many calls, checks or warm-ups that tells.
        sentence: the same in words.
        hint: what to do about a problem; empty where there is none.
    """

    __slots__ = (
        "hint", "measured", "samples", "sentence", "state", "threshold", "word",
    )  # fmt: skip

    def __init__(
        self,
        word: str,
        state: str,
        measured: float | None,
        threshold: float,
        samples: float,
        sentence: str,
        hint: str,
    ) -> None:
        self.word = word
        self.state = state
        self.measured = measured
        self.threshold = threshold
        self.samples = samples
        self.sentence = sentence
        self.hint = hint if state == "problem" else ""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def judge(
    begin: dict[str, Any], end: dict[str, Any], thresholds: Thresholds | None = None
) -> list[Finding]:
    """Return what every rule finds of the time between two snapshots."""
    window = Window(begin, end)
    thresholds = Thresholds() if thresholds is None else thresholds
    return [rule(window, thresholds) for rule in RULES]


def verdict_of(findings: list[Finding]) -> str:
    """Return `problem` if one is, `unknown` if nothing could be judged, or `ok`."""
    states = {finding.state for finding in findings}
    return next((state for state in ("problem", "ok") if state in states), "unknown")


def _health_failures(window: Window, thresholds: Thresholds) -> Finding:
    checks = window.counts("health_checks")
    return _share(
        "health-failures",
        (checks.get("fail", 0), "failed"),
        (sum(checks.values()), "health checks"),
        thresholds.health_failures,
        "see `query_errors` for the fault, and the database's log for the reason",
    )


def _retries(window: Window, thresholds: Thresholds) -> Finding:
    faults = window.counts("retries")
    return _share(
        "retries",
        (sum(faults.values()), "were made again"),
        (window.count("queries"), "calls"),
        thresholds.retries,
        f"the fault was mostly `{_most(faults)}`: look for what breaks connections,"
        " such as a proxy whose idle limit is below `idle_seconds`",
    )


def _timeouts(window: Window, thresholds: Thresholds) -> Finding:
    phases = window.counts("timeouts")
    return _share(
        "timeouts",
        (sum(phases.values()), "ran into the deadline"),
        (window.count("queries"), "calls"),
        thresholds.timeouts,
        f"mostly while `{_most(phases)}`: a bigger pool helps who waits, and a better"
        " plan or a longer `deadline_seconds` who queries",
    )


def _disagreements(window: Window, thresholds: Thresholds) -> Finding:
    return _share(
        "disagreements",
        (window.count("health_disagreements"), "were contradicted by a query nearby"),
        (window.count("health_checks"), "health checks"),
        thresholds.disagreements,
        "a fault comes and goes faster than health is asked, or health is answered"
        " from a cache for too long: lower `health_cache_seconds`",
    )


def _most(counts: dict[str, float]) -> str:
    return max(counts, key=counts.__getitem__, default="")


def _share(
    word: str,
    part: tuple[float, str],
    whole: tuple[float, str],
    threshold: float,
    hint: str,
) -> Finding:
    """Judge a share: how many of how many, each with what it is in words."""
    count, what = part
    samples, noun = whole
    if not samples:
        sentence = f"There were no {noun} within the window"
        return Finding(word, "unknown", None, threshold, 0, sentence, hint)
    share = count / samples
    sentence = (
        f"{count:.0f} of {samples:.0f} {noun} {what}:"
        f" {_percent(share)}, with the line at {_percent(threshold)}"
    )
    if samples * threshold < 1:
        sentence += "; so few that a single one is over it"
    state = "problem" if count and share >= threshold else "ok"
    return Finding(word, state, share, threshold, samples, sentence, hint)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _slow_warm_up(window: Window, thresholds: Thresholds) -> Finding:
    """Judge the warm-ups of the window, or where it saw none, those before.

    A gate is mostly asked when the warm-up of what was deployed is over.
    """
    limit = thresholds.warm_up_seconds
    histogram = window.histogram("warm_up_seconds")
    if not histogram["count"]:
        histogram = window.end["histograms"]["warm_up_seconds"]
    count = histogram["count"]
    hint = "see which of connecting and the statements of `hot` takes the time"
    if not count:
        sentence = "No warm-up has ended yet"
        return Finding("slow-warm-up", "unknown", None, limit, 0, sentence, hint)
    # Durations are known by their bucket: only one that began at the limit or above
    # is surely over it.
    buckets = histogram["buckets"]
    edge = next((edge for edge, _ in buckets if edge >= limit), buckets[-1][0])
    over = count - next(within for at, within in buckets if at == edge)
    sentence = f"{over:.0f} of {count:.0f} warm-ups took longer than {edge:g} s"
    state = "problem" if over else "ok"
    return Finding("slow-warm-up", state, over, limit, count, sentence, hint)


def _endless_warm_up(window: Window, thresholds: Thresholds) -> Finding:
    word, limit = "endless-warm-up", thresholds.warm_up_seconds
    before = window.begin["gauges"].get("warming_for_seconds")
    now = window.end["gauges"].get("warming_for_seconds")
    hint = "see why it cannot connect: `engineroom doctor URL` tries the same"
    if before is None or now is None:
        sentence = "The client does not tell how long it has been warming"
        return Finding(word, "unknown", None, limit, 0, sentence, hint)
    # It was so at both ends, and has lasted since the first: never ready in between.
    is_endless = before > 0 and now >= max(limit, window.seconds)
    if is_endless:
        sentence = f"The client has been warming for {now:.1f} s, and all the window"
    elif now:
        sentence = f"The client is warming, for {now:.1f} s by now"
    else:
        sentence = "The client is not warming"
    state = "problem" if is_endless else "ok"
    return Finding(word, state, now, limit, 1, sentence, hint)


def _blind_health(window: Window, thresholds: Thresholds) -> Finding:
    word, limit = "blind-health", thresholds.failing_queries
    hint = "have health asked of the client that the queries use: `client.health()`"
    checks, calls = window.counts("health_checks"), window.count("queries")
    asked = sum(checks.values())
    if not asked or not calls:
        sentence = "There were not both health checks and calls within the window"
        return Finding(word, "unknown", None, limit, 0, sentence, hint)
    errors = window.counts("query_errors")
    failed = sum(count for fault, count in errors.items() if fault in _OF_HEALTH)
    share = failed / calls
    passes = 1 - checks.get("fail", 0) / asked
    is_blind = passes > 1 - thresholds.health_failures and failed and share >= limit
    sentence = (
        f"Health passed {_percent(passes)} of {asked:.0f} times, while"
        f" {_percent(share)} of {calls:.0f} calls failed by what it should see"
    )
    state = "problem" if is_blind else "ok"
    return Finding(word, state, share, limit, calls, sentence, hint)


def _dead_retry(window: Window, thresholds: Thresholds) -> Finding:
    word, limit = "dead-retry", thresholds.unretried
    errors = window.counts("query_errors")
    failed = sum(count for fault, count in errors.items() if fault in _OF_RETRY)
    retried = window.count("retries")
    hint = (
        "see that `attempts` is above 1; writes are made again only with"
        " `idempotent=True`, and nothing is within a transaction"
    )
    if not failed and not retried:
        sentence = "Nothing failed within the window that another attempt may mend"
        return Finding(word, "unknown", None, limit, 0, sentence, hint)
    sentence = (
        f"{failed:.0f} calls failed by what another attempt may mend, and"
        f" {retried:.0f} attempts were made for such"
    )
    state = "problem" if failed >= limit and not retried else "ok"
    return Finding(word, state, failed, limit, failed, sentence, hint)


RULES = (
    _health_failures,
    _retries,
    _timeouts,
    _slow_warm_up,
    _endless_warm_up,
    _blind_health,
    _dead_retry,
    _disagreements,
)
