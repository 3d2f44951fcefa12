"""What is a bucket's own: faults on the way, refusals, headers, secrets."""

from __future__ import annotations

import hashlib
import os
import socket
import urllib.request
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import (
    BucketMissing,
    ObjectTooBig,
    RemoteBusy,
    RemoteBytesWrong,
    RemoteClockWrong,
    RemoteCredentialsExpired,
    RemoteCredentialsMissing,
    RemoteCredentialsWrong,
    RemoteError,
    RemoteForbidden,
    RemoteFull,
    RemoteServerFailed,
    RemoteTimedOut,
    RemoteTlsFailed,
    RemoteUnreachable,
    StoreAddressInvalid,
    WheelChanged,
)
from engineroom.store import open_store, publish
from engineroom.store.media import content_headers
from engineroom.store.s3 import S3Transport
from engineroom.store.transport import BytesBody, FileBody

from . import servers
from .conftest import s3_transport
from .faulty_proxy import FaultyProxy
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Installer

pytestmark = pytest.mark.usefixtures("aws_environment")

KEY = "journal/widget/000000000001.json"
ONE = BytesBody(b"one" * 1000)
TWO = BytesBody(b"two" * 1000)

# A fault that passes: the request is sent again and the second try is answered.
PASSING = {
    "drop": {"how": "drop"},
    "cut": {"how": "cut"},
    "lose": {"how": "lose"},
    "stall": {"how": "stall", "seconds": 5.0},
    "delay": {"how": "delay", "seconds": 0.2},
    "twice": {"how": "twice"},
    "refuse 500": {"how": "refuse", "status": 500},
    "refuse 502": {"how": "refuse", "status": 502},
    "refuse 503": {"how": "refuse", "status": 503, "code": "SlowDown"},
    "disown 500": {"how": "disown", "status": 500},
    "disown 503": {"how": "disown", "status": 503, "code": "SlowDown"},
}
# After these the object was there before the answered try, so the answer is No.
DONE_BEFORE = {"lose", "stall", "twice", "disown 500", "disown 503"}


@pytest.fixture
def proxy(seaweedfs: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(seaweedfs) as running:
        yield running


@pytest.fixture
def through(proxy: FaultyProxy, tmp_path: Path) -> S3Transport:
    """Give a place that is reached through the proxy, and that has been asked."""
    transport = s3_transport(proxy.url, f"{tmp_path.name}/", timeout_seconds=2.0)
    assert transport.answers.puts_if_absent
    return transport


@pytest.fixture
def direct(seaweedfs: str, tmp_path: Path) -> S3Transport:
    """Give the same place, reached without the proxy."""
    return s3_transport(seaweedfs, f"{tmp_path.name}/")


def bytes_at(transport: S3Transport, key: str = KEY) -> bytes | None:
    stored = transport.get(key)
    return stored.data if stored else None


@pytest.mark.parametrize("name", PASSING)
def test_a_put_survives_a_fault_that_passes(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy, name: str
) -> None:
    proxy.hurt(**PASSING[name], method="PUT", path=KEY)
    assert through.put_if_absent(KEY, ONE) is (name not in DONE_BEFORE)
    assert proxy.was_hurt
    assert bytes_at(direct) == ONE.data
    assert not through.put_if_absent(KEY, TWO)
    assert bytes_at(direct) == ONE.data


@pytest.mark.parametrize("name", PASSING)
def test_a_replacement_survives_a_fault_that_passes(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy, name: str
) -> None:
    assert through.put_if_absent(KEY, ONE)
    stored = through.get(KEY)
    assert stored is not None
    proxy.hurt(**PASSING[name], method="PUT", path=KEY)
    is_ours = through.replace(KEY, TWO, expected=stored.version)
    assert proxy.was_hurt
    assert is_ours is (name not in DONE_BEFORE)
    assert bytes_at(direct) == TWO.data
    assert not through.replace(KEY, ONE, expected=stored.version)
    assert bytes_at(direct) == TWO.data


@pytest.mark.parametrize("name", [*PASSING, "truncate"])
def test_reading_survives_a_fault_that_passes(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy, name: str
) -> None:
    assert direct.put_if_absent(KEY, ONE)
    proxy.hurt(**PASSING.get(name, {"how": "truncate"}), method="GET", path=KEY)
    assert bytes_at(through) == ONE.data
    assert proxy.was_hurt


@pytest.mark.parametrize("how", ["drop", "lose", "cut"])
def test_a_put_whose_every_try_fails_says_so_or_finds_the_object(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy, how: str
) -> None:
    proxy.hurt(how, method="PUT", path=KEY, times=100)
    if how == "lose":
        assert not through.put_if_absent(KEY, ONE)
        assert bytes_at(direct) == ONE.data
        return
    with pytest.raises(RemoteError):
        through.put_if_absent(KEY, ONE)
    assert direct.get(KEY) is None


def test_a_download_goes_on_where_it_broke_off(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy
) -> None:
    data = os.urandom(3_000_000)
    assert direct.put_if_absent("blobs/wheel", BytesBody(data))
    proxy.hurt("truncate", method="GET", path="blobs/wheel", times=2)
    file = through.open("blobs/wheel", start=1000)
    assert file is not None
    with file:
        assert file.read() == data[1000:]
    assert proxy.was_hurt


def test_a_download_that_keeps_breaking_off_ends(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy
) -> None:
    assert direct.put_if_absent("blobs/wheel", BytesBody(os.urandom(100_000)))
    proxy.hurt("truncate", method="GET", path="blobs/wheel", times=100)
    file = through.open("blobs/wheel")
    assert file is not None
    with file, pytest.raises(RemoteServerFailed, match="broke off"):
        file.read()


def test_a_download_of_what_changes_meanwhile_is_refused(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy
) -> None:
    data = os.urandom(3_000_000)
    assert direct.put_if_absent("blobs/wheel", BytesBody(data))
    proxy.hurt("truncate", method="GET", path="blobs/wheel")
    file = through.open("blobs/wheel")
    assert file is not None
    with file:
        assert file.read(1) == data[:1]
        direct.delete("blobs/wheel")
        assert direct.put_if_absent("blobs/wheel", BytesBody(b"other"))
        with pytest.raises(RemoteBytesWrong, match="changed while it was read"):
            file.read()


def test_a_conflict_is_tried_again(through: S3Transport, proxy: FaultyProxy) -> None:
    """AWS says 409 when another conditional write to the key is under way."""
    refusal = {"status": 409, "code": "ConditionalRequestConflict"}
    proxy.hurt("refuse", method="PUT", path=KEY, times=3, **refusal)
    assert through.put_if_absent(KEY, ONE)
    assert proxy.was_hurt
    stored = through.get(KEY)
    assert stored is not None
    proxy.hurt("refuse", method="PUT", path=KEY, times=2, **refusal)
    assert through.replace(KEY, TWO, expected=stored.version)


def test_a_conflict_without_end_is_told(
    through: S3Transport, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engineroom.store.s3._CONFLICT_PAUSE_SECONDS", 0.0)
    refusal = {"status": 409, "code": "ConditionalRequestConflict"}
    proxy.hurt("refuse", method="PUT", path=KEY, times=100, **refusal)
    with pytest.raises(RemoteBusy, match="409 ConditionalRequestConflict"):
        through.put_if_absent(KEY, ONE)


def test_what_is_not_there_matches_no_version_on_aws(
    through: S3Transport, proxy: FaultyProxy
) -> None:
    """AWS answers 404 NoSuchKey where others say 412."""
    proxy.hurt("refuse", method="PUT", path=KEY, status=404, code="NoSuchKey")
    assert not through.replace(KEY, TWO, expected="0" * 32)


REFUSALS = {
    "AccessDenied": (403, RemoteForbidden),
    "BadDigest": (400, RemoteBytesWrong),
    "EntityTooLarge": (400, ObjectTooBig),
    "ExpiredToken": (400, RemoteCredentialsExpired),
    "InternalError": (500, RemoteServerFailed),
    "InvalidAccessKeyId": (403, RemoteCredentialsWrong),
    "NoSuchBucket": (404, BucketMissing),
    "QuotaExceeded": (403, RemoteFull),
    "RequestTimeTooSkewed": (403, RemoteClockWrong),
    "SignatureDoesNotMatch": (403, RemoteCredentialsWrong),
    "SlowDown": (503, RemoteBusy),
    "Unheard": (418, RemoteError),
}


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_each_refusal_has_its_class(
    through: S3Transport, proxy: FaultyProxy, method: str, code: str
) -> None:
    status, kind = REFUSALS[code]
    proxy.hurt("refuse", method=method, path=KEY, times=9, status=status, code=code)
    with pytest.raises(RemoteError) as caught:
        if method == "GET":
            through.get(KEY)
        else:
            through.put_if_absent(KEY, ONE)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.server_code) == (status, code)
    assert error.where == f"s3://{servers.BUCKET}/{through.bucket.prefix}{KEY}"
    assert error.endpoint == proxy.url
    assert f"the server answered {status} {code}: as asked" in error.message


def test_credentials_that_expire_stop_a_write_and_say_so(
    through: S3Transport, direct: S3Transport, proxy: FaultyProxy
) -> None:
    proxy.hurt("refuse", method="PUT", times=100, status=400, code="ExpiredToken")
    with pytest.raises(RemoteCredentialsExpired) as caught:
        through.put_if_absent(KEY, ONE)
    assert "get new credentials" in caught.value.hint
    assert direct.get(KEY) is None


def test_a_server_that_never_answers_is_given_up(
    proxy: FaultyProxy,
) -> None:
    transport = s3_transport(proxy.url, "x/", tries=1, timeout_seconds=0.3)
    proxy.hurt("stall", method="GET", times=9, seconds=10.0)
    with pytest.raises(RemoteTimedOut, match="did not answer in time"):
        transport.get(KEY)


def test_an_endpoint_where_nothing_answers_is_named() -> None:
    [port] = servers.free_ports(1)
    transport = s3_transport(f"http://127.0.0.1:{port}", "x/", tries=1)
    with pytest.raises(RemoteUnreachable, match="nothing answers there") as caught:
        transport.get(KEY)
    assert caught.value.endpoint == f"http://127.0.0.1:{port}"


def test_an_endpoint_without_tls_is_told_from_one_with(seaweedfs: str) -> None:
    secure = seaweedfs.replace("http://", "https://")
    with pytest.raises(RemoteTlsFailed) as caught:
        s3_transport(secure, "x/", tries=1).get(KEY)
    assert "AWS_CA_BUNDLE" in caught.value.hint


def test_a_server_that_speaks_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        transport = s3_transport(
            f"http://127.0.0.1:{port}", "x/", tries=1, timeout_seconds=0.3
        )
        with pytest.raises(RemoteTimedOut):
            transport.get(KEY)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<html><p>hello</html>", "Internal Server Error"),  # in botocore's words
        (None, "is this the address of an S3 server"),  # it redirects to itself
    ],
)
def test_a_web_server_that_is_no_s3_server_is_told(
    tmp_path: Path, page: str | None, reason: str
) -> None:
    place = tmp_path / servers.BUCKET
    if page is None:
        place.mkdir()
    else:
        place.write_text(page)
    with servers.serve_json(tmp_path) as (url, _):
        transport = s3_transport(url.replace("/json/", ""), "x/", tries=1)
        with pytest.raises(RemoteServerFailed, match=reason):
            list(transport.list(""))


def test_wrong_credentials_are_told_and_never_shown(
    seaweedfs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-nobody-may-see")
    with pytest.raises(RemoteCredentialsWrong) as caught:
        s3_transport(seaweedfs, "x/").get(KEY)
    assert "a-secret" not in str(caught.value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    with pytest.raises(RemoteCredentialsWrong, match="InvalidAccessKeyId"):
        s3_transport(seaweedfs, "x/").get(KEY)


def test_missing_credentials_are_told(
    seaweedfs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(RemoteCredentialsMissing, match="no credentials were found"):
        s3_transport(seaweedfs, "x/").get(KEY)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RemoteCredentialsMissing, match="nobody"):
        s3_transport(seaweedfs, "x/")


def test_a_missing_bucket_is_told_from_a_missing_object(moto: str) -> None:
    transport = S3Transport("no-such-bucket", endpoint_url=moto)
    with pytest.raises(BucketMissing) as caught:
        transport.get(KEY)
    assert caught.value.where == f"s3://no-such-bucket/{KEY}"
    with pytest.raises(BucketMissing):
        transport.put_if_absent(KEY, ONE)
    with pytest.raises(BucketMissing):
        list(transport.list(""))


def test_a_body_above_the_limit_of_one_upload_is_refused(
    direct: S3Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engineroom.store.s3_bucket._PUT_LIMIT_BYTES", 2999)
    with pytest.raises(ObjectTooBig, match="it has 3000 bytes"):
        direct.put_if_absent(KEY, ONE)


def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    direct: S3Transport, tmp_path: Path
) -> None:
    """The checksum was right; it is the second reading, for the request, that fails."""
    data = os.urandom(10_000_000)
    path = tmp_path / "wheel"
    path.write_bytes(data)

    body = FileBody(path, len(data), hashlib.sha256(data).hexdigest())
    chunks = body.chunks
    turns = []

    class Body:
        size_bytes = body.size_bytes
        sha256 = body.sha256

        def chunks(self) -> Iterator[bytes]:
            turns.append(1)
            if len(turns) == 2:
                path.write_bytes(os.urandom(10_000_000))
            return chunks()

    with pytest.raises(WheelChanged):
        direct.put_if_absent("blobs/wheel", Body())
    assert direct.get("blobs/wheel") is None


@pytest.mark.parametrize(
    ("key", "content_type", "cache_control"),
    [
        ("simple/index.html", "text/html; charset=utf-8", "no-cache"),
        ("simple/widget/index.html", "text/html; charset=utf-8", "no-cache"),
        ("simple/widget/", "text/html; charset=utf-8", "no-cache"),
        (
            "channels/nightly/simple/widget/index.html",
            "text/html; charset=utf-8",
            "no-cache",
        ),
        (
            f"commits/{'a' * 40}/json/widget/index.json",
            "application/vnd.pypi.simple.v1+json",
            "no-cache",
        ),
        ("json/index.json", "application/vnd.pypi.simple.v1+json", "no-cache"),
        (f"commits/{'a' * 40}/engines/widget.json", "application/json", "no-cache"),
        ("journal/widget/000000000001.json", "application/json", "no-cache"),
        (
            "blobs/sha256/aa/aa/widget-1.0-py3-none-any.whl",
            "application/octet-stream",
            "public, max-age=31536000, immutable",
        ),
        (
            "blobs/sha256/aa/aa/widget-1.0-py3-none-any.whl.metadata",
            "text/plain; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        (
            "blobs/sha256/aa/aa/widget-1.0-py3-none-any.whl.provenance",
            "application/vnd.pypi.integrity.v1+json",
            "public, max-age=31536000, immutable",
        ),
    ],
)
def test_each_object_is_served_with_its_type_and_time(
    moto: str, tmp_path: Path, key: str, content_type: str, cache_control: str
) -> None:
    assert content_headers(key) == (content_type, cache_control)
    transport = s3_transport(moto, f"{tmp_path.name}/")
    assert transport.put_if_absent(key, ONE)
    with urllib.request.urlopen(transport.link(key, seconds=60), timeout=10) as answer:
        assert answer.headers["Content-Type"] == content_type
        assert answer.headers["Cache-Control"] == cache_control


def test_both_checksums_go_with_every_object(
    through: S3Transport, proxy: FaultyProxy
) -> None:
    assert through.put_if_absent(KEY, BytesBody(b"hello"))
    [asked] = [a for a in proxy.asked if a.method == "PUT" and KEY in a.path]
    assert asked.headers["content-md5"] == "XUFAKrxLKna5cZ2REBfFkg=="
    assert (
        asked.headers["x-amz-checksum-sha256"]
        == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    )
    assert asked.headers["if-none-match"] == "*"


def test_installers_go_straight_to_a_bucket_whose_server_can(
    moto: str, tmp_path: Path, installer: Installer
) -> None:
    """Moto keeps keys that end in `/`, which are what installers ask for."""
    bucket = servers.public_bucket(moto)
    transport = S3Transport(bucket, f"{tmp_path.name}/", endpoint_url=moto)
    for version in ("1.0", "2.0"):
        publish(transport, [make_wheel(tmp_path, version=version)])
    target = tmp_path / "target"
    found = installer.install(transport.index_url, "widget", target=target)
    assert "widget-2.0.dist-info" in found


@pytest.mark.parametrize(
    ("address", "endpoint_url", "reason"),
    [
        ("s3://", None, "no name of a bucket"),
        ("s3://a/b", None, "no name of a bucket"),
        ("s3://Bucket/b", None, "no name of a bucket"),
        ("s3://user:pass@bucket/b", None, "no name of a bucket"),
        ("s3://bucket/../b", None, "no plain path"),
        ("s3://bucket/a//b", None, "no plain path"),
        ("s3://bucket/a?b", None, "no plain path"),
        ("s3://bucket", "ftp://host", "an endpoint is"),
        ("s3://bucket", "http://", "an endpoint is"),
        ("s3://bucket", "http://host/?x=y", "an endpoint is"),
        ("s3://bucket", "http://ho st", "an endpoint is"),
        ("s3://bucket", "http://host:port", "an endpoint is"),
        ("s3://bucket", "host:8333", "an endpoint is"),
    ],
)
def test_an_address_of_no_bucket_is_refused(
    address: str, endpoint_url: str | None, reason: str
) -> None:
    with pytest.raises(StoreAddressInvalid, match=reason):
        open_store(address, endpoint_url=endpoint_url)


def test_a_password_in_an_endpoint_is_refused_and_not_shown() -> None:
    with pytest.raises(StoreAddressInvalid, match="no user and password") as caught:
        open_store("s3://bucket", endpoint_url="https://me:hush@host")
    assert "hush" not in str(caught.value)


def test_an_address_gives_the_bucket_and_the_prefix() -> None:
    for address in (
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/a/b",
        "s3://bucket/a/b/",
    ):
        transport = open_store(address, endpoint_url="http://127.0.0.1:1")
        assert transport.address == address.rstrip("/")
    assert transport.index_url == "http://127.0.0.1:1/bucket/a/b/simple/"
