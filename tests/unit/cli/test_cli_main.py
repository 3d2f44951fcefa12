from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from engineroom import errors
from engineroom.cli.main import COMMANDS, EXIT_CODES, command_parser, exit_code, main
from engineroom.version import __version__


def run(capsys, *words):
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_version_is_that_of_the_package(capsys):
    assert run(capsys, "--version") == (0, f"engineroom {__version__}\n", "")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_lists_every_command_with_its_purpose(capsys, word):
    code, out, err = run(capsys, word)
    assert (code, err) == (0, "")
    for name, module in COMMANDS.items():
        assert f"  {name:10}{importlib.import_module(module).HELP}\n" in out


def test_no_command_at_all_is_answered_with_help_and_2(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (2, "")
    assert out.startswith("usage: engineroom")


def test_an_unknown_command_is_named(capsys):
    code, out, err = run(capsys, "doktor")
    assert code == 2
    assert err == "engineroom: there is no command `doktor`\n"
    assert "doctor" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_module_keeps_the_contract(name):
    command, parser = command_parser(name)
    assert command.HELP
    assert command.HELP[0].islower()
    assert not command.HELP.endswith(".")
    assert callable(command.run)
    assert parser.prog == f"engineroom {name}"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_is_answered_with_0(capsys, name):
    code, out, err = run(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: engineroom {name}")


def test_wrong_arguments_are_usage_and_2(capsys):
    code, out, err = run(capsys, "targets", "--colour")
    assert (code, out) == (2, "")
    assert err == (
        "usage: engineroom targets [-h] [--json]\n"
        "engineroom targets: unrecognized arguments: --colour\n"
    )


def test_wrong_arguments_with_json_are_told_in_json_too(capsys):
    code, out, _ = run(capsys, "targets", "--json", "--colour")
    assert code == 2
    assert json.loads(out)["error"] == {
        "code": "usage",
        "class": "Usage",
        "message": "unrecognized arguments: --colour",
        "hint": "engineroom targets --help",
    }


def test_options_cannot_be_abbreviated(capsys):
    assert run(capsys, "targets", "--js")[0] == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(errors.LoadError("sqlite", "x"), 3, id="load"),
        pytest.param(errors.UnsupportedPlatform("sqlite", "x"), 3, id="platform"),
        pytest.param(
            errors.SettingError("s", "N", "v", "p", hint="h"), 3, id="setting"
        ),
        pytest.param(errors.MissingExtra("x", "y", "z"), 3, id="missing extra"),
        pytest.param(errors.UrlError("x", "is wrong", hint="h"), 4, id="URL"),
        pytest.param(errors.OperationalError("x"), 4, id="operational"),
        pytest.param(errors.InterfaceError("x"), 4, id="interface"),
        pytest.param(errors.NotADatabase("x"), 4, id="no database"),
        pytest.param(errors.DatabaseCorrupt("x"), 4, id="corrupt"),
        pytest.param(errors.ProgrammingError("x"), 5, id="programming"),
        pytest.param(errors.DataError("x"), 5, id="data"),
        pytest.param(errors.IntegrityError("x"), 5, id="integrity"),
        pytest.param(errors.NotSupportedError("x"), 5, id="not supported"),
        pytest.param(errors.StoreError("x"), 6, id="store"),
        pytest.param(errors.PublishError("x"), 6, id="publish"),
        pytest.param(errors.TargetError("x"), 7, id="target"),
        pytest.param(errors.ManifestError("p", "x"), 7, id="manifest"),
        pytest.param(errors.Error("x"), 1, id="anything else of ours"),
    ],
)
def test_exit_code_of_an_error_tells_its_kind(error, code):
    assert exit_code(error) == code
    assert code in EXIT_CODES


def in_child(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "engineroom", *words],
        capture_output=True,
        check=False,
        timeout=60,
        **more,
    )


def test_a_failure_with_json_is_one_json_value(tmp_path):
    store = str(tmp_path / "no-store")
    done = in_child("store", "ls", "--store", store, "--json")
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert error["code"].startswith("ER3")
    assert done.stderr == b""


def test_a_failure_without_json_goes_to_standard_error(tmp_path):
    done = in_child("store", "ls", "--store", str(tmp_path / "no-store"))
    assert done.returncode == 6
    assert done.stdout == b""
    assert done.stderr.startswith(b"error ER3")
    assert b"\nhint: " in done.stderr


def test_a_broken_command_hides_no_other():
    code = (
        "import sys; sys.modules['engineroom.store'] = None;"
        "sys.modules['engineroom.cli.query'] = None;"
        "from engineroom.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        [*command, "--help"], capture_output=True, check=False, text=True
    )
    assert done.returncode == 0
    assert "  query     cannot be imported: " in done.stdout
    assert "  doctor    explain which engine is used" in done.stdout
    assert (
        subprocess.run(
            [*command, "targets"], capture_output=True, check=False
        ).returncode
        == 0
    )


def test_a_fault_of_ours_is_shown_with_its_traceback_and_1(capsys, monkeypatch):
    monkeypatch.setitem(COMMANDS, "targets", "engineroom.no_such_module")
    code, out, err = run(capsys, "targets", "--json")
    assert code == 1
    assert json.loads(out)["error"]["class"] == "ModuleNotFoundError"
    assert err.startswith("Traceback")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pipe")
def test_output_whose_reader_has_gone_ends_in_silence():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "engineroom", "targets"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_a_failure_and_not_lost_in_silence():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "engineroom", "targets"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode != 0
    assert b"No space left on device" in done.stderr
