"""Servers on loopback: static ones, as people put in front of a folder, and S3's."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BUCKET = "wheels"
ACCESS_KEY = "testkey"
SECRET_KEY = "testsecret"

# It would report to its vendor, and listen on every address, if it were not told.
SEAWEEDFS_FLAGS = (
    "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}",
    "-master.telemetry=false", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)  # fmt: skip

_START_SECONDS = 60.0


class _JsonIndexHandler(SimpleHTTPRequestHandler):
    """The two lines that a web server needs to serve `json/`: index file and type."""

    extensions_map = {  # noqa: RUF012 - typed so by its base
        **SimpleHTTPRequestHandler.extensions_map,
        ".json": "application/vnd.pypi.simple.v1+json",
    }

    def __init__(self, *arguments: Any, asked: list[str], **options: Any) -> None:
        self._asked = asked
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        is_page = path.startswith("/json/") and path.endswith("/")
        return super().translate_path(f"{path}index.json" if is_page else path)

    def log_message(self, *_: Any) -> None:
        self._asked.append(self.path)


@contextmanager
def serve_json(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a store's JSON pages; give their address and the paths asked for."""
    asked: list[str] = []
    handler = partial(_JsonIndexHandler, directory=str(root), asked=asked)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/json/", asked
        finally:
            server.shutdown()
            thread.join()


def program(name: str) -> str:
    """Give the path of a program, this Python's first, or skip the test."""
    places = (os.path.dirname(sys.executable), os.environ["PATH"])
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_ports(count: int) -> list[int]:
    """Give ports that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def seaweedfs(folder: Path, ports: Sequence[int] = ()) -> Iterator[str]:
    """Run a real S3 server that keeps its objects in a folder; give its endpoint.

    The ports are ten; a server that comes after one that was killed needs the same.
    """
    listen = [
        f"{part}.port{kind}"
        for part in ("s3", "filer", "master", "volume", "admin")
        for kind in ("", ".grpc")
    ]
    ports = ports or free_ports(len(listen))
    command = [
        program("weed"), "mini", f"-dir={folder}", *SEAWEEDFS_FLAGS,
        *(f"-{name}={port}" for name, port in zip(listen, ports)),
    ]  # fmt: skip
    with _running(command, folder, f"http://127.0.0.1:{ports[0]}") as endpoint:
        yield endpoint


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """Run moto's S3 server, which keeps everything in memory; give its endpoint."""
    [port] = free_ports(1)
    command = [program("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder, f"http://127.0.0.1:{port}") as endpoint:
        yield endpoint


@contextmanager
def rclone(folder: Path) -> Iterator[str]:
    """Run rclone's S3 server, which ignores all conditions; give its endpoint."""
    [port] = free_ports(1)
    (folder / "files").mkdir(parents=True)
    command = [
        program("rclone"), "serve", "s3", f"--addr=127.0.0.1:{port}",
        f"--auth-key={ACCESS_KEY},{SECRET_KEY}", f"--config={os.devnull}",
        str(folder / "files"),
    ]  # fmt: skip
    with _running(command, folder, f"http://127.0.0.1:{port}") as endpoint:
        yield endpoint


def public_bucket(endpoint: str) -> str:
    """Make a bucket that anyone may read; give its name."""
    name = f"public-{secrets.token_hex(8)}"
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client = _client(endpoint)
    client.create_bucket(Bucket=name)
    client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    client.close()
    return name


def _client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )


@contextmanager
def _running(command: list[str], folder: Path, endpoint: str) -> Iterator[str]:
    """Run a server from when it takes objects until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        _wait_until_it_takes_objects(server, folder, endpoint)
        yield endpoint
    finally:
        # Killed: the polite way takes SeaweedFS three seconds, and nothing is kept.
        server.kill()
        server.wait()


def _wait_until_it_takes_objects(
    server: subprocess.Popen[bytes], folder: Path, endpoint: str
) -> None:
    client = _client(endpoint)
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if BUCKET not in {b["Name"] for b in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="started", Body=b"x")
        except (BotoCoreError, ClientError):
            log = (folder / "server.log").read_text(errors="replace")
            assert server.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.05)
        else:
            client.close()
            return
