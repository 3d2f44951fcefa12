"""Examines a tree: every service, what it uses, which targets it has and needs.

The order is always the same: whose file is it, what do the images need, what does the
setting say, and only then what is missing.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from engineroom.check.compose import read_entries
from engineroom.check.dockerfile import final_stage, read_stages
from engineroom.check.findings import Finding, Image, Report, Service
from engineroom.check.generators import judge_generator
from engineroom.check.images import base_of, is_bare
from engineroom.check.locks import judge_lock, lock_above, read_lock_file
from engineroom.check.needs import (
    TEMPLATE,
    Need,
    covers,
    listed,
    needs_named,
    target_of,
)
from engineroom.check.prisma import read_schema
from engineroom.check.projects import (
    INSTALLER_LOCKS,
    locked_wheels,
    owners,
    pin_of,
    setting_of,
    tells_usage,
    usage_of,
)
from engineroom.check.stores import judge_stores
from engineroom.check.tree import Unreadable, is_compose, is_dockerfile
from engineroom.errors import UnknownTarget
from engineroom.lockfile import LOCK_NAME
from engineroom.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engineroom.check.locks import LockFile
    from engineroom.check.projects import Usage
    from engineroom.check.stores import Answer
    from engineroom.check.tree import Tree

__all__ = ["examine", "is_relevant"]


class _Build(NamedTuple):
    """A Dockerfile that is built for a service, as a compose file may say how.

    One that stands within the compose file has its `text`, from behind `line` on.
    """

    dockerfile: str
    target: str = ""
    platform: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    text: str = ""
    line: int = 0


def is_relevant(path: str) -> bool:
    """Say whether a file is one that the check reads, by its name."""
    is_of_images = is_dockerfile(path) or is_compose(path)
    return path.endswith(".prisma") or is_of_images or tells_usage(path)


def examine(
    tree: Tree,
    *,
    root: str = "",
    focus: set[str] | None = None,
    answers: Sequence[Answer] = (),
) -> Report:
    """Examine a tree.

    Args:
        tree: where the files come from.
        root: how the folder is shown.
        focus: the files that matter: what does not concern them is left out. None
            for all.
        answers: what stores answered; none where none was asked.
    """
    return _Examination(tree, answers).report(root, focus)


class _Examination:
    """One look at one tree."""

    def __init__(self, tree: Tree, answers: Sequence[Answer]) -> None:
        self.tree = tree
        self.answers = answers
        self.files = tree.files()
        self.owners = owners(self.files)
        self.services = sorted(set(self.owners.values()))
        self.files_of: dict[str, list[str]] = {path: [] for path in self.services}
        for file, owner in self.owners.items():
            if is_relevant(file):
                self.files_of[owner].append(file)
        self.texts: dict[str, str | None] = {}
        self.findings: dict[str, list[Finding]] = {}
        self.images: dict[str, list[Image]] = {}
        self.needs: dict[str, list[Need]] = {}
        self.locks: dict[str, LockFile] = {}

    def report(self, root: str, focus: set[str] | None) -> Report:
        shown = self.services
        if focus is not None:
            shown = [path for path in self.services if self._is_meant(path, focus)]
        if shown:
            self._read_images()
        found = [self._service(path) for path in shown]
        if focus is None:
            found = _without_bare_parents(found)
        else:
            found = [_focused(service, focus) for service in found]
        loose = [
            Finding("unreadable", path, 1, f"This folder cannot be listed: {why}")
            for path, why in self.tree.troubles()
        ]
        if "" not in self.services:  # a compose file may belong to no service
            loose += self.findings.get("", [])
        return Report(root, tuple(found), tuple(loose))

    def _is_meant(self, path: str, focus: set[str]) -> bool:
        """Say whether a file that matters is a service's own, or one above it."""
        for file in focus:
            folder, _, name = file.rpartition("/")
            if is_relevant(file) and self.owners.get(file) == path:
                return True
            is_below = not folder or path.startswith(f"{folder}/")
            from_above = ("pyproject.toml", LOCK_NAME, *INSTALLER_LOCKS)
            if is_below and name in from_above:
                return True
        return False

    def text(self, path: str, owner: str) -> str | None:
        """Return a file's text; None, with a finding, if it cannot be read."""
        if path not in self.texts:
            try:
                # Some editors put a mark first, which is no part of what is written.
                self.texts[path] = self.tree.read(path).lstrip("\ufeff")
            except Unreadable as error:
                self.texts[path] = None
                found = Finding("unreadable", path, 1, f"This cannot be read: {error}")
                self.findings.setdefault(owner, []).append(found)
        return self.texts[path]

    def _service(self, path: str) -> Service:
        findings = self.findings.setdefault(path, [])
        files = self.files_of[path]
        usages = self._usages(path)
        uses = ["Engineroom"] if usages else []
        schemas = [file for file in files if file.endswith(".prisma")]
        uses += ["Prisma"] if schemas else []
        needs = self._needs(path, uses)
        configured: dict[str, None] = {}
        for schema in schemas:
            configured.update(dict.fromkeys(self._schema(schema, path, needs)))
        for usage in usages:
            configured.update(dict.fromkeys(self._wheels(usage.file, path, needs)))
        lock = self._lock(path, usages, needs) if usages else None
        return Service(
            path,
            tuple(uses),
            tuple(schemas),
            tuple(self.images.get(path, ())),
            tuple(configured),
            tuple(needs),
            tuple(findings),
            lock,
        )

    def _usages(self, path: str) -> list[Usage]:
        """Return where a service says that it uses Engineroom."""
        found: list[Usage] = []
        for file in filter(tells_usage, self.files_of[path]):
            text = self.text(file, path)
            usage = usage_of(file, text) if text is not None else None
            if usage:
                found.append(usage)
        if [posixpath.basename(usage.file) for usage in found] == [LOCK_NAME]:
            # A lock file alone is that of the services below, if one of them uses it.
            above = f"{path}/" if path else ""
            below = [s for s in self.services if s != path and s.startswith(above)]
            return [] if any(map(self._usages, below)) else found
        if found and not any(_is_installer_lock(usage.file) for usage in found):
            found += self._usage_above(path)
        return found

    def _usage_above(self, path: str) -> list[Usage]:
        """Return where the lock file of the nearest workspace above names it."""
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            for name in INSTALLER_LOCKS:
                file = posixpath.join(folder, name)
                text = self.text(file, path) if file in self.owners else None
                usage = usage_of(file, text) if text is not None else None
                if usage:
                    return [usage]
        return []

    def _needs(self, path: str, uses: list[str]) -> list[Need]:
        """Return what a service needs: the setting or the template, and its images."""
        if not uses:
            return []
        needs = self._setting(path)
        if needs is None:
            needs = [Need(name, target_of(name), why) for name, why in TEMPLATE]
        for need in self.needs.get(path, ()):
            for index, known in enumerate(needs):
                if covers(known.name, need):
                    # The image is the better reason, and it has a place.
                    needs[index] = need._replace(name=known.name, target=known.target)
                    break
            else:
                needs.append(need)
        if "Engineroom" in uses:
            self._refuse_old(path)
        return needs

    def _refuse_old(self, path: str) -> None:
        for image in self.images.get(path, ()):
            if base_of(image.name).is_too_old:
                text = f"No engine runs in `{image.name}`: {image.system} is too old"
                hint = "take an image of Debian 10, Ubuntu 20, RHEL 8 or newer"
                found = Finding("image-too-old", image.file, image.line, text, hint)
                self.findings[path].append(found)

    def _setting(self, path: str) -> list[Need] | None:
        """Return the needs of the nearest pyproject.toml that names any."""
        folder = path
        while True:
            file = posixpath.join(folder, "pyproject.toml")
            text = self.text(file, path) if file in self.owners else None
            setting = setting_of(text) if text else None
            if setting is not None:
                problem, hint = setting.problem, 'name targets, such as ["native"]'
                if not problem:
                    try:
                        return needs_named(setting.names, file, setting.line)
                    except UnknownTarget as error:
                        problem, hint = f"names `{error.name}`", error.hint
                text = f"`targets` of `[tool.engineroom.check]` {problem}"
                found = Finding("setting-wrong", file, setting.line, text, hint)
                self.findings[path].append(found)
                return None
            if not folder:
                return None
            folder = folder.rpartition("/")[0]

    def _schema(self, file: str, path: str, needs: list[Need]) -> list[str]:
        """Judge a schema, and return the targets that it names."""
        text = self.text(file, path)
        if text is None:
            return []
        schema = read_schema(text)
        findings = self.findings[path]
        if schema.broken_line:
            message = "The generator that begins here cannot be understood"
            hint = "`prisma validate` tells what is wrong with it"
            found = Finding("schema-broken", file, schema.broken_line, message, hint)
            findings.append(found)
        names: list[str] = []
        for index, generator in enumerate(schema.generators):
            if generator.needs_engines:
                findings += judge_generator(generator, index, file, text, needs)
                names += generator.targets.texts if generator.targets else ()
        return names

    def _lock(
        self, path: str, usages: Sequence[Usage], needs: list[Need]
    ) -> LockFile | None:
        """Judge the engineroom.lock of a service, and what stores have of it."""
        texts = [(usage, self.text(usage.file, path) or "") for usage in usages]
        pins = [pin for pin in (pin_of(*one) for one in texts) if pin is not None]
        file = lock_above(path, self.owners)
        text = self.text(file, path) if file else None
        if text is not None and file not in self.locks:
            self.locks[file] = read_lock_file(file, text)
        lock = self.locks.get(file)
        findings = self.findings[path]
        if lock is not None:
            findings += judge_lock(lock, needs, pins, __version__)
        findings += judge_stores(self.answers, lock, needs, pins, usages)
        return lock

    def _wheels(self, file: str, path: str, needs: list[Need]) -> list[str]:
        """Judge an installer's lock file; return the targets whose wheels it lists."""
        if file.endswith((".txt", LOCK_NAME)):
            return []
        text = self.text(file, path)
        locked = locked_wheels(text) if text else None
        if locked is None:
            return []
        lacking = [n for n in needs if n.target and n.target not in locked.targets]
        if lacking:
            message = f"The lock file has no wheels for {listed(lacking)}"
            hint = "lock again, against a store that holds the wheels of every target"
            line = locked.line
            found = Finding("wheels-missing", file, line, message, hint, tuple(lacking))
            self.findings[path].append(found)
        return list(locked.targets)

    def _read_images(self) -> None:
        """Find the base image of every service, and what it needs."""
        builds: dict[str, list[_Build]] = {}
        for file in self.files:
            if is_compose(file):
                self._read_compose(file, builds)
        built = {build.dockerfile for found in builds.values() for build in found}
        for file, owner in self.owners.items():
            if is_dockerfile(file) and file not in built:
                builds.setdefault(owner, []).append(_Build(file))
        for owner, found in builds.items():
            for build in found:
                self._read_dockerfile(build, owner)

    def _read_compose(self, file: str, builds: dict[str, list[_Build]]) -> None:
        folder, owner = posixpath.dirname(file), self.owners.get(file, "")
        text = self.text(file, owner)
        for entry in read_entries(text or ""):
            named = [s for s in self.services if posixpath.basename(s) == entry.name]
            if entry.inline:
                build = _Build(file, entry.target, entry.platform, entry.arguments)
                build = build._replace(text=entry.inline, line=entry.line)
                builds.setdefault((named or [owner])[0], []).append(build)
            elif entry.context and "://" not in entry.context:
                context = posixpath.normpath(posixpath.join(folder, entry.context))
                context = "" if context == "." else context
                name = entry.dockerfile or "Dockerfile"
                path = posixpath.normpath(posixpath.join(context, name))
                of = [s for s in self.services if s and s == context] or named
                build = _Build(path, entry.target, entry.platform, entry.arguments)
                whose = (of or [self.owners.get(path, owner)])[0]
                if path in self.owners:
                    builds.setdefault(whose, []).append(build)
            elif entry.image and is_bare(entry.image):
                whose = (named or [owner])[0]
                self._add_image(whose, entry.image, entry.platform, file, entry.line)

    def _read_dockerfile(self, build: _Build, owner: str) -> None:
        text = build.text or self.text(build.dockerfile, owner)
        if text is None:
            return
        stages = read_stages(text, dict(build.arguments))
        stage = final_stage(stages, build.target)
        if stage is not None:
            platform = build.platform or stage.platform
            line = build.line + stage.line
            self._add_image(owner, stage.image, platform, build.dockerfile, line)

    def _add_image(
        self, owner: str, name: str, platform: str, file: str, line: int
    ) -> None:
        base = base_of(name, platform)
        target = target_of(base.prisma) if base.prisma else ""
        image = Image(name, base.system, target, file, line)
        images = self.images.setdefault(owner, [])
        if image not in images:
            images.append(image)
        if base.prisma:
            reason = f"`{name}` is {base.system}"
            need = Need(base.prisma, target, reason, file, line)
            self.needs.setdefault(owner, []).append(need)


def _is_installer_lock(file: str) -> bool:
    return posixpath.basename(file) in INSTALLER_LOCKS


def _without_bare_parents(services: list[Service]) -> list[Service]:
    """Leave out folders that use nothing and only hold services, such as the root."""
    paths = [service.path for service in services]
    return [
        service
        for service in services
        if service.uses
        or service.findings
        or not any(
            path != service.path
            and (not service.path or path.startswith(f"{service.path}/"))
            for path in paths
        )
    ]


def _focused(service: Service, focus: set[str]) -> Service:
    kept = tuple(found for found in service.findings if found.concerns(focus))
    return service._replace(findings=kept)
