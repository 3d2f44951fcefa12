"""A child process loads an engine first: what it does there is a line of text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from importlib import import_module
from pathlib import Path

import pytest

import engineroom

EXAMINE = """
import json, sys
{before}
from engineroom.doctor import examine
report = examine("sqlite", patience_seconds={patience}).as_json()
report["modules"] = [name for name in sys.modules if name.startswith("_qe_")]
print(json.dumps(report))
"""


@pytest.fixture
def examine(tmp_path):
    """Have the doctor examine in a process of its own; give its report."""

    def run(*, before="", patience=60, **settings):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ENGINEROOM_")
        }
        environment.update(HOME=str(tmp_path / "home"), **settings)
        code = EXAMINE.format(before=before, patience=patience)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stderr == ""
        assert sorted(path.name for path in tmp_path.glob("core*")) == []
        return json.loads(done.stdout)

    return run


@pytest.fixture
def laid(shelf, host):
    """Lay an engine on the shelf; give the settings under which it is found."""

    def lay(engine):
        file = shelf.add(host.id, Path(engine).read_bytes())
        return file, {"ENGINEROOM_ENGINE_DIR": str(shelf.path)}

    return lay


def check_of(report, name):
    return next(check for check in report["checks"] if check["name"] == name)


@pytest.mark.parametrize(
    ("what", "outcome", "signal", "exit_code", "end"),
    [
        pytest.param(
            "aborts", "crashed", "SIGABRT", None, "was ended by SIGABRT", id="abort"
        ),
        pytest.param(
            "crashes", "crashed", "SIGSEGV", None, "was ended by SIGSEGV", id="crash"
        ),
        pytest.param(
            "exits", "ended", None, 3, "was ended with exit code 3", id="exit"
        ),
    ],
)
def test_an_engine_that_ends_the_process_is_a_line_of_text(
    examine, laid, broken_engine, host, shelf, what, outcome, signal, exit_code, end
):
    file, settings = laid(broken_engine(what))
    report = examine(**settings)
    assert report["verdict"] == "problem"
    assert report["summary"] == (
        f"A child process that loaded the sqlite engine {file} ({host.id}) {end}"
    )
    assert report["remedy"] == (
        f"engineroom fetch --target {host.id} --into {shelf.path};"
        " if that changes nothing, report it with this text"
    )
    trial = report["trial"]
    assert trial.pop("milliseconds") > 0
    assert trial == {
        "outcome": outcome,
        "target": host.id,
        "path": str(file),
        "signal": signal,
        "exit_code": exit_code,
        "output": None,
    }
    assert check_of(report, "engine")["state"] == "skipped"
    assert check_of(report, "integrity")["state"] == "ok"
    assert check_of(report, "query")["state"] == "skipped"
    assert report["modules"] == []  # it was not loaded here


def test_an_engine_that_never_comes_back_is_ended(examine, laid, broken_engine):
    file, settings = laid(broken_engine("loops"))
    started = time.monotonic()
    report = examine(patience=1, **settings)
    assert time.monotonic() - started < 30
    assert report["trial"]["outcome"] == "hung"
    assert report["trial"]["path"] == str(file)
    assert report["summary"].endswith(" was not done after 1 s")
    assert check_of(report, "engine")["state"] == "skipped"


def test_a_folder_that_does_not_answer_does_not_hold_up_the_doctor(examine, shelf):
    (shelf.path / "manifest.csv").unlink()
    os.mkfifo(shelf.path / "manifest.csv")  # whoever reads it waits for a writer
    report = examine(patience=1, ENGINEROOM_ENGINE_DIR=str(shelf.path))
    assert report["summary"] == (
        "A child process that looked for the sqlite engine was not done after 1 s"
    )
    assert report["remedy"].startswith("see that every folder of the settings")
    assert check_of(report, "engine")["state"] == "skipped"
    assert check_of(report, "integrity")["state"] == "skipped"


def test_an_engine_that_crashes_as_the_process_ends_is_told_so(
    examine, laid, make_engine, workshop
):
    source = workshop / "last.c"
    source.write_text(
        "#include <stdlib.h>\n#include <stdio.h>\n"
        "__attribute__((destructor)) static void last(void) {\n"
        '  fputs("last words\\n", stderr);\n  abort();\n}\n'
    )
    _, settings = laid(make_engine(links=(str(source),)))
    report = examine(**settings)
    assert report["summary"].endswith(
        " was ended by SIGABRT when it had loaded it: last words"
    )
    assert report["trial"]["output"] == "last words"
    assert report["modules"] == []


def test_an_engine_whose_start_raises_is_refused_by_both(examine, laid, broken_engine):
    file, settings = laid(broken_engine("raises"))
    report = examine(**settings)
    assert report["trial"]["outcome"] == "refused"
    assert report["trial"]["path"] == str(file)
    engine = check_of(report, "engine")
    assert engine["state"] == "problem"
    assert engine["details"] == {"class": "EngineNotLoadable", "code": "ER1036"}
    assert "its start raised RuntimeError: no start today" in report["summary"]


def test_an_engine_that_is_well_is_loaded_in_both(examine, laid, make_engine, host):
    file, settings = laid(make_engine())
    report = examine(**settings)
    assert (report["trial"]["outcome"], report["trial"]["path"]) == (
        "loaded",
        str(file),
    )
    assert report["engine"]["target"] == host.id
    assert check_of(report, "trial")["text"].startswith(
        "a child process loaded the sqlite engine and ended well, in "
    )


def test_the_child_has_this_process_s_settings_and_import_path(
    examine, make_engine, tmp_path
):
    """Set here, and not in the environment that this process was started with."""
    cffi = Path(import_module("_cffi_backend").__file__)
    package = Path(engineroom.__file__).parent
    engine = make_engine(build_id="mine")
    before = f"""
    import os
    os.environ["ENGINEROOM_ENGINE_SQLITE"] = {str(engine)!r}
    hidden = {str(cffi.parent)!r}, {str(package.parent)!r}
    sys.path = [entry for entry in sys.path if entry not in hidden]
    sys.path.insert(0, "both here")
    """
    here = tmp_path / "both here"
    here.mkdir()
    for path in (cffi, package):
        (here / path.name).symlink_to(path)
    report = examine(before=textwrap.dedent(before))
    assert (report["trial"]["outcome"], report["trial"]["path"]) == (
        "loaded",
        str(engine),
    )


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param(
            "sys.executable = ''",
            "this Python does not know its own program",
            id="none",
        ),
        pytest.param(
            "sys.executable = '/usr/bin/uwsgi'",
            "/usr/bin/uwsgi is no Python but a program that has one within",
            id="embedded",
        ),
        pytest.param(
            "sys.executable, sys.frozen = '/opt/python-app', True",
            "/opt/python-app is no Python but a program that has one within",
            id="frozen",
        ),
        pytest.param(
            "sys.executable = '/nowhere/python3'",
            "/nowhere/python3 cannot be started: No such file or directory",
            id="gone",
        ),
        pytest.param(
            "import os; sys.executable = os.path.abspath('python')",
            "the child was ended with exit code 1 before it loaded anything",
            id="broken",
        ),
    ],
)
def test_without_a_child_the_report_says_why_and_goes_on(
    examine, laid, make_engine, tmp_path, before, reason
):
    (tmp_path / "python").symlink_to("/bin/false")
    _, settings = laid(make_engine())
    report = examine(before=before, **settings)
    check = check_of(report, "trial")
    assert (check["state"], check["text"]) == (
        "ok",
        f"no child process tried the engine first: {reason}",
    )
    assert report["trial"]["outcome"] == "not made"
    assert check_of(report, "engine")["state"] == "ok"


def test_a_crash_of_a_file_that_a_setting_names_is_mended_there(examine, broken_engine):
    file = broken_engine("aborts")
    report = examine(ENGINEROOM_ENGINE_SQLITE=str(file))
    assert report["remedy"].startswith("correct or unset ENGINEROOM_ENGINE_SQLITE;")
    assert report["trial"]["target"] is None
