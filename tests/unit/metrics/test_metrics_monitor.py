"""`engineroom monitor` as a program, against a real server of real snapshots."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from engineroom.cli.main import EXIT_CODES
from engineroom.cli.monitor import EXIT_GATE
from engineroom.cli.monitor_sources import SIZE_MAX, Endpoint, is_endpoint
from engineroom.cli.monitor_view import describe, summary
from engineroom.errors import MetricsNotUnderstood, MetricsUnreachable
from engineroom.metrics import Metrics
from engineroom.metrics.gate import THRESHOLDS
from engineroom.metrics.reading import read_snapshot
from engineroom.metrics.window import Window
from tests.unit.metrics.conftest import Text
from tests.unit.metrics.served import Answer, Service, command, environment, monitor
from tests.unit.metrics.terminal import Terminal
from tests.unit.metrics.test_metrics_exposition import GOOD, json_values

if TYPE_CHECKING:
    from collections.abc import Iterator

SELECT = Text("select name, price from product where id = ?")
LONG = Text("select a_column from a_table where " + " or ".join(["b = ?"] * 30))


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def busy(service: Service) -> Service:
    """A service that has served 100 calls, of which two failed."""
    assert service.metrics is not None
    stats = service.metrics.shapes.stats(SELECT)
    for _ in range(98):
        stats.add(0.002, 1)
    stats.add_error("broken-reply", 0.5)
    stats.add_error("broken-reply", 0.5)
    service.metrics.shapes.stats(LONG).add(0.004, 0)
    service.metrics.count("retries", 3, fault="broken-reply")
    service.metrics.count("health_checks", 7, result="pass")
    for name, number in (("size", 10), ("in_use", 3), ("idle", 7), ("waiting", 0)):
        gauge = f"pool_{name}"
        service.metrics.gauge(gauge, lambda number=number: number, lane="primary")
    return service


def test_once_shows_what_there_is(busy: Service) -> None:
    done = monitor(busy.url(), "--once")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["ready,", "postgresql://ann@db.example/shop"]
    for line in (
        ["calls", "101"],
        ["errors", "2"],
        ["retries", "3"],
        ["query", "101", "11.9", "2.5", "2.5", "500"],
        ["primary", "10", "3", "7", "0"],
        ["pass", "7", "7"],
        ["broken-reply", "2", "2"],
        ["100", "2", "2", "2", "479", *SELECT.shape.split()],
        ["1", "0", "4", "4", "4", *LONG.shape.split()],
    ):
        assert line in lines


def test_prometheus_is_watched_too_but_has_no_shapes(busy: Service) -> None:
    done = monitor(busy.url("/metrics"), "--once")
    assert done.returncode == 0
    assert done.stdout.startswith("ready\n")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["primary", "10", "3", "7", "0"] in lines
    assert ["broken-reply", "2", "2"] in lines
    assert "shape" not in done.stdout


def test_json_is_the_snapshot(busy: Service) -> None:
    done = monitor(busy.url(), "--json")
    assert done.returncode == 0
    assert busy.metrics is not None
    told, now = json.loads(done.stdout), busy.metrics.snapshot()
    assert told.pop("time") <= now.pop("time")
    assert told == now


def test_a_gate_that_is_open_ends_with_0(busy: Service) -> None:
    done = monitor(busy.url(), "--gate", "--window", "0.2", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "endless-warm-up  unknown" in done.stdout


def test_a_gate_that_finds_a_problem_ends_with_9(service: Service) -> None:
    """The calls of the window fail while its health passes: the story of the seed."""
    asked = 0

    def snapshot() -> bytes:
        nonlocal asked
        asked += 1
        assert service.metrics is not None
        if asked > 1:
            service.metrics.shapes.stats(SELECT).add_error("not-connected", 0.1)
            service.metrics.count("health_checks", result="pass")
        return json.dumps(service.metrics.snapshot()).encode()

    service.odd["/watched"] = snapshot
    url = service.url("/watched")
    words = ("--gate", "--window", "0.5", "--interval", "0.1")
    done = monitor(url, *words)
    assert done.returncode == EXIT_GATE == 9
    lines = done.stdout.splitlines()
    assert lines[-1] == "problem"
    assert any(line.startswith("blind-health     problem  Health") for line in lines)
    assert any(line.startswith("hint: blind-health: have health") for line in lines)
    done = monitor(url, *words, "--json")
    assert done.returncode == 9
    told = json.loads(done.stdout)
    assert (told["format"], told["verdict"]) == (1, "problem")
    assert 0.5 <= told["window_seconds"] < 30
    states = {one["word"]: one["state"] for one in told["findings"]}
    assert states["blind-health"] == "problem"
    assert states["health-failures"] == "ok"


def test_thresholds_are_options(service: Service) -> None:
    def snapshot() -> bytes:
        assert service.metrics is not None
        service.metrics.shapes.stats(SELECT).add(0.1, 1)
        service.metrics.count("retries", fault="broken-reply")
        return json.dumps(service.metrics.snapshot()).encode()

    service.odd["/watched"] = snapshot
    words = (service.url("/watched"), "--gate", "--window", "0.1", "--json")
    assert monitor(*words).returncode == 9
    assert monitor(*words, "--retries", "2").returncode == 0


def test_off_a_terminal_a_line_is_written_each_interval_until_ctrl_c(
    busy: Service,
) -> None:
    with subprocess.Popen(
        command(busy.url(), "--interval", "0.05"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    assert lines[0] == "ready, postgresql://ann@db.example/shop\n"
    for line in lines[1:]:
        assert line[8:] == (
            "  ready  0.0 calls/s  0.0 errors/s  0.0 retries/s  3 of 10 in use"
            "  95 % within - ms\n"
        )


def test_on_a_terminal_the_screen_is_drawn_and_given_back(busy: Service) -> None:
    pytest.importorskip("rich")
    terminal = Terminal(busy.url(), "--interval", "0.05")
    try:
        terminal.read_until("\x1b[H", times=5)
        assert terminal.interrupt() == 0
        picture = terminal.picture
        lines = [line.split() for line in picture.splitlines()]
        assert lines[0] == ["ready,", "postgresql://ann@db.example/shop"]
        assert any(line[:1] == ["calls"] for line in lines)
        assert ["0.0", "100", "2", "2", "2", "479", *SELECT.shape.split()] in lines
        assert "…" in picture
        # The screen that was there before comes back, and the cursor.
        assert terminal.text.index("\x1b[?1049h") < terminal.text.index("\x1b[?1049l")
        assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()


def test_a_service_that_is_started_anew_is_waited_for(busy: Service) -> None:
    with subprocess.Popen(
        command(busy.url(), "--interval", "0.05"),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None

        def line_with(text: str) -> str:
            until = time.monotonic() + 30
            while time.monotonic() < until:
                line = process.stdout.readline()  # type: ignore[union-attr]
                if text in line:
                    return line
            raise AssertionError(text)

        line_with("  ready  ")
        busy.metrics = None
        assert "the server answered 503" in line_with("No metrics came from")
        busy.metrics = Metrics()
        line_with("  state unknown  ")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_who_reads_no_further_ends_it(busy: Service) -> None:
    with subprocess.Popen(
        command(busy.url(), "--interval", "0.01"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--interval", "0"], "`0` is no time from 0 s to a day"),
        (["--window", "90000"], "`90000` is no time from 0 s to a day"),
        (["--timeout", "soon"], "`soon` is no number from 0 upwards"),
        (["--retries", "-1"], "`-1` is no number from 0 upwards"),
        (["--retries", "inf"], "`inf` is no number from 0 upwards"),
        (["--retries", "nan"], "`nan` is no number from 0 upwards"),
    ],
)
def test_a_number_that_makes_no_sense_is_usage(words: list[str], reason: str) -> None:
    done = monitor("http://127.0.0.1:1/", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


def test_the_exit_code_of_the_gate_is_in_the_table() -> None:
    assert "gate" in EXIT_CODES[EXIT_GATE]


def test_every_threshold_is_an_option() -> None:
    told = monitor("--help").stdout
    assert [
        name for name in THRESHOLDS if f"--{name.replace('_', '-')}" not in told
    ] == []


def test_who_cannot_be_reached_is_named_without_secrets() -> None:
    done = monitor("http://ann:hunter2@127.0.0.1:1/metrics.json?token=hunter2")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(
        "error ER2612: No metrics came from `http://127.0.0.1:1/metrics.json?...`:"
        " there is no connection: "
    )
    assert "hunter2" not in done.stderr


def failure(service: Service, path: str, seconds: float = 5.0) -> str:
    endpoint = Endpoint(service.url(path), timeout_seconds=seconds)
    with pytest.raises((MetricsUnreachable, MetricsNotUnderstood)) as caught:
        endpoint.snapshot()
    return f"{type(caught.value).__name__}: {caught.value.reason}"


def test_redirects_are_not_followed(service: Service) -> None:
    def redirect() -> bytes:
        raise Answer(302, location="file:///etc/passwd")

    service.odd["/elsewhere"] = redirect
    assert failure(service, "/elsewhere") == (
        "MetricsUnreachable: the server answered 302 Found"
    )


def test_what_is_too_big_is_not_read_to_its_end(service: Service) -> None:
    service.odd["/big"] = lambda: b" " * (SIZE_MAX + 1)
    assert (
        failure(service, "/big") == f"MetricsNotUnderstood: it is over {SIZE_MAX} bytes"
    )


def test_what_is_no_text_is_not_understood(service: Service) -> None:
    service.odd["/image"] = lambda: b"\x89PNG"
    assert failure(service, "/image").startswith("MetricsNotUnderstood: it is no UTF-8")


def test_a_server_that_does_not_answer_is_given_up(service: Service) -> None:
    from threading import Event

    is_over = Event()

    def hang() -> bytes:
        is_over.wait(30)
        return b""

    service.odd["/hangs"] = hang
    try:
        told = failure(service, "/hangs", seconds=0.2)
        assert told == "MetricsUnreachable: no answer within 0.2 s"
    finally:
        is_over.set()


def test_credentials_go_into_a_header(service: Service) -> None:
    url = service.url(user="ann:hunter2@")
    Endpoint(url, timeout_seconds=5).snapshot()
    assert service.asked[-1]["Authorization"] == "Basic YW5uOmh1bnRlcjI="


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://a/metrics", True),
        ("HTTPS://a/metrics", True),
        ("file:///etc/passwd", False),
        ("ftp://a/metrics", False),
        ("postgresql://a/b", False),
        ("sqlite:///a.db", False),
    ],
)
def test_only_http_and_https_are_endpoints(url: str, is_one: bool) -> None:
    assert is_endpoint(url) is is_one


@given(json_values)
def test_whatever_is_read_can_be_shown(value: Any) -> None:
    """What an endpoint gives is not ours to trust, and the view must not fall over."""
    for part in ("state", "counters", "gauges", "shapes", "time", "histograms"):
        text = json.dumps({**GOOD, part: value})
        try:
            read = read_snapshot(text, url="", now=1.0)
        except MetricsNotUnderstood:
            continue
        for window in (Window(GOOD, read), Window(read, GOOD)):
            list(describe(window))
            summary(window)
