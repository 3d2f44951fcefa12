"""One publisher: `python -m bench.store_publisher TOOL ENDPOINT PREFIX FOLDER`.

FOLDER holds a folder of wheels for each release. Says `ready`, begins when it is sent a
line, and in the end tells how many seconds of CPU it took. For our own tool ENDPOINT
may be a folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.store.servers import BUCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Publish = Callable[[list[Path]], None]


def engineroom(endpoint: str, prefix: str) -> Publish:
    from engineroom.store import FolderTransport, publish

    if not endpoint.startswith("http"):
        folder = FolderTransport(Path(endpoint) / prefix)
        return lambda wheels: _ignore(publish(folder, wheels))
    from engineroom.store.s3 import S3Transport

    bucket = S3Transport(BUCKET, f"{prefix}/", endpoint_url=endpoint)
    return lambda wheels: _ignore(publish(bucket, wheels))


def s3pypi(endpoint: str, prefix: str) -> Publish:
    """What the command does, without a new interpreter for each release.

    With `index.html` in the keys: a server may not keep what ends in a slash.
    """
    import logging

    from s3pypi import core

    logging.getLogger("s3pypi").setLevel(logging.ERROR)
    place = core.S3Config(
        bucket=BUCKET, prefix=prefix, endpoint_url=endpoint, index_html=True
    )
    return lambda wheels: core.upload_packages(core.Config(place), wheels)


def engineroom_command(endpoint: str, prefix: str) -> Publish:
    words = [sys.executable, "-m", "engineroom", "store", "publish"]
    if endpoint.startswith("http"):
        options = ["--store", f"s3://{BUCKET}/{prefix}", "--endpoint-url", endpoint]
    else:
        options = ["--store", os.path.join(endpoint, prefix)]
    return lambda wheels: _run([*words, *options, *map(str, wheels)])


def s3pypi_command(endpoint: str, prefix: str) -> Publish:
    words = [os.path.join(os.path.dirname(sys.executable), "s3pypi"), "upload"]
    options = ["--bucket", BUCKET, "--prefix", prefix, "--index.html"]
    options += ["--s3-endpoint-url", endpoint]
    return lambda wheels: _run([*words, *map(str, wheels), *options])


TOOLS = {
    "engineroom": engineroom,
    "s3pypi": s3pypi,
    "engineroom-command": engineroom_command,
    "s3pypi-command": s3pypi_command,
}


def _ignore(_outcome: object) -> None:
    pass


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    tool, endpoint, prefix, folder = sys.argv[1:]
    publish = TOOLS[tool](endpoint, prefix)
    releases = [sorted(one.glob("*.whl")) for one in sorted(Path(folder).iterdir())]
    print("ready", flush=True)
    sys.stdin.readline()
    before = os.times()
    for wheels in releases:
        publish(wheels)
    spent = (now - then for now, then in zip(os.times()[:4], before[:4]))
    print(sum(spent))


if __name__ == "__main__":
    main()
