"""The web server of a store, over real connections: what each address answers."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from engineroom.store import FolderTransport, publish

from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .served import Served

JSON = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
BIG_BYTES = 700_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderTransport:
    folder = tmp_path_factory.mktemp("serve")
    transport = FolderTransport(folder / "store")
    big = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(BIG_BYTES // 32))
    publish(transport, [make_wheel(folder, version="1.0", files={"big.bin": big})])
    publish(
        transport,
        [
            make_wheel(folder, version=f"2.{n}", tag=f"py3-none-{platform}")
            for n in range(10)
            for platform in ("any", "manylinux_2_28_x86_64")
        ],
    )
    publish(transport, [make_wheel(folder, project="Gad.get", version="2.5")])
    return transport


@pytest.fixture(scope="module")
def server(
    store: FolderTransport, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served(str(store.root), tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.fixture(scope="module")
def blob(store: FolderTransport) -> tuple[str, bytes]:
    """Give the path and the bytes of one big wheel."""
    path = next(store.root.rglob("widget-1.0-*.whl"))
    return f"/{path.relative_to(store.root).as_posix()}", path.read_bytes()


def stored(store: FolderTransport, key: str) -> bytes:
    return (store.root / key).read_bytes()


def test_a_project_page_is_the_stored_page_byte_for_byte(
    server: Served, store: FolderTransport
) -> None:
    html = server.ask("/simple/widget/")
    assert html.status == 200
    assert html.headers["content-type"] == "text/html; charset=utf-8"
    assert html.body == stored(store, "simple/widget/index.html")
    page = server.ask("/simple/widget/", {"Accept": JSON})
    assert page.headers["content-type"] == JSON
    assert page.body == stored(store, "json/widget/index.json")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (f"{JSON}, {HTML_V1}; q=0.1, text/html; q=0.01", JSON),
        (f"{HTML_V1}, text/html;q=0.5", f"{HTML_V1}; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        ("application/vnd.pypi.simple.latest+json", JSON),
        (f"text/html;q=0, {JSON};q=0.001", JSON),
    ],
    ids=["pip", "html v1", "browser", "anything", "latest", "smallest weight"],
)
def test_one_address_gives_the_form_that_is_asked_for(
    server: Served, accept: str, content_type: str
) -> None:
    answer = server.ask("/simple/widget/", {"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["vary"] == "accept, accept-encoding"


def test_the_form_in_the_address_goes_before_the_header(server: Served) -> None:
    asked = "/simple/?format=application/vnd.pypi.simple.v1%2Bjson"
    answer = server.ask(asked, {"Accept": "text/html"})
    assert answer.headers["content-type"] == JSON
    assert {p["name"] for p in json.loads(answer.body)["projects"]} == {
        "widget",
        "gad-get",
    }


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/simple/widget/", "image/png"),
        ("/simple/widget/?format=text/plain", "*/*"),
        ("/simple/", "*/*;q=0"),
        ("/json/widget/", "text/html"),
    ],
)
def test_a_form_that_is_not_there_is_refused_with_those_that_are(
    server: Served, path: str, accept: str
) -> None:
    answer = server.ask(path, {"Accept": accept})
    assert answer.status == 406
    assert JSON.encode() in answer.body


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple/Gad.Get/", "../../simple/gad-get/"),
        ("/simple/gad_get", "../simple/gad-get/"),
        ("/simple/gad-get", "../simple/gad-get/"),
        ("/simple", "simple/"),
        ("/channels/release/simple/widget/", "../../../../simple/widget/"),
        (
            "/json/GAD--GET/?format=a%26b%0d%0aX",
            "../../json/gad-get/?format=a%26b%0D%0AX",
        ),
        ("/project/Gad.Get/02.5/", "../../../project/gad-get/2.5/"),
    ],
)
def test_other_spellings_lead_to_the_one_address(
    server: Served, path: str, location: str
) -> None:
    answer = server.ask(path)
    assert (answer.status, answer.headers["location"]) == (301, location)


def test_json_alone_has_an_address_of_its_own(
    server: Served, store: FolderTransport
) -> None:
    answer = server.ask("/json/widget/", {"Accept": "*/*"})
    assert answer.headers["content-type"] == JSON
    assert answer.body == stored(store, "json/widget/index.json")


def test_pages_of_channels_and_commits_are_found_below_their_place(
    server: Served, store: FolderTransport
) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    for place in ("channels/nightly", f"commits/{commit}"):
        page = store.root / place / "simple" / "widget" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_bytes(place.encode())
        assert server.ask(f"/{place}/simple/widget/").body == place.encode()
        assert server.ask(f"/{place}/simple/other/").status == 404
        moved = server.ask(f"/{place}/simple/Widget")
        assert moved.headers["location"].endswith(f"/{place}/simple/widget/")


def test_what_verifiers_read_is_there_and_what_publishers_note_is_not(
    server: Served, store: FolderTransport
) -> None:
    for key in ("store.json", "journal/widget/000000000001.json"):
        answer = server.ask(f"/{key}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.body == stored(store, key)
    note = store.root / "uploads" / "1.json"
    note.parent.mkdir(exist_ok=True)
    note.write_text("{}")
    assert server.ask("/uploads/1.json").status == 404
    assert server.ask("/.engineroom-lock").status == 404


def test_a_wheel_comes_with_a_tag_and_may_be_kept_for_ever(
    server: Served, blob: tuple[str, bytes]
) -> None:
    path, data = blob
    answer = server.ask(path)
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "application/octet-stream"
    metadata = server.ask(f"{path}.metadata")
    assert metadata.body.startswith(b"Metadata-Version")
    assert metadata.headers["etag"] != answer.headers["etag"]
    assert server.ask(f"{path}.provenance").status == 404


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=-5", -5, None),
        ("bytes=100-", 100, None),
        ("bytes=5-99999999999999999999", 5, None),
        ("bytes=-99999999999999999999", 0, None),
    ],
)
def test_a_part_of_a_wheel_can_be_asked_for(
    server: Served, blob: tuple[str, bytes], asked: str, start: int, stop: int | None
) -> None:
    path, data = blob
    answer = server.ask(path, {"Range": asked})
    wanted = data[start:stop]
    assert (answer.status, answer.body) == (206, wanted)
    first = data.index(wanted) if len(wanted) > 4 else start
    last = first + len(wanted) - 1
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"


@pytest.mark.parametrize(
    "asked", ["bytes=9999999-", "bytes=-0", "bytes=" + "9" * 30 + "-"]
)
def test_a_part_beyond_the_end_is_refused_with_the_size(
    server: Served, blob: tuple[str, bytes], asked: str
) -> None:
    path, data = blob
    answer = server.ask(path, {"Range": asked})
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(data)}"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x-1", ""]
)
def test_a_range_that_says_nothing_gives_the_whole(
    server: Served, blob: tuple[str, bytes], asked: str
) -> None:
    path, data = blob
    answer = server.ask(path, {"Range": asked})
    assert (answer.status, len(answer.body)) == (200, len(data))


def test_a_part_is_given_only_if_the_rest_is_of_the_same_bytes(
    server: Served, blob: tuple[str, bytes]
) -> None:
    path, data = blob
    tag = f'"{hashlib.sha256(data).hexdigest()}"'
    part = {"Range": "bytes=0-9"}
    assert server.ask(path, {**part, "If-Range": tag}).status == 206
    for other in ('"other"', f"W/{tag}", "Sat, 21 Nov 2026 00:00:00 GMT"):
        assert server.ask(path, {**part, "If-Range": other}).status == 200


@pytest.mark.parametrize(
    "path", ["/simple/widget/", "/store.json", "/style.css", "blob"]
)
def test_nothing_is_sent_twice_to_who_has_it(
    server: Served, blob: tuple[str, bytes], path: str
) -> None:
    path = blob[0] if path == "blob" else path
    first = server.ask(path)
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}'):
        again = server.ask(path, {"If-None-Match": known})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]
    assert server.ask(path, {"If-None-Match": '"other"'}).status == 200


def test_pages_are_compressed_for_those_who_take_it(server: Served) -> None:
    plain = server.ask("/simple/widget/", {"Accept-Encoding": "br, gzip;q=0"})
    packed = server.ask("/simple/widget/", {"Accept-Encoding": "br, gzip;q=0.5"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]


def test_the_forms_of_a_page_have_tags_of_their_own(server: Served) -> None:
    tags = {
        server.ask("/simple/widget/", {"Accept": a, "Accept-Encoding": e}).headers[
            "etag"
        ]
        for a in (JSON, HTML_V1, "text/html")
        for e in ("gzip", "identity")
    }
    assert len(tags) == 6


@pytest.mark.parametrize(
    "path",
    ["/simple/widget/", "/", "/project/widget/", "/style.css", "/healthz", "blob"],
)
def test_head_answers_like_get_without_a_body(
    server: Served, blob: tuple[str, bytes], path: str
) -> None:
    path = blob[0] if path == "blob" else path
    whole, head = server.ask(path), server.ask(path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for headers in (whole.headers, head.headers):
        headers.pop("date")
    assert head.headers == whole.headers
    assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
)
def test_nothing_can_be_changed(server: Served, method: str) -> None:
    answer = server.ask("/simple/widget/", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/simple/nothing/", 404),
        ("/simple/widget/../../store.json", 404),
        ("/../store.json", 404),
        ("/%2e%2e/store.json", 404),
        ("/simple/..%2f..%2fstore.json", 400),
        ("/blobs%2fsha256/", 400),
        ("/simple/widget%00/", 400),
        ("/simple/%ff/", 400),
        ("/simple/a%5cb/", 400),
        ("/simple/a%0d%0aSet-Cookie:x/", 400),
        ("/simple/%E2%80%AEx/", 400),
        ("//evil.example/simple/", 404),
        ("/simple//widget/", 404),
        ("/simple/wid%20get/", 404),
        ("/simple/-widget-/", 404),
        ("/nothing", 404),
        ("/project/nothing/", 404),
        ("/project/widget/9.9/", 404),
        ("/project/widget/not a version/".replace(" ", "%20"), 404),
        ("/blobs/sha256/00/" + "0" * 64 + "/widget-1.0-py3-none-any.whl", 404),
        ("/blobs/sha256/ff/" + "0" * 64 + "/widget-1.0-py3-none-any.whl", 404),
        ("/simple/" + "a" * 1500 + "/", 404),
        ("/simple/" + "a" * 3000 + "/", 414),
        ("/journal/widget/", 404),
        ("/commits/0123/simple/widget/", 404),
    ],
)
def test_what_is_no_address_here_is_refused(
    server: Served, path: str, status: int
) -> None:
    answer = server.ask(path)
    assert answer.status == status
    assert b"Traceback" not in answer.body


def test_a_line_break_in_a_header_or_an_address_makes_no_new_header(
    server: Served,
) -> None:
    """Sent by hand, because no client library would."""
    for path in (b"/simple/Gad.Get/?format=\r\nX-New: 1", b"/simple/\rX-New: 1"):
        request = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
            line.sendall(request)
            answer = b""
            while piece := line.recv(65536):
                answer += piece
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1.1 4"), answer
        assert b"x-new" not in head


@pytest.mark.parametrize(
    "path",
    ["/", "/simple/", "/nothing", "/project/widget/", "/healthz", "blob", "/%00"],
)
def test_every_answer_forbids_scripts_and_guessing(
    server: Served, blob: tuple[str, bytes], path: str
) -> None:
    headers = server.ask(blob[0] if path == "blob" else path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_a_request_leaves_one_line_in_the_log(server: Served) -> None:
    server.ask("/simple/widget/?secret=1", {"Authorization": "Bearer not-logged"})
    server.ask("/simple/%1b%5b31m/")
    assert server.logs(r"127\.0\.0\.1 GET /simple/widget/ 200 \d+ [\d.]+ ms\n")
    assert server.logs("GET /simple/%1b%5b31m/ 400")
    assert "secret" not in server.log
    assert "not-logged" not in server.log


def test_a_page_published_while_serving_is_there_a_second_later(
    tmp_path: Path,
) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path, version="1.0")])
    with served(str(transport.root), tmp_path) as server:
        before = server.ask("/simple/widget/")
        publish(transport, [make_wheel(tmp_path, version="1.1")])
        published = time.monotonic()
        known = {"If-None-Match": before.headers["etag"]}
        answer = server.ask("/simple/widget/", known)
        while answer.status == 304 and time.monotonic() < published + 20:
            answer = server.ask("/simple/widget/", known)
        assert b"widget-1.1" in answer.body
        assert time.monotonic() < published + 5


def test_the_answers_on_one_connection_follow_each_other_at_once(
    server: Served,
) -> None:
    """Not after the 40 ms for which a system may hold back what acknowledges them."""
    address = urlsplit(server.listens_at)
    taken: list[float] = []
    with closing(HTTPConnection(address.hostname or "", server.port)) as connection:
        for _ in range(20):
            start = time.perf_counter()
            connection.request("GET", "/simple/widget/")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
            taken.append(time.perf_counter() - start)
    assert min(taken[1:]) < 0.030
