"""What the system is asked for from import to answer: files to read, and no more.

No process is started, nothing goes to a network, and nothing is written but the
database. strace sees every call of every thread, whoever makes it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Callable

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    Trace = Callable[..., list[str]]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="strace is a program of Linux"
)

CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
PROCESS = ("execve", "execveat", "fork", "vfork", "clone", "clone3")
NETWORK = ("socket", "connect", "bind", "sendto", "sendmsg", "sendmmsg")
# Calls that change files, without their forms that begin at a folder.
CHANGES = re.compile(
    r"^(creat|mkdir|mknod|rmdir|unlink|rename|link|symlink|truncate|f?chmod"
    r"|chown|lchown|utime|utimes|utimensat|futimesat|setxattr|removexattr)(at|at2)?$"
)
WRITES = re.compile(r"\bO_(WRONLY|RDWR|CREAT|TRUNC|APPEND)\b")


def offences(lines: list[str], allowed: str = "") -> list[str]:
    """Return the lines in which a process does more than to read.

    Args:
        lines: what strace wrote.
        allowed: how the paths begin that may be written, such as the database's.
    """
    found: list[str] = []
    for line in lines:
        match = CALL.match(line)
        if match is None:
            continue
        name, arguments = match.groups()
        paths = PATH.findall(arguments)
        is_own = bool(allowed and paths and paths[0].startswith(allowed))
        if (
            (name in PROCESS and "CLONE_THREAD" not in arguments)
            or name in NETWORK
            or (not is_own and CHANGES.match(name))
            or (not is_own and name.startswith("open") and WRITES.search(arguments))
        ):
            found.append(line)
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """Run Python code under strace; give what it saw after the program's start."""
    strace = shutil.which("strace")
    if strace is None:
        if shutil.which("apt-get"):
            pytest.fail("strace is missing, which ./dev installs")
        pytest.skip("this system has no strace")

    def run(code: str, **settings: str) -> list[str]:
        out = tmp_path / "trace"
        # -B: what Python keeps of its own imports is no matter of this package. -I and
        # -S: nor is what .pth files import.
        head = f"import sys; sys.path[:0] = {sys.path!r}\n"
        done = subprocess.run(
            [
                *(strace, "-f", "-qq", "-s", "4096", "-e", "signal=none"),
                *("-o", str(out), sys.executable, "-B", "-I", "-S", "-c", head + code),
            ],
            env={**os.environ, **settings},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        if "ptrace" in done.stderr and "not permitted" in done.stderr:
            pytest.skip("this machine lets no process be traced")
        assert done.returncode == 0, done.stderr
        lines = out.read_text("utf-8", "replace").splitlines()
        # The first line is strace's own start of the program.
        assert CALL.match(lines[0])
        return lines[1:]

    return run


def test_from_import_to_answer_nothing_is_started_sent_or_written(
    trace: Trace, tmp_path: Path
) -> None:
    database = tmp_path / "shop.db"
    code = f"""
import engineroom
connection = engineroom.connect("sqlite:///{database}?mode=rwc")
connection.execute("CREATE TABLE product (id INTEGER, name TEXT)")
connection.executemany(
    "INSERT INTO product VALUES (?, ?)", [(n, f"name {{n}}") for n in range(20_000)]
)
connection.commit()
rows = connection.execute("SELECT * FROM product").fetchall()
assert len(rows) == 20_000
connection.close()
"""
    lines = trace(code)
    assert offences(lines, str(database)) == []
    # It was this that was seen: the database opened, and an engine mapped.
    assert any(f'"{database}"' in line and "O_CREAT" in line for line in lines)
    assert any("_qe_sqlite" in line and " = 3" in line for line in lines)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_preloading_reads_and_does_no_more(trace: Trace, engine: str) -> None:
    lines = trace(f"import engineroom; engineroom.preload({engine!r})")
    assert offences(lines) == []
    assert any(f"_qe_{engine}" in line for line in lines)


def test_a_refusal_reads_and_does_no_more(trace: Trace, tmp_path: Path) -> None:
    code = """
import engineroom
try:
    engineroom.connect("sqlite://:memory:")
except ImportError as error:
    assert "settings in force" in str(error)
else:
    raise AssertionError("an engine was loaded")
"""
    (tmp_path / "engine.so").write_bytes(b"no engine")
    lines = trace(code, ENGINEROOM_ENGINE_SQLITE=str(tmp_path / "engine.so"))
    assert offences(lines) == []


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import os; os.system('true')", id="a shell"),
        pytest.param("import os; os.fork() or os._exit(0)", id="a fork"),
        pytest.param("import socket; socket.socket()", id="a socket"),
        pytest.param("open('new', 'w')", id="a new file"),
        pytest.param("open('old', 'r+')", id="a file opened to write"),
        pytest.param("import os; os.mkdir('folder')", id="a folder"),
        pytest.param("import os; os.rename('old', 'new')", id="another name"),
        pytest.param("import os; os.unlink('old')", id="a file gone"),
        pytest.param("import os; os.chmod('old', 0o600)", id="another mode"),
    ],
)
def test_each_of_these_would_be_seen(trace: Trace, tmp_path: Path, code: str) -> None:
    (tmp_path / "old").touch()
    assert len(offences(trace(code))) >= 1
