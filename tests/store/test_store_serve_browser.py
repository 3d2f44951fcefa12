"""The pages for people in a real browser: they are seen, and no script runs.

The pictures of the last run are in build/screenshots.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import zlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.store import FolderTransport, publish

from .served import served
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .served import Served

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
PLATFORMS = {target.wheel_tag for target in TARGETS}
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=document.title='x'>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderTransport:
    folder = tmp_path_factory.mktemp("serve")
    transport = FolderTransport(folder / "store")
    for number, version in enumerate(("0.3.0", "0.4.0", "1.0.0rc1")):
        wheels = [
            make_wheel(
                folder,
                project="engineroom",
                version=version,
                tag=f"cp39-abi3-{platform}",
                metadata=about("engineroom", version, "A native SQL query engine"),
            )
            for platform in sorted(PLATFORMS)
        ]
        publish(transport, wheels, clock=partial(float, 1.7e9 + number * 3e6))
    for name in ("acme-billing", "acme-ledger", "catalogue", "orders-schema"):
        publish(transport, [make_wheel(folder, project=name, version="2.1")])
    hostile = about("hostile", "1.0", SCRIPT, f"{SCRIPT}\n</pre>{SCRIPT}")
    publish(transport, [make_wheel(folder, project="hostile", metadata=hostile)])
    return transport


def about(name: str, version: str, summary: str, description: str = "") -> bytes:
    return (
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
        f"Summary: {summary}\nLicense-Expression: Apache-2.0\n"
        f"Requires-Python: >=3.9\nRequires-Dist: cffi>=1.15\n\n{description}\n"
    ).encode()


@pytest.fixture(scope="module")
def server(
    store: FolderTransport, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with served(str(store.root), tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.fixture
def browser(tmp_path: Path) -> Browser:
    for name in ("chromium-headless-shell", "chromium"):
        program = shutil.which(name)
        if program is not None:
            return Browser(program, tmp_path)
    pytest.skip("Debian's chromium-headless-shell is not installed")


class Browser:
    """Debian's Chromium without a window."""

    def __init__(self, program: str, folder: Path) -> None:
        self._command = [
            program,
            "--headless",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'browser'}",
            # It refuses to build its own walls as root, which CI's containers are.
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
        ]

    def page(self, address: str) -> str:
        """Give a page as it is after everything on it has run."""
        return self._run("--dump-dom", address)

    def picture(
        self, address: str, name: str, *, width: int, height: int, is_dark: bool
    ) -> bytes:
        """Take a picture of a page and give its bytes."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        scheme = ["--blink-settings=preferredColorScheme=0"] if is_dark else []
        self._run(
            *scheme,
            f"--window-size={width},{height}",
            f"--screenshot={path}",
            address,
        )
        return path.read_bytes()

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout


def test_the_list_of_projects_leads_to_each(server: Served, browser: Browser) -> None:
    page = browser.page(server.url)
    assert "<title>Projects</title>" in page
    assert ">6 projects<" in page
    for name in ("acme-billing", "engineroom", "hostile"):
        assert f'<a href="project/{name}/">{name}</a>' in page
    assert ">0.4.0<" in page
    assert "1.0.0rc1" not in page


def test_a_search_works_without_a_script(server: Served, browser: Browser) -> None:
    page = browser.page(f"{server.url}?q=ACME_")
    assert ">2 projects of 6<" in page
    assert "catalogue" not in page
    nothing = browser.page(f"{server.url}?q=%3Cscript%3E")
    assert "No project has that in its name" in nothing
    assert "“&lt;script&gt;”" in nothing


def test_a_project_page_tells_what_fits_and_how_to_install(
    server: Served, browser: Browser
) -> None:
    page = browser.page(f"{server.url}project/engineroom/")
    assert f"pip install --index-url {server.index_url} engineroom<" in page
    assert f"uv pip install --default-index {server.index_url} engineroom<" in page
    for target in TARGETS:
        row = re.search(rf"<code>{target.id}</code>.*?</tr>", page, re.DOTALL)
        assert row is not None
        assert f">{target.wheel_tag}</a>" in row[0]
    links = re.findall(r'<a class="file" href="(\.\./[^"]+\.whl)"', page)
    assert len(links) == len(PLATFORMS)
    for link in links:
        path = link.removeprefix("../..")
        assert server.ask(html.unescape(path)).status == 200
    assert 'href="../../project/engineroom/1.0.0rc1/"' in page


def test_another_version_says_that_installers_take_a_newer_one(
    server: Served, browser: Browser
) -> None:
    page = browser.page(f"{server.url}project/engineroom/1.0.0rc1/")
    assert "engineroom==1.0.0rc1" in page
    assert "is the version that installers take" in page
    assert 'href="../../../blobs/sha256/' in page


@pytest.mark.parametrize("path", ["project/hostile/", "project/hostile/1.0/", ""])
def test_no_script_of_a_project_runs(
    server: Served, browser: Browser, path: str
) -> None:
    page = browser.page(f"{server.url}{path}")
    assert re.search(r"<title>(hostile 1\.0|Projects)</title>", page)
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
    if path:
        assert "&lt;script&gt;document.title='owned'&lt;/script&gt;" in page


def test_a_browser_runs_the_script_where_nothing_holds_it_back(
    browser: Browser, tmp_path: Path
) -> None:
    """The test above would say the same of a browser that runs no scripts at all."""
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><title>hostile</title>{SCRIPT}")
    assert "<title>hostile</title>" not in browser.page(page.as_uri())


def test_even_a_stored_page_with_a_script_in_it_runs_none(
    store: FolderTransport, server: Served, browser: Browser
) -> None:
    """The policy in the headers is the second wall, behind the escaping."""
    page = store.root / "channels" / "evil" / "simple" / "x" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<!DOCTYPE html><title>stored</title>{SCRIPT}")
    shown = browser.page(f"{server.url}channels/evil/simple/x/")
    assert "<title>stored</title>" in shown


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("width", "height"), [(1100, 1400), (390, 1400)], ids=["desktop", "phone"]
)
@pytest.mark.parametrize("path", ["", "project/engineroom/"], ids=["list", "project"])
def test_the_pages_have_a_light_and_a_dark_face_at_any_width(
    server: Served,
    browser: Browser,
    path: str,
    width: int,
    height: int,
    is_dark: bool,
    request: pytest.FixtureRequest,
) -> None:
    name = re.sub(r"[^a-z]+", "-", request.node.callspec.id)
    picture = browser.picture(
        f"{server.url}{path}", name, width=width, height=height, is_dark=is_dark
    )
    size, red, green, blue = first_pixel(picture)
    assert size == (width, height)
    assert (max(red, green, blue) < 64) is is_dark
    assert (min(red, green, blue) > 192) is not is_dark


def first_pixel(png: bytes) -> tuple[tuple[int, int], int, int, int]:
    """Give a picture's size and the colour of its first point, from its bytes."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    size = (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"))
    data, position = b"", 8
    while position < len(png):
        length = int.from_bytes(png[position : position + 4], "big")
        if png[position + 4 : position + 8] == b"IDAT":
            data += png[position + 8 : position + 8 + length]
        position += length + 12
    # A filter's number stands before each line; the first point has no neighbours, so
    # every filter leaves it as it is.
    red, green, blue = zlib.decompress(data)[1:4]
    return size, red, green, blue
