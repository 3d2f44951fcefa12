"""Who the web server lets in, how it starts and how it ends."""

from __future__ import annotations

import base64
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engineroom.cli.main import command_parser
from engineroom.errors import ServeTokenRefused, ServeTokensUnreadable
from engineroom.store import FolderTransport, publish
from engineroom.store.serve.access import Access, read_tokens

from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .served import Served

FIRST = "first-0123456789abcdef"
SECOND = "second-0123456789abcdef"
FROM_ENVIRONMENT = "environment-0123456789"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderTransport:
    folder = tmp_path_factory.mktemp("serve")
    transport = FolderTransport(folder / "store")
    files = {"big.bin": bytes(range(256)) * 4096}
    publish(transport, [make_wheel(folder, version="1.0", files=files)])
    return transport


@pytest.fixture(scope="module")
def closed(
    store: FolderTransport, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """Give a server that wants one of three tokens."""
    folder = tmp_path_factory.mktemp("closed")
    tokens = folder / "tokens"
    tokens.write_text(f"# the team's\n{FIRST}\n\n  {SECOND}  \n")
    with served(
        str(store.root),
        folder,
        "--token-file",
        str(tokens),
        environment={"ENGINEROOM_SERVE_TOKENS": FROM_ENVIRONMENT},
    ) as running:
        yield running


def basic(user: str, token: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"


@pytest.mark.parametrize("token", [FIRST, SECOND, FROM_ENVIRONMENT])
def test_each_token_opens_every_address(closed: Served, token: str) -> None:
    for authorization in (f"Bearer {token}", basic("__token__", token)):
        headers = {"Authorization": authorization}
        for path in ("/simple/widget/", "/", "/project/widget/", "/store.json"):
            assert closed.ask(path, headers).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        f"Bearer {FIRST}x",
        f"Bearer {FIRST[:-1]}",
        f"Bearer {FIRST.upper()}",
        f"Digest {FIRST}",
        basic("admin", FIRST),
        basic("__token__", ""),
        "Basic !!!",
        "Basic " + base64.b64encode(b"__token__").decode(),
        "Bearer \xe9\xe9\xe9",
        "Bearer " + "x" * 9000,
    ],
    ids=lambda value: str(value)[:24],
)
@pytest.mark.parametrize("path", ["/", "/simple/", "/nothing", "/style.css"])
def test_without_a_token_nothing_is_told(
    closed: Served, authorization: str | None, path: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = closed.ask(path, headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith(("Basic ", "Bearer "))
    assert b"widget" not in answer.body


def test_both_ways_of_giving_a_token_are_offered(closed: Served) -> None:
    with socket.create_connection(("127.0.0.1", closed.port), timeout=20) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert b'www-authenticate: Basic realm="engineroom"' in answer
    assert b'www-authenticate: Bearer realm="engineroom"' in answer


def test_a_monitor_needs_no_token(closed: Served) -> None:
    assert closed.ask("/healthz").body == b"alive\n"
    assert closed.ask("/readyz").body == b"ready\n"


def test_shared_caches_may_not_keep_what_needs_a_token(
    closed: Served, store: FolderTransport
) -> None:
    wheel = next(store.root.rglob("*.whl")).relative_to(store.root).as_posix()
    for path in (f"/{wheel}", "/simple/widget/", "/", "/store.json"):
        answer = closed.ask(path, {"Authorization": f"Bearer {FIRST}"})
        assert "private" in answer.headers["cache-control"]


def test_no_token_is_ever_logged(closed: Served) -> None:
    closed.ask("/simple/", {"Authorization": f"Bearer {FIRST}"})
    closed.ask("/simple/marker/", {"Authorization": basic("__token__", "wrong-token")})
    assert closed.logs("GET /simple/marker/ 401")
    for secret in (FIRST, SECOND, FROM_ENVIRONMENT, "wrong-token"):
        assert secret not in closed.log


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no token"),
        ("# only words\n\n", "no token"),
        ("short\n", "5 characters"),
        ("with a space in it 0123\n", "printable ASCII"),
        ("0123456789abcdé\u00ef\n", "printable ASCII"),
    ],
)
def test_a_file_of_no_good_tokens_keeps_the_server_from_starting(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        (ServeTokensUnreadable, ServeTokenRefused), match=reason
    ) as told:
        read_tokens(str(path), "")
    assert text.strip() not in str(told.value) or not text.strip()


def test_a_missing_file_of_tokens_is_no_open_door(tmp_path: Path) -> None:
    with pytest.raises(ServeTokensUnreadable, match="No such file"):
        read_tokens(str(tmp_path / "none"), FROM_ENVIRONMENT)


def test_a_weak_token_in_the_environment_is_refused_and_not_shown() -> None:
    with pytest.raises(ServeTokenRefused) as told:
        read_tokens(None, "0123456789abcdef weak")
    assert (told.value.source, told.value.number) == ("ENGINEROOM_SERVE_TOKENS", 2)
    assert "weak" not in str(told.value).replace("too weak", "")


def test_without_tokens_everybody_may_read() -> None:
    assert Access().admits(None)
    assert not Access(["a" * 16]).admits(None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_ends_well(
    store: FolderTransport, tmp_path: Path, number: int
) -> None:
    with served(str(store.root), tmp_path) as server:
        assert server.ask("/healthz").status == 200
        assert server.stop(number) == 0
        assert "Traceback" not in server.log


def test_a_download_under_way_is_finished_before_the_end(
    store: FolderTransport, tmp_path: Path
) -> None:
    wheel = next(store.root.rglob("*.whl"))
    path = wheel.relative_to(store.root).as_posix()
    with (
        served(str(store.root), tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as line,
    ):
        line.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = line.recv(1000)
        server.process.send_signal(signal.SIGTERM)
        # New connections are refused before the old one is done.
        deadline = time.monotonic() + 20
        while _is_listening(server.port) and time.monotonic() < deadline:
            pass
        assert not _is_listening(server.port)
        while piece := line.recv(65536):
            answer += piece
        assert answer.partition(b"\r\n\r\n")[2] == wheel.read_bytes()
        assert server.process.wait(timeout=30) == 0


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


def test_a_port_in_use_is_an_error_with_a_hint(store: FolderTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("--store", str(store.root), "--port", str(port))
    assert done.returncode == 6
    assert "ER3301" in done.stderr
    assert f"port `{port}`" in done.stderr


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--host", "no.such.host.invalid"], "ER3301"),
        (["--port", "99999"], "ER3301"),
        (["--token-file", "/no/such/file"], "ER3302"),
        (["--public-url", "ftp://wheels.example/"], "ER3304"),
        (["--public-url", "https://me:hunter2@wheels.example/"], "ER3304"),
        (["--public-url", "https://wheels.example/'><script>"], "ER3304"),
        (["--redirect"], "ER3305"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_served_as_asked_is_refused_before_it_starts(
    store: FolderTransport, options: list[str], code: str
) -> None:
    done = command("--store", str(store.root), "--port", "0", *options)
    assert done.returncode == 6
    assert f"error {code}" in done.stderr
    assert "hunter2" not in done.stderr


def test_an_empty_folder_is_no_store_to_serve(tmp_path: Path) -> None:
    done = command("--store", str(tmp_path), "--port", "0")
    assert (done.returncode, "ER3002" in done.stderr) == (6, True)


def test_without_the_web_stack_the_extra_is_named(store: FolderTransport) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from engineroom.cli.main import main\n"
        f"sys.exit(main(['store', 'serve', '--store', {str(store.root)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "needs the package `uvicorn`" in done.stderr
    assert "'engineroom[serve]'" in done.stderr


def test_every_line_of_the_guide_is_one_that_the_command_takes() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "serve-a-store.md"
    lines = re.findall(r"^\$ engineroom store (serve .*)$", guide.read_text(), re.M)
    assert len(lines) == 4
    _, parser = command_parser("store")
    for line in lines:
        assert parser.parse_args(shlex.split(line)).action == "serve"


def command(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engineroom", "store", "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_words_at_the_start_can_be_copied(
    store: FolderTransport, tmp_path: Path
) -> None:
    """They are there before the first request, and when no terminal shows them."""
    tokens = tmp_path / "tokens"
    tokens.write_text(FIRST)
    options = ["--store", str(store.root), "--port", "0", "--token-file", str(tokens)]
    with subprocess.Popen(
        [sys.executable, "-m", "engineroom", "store", "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(6)]
        process.terminate()
        assert process.wait(timeout=30) == 0
    index = lines[2].split()[3]
    assert index.startswith("http://__token__:TOKEN@127.0.0.1:")
    assert lines[2] == f"pip install --index-url {index} NAME"
    assert lines[3] == f"uv pip install --default-index {index} NAME"
    assert lines[5] == "Ctrl-C ends it."
    assert FIRST not in "".join(lines)


def test_a_store_that_fails_is_said_to_fail_for_now(tmp_path: Path) -> None:
    """Installers try a 503 again; why it failed is for the log alone."""
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    with served(str(transport.root), tmp_path) as server:
        assert server.ask("/readyz").status == 200
        page = transport.root / "simple" / "widget" / "index.html"
        page.unlink()
        page.mkdir()
        answer = server.ask("/simple/widget/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert str(tmp_path).encode() not in answer.body
        assert server.logs("ER3003: Cannot read")
        (transport.root / "store.json").unlink()
        deadline = time.monotonic() + 20
        while server.ask("/readyz").status == 200 and time.monotonic() < deadline:
            pass
        assert server.ask("/readyz").status == 503
        assert server.ask("/healthz").status == 200


def test_a_wheel_that_ends_too_early_ends_the_connection(tmp_path: Path) -> None:
    """A reader must not take a part for the whole."""
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    wheel = next(transport.root.rglob("*.whl"))
    wheel.write_bytes(b"\0" * (64 << 20))
    path = wheel.relative_to(transport.root).as_posix()
    with (
        served(str(transport.root), tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as line,
    ):
        line.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = len(line.recv(1000))
        os.truncate(wheel, 1 << 20)
        while piece := line.recv(65536):
            received += len(piece)
        assert received < 64 << 20
        assert server.logs("cut off with [1-9][0-9]* bytes to go")
        assert "Traceback" not in server.log


def test_readers_that_take_their_time_cost_little_memory(tmp_path: Path) -> None:
    """Each of them has asked for the whole of a big page and of a big wheel."""
    transport = FolderTransport(tmp_path / "store")
    files = {"big.bin": b"0123456789" * 1000}
    publish(transport, [make_wheel(tmp_path, files=files)])
    wheel = next(transport.root.rglob("*.whl"))
    wheel.write_bytes(b"\0" * (64 << 20))
    page = transport.root / "simple" / "widget" / "index.html"
    page.write_bytes(b"x" * (8 << 20))
    paths = [f"/{wheel.relative_to(transport.root).as_posix()}", "/simple/widget/"]
    with served(str(transport.root), tmp_path) as server, ExitStack() as stack:
        server.ask("/simple/widget/")
        before = memory_bytes(server.process.pid)
        for n in range(60):
            line = stack.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=20)
            )
            line.sendall(f"GET {paths[n % 2]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert line.recv(12) == b"HTTP/1.1 200"
        assert server.ask("/healthz").status == 200
        assert memory_bytes(server.process.pid) - before < 100 << 20


def memory_bytes(process: int) -> int:
    with open(f"/proc/{process}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
