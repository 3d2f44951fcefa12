"""What comes from a good source, and the failure of each bad one."""

from __future__ import annotations

import hashlib
import socket
import time

import pytest

from .conftest import ENGINE, GLIBC, MUSL_ENGINE, make_wheel, publish

LOCK = ".engineroom-fetch.lock"
SHA256 = hashlib.sha256(ENGINE).hexdigest()


def engines(folder):
    """The engines that a folder's manifest lists, by target, with their bytes."""
    rows = (folder / "manifest.csv").read_text().splitlines()[2:]
    found = [row.split(",") for row in rows]
    return {row[0]: (folder / row[2]).read_bytes() for row in found}


def leftovers(folder):
    """What is in a folder beside the lock that stays."""
    if not folder.exists():
        return []
    return sorted(p.name for p in folder.iterdir() if p.name != LOCK)


def is_wheel(handler):
    return handler.path.endswith(".whl")


@pytest.mark.parametrize("kind", ["folder", "file", "html", "json", "no slash"])
def test_fetch_of_two_targets_from_any_kind_of_source(
    kind, fetch, store, serve, tmp_path
):
    server = serve()
    address = {
        "folder": str(store),
        "file": store.as_uri(),
        "html": server.url,
        "json": server.url.replace("/simple/", "/json/"),
        "no slash": server.url.rstrip("/"),
    }[kind]
    into = tmp_path / "into"
    targets = ["--target", "rhel-x86_64", "linux-musl-x86_64"]
    done = fetch(*targets, "--from", address, "--into", into)
    assert done.code == 0, done.text
    assert engines(into) == {"rhel-x86_64": ENGINE, "linux-musl-x86_64": MUSL_ENGINE}
    listed = {one["target"]: one for one in done.value["engines"]}
    assert listed["rhel-x86_64"]["sha256"] == SHA256
    assert listed["rhel-x86_64"]["is_new"] is True
    assert not [name for name in leftovers(into) if name.startswith(".")]


def test_fetch_again_asks_no_source_and_changes_nothing(fetch, serve, tmp_path):
    server = serve()
    into = tmp_path / "into"
    words = ["--target", "rhel-x86_64", "--from", server.url, "--into", into]
    assert fetch(*words).code == 0
    asked, before = len(server.asked), (into / "manifest.csv").stat().st_mtime_ns
    done = fetch(*words)
    assert done.code == 0
    assert done.value["engines"][0]["is_new"] is False
    assert len(server.asked) == asked
    assert (into / "manifest.csv").stat().st_mtime_ns == before


def test_fetch_of_another_target_keeps_those_that_are_there(fetch, store, tmp_path):
    into = tmp_path / "into"
    for target in ("linux-musl-x86_64", "rhel-x86_64"):
        done = fetch("--target", target, "--from", store, "--into", into)
        assert done.code == 0, done.text
    assert engines(into) == {"rhel-x86_64": ENGINE, "linux-musl-x86_64": MUSL_ENGINE}


def test_fetch_replaces_an_engine_that_was_damaged(fetch, store, tmp_path):
    into = tmp_path / "into"
    words = ["--target", "rhel-x86_64", "--from", store, "--into", into]
    assert fetch(*words).code == 0
    (engine,) = into.glob("*/_qe_sqlite.abi3.so")
    engine.write_bytes(ENGINE[:-1] + b"\1")
    assert fetch(*words).code == 0
    assert engines(into) == {"rhel-x86_64": ENGINE}


def test_fetch_takes_the_newest_build_of_a_wheel(fetch, tmp_path):
    data = {"": ENGINE, "9": ENGINE[1:], "10": ENGINE[2:]}
    wheels = [
        make_wheel(tmp_path / "wheels", data=data[build], build=build) for build in data
    ]
    publish(tmp_path / "store", *wheels)
    into = tmp_path / "into"
    source = tmp_path / "store"
    assert fetch("--target", GLIBC[0], "--from", source, "--into", into).code == 0
    assert engines(into) == {GLIBC[0]: ENGINE[2:]}


def answer_status(status):
    return lambda handler: handler.say(status)


def answer_wrong_bytes(handler):
    if not is_wheel(handler):
        return False
    path = handler.translate_path(handler.path)
    with open(path, "rb") as file:
        return handler.say(200, file.read()[:-1] + b"\1")


def answer_half(handler):
    if not is_wheel(handler):
        return False
    with open(handler.translate_path(handler.path), "rb") as file:
        data = file.read()
    handler.say(200, data[: len(data) // 2], Content_Length=len(data))
    handler.close_connection = True
    return True


def answer_half_chunk(handler):
    if not is_wheel(handler):
        return False
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"ffff\r\nonly this")
    handler.close_connection = True
    return True


def answer_slowly(handler):
    time.sleep(5)
    return handler.say(200)


def answer_half_then_silence(handler):
    if not is_wheel(handler):
        return False
    handler.say(200, b"PK", Content_Length=100_000)
    time.sleep(5)
    return True


def answer_page(text, kind="text/html"):
    return lambda handler: handler.say(200, text, Content_Type=kind)


def answer_elsewhere(address):
    return lambda handler: handler.say(302, Location=address)


@pytest.mark.parametrize(
    ("answer", "kind", "code", "words"),
    [
        (answer_status(401), "SourceForbidden", "ER3211", "answered 401"),
        (answer_status(403), "SourceForbidden", "ER3211", "answered 403"),
        (answer_status(404), "SourceNotFound", "ER3212", "answered 404"),
        (answer_status(410), "SourceNotFound", "ER3212", "answered 410"),
        (answer_status(500), "SourceServerFailed", "ER3213", "answered 500"),
        (answer_status(503), "SourceServerFailed", "ER3213", "answered 503"),
        (answer_status(418), "SourceNotAnIndex", "ER3218", "answered 418"),
        (answer_slowly, "SourceTimedOut", "ER3216", "no answer came in time"),
        (answer_half_then_silence, "SourceTimedOut", "ER3216", "no answer came"),
        (answer_wrong_bytes, "DownloadHashWrong", "ER3219", "promised was "),
        (answer_half, "DownloadTruncated", "ER3220", " bytes came, not its "),
        (answer_half_chunk, "DownloadTruncated", "ER3220", " bytes came, not its "),
        (answer_page(b"hello"), "SourceNotAnIndex", "ER3218", "neither HTML nor"),
        (answer_page(b"\xff"), "SourceNotAnIndex", "ER3218", "not UTF-8"),
        (answer_page(b"{}"), "SourceNotAnIndex", "ER3218", "`meta` is missing"),
        (answer_page(b"<p>"), "TargetNotOffered", "ER3222", "it has none"),
        (answer_elsewhere("/simple/"), "SourceNotAnIndex", "ER3218", "infinite loop"),
        (answer_elsewhere("ftp://x/y"), "SourceUnreachable", "ER3217", "to ftp://x/y"),
    ],
    ids=[
        "401", "403", "404", "410", "500", "503", "418", "slow", "silence",
        "wrong bytes", "cut off", "cut off in a chunk", "text", "bytes", "JSON",
        "no links", "redirects in a ring", "redirect to ftp",
    ],
)  # fmt: skip
def test_a_bad_answer_is_named_and_leaves_nothing(
    answer, kind, code, words, fetch, serve, tmp_path
):
    into = tmp_path / "into"
    url = serve(answer).url
    # Short only where the silence is the point: this machine may be busy.
    timeout = "0.5" if kind == "SourceTimedOut" else "30"
    words_after = ["--from", url, "--into", into, "--timeout", timeout]
    done = fetch("--target", "rhel-x86_64", *words_after)
    assert done.code == 6, done.text
    assert (done.error["class"], done.error["code"]) == (kind, code)
    assert words in done.error["message"]
    assert done.error["hint"]
    assert leftovers(into) == []


def test_a_wrong_hash_shows_both_hashes(fetch, serve, store, tmp_path):
    done = fetch(
        *("--target", "rhel-x86_64", "--from", serve(answer_wrong_bytes).url),
        *("--into", tmp_path / "into"),
    )
    (wheel,) = store.glob("blobs/sha256/*/*/*manylinux*.whl")
    data = wheel.read_bytes()
    assert hashlib.sha256(data).hexdigest() in done.error["message"]
    changed = hashlib.sha256(data[:-1] + b"\1").hexdigest()
    assert changed in done.error["message"]


def test_nobody_listening_is_unreachable(fetch, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple/"
        done = fetch("--target", "rhel-x86_64", "--from", url, "--into", tmp_path)
    assert done.error["code"] == "ER3217"
    assert "Connection refused" in done.error["message"]


def test_an_untrusted_certificate_is_a_tls_failure(fetch, serve, certificate, tmp_path):
    cert, context = certificate
    url = serve(context=context).url
    words = ["--target", "rhel-x86_64", "--from", url, "--into", tmp_path / "into"]
    done = fetch(*words)
    assert done.error["code"] == "ER3214"
    assert "self" in done.error["message"]
    assert leftovers(tmp_path / "into") == []
    # The hint's way out works.
    assert fetch(*words, SSL_CERT_FILE=cert).code == 0
    # A name that the certificate does not have is refused even then.
    other = url.replace("127.0.0.1", "localhost")
    done = fetch(
        *("--target", "linux-musl-x86_64", "--from", other),
        *("--into", tmp_path / "into"),
        SSL_CERT_FILE=cert,
    )
    assert done.error["code"] == "ER3214"
    assert "localhost" in done.error["message"]


def test_https_never_leads_to_http(fetch, serve, certificate, tmp_path):
    cert, context = certificate
    plain = serve().url
    url = serve(answer_elsewhere(f"{plain}engineroom/"), context=context).url
    done = fetch(
        *("--target", "rhel-x86_64", "--from", url, "--into", tmp_path / "into"),
        SSL_CERT_FILE=cert,
    )
    assert done.error["code"] == "ER3217"
    assert f"from https to {plain}" in done.error["message"]


def test_a_proxy_that_refuses_or_is_not_there_is_named_without_its_password(
    fetch, serve, certificate, tmp_path
):
    _, context = certificate
    url = serve(context=context).url
    words = ["--target", "rhel-x86_64", "--from", url, "--into", tmp_path / "into"]
    refusing = serve(answer_status(407))  # has no CONNECT, so it answers 501
    address = refusing.url.replace("http://", "http://me:secret@")
    done = fetch(*words, HTTPS_PROXY=address)
    assert done.error["code"] == "ER3215"
    assert "Tunnel connection failed" in done.error["message"]
    assert "secret" not in done.text
    done = fetch(
        *("--target", "rhel-x86_64", "--from", "http://somewhere.invalid/simple/"),
        *("--into", tmp_path / "into"),
        HTTP_PROXY=address,
    )
    assert done.error["code"] == "ER3215"
    assert "answered 407" in done.error["message"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = fetch(*words, HTTPS_PROXY=f"http://me:secret@127.0.0.1:{port}")
    assert done.error["code"] == "ER3215"
    assert "Connection refused" in done.error["message"]
    assert "secret" not in done.text


def test_a_proxy_of_the_environment_is_used(fetch, serve, tmp_path):
    server = serve()
    proxy = server.url.replace("/simple/", "")

    done = fetch(
        *("--target", "rhel-x86_64", "--from", "http://wheels.invalid/simple/"),
        *("--into", tmp_path / "into"),
        HTTP_PROXY=proxy,
    )
    # The server does not know absolute addresses; that it was asked is the point.
    assert done.error["code"] == "ER3212"
    assert f"through the proxy {proxy}" in done.error["message"]
    assert server.asked[0][0] == "http://wheels.invalid/simple/engineroom/"


def test_credentials_go_to_their_origin_and_into_no_message(fetch, serve, tmp_path):
    other = serve()
    there = other.url.replace("/simple/", "")

    def answer(handler):
        if is_wheel(handler):
            return handler.say(302, Location=f"{there}{handler.path}")
        return handler.headers.get("Authorization") is None and handler.say(401)

    server = serve(answer)
    address = server.url.replace("http://", "http://me:s%40cret@")
    into = tmp_path / "into"
    done = fetch("--target", "rhel-x86_64", "--from", address, "--into", into)
    assert done.code == 0, done.text
    assert server.asked[0][1]["Authorization"] == "Basic bWU6c0BjcmV0"
    assert len(other.asked) == 1
    assert "Authorization" not in other.asked[0][1]
    bad = serve(answer_status(403)).url.replace("http://", "http://me:s%40cret@")
    done = fetch("--target", "linux-musl-x86_64", "--from", bad, "--into", into)
    assert done.error["code"] == "ER3211"
    assert "cret" not in done.text


def test_mirrors_are_asked_in_order_and_the_failures_told(fetch, serve, tmp_path):
    bad, good, never = serve(answer_status(503)), serve(), serve()
    sources = ["--from", bad.url, good.url, "--from", never.url]
    targets = ["--target", "rhel-x86_64", "linux-musl-x86_64"]
    done = fetch(*targets, *sources, "--into", tmp_path / "into")
    assert done.code == 0, done.text
    assert [one["code"] for one in done.value["passed_over"]] == ["ER3213"]
    assert len(bad.asked) == 1  # its page is not asked for once more
    assert never.asked == []


def test_a_mirror_with_wrong_bytes_is_passed_over(fetch, serve, store, tmp_path):
    sources = ["--from", serve(answer_wrong_bytes).url, store]
    done = fetch("--target", "rhel-x86_64", *sources, "--into", tmp_path / "into")
    assert done.code == 0, done.text
    assert [one["code"] for one in done.value["passed_over"]] == ["ER3219"]
    assert engines(tmp_path / "into") == {"rhel-x86_64": ENGINE}


def test_when_every_mirror_fails_each_failure_is_listed(fetch, serve, tmp_path):
    sources = [serve(answer_status(403)).url, serve(answer_half).url]
    done = fetch(
        *("--target", "rhel-x86_64", "--from", *sources),
        *("--into", tmp_path / "into"),
    )
    assert done.error["code"] == "ER3230"
    lines = done.error["message"].splitlines()
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["ER3211", "ER3220"]
    assert leftovers(tmp_path / "into") == []


def test_one_target_that_is_not_offered_keeps_all_others_out(fetch, store, tmp_path):
    targets = ["--target", "rhel-x86_64", "darwin-arm64"]
    done = fetch(*targets, "--from", store, "--into", tmp_path / "into")
    assert done.error["code"] == "ER3222"
    assert "`darwin-arm64`" in done.error["message"]
    assert leftovers(tmp_path / "into") == []


def test_a_wheel_with_bytes_as_promised_that_is_no_wheel_is_refused(
    fetch, serve, store, tmp_path
):
    (wheel,) = store.glob("blobs/sha256/*/*/*manylinux*.whl")
    name = wheel.name
    data = wheel.read_bytes()[:-100]
    page = f'<a href="/{name}#sha256={hashlib.sha256(data).hexdigest()}">{name}</a>'

    def answer(handler):
        return handler.say(
            200,
            data if is_wheel(handler) else page.encode(),
            Content_Type="text/html",
        )

    url = serve(answer).url
    into = tmp_path / "into"
    done = fetch("--target", "rhel-x86_64", "--from", url, "--into", into)
    assert done.error["code"] == "ER3221"
    assert "no whole zip archive" in done.error["message"]
    assert leftovers(into) == []


@pytest.mark.parametrize(
    "address",
    ["ftp://x/y", "http://", "http://x/?token=secret", "file://host/x", "http://[::1"],
)
def test_an_address_of_no_kind_is_refused(address, fetch, tmp_path):
    done = fetch("--target", "all", "--from", address, "--into", tmp_path)
    assert done.error["code"] == "ER3231"
    assert "secret" not in done.text


def test_without_a_source_the_setting_counts_and_else_the_error_names_it(
    fetch, store, serve, tmp_path
):
    words = ["--target", "rhel-x86_64", "--into", tmp_path / "into"]
    done = fetch(*words)
    assert done.error["code"] == "ER3232"
    assert "ENGINEROOM_FETCH_FROM" in done.error["hint"]
    bad = serve(answer_status(404)).url
    done = fetch(*words, ENGINEROOM_FETCH_FROM=f"{bad} {store}")
    assert done.code == 0, done.text


def test_a_folder_that_cannot_be_written_is_named(fetch, store, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    done = fetch("--target", "rhel-x86_64", "--from", store, "--into", file / "into")
    assert done.error["code"] == "ER3250"
    assert "Not a directory" in done.error["message"]


def test_the_loaders_settings_count_where_no_argument_does(fetch, store, tmp_path):
    settings = {
        "ENGINEROOM_TARGET": "linux-musl-x86_64",
        "ENGINEROOM_ENGINE_DIR": tmp_path / "named",
    }
    assert fetch("--from", store, **settings).code == 0
    assert engines(tmp_path / "named") == {"linux-musl-x86_64": MUSL_ENGINE}
    done = fetch("--from", store, ENGINEROOM_TARGET="linux-mulsl")
    assert done.error["code"] == "ER1101"
