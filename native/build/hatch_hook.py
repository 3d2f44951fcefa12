"""Puts engines into wheels, whoever builds them: pip, build, uv or nox.

hatchling loads this file by its path and calls the hook once for each wheel. An
ordinary wheel gets the engines of the targets that ENGINEROOM_BUILD_TARGETS names (by
default those of this machine), the manifest and the SBOM. An editable install gets the
engines of this machine in the source tree itself, where the loader and the type
checkers look.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["EngineHook"]

PACKAGE_SHELF = "engine/engineroom/engines"
WHEEL_SHELF = "engineroom/engines"
MANIFEST = "manifest.csv"
SBOM = "engineroom.cdx.json"


class EngineHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling gives no way to name it
    """The build hook that pyproject.toml names for wheels."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the engines and have the wheel carry them.

        Args:
            version: `editable` or `standard`.
            build_data: what hatchling is told about the wheel.
        """
        self._find_build()
        from native.build.cache import Cache, cache_root
        from native.build.engine import build_engines
        from native.build.report import Report
        from native.build.shelf import shelve, wheel_tag, wheel_targets

        targets = wheel_targets()
        cache = Cache(cache_root())
        cache.sweep()
        tree = Path(self.root)
        report = Report(out=sys.stderr)  # standard output belongs to whoever called
        engines = build_engines(targets, cache, report, tree=tree) if targets else ()
        shelved = shelve(engines)
        if version == "editable":
            self._fill_tree(shelved)
        build_data["tag"] = wheel_tag(targets)
        build_data["pure_python"] = not targets
        if targets and version != "editable":
            self._fill_wheel(shelved, cache, build_data)

    def dependencies(self) -> list[str]:
        """Ask for npm where the machine has none and a source must be fetched."""
        self._find_build()
        from native.build.cache import Cache, cache_root
        from native.build.pins import load_sources
        from native.build.shelf import wheel_targets
        from native.build.sources import missing_tools

        if not wheel_targets():
            return []
        sources = load_sources(Path(self.root, "native/build/sources.toml"))
        return list(missing_tools(sources.values(), Cache(cache_root())))

    def _find_build(self) -> None:
        # This very tree: an older installation of the package must not answer.
        for folder in (str(Path(self.root, "engine")), self.root):
            if folder in sys.path:
                sys.path.remove(folder)
            sys.path.insert(0, folder)

    def _fill_wheel(self, shelved: Any, cache: Any, build_data: dict[str, Any]) -> None:
        from native.build.cache import text_sha256
        from native.build.pins import load_sources
        from native.build.shelf import (
            bill_of_materials,
            linked_sources,
            manifest_text,
        )

        sources = load_sources(Path(self.root, "native/build/sources.toml"))
        manifest = manifest_text(shelved)
        sbom = bill_of_materials(
            shelved,
            linked_sources(sources.values(), shelved),
            {name: importlib.metadata.version(name) for name in ("cffi", "ziglang")},
        )
        # hatchling takes files by their path, so the texts have to be some.
        folder = cache.path("texts", text_sha256(manifest, sbom)[:16])
        cache.keep_text(manifest, folder / MANIFEST)
        cache.keep_text(sbom, folder / SBOM)
        include = build_data["force_include"]
        include[str(folder / MANIFEST)] = f"{WHEEL_SHELF}/{MANIFEST}"
        places = {item.file: item.engine.path for item in shelved}
        for file, path in places.items():
            include[str(path)] = f"{WHEEL_SHELF}/{file}"
        # By its path, because hatchling knows `sbom-files` since 1.28 only.
        information = f"{self.build_config.builder.project_id}.dist-info"
        include[str(folder / SBOM)] = f"{information}/sboms/{SBOM}"

    def _fill_tree(self, shelved: Any) -> None:
        from native.build.shelf import manifest_text

        shelf = Path(self.root, PACKAGE_SHELF)
        for old in shelf.iterdir() if shelf.is_dir() else ():
            if old.is_dir() and old.name != "__pycache__":
                shutil.rmtree(old)
        for item in shelved:
            place = shelf / item.file
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                # Under another name first: a process may have the old one loaded.
                made = place.with_suffix(".new")
                shutil.copyfile(item.engine.path, made)
                made.chmod(0o755)
                made.replace(place)
        if shelved:
            (shelf / MANIFEST).write_text(manifest_text(shelved), encoding="utf-8")
