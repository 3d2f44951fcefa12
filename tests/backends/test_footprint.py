"""What importing and reading cost in modules and memory, as facts and not as times."""

from __future__ import annotations

import subprocess
import sys

import pytest

import engineroom

# What the standard library itself would make the first answer wait for: each of these
# costs milliseconds to import (docs/internals/start-up.md has the figures).
HEAVY = (
    "ast",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "hashlib",
    "importlib.metadata",
    "importlib.resources",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "platform",
    "re",
    "subprocess",
    "typing",
    "urllib",
)


def run(code: str) -> str:
    # -S and -I: what .pth files of this environment import is not ours.
    head = f"import sys; sys.path[:0] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", head + code],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_importing_loads_no_engine_and_nothing_heavy() -> None:
    code = "import engineroom\nprint(*sorted(sys.modules))"
    modules = run(code).split()
    assert "engineroom" in modules
    assert [m for m in modules if m.startswith(("_cffi", "_qe", "cffi"))] == []
    assert [m for m in modules if m in HEAVY] == []
    assert [m for m in modules if m.startswith("engineroom.")] == ["engineroom.version"]


def test_the_first_answer_imports_nothing_heavy() -> None:
    code = (
        "import engineroom\n"
        "connection = engineroom.connect('sqlite://:memory:')\n"
        "assert connection.execute('SELECT 1').fetchall() == [(1,)]\n"
        "connection.close()\n"
        "print(*sorted(sys.modules))"
    )
    modules = run(code).split()
    assert [m for m in modules if m in HEAVY] == []


def test_every_public_name_can_be_had_and_is_listed() -> None:
    for name in engineroom.__all__:
        assert getattr(engineroom, name) is not None
    assert set(engineroom.__all__) <= set(dir(engineroom))
    with pytest.raises(AttributeError, match="no attribute `nothing`"):
        engineroom.nothing  # noqa: B018 - reading it is the test


READ = """
import resource
import engineroom
connection = engineroom.connect("sqlite://:memory:")
sql = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) "
    "SELECT x, 'some text of a usual size ' || x FROM c"
)
cursor = connection.execute("SELECT 1")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = 0
{loop}
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
connection.close()
scale = 1024 if sys.platform == "linux" else 1
print(count, (after - before) * scale)
"""

LOOPS = {
    "iteration": "for row in cursor.execute(sql): count += 1",
    "fetchmany": (
        "cursor.execute(sql)\n"
        "while True:\n"
        "    rows = cursor.fetchmany(1000)\n"
        "    count += len(rows)\n"
        "    if not rows: break"
    ),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_result_of_any_length_is_read_in_bounded_memory(loop: str) -> None:
    pytest.importorskip("resource")
    count, growth = map(int, run(READ.format(loop=loop)).split())
    assert count == 1_000_000
    # Kept whole, these rows would take over 150 MB.
    assert growth < 16 * 1024 * 1024
