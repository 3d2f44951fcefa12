"""What a check finds: services, and what is wrong with each, as plain values.

A rule's name never changes its meaning; the words beside it are for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

    from engineroom.check.locks import LockFile
    from engineroom.check.needs import Need

__all__ = ["FORMAT", "RULES", "STATUSES", "Finding", "Image", "Report", "Service"]

FORMAT = 1

# Each rule with its level and what it means. Only errors make the check fail.
RULES = {
    "targets-missing": ("error", "A generator's `binaryTargets` lacks needed targets."),
    "targets-absent": ("error", "A generator of a client has no `binaryTargets`."),
    "wheels-missing": ("error", "A lock file lacks wheels for needed targets."),
    "lock-broken": ("error", "An `engineroom.lock` cannot be used."),
    "lock-lacks-targets": ("error", "An `engineroom.lock` lacks needed targets."),
    "lock-version-differs": (
        "error",
        "An `engineroom.lock` is of another version than the one that is pinned.",
    ),
    "store-lacks": ("error", "No store has a wheel that is locked or needed."),
    "store-differs": ("error", "A store has other bytes than the lock records."),
    "image-too-old": ("error", "An image is older than every engine needs."),
    "setting-wrong": ("error", "`[tool.engineroom.check]` cannot be followed."),
    "target-unknown": ("warning", "A name in `binaryTargets` means nothing."),
    "targets-elsewhere": ("warning", "Targets come from an environment variable."),
    "schema-broken": ("warning", "A schema cannot be understood."),
    "lock-version-unpinned": (
        "warning",
        "An `engineroom.lock` is of another version than the one that checks.",
    ),
    "store-silent": ("warning", "A store gave no answer."),
    "unreadable": ("warning", "A file or folder cannot be read."),
}

STATUSES = {
    "fails": "at least one finding is an error",
    "cannot tell": "something could not be read or is decided elsewhere",
    "ok": "it uses Engineroom or Prisma, and every needed target is there",
    "not affected": "it uses neither",
}


class Finding(NamedTuple):
    """Something that is wrong, or that cannot be told.

    Attributes:
        rule: one of `RULES`.
        file: the file, relative to the folder that is checked.
        line: the line, counted from 1.
        message: one sentence.
        hint: what mends it.
        missing: the needs that are not met.
        generator: which generator of the schema, counted from 0; -1 if none.
    """

    rule: str
    file: str
    line: int
    message: str
    hint: str = ""
    missing: tuple[Need, ...] = ()
    generator: int = -1

    @property
    def level(self) -> str:
        """`error` or `warning`."""
        return RULES[self.rule][0]

    def concerns(self, files: set[str]) -> bool:
        """Say whether one of these files has the finding or is a reason for it."""
        return self.file in files or any(need.file in files for need in self.missing)


class Image(NamedTuple):
    """A base image that was found; `system` is empty if it cannot be told."""

    name: str
    system: str
    target: str
    file: str
    line: int


class Service(NamedTuple):
    """A service and what was found out about it."""

    path: str
    uses: tuple[str, ...]
    schemas: tuple[str, ...]
    images: tuple[Image, ...]
    configured: tuple[str, ...]
    needs: tuple[Need, ...]
    findings: tuple[Finding, ...]
    lock: LockFile | None = None

    @property
    def locked(self) -> str:
        """How many of the needed targets the lock file has, in a few words."""
        if self.lock is None:
            return ""
        if self.lock.lock is None:
            return "broken"
        needed = {need.target for need in self.needs if need.target}
        return f"{len(needed.intersection(self.lock.targets))} of {len(needed)}"

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of needed targets that some generator or lock lacks."""
        lacking = (f.missing for f in self.findings if f.level == "error")
        return tuple(dict.fromkeys(need.name for one in lacking for need in one))

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        levels = {finding.level for finding in self.findings}
        if "error" in levels:
            return "fails"
        if levels - {"note"} and any(f.rule != "target-unknown" for f in self.findings):
            return "cannot tell"
        return "ok" if self.uses else "not affected"


class Report(NamedTuple):
    """All that a check found out.

    Attributes:
        root: the folder that was checked, as it is best shown.
        services: its services in order.
        findings: what belongs to no service.
        fixed: the schemas that were written.
    """

    root: str
    services: tuple[Service, ...]
    findings: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings of all services and those of none."""
        of_services = [f for service in self.services for f in service.findings]
        return (*of_services, *self.findings)

    @property
    def has_errors(self) -> bool:
        """Whether the check fails."""
        return any(finding.level == "error" for finding in self.all_findings)

    def shown(self, path: str) -> str:
        """Return a path of the tree as it is seen from the working folder."""
        if path in ("", "."):
            return self.root or "."
        return f"{self.root.rstrip('/')}/{path}" if self.root else path

    def as_json(self) -> dict[str, Any]:
        """Return the report of one folder in the documented form."""
        return {
            "root": self.shown(""),
            "services": [self._service(service) for service in self.services],
            "findings": [self._finding(finding) for finding in self.findings],
            "fixed": [self.shown(path) for path in self.fixed],
        }

    def _service(self, service: Service) -> dict[str, Any]:
        return {
            "path": self.shown(service.path),
            "uses": list(service.uses),
            "status": service.status,
            "schemas": [self.shown(path) for path in service.schemas],
            "images": [
                {**image._asdict(), "file": self.shown(image.file)}
                for image in service.images
            ],
            "configured": list(service.configured),
            "needed": [self._need(need) for need in service.needs],
            "lock": self._lock(service.lock),
            "missing": list(service.missing),
            "findings": [self._finding(finding) for finding in service.findings],
        }

    def _lock(self, lock: LockFile | None) -> dict[str, Any] | None:
        if lock is None:
            return None
        return {
            "file": self.shown(lock.file),
            "version": lock.version,
            "targets": list(lock.targets),
        }

    def _need(self, need: Need) -> dict[str, Any]:
        file = self.shown(need.file) if need.file else ""
        return {**need._asdict(), "file": file}

    def _finding(self, finding: Finding) -> dict[str, Any]:
        return {
            "rule": finding.rule,
            "level": finding.level,
            "file": self.shown(finding.file),
            "line": finding.line,
            "message": finding.message,
            "hint": finding.hint,
            "missing": [need.name for need in finding.missing],
        }
