"""A store that `engineroom store publish` makes, and servers that misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
import zipfile
import zlib
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import engineroom
from engineroom.version import __version__

TAG = "cp39-abi3-manylinux_2_28_x86_64"
GLIBC = ("debian-openssl-3-x86_64", "rhel-x86_64")
# Bytes that do not shrink in the archive, so that a download can be cut in its middle.
ENGINE = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(20_000))
MUSL_ENGINE = ENGINE[::-1]


def make_wheel(folder, *, tag=TAG, targets=GLIBC, data=ENGINE, build=""):
    """Write a wheel of this version that has engines of these bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{targets[0]}/_qe_sqlite.abi3.so"
    rows = "".join(
        f"{target},sqlite,{file},{len(data)},{zlib.crc32(data):08x},{sha256},b1\n"
        for target in targets
    )
    head = "target,backend,file,size_bytes,crc32,sha256,build_id\n"
    info = f"engineroom-{__version__}.dist-info"
    wheel = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n"
    members = {
        "engineroom/engines/manifest.csv": (
            f"# engineroom engines, format 1, package {__version__}\n{head}{rows}"
        ).encode(),
        f"engineroom/engines/{file}": data,
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: engineroom\nVersion: {__version__}\n"
        ).encode(),
        f"{info}/WHEEL": (wheel + (f"Build: {build}\n" if build else "")).encode(),
    }
    record = "".join(
        f"{name},sha256="
        f"{base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip('=')}"
        f",{len(text)}\n"
        for name, text in members.items()
    )
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    parts = ["engineroom", __version__, *([build] if build else []), tag]
    folder.mkdir(exist_ok=True)
    path = folder / f"{'-'.join(parts)}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def publish(store, *wheels):
    """Publish wheels as people do."""
    command = [sys.executable, "-m", "engineroom", "store", "publish", "--partial"]
    words = [*command, "--store", store, *wheels]
    subprocess.run(words, check=True, capture_output=True)


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A store with the wheels of two systems."""
    folder = tmp_path_factory.mktemp("published")
    musl = "cp39-abi3-musllinux_1_2_x86_64"
    publish(
        folder / "store",
        make_wheel(folder / "wheels"),
        make_wheel(
            folder / "wheels",
            tag=musl,
            targets=("linux-musl-x86_64",),
            data=MUSL_ENGINE,
        ),
    )
    return folder / "store"


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, unless the server's `answer` has something else in mind."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        if not self.server.answer(self):
            super().do_GET()

    def translate_path(self, path):
        if path.startswith("/json/") and path.endswith("/"):
            path += "index.json"
        self.directory = self.server.root
        return super().translate_path(path)

    extensions_map = {  # noqa: RUF012 - typed so by its base
        **SimpleHTTPRequestHandler.extensions_map,
        ".json": "application/vnd.pypi.simple.v1+json",
    }

    def say(self, status, body=b"", **headers):
        """Answer with a status, a body and headers."""
        self.send_response(status)
        headers.setdefault("Content_Length", len(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)
        return True

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_):
        """A client that hangs up is what some tests are about."""


@pytest.fixture
def serve(store):
    """Serve the store on loopback; `answer` may take over a request."""
    with_servers = []

    def start(answer=lambda _: False, *, root=store, context=None):
        server = Server(("127.0.0.1", 0), Handler)
        server.root, server.answer, server.asked = str(root), answer, []
        scheme = "http"
        if context is not None:
            scheme = "https"
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with_servers.append((server, thread))
        server.url = f"{scheme}://127.0.0.1:{server.server_port}/simple/"
        return server

    yield start
    for server, thread in with_servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


class Done:
    """How a run of `engineroom fetch` ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.text = done.stdout + done.stderr
        self.value = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        self.error = self.value.get("error", {})


def environment(**more):
    """The environment without what of this machine would steer a fetch."""
    drop = ("ENGINEROOM_", "HTTP", "http", "SSL_", "NO_PROXY", "no_proxy", "XDG_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    # A child stands in another folder, and is to run the package that is tested.
    kept["PYTHONPATH"] = str(Path(engineroom.__file__).parents[1])
    return {**kept, **{key: str(value) for key, value in more.items()}}


def command(*words):
    return [sys.executable, "-m", "engineroom", "fetch", *map(str, words)]


@pytest.fixture
def fetch(tmp_path):
    """Run `engineroom fetch --json` in a child process, in an empty folder."""

    def run(*words, **more):
        here = tmp_path / "here"
        here.mkdir(exist_ok=True)
        done = subprocess.run(
            command(*words, "--json"),
            cwd=here,
            env=environment(HOME=tmp_path / "home", **more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done)

    return run


@contextmanager
def process(*words, cwd):
    """Start `engineroom fetch` and end it when the block ends."""
    running = subprocess.Popen(
        command(*words),
        cwd=cwd,
        env=environment(HOME=cwd),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()
