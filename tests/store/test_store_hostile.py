"""What somebody hostile may hand to a publisher: names, reasons, wheels.

Each is refused before anything is written, or shown as the plain text it is. Wheels
that are malformed in other ways are the business of test_store_wheel.py.
"""

from __future__ import annotations

import json
import os
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import ChannelInvalid, ReasonRefused, StoreError, WheelRefused
from engineroom.store import FolderTransport, amend, inspect_wheel, publish
from engineroom.store.transport import BytesBody

from .reader import tree, visible
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store import Transport

SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"

NAMES = {
    "above": "../../evil",
    "dots": "..",
    "hidden": ".git",
    "absolute": "/etc/passwd",
    "backslash": "..\\evil",
    "header": "widget\r\nX-Evil: 1",
    "script": "<script>alert(1)</script>",
    "nul": "widget\x00",
    "option": "-rf",
    "escape": "%2e%2e%2fevil",
    "shell": "$(id)",
    "full width": "\uff57idget",
    "kelvin": "\u212aernel",
    "right to left": "widget\u202egpj",
    "zero width": "wid\u200bget",
    "dotless": "w\u0131dget",
    "empty": "",
    "long": "a" * 300,
}


def _metadata(name: str, version: str = "1.0") -> bytes:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()


@pytest.mark.parametrize("name", [name for name in NAMES.values() if "\n" not in name])
def test_a_hostile_project_name_in_metadata_is_refused(
    tmp_path: Path, transport: Transport, name: str
) -> None:
    wheel = make_wheel(tmp_path, metadata=_metadata(name))
    with pytest.raises(WheelRefused):
        publish(transport, [wheel])
    assert list(transport.list("")) == []


@pytest.mark.parametrize(
    "name", [n for n in NAMES.values() if n and "/" not in n and "\x00" not in n]
)
def test_a_hostile_file_name_is_refused(tmp_path: Path, name: str) -> None:
    plain = make_wheel(tmp_path / "plain")
    wheel = tmp_path / f"{name[:200]}-1.0-py3-none-any.whl"
    os.link(plain, wheel)
    with pytest.raises(WheelRefused):
        inspect_wheel(wheel)


@pytest.mark.parametrize("version", ["1.0/../2", "1.0;id", "<b>1</b>", "1.0\x00"])
def test_a_hostile_version_is_refused(tmp_path: Path, version: str) -> None:
    wheel = make_wheel(tmp_path, metadata=_metadata("widget", version))
    with pytest.raises(WheelRefused):
        inspect_wheel(wheel)


@pytest.mark.parametrize(
    "channel", ["..", "a/b", "../simple", "nightly\n", "<b>", "Nightly", "", "x" * 65]
)
def test_a_hostile_channel_is_refused(
    tmp_path: Path, transport: Transport, channel: str
) -> None:
    with pytest.raises(ChannelInvalid):
        publish(transport, [make_wheel(tmp_path)], channel=channel)
    assert list(transport.list("")) == []


@pytest.mark.parametrize("commit", ["HEAD", "../" * 14, "g" * 40, "a" * 39, "A" * 40])
def test_a_hostile_commit_is_refused(
    tmp_path: Path, transport: Transport, commit: str
) -> None:
    with pytest.raises(ChannelInvalid):
        publish(transport, [make_wheel(tmp_path)], commit=commit)
    assert list(transport.list("")) == []


@pytest.mark.parametrize(
    "reason",
    ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x1b[2Jb", "a\u2028b", "\u202eb", "x" * 501],
)
def test_a_reason_that_is_no_plain_line_is_refused(tmp_path: Path, reason: str) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    before = tree(tmp_path / "store")
    with pytest.raises(ReasonRefused):
        amend(transport, "yank", "widget", "1.0", reason=reason)
    assert tree(tmp_path / "store") == before


@pytest.mark.parametrize("action", ["yank", "quarantine"])
def test_markup_in_a_reason_is_shown_as_text(tmp_path: Path, action: str) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    version = "1.0" if action == "yank" else None
    amend(transport, action, "widget", version, reason=SCRIPT)
    html = (tmp_path / "store/simple/widget/index.html").read_text()
    tags, values = _parse(html)
    assert tags <= {"html", "head", "meta", "title", "body", "h1", "a", "br"}
    assert SCRIPT in values
    page = json.loads((tmp_path / "store/json/widget/index.json").read_text())
    shown = page["files"][0]["yanked"] if version else page["project-status"]["reason"]
    assert shown == SCRIPT


def test_markup_in_requires_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WheelRefused):
        inspect_wheel(make_wheel(tmp_path, requires_python=f">=3.9{SCRIPT}"))


def _parse(html: str) -> tuple[set[str], set[str]]:
    """Give the tags of a page and the values of its attributes."""
    tags: set[str] = set()
    values: set[str] = set()

    class Parser(HTMLParser):
        def handle_starttag(
            self, tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            tags.add(tag)
            values.update(value for _, value in attrs if value)

    parser = Parser()
    parser.feed(html)
    parser.close()
    return tags, values


@pytest.mark.parametrize(
    "key", ["../evil", "a/../../evil", "/etc/evil", "a//b", "a/.hidden", "a\nb", "a\\b"]
)
def test_a_key_that_would_leave_the_store_is_never_used(
    transport: Transport, key: str
) -> None:
    """Our own slips end here: no name that passed the checks makes such a key."""
    for use in (
        transport.get,
        transport.size,
        transport.delete,
        lambda key: transport.put_if_absent(key, BytesBody(b"x")),
    ):
        with pytest.raises(ValueError, match="not a safe key"):
            use(key)


def test_a_link_in_the_place_of_a_page_is_replaced_and_not_written_through(
    tmp_path: Path,
) -> None:
    transport = FolderTransport(tmp_path / "store")
    publish(transport, [make_wheel(tmp_path)])
    outside = tmp_path / "outside"
    outside.write_text("precious")
    page = tmp_path / "store/simple/widget/index.html"
    page.unlink()
    page.symlink_to(outside)
    publish(transport, [make_wheel(tmp_path, version="2.0")])
    assert outside.read_text() == "precious"
    assert not page.is_symlink()
    assert len(visible(transport)) == 2


def test_a_link_in_the_place_of_a_wheel_is_noticed_when_it_is_published_again(
    tmp_path: Path,
) -> None:
    transport = FolderTransport(tmp_path / "store")
    wheel = make_wheel(tmp_path)
    publish(transport, [wheel])
    [blob] = (tmp_path / "store/blobs").rglob("*.whl")
    other = make_wheel(tmp_path / "other", text="evil")
    blob.unlink()
    blob.symlink_to(other)
    with pytest.raises(StoreError, match="sha256"):
        publish(transport, [wheel])
