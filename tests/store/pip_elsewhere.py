"""A real pip, asked what it would do on another machine; run as a program.

    python pip_elsewhere.py PIP.whl tags|picks < questions.json > answers.json

What pip reads from the machine (its system, CPU, libc) is put in its place; all that it
makes of these is its own. It is a program of its own because there are several pips,
and because nothing of this may reach the process that tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import tempfile
from typing import Any

sys.path.insert(0, sys.argv[1])

from pip._internal.cli.main import main as pip_main
from pip._internal.utils import compatibility_tags
from pip._vendor.packaging import _manylinux, _musllinux, tags


class Subprocess:
    """What `tags` asks for the version of a macOS that passes for 10.16."""

    PIPE = None

    def __init__(self, version: str) -> None:
        self.stdout = version

    def run(self, *_words: object, **_options: object) -> Subprocess:
        return self


def stand_on(os_name: str, cpu: str, libc: str, version: list[int]) -> None:
    """Have pip find another machine."""
    text = ".".join(str(number) for number in version)
    machine = "aarch64" if (os_name, cpu) == ("linux", "arm64") else cpu
    windows = {"x86_64": "win-amd64", "arm64": "win-arm64"}[cpu]
    names = {"linux": f"linux-{machine}", "windows": windows, "darwin": "macosx"}
    replaced: list[tuple[Any, str, Any]] = [
        (platform, "system", os_name.capitalize),
        (platform, "mac_ver", lambda: (text, ("", "", ""), cpu)),
        (tags.sysconfig, "get_platform", lambda: names[os_name]),
        (tags, "_mac_arch", lambda *_words: cpu),
        (tags, "subprocess", Subprocess(text)),
        (
            _manylinux,
            "_get_glibc_version",
            lambda: tuple(version) if libc == "glibc" else (-1, -1),
        ),
        (
            _musllinux,
            "_get_musl_version",
            lambda _path: _musllinux._MuslVersion(*version) if libc == "musl" else None,
        ),
    ]
    # Whether this Python's own file has the form that glibc's tags are for; the two
    # versions have it under two names.
    replaced += [
        (_manylinux, name, lambda *_words: libc == "glibc")
        for name in ("_have_compatible_abi", "_have_compatible_manylinux_abi")
    ]
    for place, name, value in replaced:
        setattr(place, name, value)


def supported(python_tag: str, abi: str) -> list[str]:
    """Give pip's tags, the best first."""
    found = compatibility_tags.get_supported(
        version=python_tag[2:], impl=python_tag[:2], abis=[abi]
    )
    return [str(tag) for tag in found]


def picked(python_tag: str, abi: str, index: str, wish: list[str]) -> str:
    """Give the name of the wheel that pip would install, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        words = [
            *("install", "--isolated", "--disable-pip-version-check", "--quiet"),
            *("--no-cache-dir", "--no-input", "--dry-run", "--ignore-installed"),
            *("--no-deps", "--only-binary", ":all:", "--index-url", index),
            *("--python-version", f"{python_tag[2]}.{python_tag[3:]}"),
            *("--implementation", python_tag[:2], "--abi", abi),
            *("--target", folder, "--report", report, *wish),
        ]
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            code = pip_main(words)
        if code != 0:
            return ""
        with open(report, encoding="utf-8") as file:
            (one,) = json.load(file)["install"]
    return str(one["download_info"]["url"]).rpartition("/")[2]


def main() -> None:
    """Answer the questions one after the other."""
    answer = {"tags": supported, "picks": picked}[sys.argv[2]]
    answers = []
    for machine, question in json.load(sys.stdin):
        stand_on(*machine)
        answers.append(answer(*question))
    json.dump(answers, sys.__stdout__)


if __name__ == "__main__":
    main()
