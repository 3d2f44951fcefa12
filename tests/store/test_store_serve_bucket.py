"""The web server before a private bucket, on a real S3 server."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from engineroom.store import publish

from .conftest import s3_transport
from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store.s3 import S3Transport

    from .conftest import Installer


@pytest.fixture
def store(seaweedfs: str, tmp_path: Path) -> S3Transport:
    transport = s3_transport(seaweedfs, f"{secrets.token_hex(8)}/")
    files = {"big.bin": secrets.token_bytes(600_000)}
    publish(transport, [make_wheel(tmp_path, files=files)])
    return transport


@pytest.mark.parametrize("redirects", [False, True], ids=["itself", "redirect"])
def test_an_installer_needs_no_rights_in_the_bucket(
    seaweedfs: str,
    store: S3Transport,
    uv: Installer,
    tmp_path: Path,
    redirects: bool,
) -> None:
    redirect = ["--redirect"] if redirects else []
    options = ["--endpoint-url", seaweedfs, *redirect]
    with served(store.address, tmp_path, *options) as server:
        found = uv.install(server.index_url, "widget", target=tmp_path / "target")
        assert "widget-1.0.dist-info" in found
        status = 302 if redirects else 200
        assert server.logs(rf"GET /blobs/\S+/widget-1\.0-py3-none-any\.whl {status} ")
        assert server.ask("/readyz").status == 200
        assert "<h1>widget" in server.ask("/project/widget/").body.decode()


def test_a_redirect_is_signed_and_kept_by_nobody(
    seaweedfs: str, store: S3Transport, tmp_path: Path
) -> None:
    wheel = next(key for key in store.list("blobs/") if key.endswith(".whl"))
    data = store.get(wheel)
    assert data is not None
    tokens = ["--token-file", str(tmp_path / "tokens")]
    options = ["--endpoint-url", seaweedfs, "--redirect", *tokens]
    (tmp_path / "tokens").write_text("0123456789-abcdefghij\n")
    with served(store.address, tmp_path, *options) as server:
        assert server.ask(f"/{wheel}").status == 401
        token = {"Authorization": "Bearer 0123456789-abcdefghij"}
        answer = server.ask(f"/{wheel}", token)
        location = answer.headers["location"]
        assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
        assert location.startswith(seaweedfs)
        assert "X-Amz-Expires=900" in location
        part = Request(location, headers={"Range": "bytes=10-19"})
        with urlopen(part, timeout=20) as response:
            assert response.read() == data.data[10:20]
        head = server.ask(f"/{wheel}", token, method="HEAD")
        assert head.status == 200
        assert head.headers["content-length"] == str(len(data.data))
        assert "X-Amz" not in server.log


def test_parts_of_a_wheel_come_from_the_bucket(
    seaweedfs: str, store: S3Transport, tmp_path: Path
) -> None:
    wheel = next(key for key in store.list("blobs/") if key.endswith(".whl"))
    with served(store.address, tmp_path, "--endpoint-url", seaweedfs) as server:
        whole = server.ask(f"/{wheel}")
        assert hashlib.sha256(whole.body).hexdigest() in wheel
        part = server.ask(f"/{wheel}", {"Range": "bytes=300000-400000"})
        assert (part.status, part.body) == (206, whole.body[300_000:400_001])
        missing = wheel.replace("widget-1.0", "widget-1.1")
        assert server.ask(f"/{missing}").status == 404
