"""The doctor where the engine comes from a place after the package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engineroom
from engineroom.version import __version__


def test_doctor_checks_an_engine_of_the_users_folder(
    doctor, shelf, make_engine, host, tmp_path
):
    # The package as the wheel without engines has it.
    site = tmp_path / "site"
    shutil.copytree(
        Path(engineroom.__file__).parent,
        site / "engineroom",
        ignore=shutil.ignore_patterns("__pycache__", "manifest.csv", "_qe_*"),
    )
    below = Path("engineroom", "engines", __version__)
    users = type(shelf)(tmp_path / "data" / below)
    data = make_engine().read_bytes()
    path = users.add(host.id, data)
    _, report = doctor(PYTHONPATH=str(site), XDG_DATA_HOME=str(tmp_path / "data"))
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert (states["engine"], states["integrity"]) == ("ok", "ok")
    assert Path(report["package"]["path"]).parent == site
    assert report["engine"]["path"] == str(path)
    assert report["engine"]["sha256"] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("options", "read_only", "noexec", "said"),
    [
        pytest.param(
            "ro",
            True,
            False,
            "is read-only, and nothing is ever written there",
            id="ro",
        ),
        pytest.param(
            "noexec",
            False,
            True,
            "is mounted noexec, and no code loads from there",
            id="noexec",
        ),
    ],
)
def test_doctor_names_the_mount_that_the_package_lies_on(
    mounted, tmp_path, options, read_only, noexec, said
):
    site, package = tmp_path / "site packages", Path(engineroom.__file__).parent
    site.mkdir()
    within = mounted(
        'mount -t tmpfs none "$1"; cp -r "$2" "$1"; mount -o "remount,$3" "$1"',
        *(site, package, options),
    )
    done = subprocess.run(
        [*within, sys.executable, "-m", "engineroom", "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    report = json.loads(done.stdout)
    assert report["package"]["path"] == str(site / "engineroom")
    assert report["package"]["mount"] == {
        "point": str(site),
        "read_only": read_only,
        "noexec": noexec,
    }
    assert report["checks"][0]["text"].endswith(f"; {site} {said}")
