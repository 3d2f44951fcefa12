"""The doctor where the engine comes from a place after the package."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

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
