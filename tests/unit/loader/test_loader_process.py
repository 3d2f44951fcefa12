"""One engine a process, whatever its threads and forks do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest


def in_child(code, folder, **settings):
    environment = {**os.environ, "ENGINEROOM_ENGINE_DIR": str(folder), **settings}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_load_engine_from_many_threads_at_once_loads_one_engine(
    shelf, make_engine, host
):
    shelf.add(host.id, make_engine().read_bytes())
    code = """
    import json, threading
    from engineroom.loader import load_engine
    start = threading.Barrier(16)
    found = []
    def work():
        start.wait()
        found.append(load_engine("sqlite"))
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(json.dumps([len(found), len({id(engine) for engine in found})]))
    """
    assert in_child(code, shelf.path) == [16, 1]


def test_load_engine_after_a_failure_tries_again(shelf, make_engine, host):
    engine = make_engine()
    file = shelf.add(host.id, engine.read_bytes())
    file.unlink()
    code = f"""
    import json, shutil
    from engineroom.errors import LoadError
    from engineroom.loader import load_engine
    try:
        load_engine("sqlite")
    except LoadError as error:
        first = error.attempts[0].verdict
    shutil.copy({str(engine)!r}, {str(file)!r})
    print(json.dumps([first, load_engine("sqlite").target]))
    """
    assert in_child(code, shelf.path) == ["missing", host.id]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_load_engine_in_a_child_forked_while_a_thread_loads_does_not_hang(
    shelf, make_engine, host
):
    shelf.add(host.id, make_engine().read_bytes())
    code = """
    import json, os
    from engineroom.loader import load, load_engine
    load._lock.acquire()  # as if a thread were loading just now
    child = os.fork()
    if child == 0:
        os._exit(0 if load_engine("sqlite").backend == "sqlite" else 1)
    print(json.dumps(os.waitpid(child, 0)[1]))
    """
    assert in_child(code, shelf.path) == 0


def test_importing_the_loader_loads_no_engine_and_nothing_heavy():
    code = """
    import sys
    before = set(sys.modules)
    import engineroom.loader
    names = sorted(set(sys.modules) - before)
    sys.stdout.write('["' + '", "'.join(names) + '"]')
    """
    # Without site, whose own imports would hide ours.
    done = subprocess.run(
        [sys.executable, "-S", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout))
    heavy = {"typing", "dataclasses", "enum", "re", "json", "pathlib", "collections"}
    heavy |= {"datetime", "decimal", "importlib.util", "importlib.metadata", "hashlib"}
    heavy |= {"subprocess", "inspect", "ast", "platform", "logging", "ctypes"}
    heavy |= {"_cffi_backend", "cffi", "_qe_sqlite", "engineroom.platforms.manifest"}
    assert "engineroom.loader.load" in loaded
    assert not heavy & loaded
