"""Has programs of others judge a wheel, each run as its users run it.

They check less than this package does and share no code with it; what they refuse, an
index or a distribution refuses too. The verdict is theirs, the words are shortened.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from native.audit.check import SKIPPED, Check, judged, listed
from native.build.errors import ToolUnusable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engineroom.platforms.target import Target

__all__ = ["PROGRAMS", "check_programs"]

_PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "500", "PYTHONUTF8": "1"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OTOOL = re.compile(r"(?:llvm-)?otool(?:-\d+)?")
# llvm-otool knows no -m, which only says that a name in brackets is no archive member.
_OTOOL_SCRIPT = """\
#!/bin/sh
[ "$3" = -m ] && set -- "$1" "$2" "$4" "$5"
exec '{program}' "$@"
"""


def check_programs(
    path: Path, targets: Sequence[Target], names: Sequence[str]
) -> tuple[Check, ...]:
    """Run those of `PROGRAMS` that are named and concern a wheel.

    Args:
        path: the wheel.
        targets: the rows of platforms.toml whose engines it carries.
        names: of checks.

    Raises:
        ToolUnusable: a program is not installed.
    """
    made = (PROGRAMS[name](path, targets) for name in names)
    return tuple(check for check in made if check is not None)


def _run(
    module: str, *words: str, environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env={**os.environ, **_PLAIN, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if f"No module named {module.partition('.')[0]}" in done.stderr:
        name = module.partition(".")[0].replace("_", "-")
        hint = f"run `python -m pip install {name}`, or `nox -s verify`"
        raise ToolUnusable(name, "it is not installed", hint=hint)
    return done.returncode, _COLOUR.sub("", done.stdout), done.stderr


def _last(*texts: str) -> str:
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "it said nothing")


def _twine(path: Path, targets: Sequence[Target]) -> Check:
    del targets
    code, told, errors = _run("twine", "check", "--strict", str(path))
    is_right = code == 0 and "PASSED" in told
    found = "passed" if is_right else listed(_said(path, f"{told}\n{errors}"))
    return judged(path.name, "twine", found, is_right)


def _contents(path: Path, targets: Sequence[Target]) -> Check:
    del targets
    # W004 wants folders to be importable. Ours are named by target and loaded by path.
    words = ("--no-config", "--ignore", "W004", str(path))
    code, told, errors = _run("check_wheel_contents", *words)
    is_right = code == 0 and told.strip().endswith(": OK")
    found = "nothing" if is_right else listed(_said(path, told or _last(errors)))
    return judged(path.name, "check-wheel-contents", found, is_right)


def _said(path: Path, text: str) -> list[str]:
    lines = [line.replace(str(path), "").strip(" :") for line in text.splitlines()]
    return [line for line in lines if line]


def _abi3(path: Path, targets: Sequence[Target]) -> Check | None:
    """Have abi3audit compare what the engines want with CPython's stable ABI."""
    if not targets:
        return None
    _, told, errors = _run("abi3audit", "--report", str(path))
    try:
        specs = json.loads(told)["specs"].values()
        results = [item["result"] for spec in specs for item in spec["wheel"]]
    except (ValueError, KeyError):
        # It is there, or `_run` would have said so: the engine is what it cannot read.
        return judged(path.name, "limited API", _last(errors), False)
    bad = [
        symbol
        for result in results
        for symbol in (*result["non_abi3_symbols"], *result["future_abi3_objects"])
    ]
    is_right = bool(results) and all(
        result["is_abi3"] and result["is_abi3_baseline_compatible"]
        for result in results
    )
    found = listed(map(str, bad), f"{len(results)} engines within it")
    return judged(path.name, "limited API", found, is_right)


def _auditwheel(path: Path, targets: Sequence[Target]) -> Check | None:
    if not targets or targets[0].os != "linux":
        return None
    # In a folder of no libraries, or it would follow those of this machine, and judge
    # the wheel by what they need.
    words = ("show", "--json", "--ldpaths", os.devnull, str(path))
    code, told, errors = _run("auditwheel", *words)
    try:
        document = json.loads(told)
        found, symbols = document["overall_tag"], document["sym_tag"]
        objections = document["policy_upgrades"].get(targets[0].wheel_tag, {})
    except (ValueError, KeyError):
        return judged(path.name, "auditwheel", _last(told, errors), False)
    tls = sorted({name for target in targets for name in target.tls_libraries})
    if objections == {"libs_to_eliminate": tls}:
        # No policy allows OpenSSL; docs/decisions/0007-distributions-openssl.md.
        found = f"{symbols} but for {listed(tls)}"
        is_right = _is_as_old(symbols, targets[0].wheel_tag)
    else:
        is_right = _is_as_old(found, targets[0].wheel_tag)
    return judged(path.name, "auditwheel", found, is_right and code == 0)


def _is_as_old(found: str, wanted: str) -> bool:
    """Whether one tag such as manylinux_2_28_x86_64 promises all another does."""
    form = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")
    one, other = form.fullmatch(found), form.fullmatch(wanted)
    if one is None or other is None:
        return found == wanted
    if (one[1], one[4]) != (other[1], other[4]):
        return False
    return (int(one[2]), int(one[3])) <= (int(other[2]), int(other[3]))


def _delocate(path: Path, targets: Sequence[Target]) -> Check | None:
    if not targets or targets[0].os != "darwin":
        return None
    otool = _find_otool()
    if otool is None:
        found = "neither otool nor llvm-otool is on this machine"
        return Check(path.name, "delocate", found, SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "otool")
        script.write_text(_OTOOL_SCRIPT.format(program=otool), encoding="utf-8")
        script.chmod(0o755)
        code, told, errors = _run(
            "delocate.cmd.delocate_listdeps",
            "--all",
            str(path),
            environ={"PATH": os.pathsep.join((folder, os.environ.get("PATH", "")))},
        )
    names = _said(path, told)
    is_right = code == 0 and set(names) == set(targets[0].libraries)
    found = listed(names) if code == 0 else _last(errors)
    return judged(path.name, "delocate", found, is_right)


def _find_otool() -> str | None:
    """Return macOS's otool, or LLVM's with the highest version."""
    if sys.platform == "darwin":
        return shutil.which("otool")
    found: dict[str, str] = {}
    for folder in os.get_exec_path():
        names = os.listdir(folder) if os.path.isdir(folder) else []
        for name in names:
            if _OTOOL.fullmatch(name):
                found.setdefault(name, os.path.join(folder, name))
    return max(found.items(), key=_otool_rank, default=(None, None))[1]


def _otool_rank(item: tuple[str, str]) -> float:
    """Give a name without a number the highest rank: the machine's own choice."""
    number = item[0].rpartition("-")[2]
    return float(number) if number.isdigit() else float("inf")


PROGRAMS: Mapping[str, Callable[[Path, Sequence[Target]], Check | None]] = {
    "twine": _twine,
    "check-wheel-contents": _contents,
    "limited API": _abi3,
    "auditwheel": _auditwheel,
    "delocate": _delocate,
}
