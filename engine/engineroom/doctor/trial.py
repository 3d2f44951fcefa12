"""Has an engine loaded in a child process first, so that a crash is a line of text.

The child has this process's Python, environment, settings and import path, and loads
as every program does. What it cannot inherit is what this process has loaded already,
such as an OpenSSL; `engineroom doctor` has loaded none by then.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from engineroom.doctor.findings import OK, PROBLEM, Finding

if TYPE_CHECKING:
    from typing import Any

__all__ = ["PATIENCE_SECONDS", "Trial", "describe", "try_engine"]

# An engine loads in milliseconds; under an emulator or on a slow disk in a second.
PATIENCE_SECONDS = 10.0
# What each line of the child begins with.
MARK = "engineroom-trial"
# What is imported costs most of a child's time. Without `site` there is none of what
# .pth files bring, the path comes from here, and PYTHON variables change nothing.
FLAGS = ("-I", "-S")
CODE = (
    "import sys; backend, mark, *sys.path = sys.argv[1:];"
    " from engineroom.loader.child import run; run(backend, mark)"
)
# How the programs are called that take Python's arguments.
PYTHONS = ("python", "pypy", "graalpy")
MILLISECONDS = 1000


class Trial:
    """How an attempt in a child process ended.

    Attributes:
        outcome: `loaded`; `refused` where no engine passed; `crashed` or `ended` where
            an engine ended the child, by a signal or otherwise; `hung` where the child
            had to be ended; `not made` where there was none.
        reason: how it ended, or why it was not made, as a clause.
        target: the target of the last engine that was about to be loaded, or empty.
        path: that engine's file, or empty.
        signal: the name of the signal that ended the child, such as `SIGSEGV`.
        exit_code: the number with which the child ended, None if it did not.
        output: the last line that the child wrote to its standard error.
        milliseconds: how long all that took.
    """

    def __init__(self, outcome: str, reason: str) -> None:
        self.outcome = outcome
        self.reason = reason
        self.target = ""
        self.path = ""
        self.signal = ""
        self.exit_code: int | None = None
        self.output = ""
        self.milliseconds = 0.0

    @property
    def is_safe(self) -> bool:
        """Whether the engine may be loaded in this process."""
        return self.outcome in ("loaded", "refused", "not made")

    def as_json(self) -> dict[str, Any]:
        """Return it as the report has it."""
        return {
            "outcome": self.outcome,
            "target": self.target or None,
            "path": self.path or None,
            "signal": self.signal or None,
            "exit_code": self.exit_code,
            "output": self.output or None,
            "milliseconds": self.milliseconds,
        }


def try_engine(backend: str, patience_seconds: float = PATIENCE_SECONDS) -> Trial:
    """Have a child process load the engine of a backend; return how that ended.

    Args:
        backend: the backend.
        patience_seconds: how long the child may take.
    """
    obstacle = _obstacle()
    if obstacle:
        return Trial("not made", obstacle)
    import subprocess
    import time

    command = [sys.executable, *FLAGS, "-c", CODE, backend, MARK, *_import_path()]
    started = time.perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 - this very Python
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_seconds,
            check=False,
        )
    except OSError as error:
        reason = f"{sys.executable} cannot be started: {error.strerror}"
        return Trial("not made", reason)
    except subprocess.TimeoutExpired as late:
        exit_code, output, errors = None, late.stdout or b"", late.stderr or b""
    else:
        exit_code, output, errors = done.returncode, done.stdout, done.stderr
    trial = _judge(os.fsdecode(output), exit_code, patience_seconds)
    trial.output = _last_line(os.fsdecode(errors))
    trial.milliseconds = round((time.perf_counter() - started) * MILLISECONDS, 1)
    return trial


def _obstacle() -> str:
    """Say why no child can be started, or nothing."""
    if not sys.executable:
        return "this Python does not know its own program"
    # Another program would not know what to do with Python's arguments, and might do
    # what it is for once more.
    name = os.path.basename(sys.executable)
    if getattr(sys, "frozen", False) or not name.lower().startswith(PYTHONS):
        return f"{sys.executable} is no Python but a program that has one within"
    return ""


def _import_path() -> list[str]:
    """Return this process's path, and this very package's folder as the last resort.

    A path hook, such as an editable installation has, is not inherited.
    """
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [*map(str, sys.path), *([] if here in sys.path else [here])]


def _judge(output: str, exit_code: int | None, patience_seconds: float) -> Trial:
    """Read what the child told; its exit code is None if it had to be ended."""
    lines = [line.split("\t") for line in output.splitlines()]
    told = [words[1:] for words in lines if words[0] == MARK]
    last = told[-1][0] if told else ""
    loading = next((words for words in reversed(told) if words[0] == "loading"), None)
    signal = _signal_name(-exit_code) if exit_code is not None and exit_code < 0 else ""
    if exit_code == 0 and last in ("loaded", "refused"):
        outcome, reason = last, "ended well"
    elif exit_code is None:
        outcome, reason = "hung", f"was not done after {patience_seconds:g} s"
    elif signal:
        outcome, reason = "crashed", f"was ended by {signal}"
    else:
        outcome, reason = "ended", f"was ended with exit code {exit_code}"
    if last == "loaded" and outcome != "loaded":
        reason += " when it had loaded it"
    if outcome in ("crashed", "ended") and loading is None:
        # No engine is to blame for what happened before.
        outcome, reason = "not made", f"the child {reason} before it loaded anything"
    trial = Trial(outcome, reason)
    trial.signal = signal
    trial.exit_code = None if signal else exit_code
    if loading is not None:
        trial.target, trial.path = loading[1:3]
    return trial


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def describe(trial: Trial, backend: str) -> Finding:
    """Return what the report says of a trial."""
    if trial.outcome == "not made":
        text = f"no child process tried the engine first: {trial.reason}"
        if trial.output:
            text += f" ({trial.output})"
        return Finding("trial", OK, text)
    if trial.is_safe:
        what = f"loaded the {backend} engine"
        if trial.outcome == "refused":
            what = "found no engine to load"
        text = f"a child process {what} and ended well, in {trial.milliseconds} ms"
        return Finding("trial", OK, text)
    from engineroom.loader.remedy import bring_back
    from engineroom.loader.settings import read_overrides

    what = f"looked for the {backend} engine"
    remedy = "see that every folder of the settings and of sys.path answers"
    if trial.path:
        target = f" ({trial.target})" if trial.target else ""
        what = f"loaded the {backend} engine {trial.path}{target}"
        overrides = read_overrides(backend, os.environ)
        remedy = bring_back(trial.path, trial.target, overrides)
    text = f"A child process that {what} {trial.reason}"
    if trial.output:
        text += f": {trial.output}"
    return Finding(
        "trial",
        PROBLEM,
        text,
        remedy=f"{remedy}; if that changes nothing, report it with this text",
    )
