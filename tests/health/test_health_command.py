"""`engineroom health`, as a container runs it: a line, an exit code, no secret."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from postgres.hostile import hostile

if TYPE_CHECKING:
    from pathlib import Path

    from postgres.cluster import Cluster
    from postgres.hostile import Talk


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engineroom", "health", *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def test_a_database_that_answers_is_healthy(database: str) -> None:
    done = ask(database)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"healthy: \S+ answered in \d+\.\d ms\n", done.stdout)
    assert done.stderr == ""


def test_as_json_it_is_one_value(database: str) -> None:
    done = ask(database, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["is_healthy"] is True
    assert told["error"] is None
    assert set(told) == {
        "url",
        "is_healthy",
        "state",
        "seconds",
        "age_seconds",
        "is_cached",
        "error",
    }


def test_a_server_that_is_not_there_is_not_healthy() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"postgresql://shop:hunter2@127.0.0.1:{nobody.getsockname()[1]}/shop"
        done = ask(url)
        as_json = ask(url, "--json")
    assert done.returncode == 8
    assert done.stdout.startswith("unhealthy: ER")
    assert " unreachable: " in done.stdout
    assert done.stdout.count("\n") == 1
    told = json.loads(as_json.stdout)
    assert as_json.returncode == 8
    assert told["is_healthy"] is False
    assert told["error"]["fault"] == "unreachable"
    for one in (done, as_json):
        assert "hunter2" not in one.stdout + one.stderr


def test_a_password_that_is_wrong_is_told_as_that(cluster: Cluster) -> None:
    url = f"postgresql://engine:wr0ngW0rd@127.0.0.1:{cluster.port}/engine"
    done = ask(url)
    assert done.returncode == 8
    assert done.stdout.startswith("unhealthy: ER2110 access: ")
    assert "wr0ngW0rd" not in done.stdout + done.stderr


@pytest.mark.parametrize("said", [b"", b"R\0\0"], ids=["nothing", "half a message"])
def test_a_server_that_falls_silent_is_given_up_in_time(said: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.receive_startup()
        talk.send(said)
        talk.receive()

    with hostile(script) as server:
        began = time.monotonic()
        done = ask(server.url(), "--timeout", "0.5", "--json")
        assert time.monotonic() - began < 3
    told = json.loads(done.stdout)
    assert done.returncode == 8
    assert told["error"]["fault"] in ("connect-timeout", "timeout")
    assert told["seconds"] < 1


def test_a_file_that_is_not_there_is_not_healthy(tmp_path: Path) -> None:
    done = ask(f"sqlite:///{tmp_path}/none.db")
    assert done.returncode == 8
    assert "ER2102" in done.stdout
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("nonsense://x",), 4, id="a URL that is none"),
        pytest.param(("sqlite://:memory:", "--timeout", "soon"), 2, id="no number"),
        pytest.param(("sqlite://:memory:", "--timeout", "0"), 2, id="no time"),
        pytest.param((), 2, id="no URL"),
    ],
)
def test_what_cannot_be_asked_is_no_answer_about_health(
    words: tuple[str, ...], code: int
) -> None:
    done = ask(*words)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr
