"""The doctor on servers: what it tells of them, and of those it cannot reach."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .cluster import OWNER, PASSWORDS

if TYPE_CHECKING:
    from .cluster import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "doctor-json.md"


def doctor(*words: str) -> tuple[int, str]:
    """The command's exit code and all that it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "engineroom", "doctor", *words],
        env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def examined(url: str) -> tuple[int, dict]:
    code, text = doctor("--json", url)
    assert PASSWORDS[OWNER] not in text
    return code, json.loads(text)


def documented(section: str) -> set[str]:
    text = PAGE.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE))


def test_doctor_on_a_server_with_tls_names_what_encrypts_and_how_far_it_is(
    cluster: Cluster,
):
    code, report = examined(cluster.url(sslmode="require"))
    assert (code, report["verdict"]) == (0, "ok")
    assert report["backend"] == "postgres"
    assert report["summary"] == "the postgres engine answers queries"
    assert report["tls"]["library"] == "OpenSSL"
    assert report["tls"]["version"]
    assert report["tls"]["file"]
    assert set(report["tls"]) == documented("tls")
    server = report["server"]
    assert set(server) == documented("server")
    assert re.fullmatch(r"\d+\.\d+( .*)?", server["version"])
    assert (server["host"], server["port"]) == ("127.0.0.1", cluster.port)
    assert server["tls_version"] == "TLSv1.3"
    assert server["tls_cipher"].startswith("TLS_")
    assert 0 < server["round_trip_milliseconds"] < 1000
    assert "tls" in [check["name"] for check in report["checks"]]


def test_doctor_on_a_server_without_tls_says_that_it_is_not_encrypted(
    plain_cluster: Cluster,
):
    code, text = doctor(plain_cluster.url(sslmode="prefer"))
    assert code == 0
    assert "not encrypted" in text
    assert PASSWORDS[OWNER] not in text


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"password": "wr0ngWord"}, "ER2110", "password"),
        ({"port": 1}, "ER2106", "listens"),
        ({"sslmode": "verify-full", "sslrootcert": "/nowhere"}, "ER2111", "sslroot"),
        ({"database": "nowhere"}, "ER2423", "name"),
        ({"colour": "red"}, "ER2101", "PostgreSQL's manual"),
    ],
    ids=["password", "port", "certificate", "database", "setting"],
)
def test_doctor_on_a_server_that_cannot_be_reached_tells_why(
    cluster: Cluster, change: dict, code: str, words: str
):
    exit_code, report = examined(cluster.url(**change))
    assert (exit_code, report["verdict"]) == (1, "problem")
    assert code in report["summary"]
    assert words in report["remedy"]
    assert "wr0ngWord" not in str(report)
    assert report["server"] is None
    assert report["tls"]["version"]
