"""The pages for people: what they say of a project in each of its states."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import StoreDamaged
from engineroom.store import FolderTransport, amend, ensure_store, keys, publish
from engineroom.store.serve.listing import read_listing, read_names

from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .served import Served


@pytest.fixture
def store(tmp_path: Path) -> FolderTransport:
    return FolderTransport(tmp_path / "store")


@pytest.fixture
def server(store: FolderTransport, tmp_path: Path) -> Iterator[Served]:
    """Serve what a test has published by the time it asks for this."""
    publish(store, [make_wheel(tmp_path, project="other")])
    with served(str(store.root), tmp_path / "log") as running:
        yield running


def release(store: FolderTransport, folder: Path, *versions: str) -> None:
    for version in versions:
        publish(store, [make_wheel(folder, version=version)])


def page(server: Served, path: str, status: int = 200, **headers: str) -> str:
    answer = server.ask(path, headers)
    assert answer.status == status, answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return html.unescape(answer.body.decode())


def test_the_newest_version_is_the_one_that_installers_take(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    """By number and not by time; no preview, and nothing yanked."""
    release(store, tmp_path, "1.9", "1.10", "2.0b1", "1.11", "1.8.5")
    amend(store, "yank", "widget", "1.11", reason="eats <disks>")
    shown = page(server, "/project/widget/")
    assert '<h1>widget <span class="version">1.10</span></h1>' in shown
    order = re.findall(r'href="../../project/widget/([^/"]+)/"', shown)
    assert order == ["2.0b1", "1.11", "1.10", "1.9", "1.8.5"]
    assert re.search(r'>2\.0b1</a> <span class="badge">preview<', shown)
    assert re.search(r'>1\.11</a> <span class="badge warn">yanked<', shown)
    yanked = page(server, "/project/widget/1.11/")
    assert "This version was yanked" in yanked
    assert "eats <disks>" in yanked
    assert "widget==1.11<" in yanked
    assert "eats <disks>" not in server.ask("/project/widget/1.11/").body.decode()
    # 1.9.0 is another spelling of the same version.
    assert page(server, "/project/widget/1.9.0/") == page(
        server, "/project/widget/1.9/"
    )


def test_a_project_under_quarantine_is_shown_and_offers_nothing(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    release(store, tmp_path, "1.0")
    amend(store, "quarantine", "widget", None, reason="under <review>")
    shown = page(server, "/project/widget/")
    assert "This project is quarantined." in shown
    assert "under <review>" in shown
    assert "pip install" not in shown
    assert re.search(
        r'widget</a> <span class="badge stop">quarantined<', page(server, "/")
    )


def test_long_lists_come_in_parts(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, version=f"1.{n}") for n in range(103)]
    publish(store, wheels)
    publish(store, [make_wheel(tmp_path, project=f"many-{n:02d}") for n in range(60)])
    first = page(server, "/project/widget/")
    assert "Page 1 of 2" in first
    assert '<a rel="next" href="?page=2">' in first
    assert ">1.2</a>" not in first
    last = page(server, "/project/widget/?page=2")
    assert re.findall(r">(1\.\d+)</a>", last) == ["1.2", "1.1", "1.0"]
    projects = page(server, "/?page=2")
    assert "62 projects" in projects
    assert projects.count('<th scope="row">') == 12
    found = page(server, "/?q=many&page=1")
    assert '<a rel="next" href="?q=many&page=2">' in found
    for odd in ("0", "-1", "99999999", "x", "99"):
        assert "Page " in page(server, f"/?page={odd}")


def test_the_address_in_the_lines_is_the_one_the_reader_used(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    release(store, tmp_path, "1.0")
    named = page(server, "/project/widget/", Host=f"localhost:{server.port}")
    assert f"--index-url http://localhost:{server.port}/simple/ widget<" in named
    # pip takes plain http from elsewhere only when told that it may.
    far = page(server, "/project/widget/", Host="wheels.example")
    assert (
        "--index-url http://wheels.example/simple/ --trusted-host wheels.example widget"
        in far
    )
    for evil in ('x"><script>', "x;rm -rf", "x y", "[::1", "a" * 300, "$(id)"):
        shown = page(server, "/project/widget/", Host=evil)
        assert f"--index-url http://127.0.0.1:{server.port}/simple/ widget<" in shown
        assert evil not in shown


def test_a_public_address_and_a_token_stand_in_the_lines(
    store: FolderTransport, tmp_path: Path
) -> None:
    release(store, tmp_path, "1.0")
    token = "0123456789-abcdefghij"
    options = ("--public-url", "https://tools.example/wheels")
    with served(
        str(store.root),
        tmp_path / "log",
        *options,
        environment={"ENGINEROOM_SERVE_TOKENS": token},
    ) as server:
        shown = page(server, "/project/widget/", Authorization=f"Bearer {token}")
    address = "https://__token__:TOKEN@tools.example/wheels/simple/"
    assert f"pip install --index-url {address} widget<" in shown
    assert f"uv pip install --default-index {address} widget<" in shown
    assert token not in shown


def test_a_page_that_is_damaged_says_so_in_the_log_alone(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    release(store, tmp_path, "1.0")
    (store.root / "json" / "widget" / "index.json").write_text('{"files": 7}')
    answer = server.ask("/project/widget/")
    assert answer.status == 503
    assert server.logs("ER3006: The store is damaged at `json/widget/index.json`")
    others = page(server, "/")
    assert ">other</a>" in others
    assert ">widget</a>" in others
    assert server.ask("/simple/widget/").status == 200


def test_a_page_too_big_for_people_is_still_there_for_installers(
    store: FolderTransport, server: Served, tmp_path: Path
) -> None:
    release(store, tmp_path, "1.0")
    path = store.root / "json" / "widget" / "index.json"
    path.write_bytes(path.read_bytes() + b" " * (17 << 20))
    assert "too many wheels" in page(server, "/project/widget/")
    assert ">widget</a>" in page(server, "/")
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    whole = server.ask("/simple/widget/", accept)
    assert whole.body == path.read_bytes()
    head = server.ask("/simple/widget/", accept, method="HEAD")
    assert head.headers["content-length"] == str(len(whole.body))


def test_an_empty_store_says_that_it_is_empty(tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path / "store")
    ensure_store(transport, "2026-01-02T03:04:05Z")
    with served(str(transport.root), tmp_path / "log") as server:
        assert "Nothing is published here yet." in page(server, "/")
        assert "Not here" in page(server, "/project/widget/", 404)


@pytest.mark.parametrize("name", ["../..", "Widget", "", "a b", "x" * 300 + "-"])
def test_a_name_that_is_none_is_damage_and_no_way_out(name: str) -> None:
    text = json.dumps({"projects": [{"name": name}]}).encode()
    with pytest.raises(StoreDamaged):
        read_names(text)
    text = json.dumps({"name": name, "files": []}).encode()
    with pytest.raises(StoreDamaged, match="it is the page of"):
        read_listing("widget", text)


def test_links_are_made_of_checked_parts_alone() -> None:
    """A page may come from a hostile hand; its addresses are not taken over."""
    wheel = {
        "filename": "widget-1.0-py3-none-any.whl",
        "url": "javascript:alert(1)",
        "hashes": {"sha256": "ab" * 32},
        "size": 7,
        "provenance": "javascript:alert(2)",
        "yanked": True,
    }
    text = json.dumps({"name": "widget", "files": [wheel]}).encode()
    (release,) = read_listing("widget", text).releases
    (shown,) = release.wheels
    assert shown.address == keys.blob("ab" * 32, "widget-1.0-py3-none-any.whl")
    assert shown.has_provenance
    assert shown.yanked == ""
    assert release.is_yanked
