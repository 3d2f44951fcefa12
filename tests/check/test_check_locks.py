"""engineroom.lock against what services need, and against the version they pin."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engineroom.cli.main import main
from engineroom.lockfile import LockedEngine, LockedWheel, lock_text
from engineroom.platforms.rows import TARGETS
from engineroom.version import __version__
from tests.check.conftest import STANDARD

SETTING = '[tool.engineroom.check]\ntargets = ["rhel", "linux-musl"]\n'
USES = f'[project]\ndependencies = ["engineroom"]\n{SETTING}'
NEEDED = ("rhel-x86_64", "linux-musl-x86_64")
SHA256 = "0" * 64


def lock(*ids, version=__version__):
    """The lock file of some targets, a wheel for each tag, as fetch writes it."""
    wheels = {}
    for target in TARGETS:
        if target.id in ids:
            engine = LockedEngine(target.id, "sqlite", 9, SHA256)
            wheels.setdefault(target.wheel_tag, []).append(engine)
    text = lock_text(
        LockedWheel(f"engineroom-{version}-cp39-abi3-{tag}.whl", 9, SHA256, tuple(rows))
        for tag, rows in wheels.items()
    )
    return text.replace(f'version = "{__version__}"', f'version = "{version}"')


def findings(capsys, *words):
    """The exit code, the services, and each finding with its place."""
    capsys.readouterr()
    code = main(["check", "--json", *words])
    folders = json.loads(capsys.readouterr().out)["folders"]
    services = {s["path"]: s for folder in folders for s in folder["services"]}
    return code, services, [f for s in services.values() for f in s["findings"]]


def test_a_lock_with_every_needed_target_is_fine_and_has_its_column(plant, capsys):
    plant(**{"svc/pyproject.toml": USES, "svc/engineroom.lock": lock(*NEEDED)})
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["service", "uses", "it", "targets", "locked", "status"]
    assert lines[1].split()[-4:] == ["2", "of", "2", "ok"]
    _, services, _ = findings(capsys)
    assert services["svc"]["lock"] == {
        "file": "svc/engineroom.lock",
        "version": __version__,
        "targets": ["linux-musl-x86_64", "rhel-x86_64"],
    }


def test_a_service_without_a_lock_has_none_in_json_and_no_column(plant, capsys):
    plant(**{"svc/pyproject.toml": USES})
    assert main(["check"]) == 0
    assert "locked" not in capsys.readouterr().out
    assert findings(capsys)[1]["svc"]["lock"] is None


def test_a_lock_that_lacks_a_target_fails_with_the_command_that_mends_it(plant, capsys):
    plant(**{"my svc/pyproject.toml": USES, "my svc/engineroom.lock": lock(NEEDED[0])})
    code, services, (found,) = findings(capsys)
    assert code == 1
    assert (found["rule"], found["file"], found["line"]) == (
        "lock-lacks-targets", "my svc/engineroom.lock", 1,
    )  # fmt: skip
    assert found["message"] == (
        "The lock file has no engines for `linux-musl-x86_64`"
        " (`[tool.engineroom.check]` names it)"
    )
    assert found["hint"] == (
        "`engineroom fetch --lock --lock-file 'my svc/engineroom.lock' --target"
        " linux-musl-x86_64 rhel-x86_64` writes it again"
    )
    assert services["my svc"]["missing"] == ["linux-musl"]
    assert main(["check", "--format", "github"]) == 1
    assert "title=engineroom lock-lacks-targets" in capsys.readouterr().out


def test_an_image_that_the_lock_does_not_serve_is_the_reason(plant, capsys):
    plant(
        **{
            "pyproject.toml": USES,
            "engineroom.lock": lock(*NEEDED),
            "Dockerfile": "FROM --platform=linux/arm64 python:3.12-slim\n",
        }
    )
    code, _, (found,) = findings(capsys)
    assert code == 1
    assert "`rhel-arm64`" not in found["message"]
    assert "`debian-openssl-3-arm64` (`python:3.12-slim` is Debian)" in found["message"]


def test_the_lock_above_goes_for_every_service_and_is_none_of_its_own(plant, capsys):
    plant(
        **{
            "engineroom.lock": lock("rhel-x86_64"),
            "a/pyproject.toml": USES,
            "b/requirements.txt": "engineroom\n",
            "b/pyproject.toml": '[tool.engineroom.check]\ntargets = ["rhel"]\n',
            "c/package.json": "{}",
        }
    )
    code, services, (found,) = findings(capsys)
    assert code == 1
    assert {path: s["status"] for path, s in services.items()} == {
        "a": "fails", "b": "ok", "c": "not affected",
    }  # fmt: skip
    assert found["file"] == "engineroom.lock"
    assert services["c"]["lock"] is None


def test_a_lock_above_services_that_do_not_use_it_is_that_of_its_folder(plant, capsys):
    plant(**{"engineroom.lock": lock("rhel-x86_64"), "web/package.json": "{}"})
    code, services, _ = findings(capsys)
    assert (code, services["."]["status"]) == (1, "fails")


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("requirements.txt", "cffi\nengineroom[cli] == 9.9 # it\n", 2),
        ("requirements.txt", f"https://x/engineroom-9.9-{'py3-none-any'}.whl\n", 1),
        ("pyproject.toml", '[project]\ndependencies = ["engineroom==9.9"]\n', 2),
        ("Pipfile", '[packages]\nengineroom = "==9.9"\n', 2),
        ("uv.lock", '[[package]]\nname = "engineroom"\nversion = "9.9"\n', 3),
        ("Pipfile.lock", '{"default": {\n"engineroom": {\n"version": "==9.9"}}}\n', 3),
    ],
    ids=["requirement", "wheel", "pyproject", "Pipfile", "uv.lock", "Pipfile.lock"],
)
def test_a_lock_of_another_version_than_the_pinned_one_fails(
    plant, capsys, file, text, line
):
    plant(
        **{
            f"svc/{file}": text,
            "svc/engineroom.lock": lock(*(target.id for target in TARGETS)),
        }
    )
    code, _, (found,) = findings(capsys)
    assert code == 1
    assert (found["rule"], found["line"]) == ("lock-version-differs", 6)
    assert f"`svc/{file}` pins 9.9 in line {line}" in found["message"]
    assert found["hint"].startswith("with engineroom 9.9 installed, `engineroom fetch")


def test_each_of_two_pins_that_differ_is_told_with_its_own_way_out(plant, capsys):
    plant(
        **{
            "svc/requirements.txt": "engineroom==9.9\n",
            "svc/pyproject.toml": USES.replace("engineroom", "engineroom==8.8", 1),
            "svc/engineroom.lock": lock(*NEEDED),
        }
    )
    _, _, found = findings(capsys)
    assert [f["hint"].partition("`")[0] for f in found] == [
        "with engineroom 8.8 installed, ",
        "with engineroom 9.9 installed, ",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"engineroom=={__version__}\n",
        f"engineroom==={__version__}.0\n",
        "engineroom>=9.9\nother==9.9\n",
        "engineroom==9.*\n",
        '[[package]]\nname = "engineroom"\n\n[[package]]\nversion = "9.9"\n',
    ],
    ids=["the same", "with a zero", "a range", "a prefix", "of the next package"],
)
def test_a_lock_of_the_version_that_may_be_installed_is_fine(plant, capsys, text):
    name = "uv.lock" if "[[" in text else "requirements.txt"
    all_targets = lock(*(target.id for target in TARGETS))
    plant(**{f"svc/{name}": text, "svc/engineroom.lock": all_targets})
    assert findings(capsys)[0::2] == (0, [])


def test_a_lock_of_another_version_than_the_one_that_checks_is_a_warning(plant, capsys):
    plant(
        **{"a/pyproject.toml": USES, "a/engineroom.lock": lock(*NEEDED, version="9.9")}
    )
    code, services, (found,) = findings(capsys)
    assert (code, services["a"]["status"]) == (0, "cannot tell")
    assert (found["rule"], found["level"]) == ("lock-version-unpinned", "warning")
    assert f"is of engineroom 9.9, and {__version__} is the one" in found["message"]


def test_a_lock_that_a_merge_has_broken_fails_at_its_line(plant, capsys):
    text = lock(*NEEDED).replace("\n[[wheel]]", "\n<<<<<<< HEAD\n[[wheel]]", 1)
    plant(**{"svc/pyproject.toml": USES, "svc/engineroom.lock": text})
    code, services, (found,) = findings(capsys)
    assert code == 1
    assert (found["rule"], found["line"]) == ("lock-broken", 8)
    assert found["message"].endswith("`<<<<<<< HEAD` does not belong there")
    assert services["svc"]["lock"]["targets"] == []
    assert main(["check"]) == 1
    assert " broken " in capsys.readouterr().out


def test_a_lock_with_the_line_endings_of_windows_is_read(plant, capsys):
    text = lock(*NEEDED).replace("\n", "\r\n")
    plant(**{"svc/pyproject.toml": USES, "svc/engineroom.lock": text})
    assert findings(capsys)[0::2] == (0, [])


def test_a_lock_or_setting_that_is_staged_brings_up_the_services_below_it(
    plant, capsys
):
    root = plant(
        **{
            "engineroom.lock": lock(*NEEDED),
            "a/pyproject.toml": USES.replace(SETTING, ""),
            "a/prisma/schema.prisma": STANDARD,
            "pyproject.toml": SETTING,
        }
    )
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "."], check=True)
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, "commit", "-qm", "first"], check=True)
    assert findings(capsys, "--staged") == (0, {}, [])
    (root / "engineroom.lock").write_text(lock("rhel-x86_64"))
    subprocess.run(["git", "add", "."], check=True)
    code, services, found = findings(capsys, "--staged")
    assert (code, services["a"]["status"]) == (1, "fails")
    assert [f["rule"] for f in found] == ["lock-lacks-targets"]
    subprocess.run(["git", *who, "commit", "-qm", "second"], check=True)
    (root / "pyproject.toml").write_text(SETTING.replace('"rhel", ', '"darwin", '))
    assert findings(capsys, "pyproject.toml")[0] == 1


def test_checking_brings_in_nothing_of_stores():
    code = (
        "import sys; import engineroom.check;"
        "heavy = ('engineroom.store', 'engineroom.fetch', 'ssl', 'http', 'urllib.req');"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
