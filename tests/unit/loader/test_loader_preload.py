"""`engineroom.preload`: engines are loaded, or not, before anything needs them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

from engineroom.loader.load import BACKENDS
from engineroom.version import __version__
from native.build.backends import BACKENDS as BUILT

RUN = """
import sys
import engineroom

def outcome(call, *arguments):
    try:
        found = call(*arguments)
    except engineroom.Error as error:
        return [type(error).__name__, error.backend, str(error)]
    return [(e.backend, e.target, e.path, e.build_id, e.package_version) for e in found]

def loaded():
    return sorted(name for name in sys.modules if name.startswith("_qe_"))
"""


@pytest.fixture
def run(shelf):
    """Evaluate an expression in a process that has the shelf's engines and no other."""

    def evaluate(expression):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ENGINEROOM_")
        }
        environment["ENGINEROOM_ENGINE_DIR"] = str(shelf.path)
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"{RUN}\nprint({expression})"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return ast.literal_eval(done.stdout)

    return evaluate


def test_preload_loads_what_is_named_and_tells_what_it_is(
    run, shelf, make_engine, host
):
    file = shelf.add(host.id, make_engine().read_bytes())
    before, found, after = run(
        "[loaded(), outcome(engineroom.preload, 'sqlite'), loaded()]"
    )
    assert before == []
    assert found == [("sqlite", host.id, str(file), "b1", __version__)]
    assert "_qe_sqlite" in after


def test_preload_again_gives_the_same_engine(run, shelf, make_engine, host):
    shelf.add(host.id, make_engine().read_bytes())
    pair = "engineroom.preload('sqlite', 'sqlite')"
    assert run(f"[len({pair}), len({{id(engine) for engine in {pair}}})]") == [2, 1]


@pytest.mark.parametrize(
    ("backend", "url"),
    [
        pytest.param("sqlite", "sqlite://:memory:", id="sqlite"),
        pytest.param("postgres", "postgresql://nobody@127.0.0.1/none", id="postgres"),
    ],
)
def test_preload_raises_exactly_what_connect_raises(run, backend, url):
    of_preload = run(f"outcome(engineroom.preload, {backend!r})")
    of_connect = run(f"outcome(engineroom.connect, {url!r})")
    assert of_preload == of_connect
    assert of_preload[:2] == ["EngineNotInstalled", backend]


def test_preload_without_a_name_means_every_backend(run, shelf, make_engine, host):
    shelf.add(host.id, make_engine().read_bytes())
    (kind, backend, _), modules = run("[outcome(engineroom.preload), loaded()]")
    assert (kind, backend) == ("EngineNotInstalled", "postgres")
    assert "_qe_sqlite" in modules


def test_preload_of_what_is_no_backend_says_which_there_are(run):
    kind, backend, text = run("outcome(engineroom.preload, 'mysql')")
    assert (kind, backend) == ("BackendUnknown", "mysql")
    assert text.endswith("hint: the backends are `sqlite` and `postgres`")


def test_the_backends_are_those_that_are_built():
    assert set(BACKENDS) == set(BUILT)
