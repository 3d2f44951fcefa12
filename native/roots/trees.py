"""Has the trees of the rows at hand, making what is missing or damaged.

Kind by kind the making is in `debian` and `musl`, the keeping in `kept`; here they
meet. A tree is looked at once in a run.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from native.build.pins import load_sources
from native.build.toolchain import pinned_version
from native.roots import debian, musl
from native.roots.kept import Shelf
from native.roots.rows import TREES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from native.build.cache import Cache
    from native.build.report import Report
    from native.roots.rows import Tree

__all__ = ["Trees"]


class Trees:
    """The trees of one run; any thread may ask.

    Args:
        cache: where they are kept.
        report: told of each that is made.
        mirror: where Debian comes from; a mirror of this machine's apt if empty.
        fresh: names of those to make anew.
    """

    def __init__(
        self, cache: Cache, report: Report, *, mirror: str, fresh: Iterable[str]
    ) -> None:
        self._cache = cache
        self._report = report
        self._mirror = mirror
        self._fresh = set(fresh)
        self._shelf = Shelf(cache)

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[Path]:
        """Give the folder of a tree, and keep others from changing it meanwhile.

        Raises:
            BuildError: it could not be made.
        """
        is_fresh = name in self._fresh
        self._fresh.discard(name)
        started = time.monotonic()

        def make(folder: Path) -> None:
            self._make(name, folder)

        with self._shelf.hold(name, self._recipe(name), make, fresh=is_fresh) as kept:
            if kept.why:
                seconds = time.monotonic() - started
                self._report.step(name, f"root made in {seconds:.0f} s ({kept.why})")
            yield kept.path

    def _recipe(self, name: str) -> str:
        """Return all that a tree is made from; what changes it gives another name."""
        tree = TREES[name]
        own = repr(tree)
        if tree.kind == "debian":
            return f"{debian.RECIPE}\n{own}"
        recipe, name = musl.MADE[tree.kind]
        source = load_sources()[name].files[0].sha256
        zig = pinned_version("ziglang")
        bases = "\n".join(self._recipe(base) for base in tree.bases)
        return f"{recipe}\n{own}\n{source}\n{zig}\n{bases}"

    def _make(self, name: str, folder: Path) -> None:
        tree = TREES[name]
        log_path = self._shelf.log_path(name)
        self._report.step(name, f"making the root; log: {log_path}")
        if tree.kind == "debian":
            debian.make_debian(tree, folder, log_path, mirror=self._mirror)
            return
        make = self._make_openssl if tree.kind == "openssl" else self._make_musl
        make(tree, folder, log_path)

    def _make_openssl(self, tree: Tree, folder: Path, log_path: Path) -> None:
        (workshop_name,) = tree.bases
        with self.hold(workshop_name) as workshop:
            musl.make_openssl(
                tree,
                folder,
                log_path,
                workshop=workshop,
                cache=self._cache,
                report=self._report,
            )

    def _make_musl(self, tree: Tree, folder: Path, log_path: Path) -> None:
        workshop_name, musl_name, openssl_name = tree.bases
        with (
            self.hold(workshop_name) as workshop,
            self.hold(musl_name) as base,
            self.hold(openssl_name) as openssl,
        ):
            musl.make_musl(
                tree,
                folder,
                log_path,
                workshop=workshop,
                musl=base,
                openssl=openssl,
                cache=self._cache,
                report=self._report,
            )
