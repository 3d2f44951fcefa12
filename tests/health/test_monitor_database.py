"""`engineroom monitor` with a client of its own, on each backend."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from engineroom.metrics.table import METRICS
from tests.unit.metrics.served import command, environment, monitor

if TYPE_CHECKING:
    from postgres.cluster import Cluster

BRIEF = ("--gate", "--window", "0.5", "--interval", "0.1", "--json")


def test_the_gate_of_a_database_that_answers_is_open(database: str) -> None:
    done = monitor(database, *BRIEF)
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr, told["verdict"]) == (0, "", "ok")
    found = {one["word"]: one for one in told["findings"]}
    assert found["health-failures"]["samples"] >= 2
    assert found["health-failures"]["measured"] == 0
    assert found["slow-warm-up"]["state"] == "ok"
    assert found["endless-warm-up"]["state"] == "ok"
    assert found["blind-health"]["samples"] >= 4
    assert found["blind-health"]["state"] == "ok"


def test_a_server_that_is_not_there_closes_the_gate_and_is_shown() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        url = f"postgresql://shop:hunter2@127.0.0.1:{port}/shop"
        gate = monitor(url, *BRIEF, "--timeout", "0.3")
        once = monitor(url, "--once", "--timeout", "0.3")
    assert (gate.returncode, gate.stderr) == (9, "")
    found = {one["word"]: one for one in json.loads(gate.stdout)["findings"]}
    assert found["health-failures"]["measured"] == 1
    assert found["blind-health"]["state"] == "ok"
    assert (once.returncode, once.stderr) == (0, "")
    assert "ER2106 unreachable: Connection to server" in once.stdout
    assert "hunter2" not in gate.stdout + once.stdout


def test_a_server_that_is_killed_and_comes_back_is_watched_through(
    cluster: Cluster,
) -> None:
    with subprocess.Popen(
        command(cluster.url(), "--interval", "0.1", "--window", "0.3"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None

        def skip_to(is_it: str, *others: str) -> None:
            for line in process.stdout or ():
                if is_it in line and all(other in line for other in others):
                    return
            raise AssertionError(f"no line with {is_it}")

        skip_to("  ready  ", "  0.0 errors/s  ")
        cluster.stop(at_once=True)
        skip_to("  failed  ")
        cluster.start()
        skip_to("  ready  ", "  0.0 errors/s  ")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    "name",
    ["health_checks", "warm_ups", "pool_size", "pool_in_use", "attempt_won", "state"],
)
def test_a_client_labels_as_the_table_says(database: str, name: str) -> None:
    """The gate looks for these words: another one would be counted and never seen."""
    told = json.loads(monitor(database, "--json").stdout)
    metric = METRICS[name]
    values = {
        key.partition("=")[2][:-1]
        for key in {**told["counters"], **told["gauges"]}
        if key.startswith(f"{name}{{")
    }
    assert values
    listed = metric.values.replace("`", " ").replace(",", " ").split()
    assert values <= set(listed)
