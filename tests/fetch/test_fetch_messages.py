"""Each failure of `engineroom fetch`, made to happen, prints what its page shows."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess

import pytest

from engineroom.errors import ShelfBusy
from engineroom.fetch import fetch as fetch_here
from engineroom.fetch import open_source
from engineroom.fetch.shelf import ShelfFolder
from engineroom.platforms.select import select_targets
from tests.printed import as_on_a_page, example

from .conftest import command, environment
from .test_fetch_sources import (
    answer_half,
    answer_page,
    answer_slowly,
    answer_status,
    answer_wrong_bytes,
    is_wheel,
)

SIZES = "320480 bytes came, not its 640961"
WANTED = ("--target", "rhel-x86_64")


class Place:
    """A folder to fetch in, servers to fetch from, and what was said."""

    def __init__(self, path, serve, store):
        self.path, self.store = path, store
        self._serve = serve
        self._urls = []

    def serve(self, answer=lambda _: False, **more):
        """Start a server, and return its address."""
        url = self._serve(answer, **more).url
        self.names(url)
        return url

    def names(self, url):
        """Have an address shown as that of a source."""
        self._urls.append(url.partition("/simple/")[0])

    def fetch(self, *words, **more):
        """Fetch as people do; return what standard error shows."""
        done = subprocess.run(
            command(*words),
            cwd=self.path,
            env=environment(HOME=self.path / "home", **more),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 6, done.stdout + done.stderr
        return done.stderr

    def shown(self, text):
        """Return a message as a page has it."""
        # OpenSSL 1.1 writes it in two words.
        text = text.replace("self signed", "self-signed")
        names = ["https://wheels.example", "https://mirror.example"]
        places = [*zip(self._urls, names), (self.store, "/srv/wheels")]
        return as_on_a_page(text, *places, (self.path, "/home/me"))


@pytest.fixture
def place(tmp_path, serve, store):
    """An empty folder to fetch in."""
    return Place(tmp_path, serve, store)


def from_server(answer, *words):
    """Return a cause: a server that gives this answer to everything."""

    def cause(place):
        return place.fetch(*WANTED, "--from", place.serve(answer), *words)

    return cause


def unreadable(place):
    page = place.path / "store/simple/engineroom/index.html"
    page.mkdir(parents=True)
    return place.fetch(*WANTED, "--from", place.path / "store")


def untrusted(place):
    folder = place.path / "tls"
    folder.mkdir()
    key, certificate = folder / "key.pem", folder / "cert.pem"
    words = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x")
    out = ("-keyout", key, "-out", certificate)
    subprocess.run(["openssl", *words, *out], check=True, capture_output=True)
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return place.fetch(*WANTED, "--from", place.serve(context=context))


def no_listener():
    """Return the address of a port that is taken and not listened on."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken, f"http://127.0.0.1:{taken.getsockname()[1]}"


def proxy_gone(place):
    taken, proxy = no_listener()
    with taken:
        url = "http://wheels.invalid/simple/"
        place.names(url)
        text = place.fetch(*WANTED, "--from", url, HTTP_PROXY=proxy)
    return text.replace(proxy, "http://proxy.example:3128")


def refused(place):
    taken, url = no_listener()
    with taken:
        place.names(url)
        return place.fetch(*WANTED, "--from", f"{url}/simple/")


def broken_wheel(place):
    (wheel,) = place.store.glob("blobs/sha256/*/*/*manylinux*.whl")
    data = wheel.read_bytes()[:-100]
    link = f"/{wheel.name}#sha256={hashlib.sha256(data).hexdigest()}"
    page = f'<a href="{link}">{wheel.name}</a>'.encode()

    def answer(handler):
        body = data if is_wheel(handler) else page
        return handler.say(200, body, Content_Type="text/html")

    return place.fetch(*WANTED, "--from", place.serve(answer))


def none_of_two(place):
    sources = [place.serve(answer_status(403)), place.serve(answer_status(503))]
    return place.fetch(*WANTED, "--from", *sources)


def nothing_there_offline(place):
    words = ("--into", place.path / "engines", "--offline")
    return place.fetch(*WANTED, *words, "--from", place.serve())


def lock_edited(place):
    words = ("--lock", *WANTED, "--from", place.store)
    subprocess.run(
        command(*words), cwd=place.path, env=environment(), check=True,
        capture_output=True,
    )  # fmt: skip
    path = place.path / "engineroom.lock"
    path.write_text(path.read_text().replace("format = 1", "format = one"))
    return place.fetch("--locked", *WANTED, "--from", place.store)


def lock_lacks_a_target(place):
    words = ("--lock", *WANTED, "--from", place.store)
    subprocess.run(
        command(*words), cwd=place.path, env=environment(), check=True,
        capture_output=True,
    )  # fmt: skip
    words = ("--target", "linux-musl-x86_64", "--from", place.store)
    return place.fetch("--locked", *words)


def unwritable(place):
    (place.path / "file").write_text("")
    into = place.path / "file" / "engines"
    return place.fetch(*WANTED, "--from", place.store, "--into", into)


def held(place):
    into = str(place.path / "engines")
    targets = select_targets(["rhel-x86_64"])
    with ShelfFolder(into).locked(1), pytest.raises(ShelfBusy) as caught:
        fetch_here(targets, [open_source(str(place.store))], into, busy_seconds=0.1)
    return f"error {caught.value}\n".replace("0.1 seconds", "600 seconds")


CAUSES = {
    "ER3210": unreadable,
    "ER3211": from_server(answer_status(403)),
    "ER3212": from_server(answer_status(404)),
    "ER3213": from_server(answer_status(503)),
    "ER3214": untrusted,
    "ER3215": proxy_gone,
    "ER3216": from_server(answer_slowly, "--timeout", "0.5"),
    "ER3217": refused,
    "ER3218": from_server(answer_page(b"<!-- sign in -->")),
    "ER3219": from_server(answer_wrong_bytes),
    "ER3220": from_server(answer_half),
    "ER3221": broken_wheel,
    "ER3222": from_server(lambda _: False, "--target", "darwin-arm64"),
    "ER3230": none_of_two,
    "ER3231": lambda place: place.fetch(*WANTED, "--from", "ftp://wheels.example/"),
    "ER3232": lambda place: place.fetch(*WANTED),
    "ER3233": nothing_there_offline,
    "ER3240": lock_edited,
    "ER3241": lock_lacks_a_target,
    "ER3250": unwritable,
    "ER3251": held,
}


@pytest.mark.parametrize("code", CAUSES)
def test_what_is_printed_is_what_the_page_shows(code, place):
    text = place.shown(CAUSES[code](place))
    # How much an archive shrinks depends on the zlib of this Python.
    text = re.sub(r"\b\d{6} bytes came, not its \d{6}\b", SIZES, text)
    assert text == example(code)
