"""A process that ends with clients open, or forgets them: no trace, no wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDINGS = {
    "blocking": """
        client = engineroom.open(url, min_size=2)
        client.execute("SELECT 1")
    """,
    "blocking in the middle of a statement": """
        import threading
        client = engineroom.open(url)
        begun = threading.Event()
        def work():
            with client.connection() as connection:
                begun.set()
                connection.execute(slow)
        threading.Thread(target=work, daemon=True).start()
        begun.wait(10)
    """,
    "blocking, at exit": """
        import atexit
        client = engineroom.open(url, start="first use")
        atexit.register(client.close)
        client.execute("SELECT 1")
    """,
    "asyncio": """
        import asyncio
        async def work():
            global client
            client = await engineroom.aio.open(url, min_size=2)
            await client.execute("SELECT 1")
        asyncio.run(work())
    """,
    "asyncio in the middle of a statement": """
        import asyncio
        async def work():
            global client
            client = await engineroom.aio.open(url)
            global task
            task = asyncio.create_task(client.execute(slow))
            await asyncio.sleep(0.01)
        asyncio.run(work())
    """,
    "in the middle of a warm-up": """
        client = engineroom.open(url, start="background", min_size=3, max_size=3)
    """,
}
SLOW = {
    "postgres": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n WHERE i < 0",
}


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda name: name.replace(" ", "-"))
def test_a_process_ends_with_a_client_open(backend: str, url: str, ending: str) -> None:
    lines = [line[8:] for line in ENDINGS[ending].splitlines()]
    head = f"import engineroom, engineroom.aio\nurl, slow = {url!r}, {SLOW[backend]!r}"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([head, *lines])],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
