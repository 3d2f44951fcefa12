"""The PostgreSQL engines for macOS, executed: they speak TLS to a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from native.build import ROOT
from native.build.engine import build_engines
from native.build.report import Report

from .conftest import DARWIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from native.build.cache import Cache


@pytest.fixture
def postgres_engine(cpu: str, cache: Cache) -> Path:
    """The PostgreSQL engine of this tree."""
    (made,) = build_engines([DARWIN[cpu]], cache, Report(), backends=["postgres"])
    return made.path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with TLS, of an authority of its own, that asks for a password."""
    from tests.postgres.certificates import Certificates
    from tests.postgres.cluster import (
        DATABASE,
        OWNER,
        PASSWORDS,
        WITH_CERTIFICATE,
        started_cluster,
    )
    from tests.postgres.programs import MissingProgram, find_postgres

    try:
        find_postgres()
    except MissingProgram as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("certificates")
    certificates = Certificates(folder, WITH_CERTIFICATE)
    with started_cluster("emulated", certificates=certificates) as cluster:
        yield (
            f"host=localhost port={cluster.port} user={OWNER} dbname={DATABASE}"
            f" password={PASSWORDS[OWNER]} sslmode=verify-full"
            f" sslrootcert={certificates.authority}"
        )


def gate(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "native.emulate", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_engine_of_this_tree_passes_without_a_server(postgres_engine: Path) -> None:
    done = gate(postgres_engine)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "OpenSSL 3.5.7, (built in)" in done.stdout
    assert "TLS and password" not in done.stdout


def test_the_engine_of_this_tree_speaks_to_a_server(
    postgres_engine: Path, server: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"

    done = gate("--server", server, "--json", report, postgres_engine)

    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(report.read_text())["engines"]
    found = {check["name"]: check["found"] for check in entry["checks"]}
    assert found["TLS and password"].startswith("TLSv1.3, TLS_AES_256_GCM_SHA384")
    assert found["an unknown authority"].endswith("a look into /etc/ssl/cert.pem")
    assert entry["checks"][-1]["name"] == "nothing left"


@pytest.mark.parametrize("cpu", ["arm64"], indirect=True)
def test_a_wrong_password_is_refused_by_the_server(
    postgres_engine: Path, server: str
) -> None:
    done = gate("--server", f"{server} password=wrong", postgres_engine)

    assert done.returncode == 1
    (line,) = [text for text in done.stdout.splitlines() if text.startswith("  BAD")]
    assert "TLS and password" in line
    assert "password authentication failed" in line
