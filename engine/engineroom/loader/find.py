"""Where engines are, and what their manifest says of them.

A shelf is a folder with engines and a manifest.csv that lists them: the package's own
`engines` folder, the one that a setting names, or a place of `elsewhere`. The manifest
is CSV without quoting because importing json costs more than the rest of the loader.
Nothing here looks into an engine; a manifest that cannot be read is a finding, not
an exception.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from engineroom.loader.settings import Overrides

__all__ = [
    "MANIFEST",
    "PACKAGE_SHELF",
    "EngineFile",
    "Shelf",
    "find_shelf",
    "read_shelf",
]

MANIFEST = "manifest.csv"
FORMAT = 1
COLUMNS = ("target", "backend", "file", "size_bytes", "crc32", "sha256", "build_id")
PACKAGE_SHELF = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engines"
)


class EngineFile:
    """One engine that a manifest lists, or that a setting names.

    Attributes:
        target: the target it is for; empty for a file that a setting names.
        backend: the backend it serves.
        path: where it is.
        is_listed: whether a manifest vouches for its bytes; without that the
            following are empty.
        size_bytes: its size.
        crc32: its checksum as eight hexadecimal digits.
        sha256: its hash in hexadecimal digits.
        build_id: the id of the build that made it.
    """

    __slots__ = (
        "backend",
        "build_id",
        "crc32",
        "is_listed",
        "path",
        "sha256",
        "size_bytes",
        "target",
    )

    def __init__(
        self,
        target: str,
        backend: str,
        path: str,
        *,
        is_listed: bool = False,
        size_bytes: int = 0,
        crc32: str = "",
        sha256: str = "",
        build_id: str = "",
    ) -> None:
        self.target = target
        self.backend = backend
        self.path = path
        self.is_listed = is_listed
        self.size_bytes = size_bytes
        self.crc32 = crc32
        self.sha256 = sha256
        self.build_id = build_id


class Shelf:
    """A folder of engines.

    Attributes:
        path: the folder.
        origin: why it was looked at: `package`, `user`, `system`, or the setting that
            names it.
        engines: what its manifest lists, in order.
        verdict: `no-manifest` or `manifest-damaged` where it cannot be used.
        problem: the reason then; else empty.
    """

    __slots__ = ("engines", "origin", "path", "problem", "verdict")

    def __init__(self, path: str, origin: str) -> None:
        self.path = path
        self.origin = origin
        self.engines: tuple[EngineFile, ...] = ()
        self.verdict = ""
        self.problem = ""


def find_shelf(overrides: Overrides, package_shelf: str = PACKAGE_SHELF) -> Shelf:
    """Return the folder to take engines from: a setting's, or the package's own."""
    if overrides.folder:
        from engineroom.loader.settings import FOLDER

        return read_shelf(overrides.folder, FOLDER)
    return read_shelf(package_shelf, "package")


def read_shelf(path: str, origin: str) -> Shelf:
    """Read the manifest of the folder at `path`."""
    shelf = Shelf(path, origin)
    manifest = os.path.join(path, MANIFEST)
    try:
        with open(manifest, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        shelf.verdict = "no-manifest"
        shelf.problem = (
            f"it has no {MANIFEST}" if os.path.isdir(path) else "no such folder"
        )
    except (OSError, UnicodeDecodeError) as error:
        shelf.verdict = "manifest-damaged"
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        shelf.problem = f"{MANIFEST} cannot be read: {reason}"
    else:
        try:
            shelf.engines = tuple(_engines(path, lines))
        except ValueError as error:
            shelf.verdict = "manifest-damaged"
            shelf.problem = f"{MANIFEST}, {error}"
    return shelf


def _engines(folder: str, lines: list[str]) -> Iterator[EngineFile]:
    """Read the rows; a ValueError says in which line what is wrong."""
    first = lines[0] if lines else ""
    if not first.startswith(f"# engineroom engines, format {FORMAT},"):
        raise ValueError(
            f"line 1: `{first[:60]}` does not start with `# engineroom engines,"
            f" format {FORMAT},`"
        )
    if len(lines) < 2 or tuple(lines[1].split(",")) != COLUMNS:
        found = lines[1][:80] if len(lines) > 1 else ""
        raise ValueError(f"line 2: `{found}` is not `{','.join(COLUMNS)}`")
    for number, line in enumerate(lines[2:], 3):
        values = line.split(",")
        if len(values) != len(COLUMNS):
            raise ValueError(f"line {number}: {len(values)} values, not {len(COLUMNS)}")
        yield _engine(folder, number, *values)


def _engine(
    folder: str,
    number: int,
    target: str,
    backend: str,
    file: str,
    size: str,
    crc32: str,
    sha256: str,
    build_id: str,
) -> EngineFile:
    parts = file.split("/")
    # Only what lies below the folder can be listed: the manifest is no way out.
    if not all(parts) or ".." in parts or "\\" in file or ":" in file:
        raise ValueError(f"line {number}: `{file}` is no path below the folder")
    for name, value, length in (("crc32", crc32, 8), ("sha256", sha256, 64)):
        if len(value) != length or value.strip("0123456789abcdef"):
            raise ValueError(f"line {number}: `{value}` is no {name}")
    if not (size.isascii() and size.isdigit()):
        raise ValueError(f"line {number}: `{size}` is no size")
    return EngineFile(
        target,
        backend,
        os.path.join(folder, *parts),
        is_listed=True,
        size_bytes=int(size),
        crc32=crc32,
        sha256=sha256,
        build_id=build_id,
    )
