"""Builds engines: sources, compiler and plans put together.

`build_engines` is the door. Engines come back with what a manifest says about them and
are kept by a hash of all that went in, so that a second call makes nothing.
"""

from __future__ import annotations

import os
import zlib
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engineroom.version import __version__
from native.build import ROOT
from native.build.backends import BACKENDS, find_backend
from native.build.cache import file_sha256, text_sha256
from native.build.errors import CacheUnwritable, DefinitionInvalid
from native.build.logs import Logs
from native.build.objects import Roots, Workshop
from native.build.openssl import prepare_openssl
from native.build.pins import load_sources
from native.build.plan import filled, make_plan, version_defines
from native.build.sources import ensure_source
from native.build.toolchain import find_zig
from native.cffi.generate import module_source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from engineroom.platforms.target import Target
    from native.build.backends import Backend
    from native.build.cache import Cache
    from native.build.objects import Object
    from native.build.openssl import OpenSSL, OpenSSLFile
    from native.build.plan import Plan
    from native.build.report import Report
    from native.build.stand_in import StandIn
    from native.build.toolchain import Toolchain

__all__ = ["Engine", "build_engines", "job_count"]

_BUILD_ID_DIGITS = 16
# What the compiler takes for the largest file.
_JOB_BYTES = 600_000_000


@dataclass(frozen=True)
class Engine:
    """A built engine.

    Attributes:
        target: the id of the target it is for.
        backend: the name of its backend.
        path: the file.
        size_bytes: its size.
        crc32: the checksum of its bytes, as lower-case hex.
        sha256: the hash of its bytes.
        build_id: a hash of all that went into it.
        is_new: whether something had to be compiled or linked for it just now.
    """

    target: str
    backend: str
    path: Path
    size_bytes: int
    crc32: str
    sha256: str
    build_id: str
    is_new: bool


def job_count() -> int:
    """Return how many compilers may run at once: one a core, if memory is enough."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # not told on macOS
        return cores
    return max(1, min(cores, free // _JOB_BYTES))


def build_engines(
    targets: Sequence[Target],
    cache: Cache,
    report: Report,
    *,
    backends: Sequence[str] = tuple(BACKENDS),
    tree: Path = ROOT,
    jobs: int = 0,
) -> tuple[Engine, ...]:
    """Build the engine of each backend for each target.

    Args:
        targets: rows of platforms.toml.
        cache: what is kept from one build to the next.
        report: told what happens.
        backends: names of backends.
        tree: the checkout to build from.
        jobs: how many compilers run at once; 0 for one per core.

    Returns:
        The engines, target by target. Targets with the same plan share the file.

    Raises:
        BuildError: a source, a tool or the code is at fault; the class says which.
    """
    toolchain = find_zig(cache)
    names, seam = (
        [path.name for path in (tree / "native" / folder).iterdir()]
        for folder in ("src", "cffi")
    )
    chosen = [find_backend(name) for name in backends]
    roots = {b.name: _roots(b, cache, report, tree) for b in chosen}
    pairs = [(target, backend) for target in targets for backend in chosen]
    openssls = _openssls(targets, chosen, cache, report, tree, toolchain)
    logs = Logs(cache)
    plans: dict[tuple[str, str], Plan] = {}
    jobs_by_plan: dict[Plan, _Job] = {}
    for target, backend in pairs:
        own: Roots = roots[backend.name]
        files: tuple[OpenSSLFile, ...] = ()
        if backend.speaks_tls:
            openssl = openssls[target.id]
            own, files = _with_openssl(own, openssl), openssl.files
        plan = make_plan(target, backend, names, seam, files)
        plans[target.id, backend.name] = plan
        if _nameless(plan) not in jobs_by_plan:
            workshop = Workshop(cache, toolchain, own, logs)
            job = _Job(plan, backend.name, cache, toolchain, workshop)
            jobs_by_plan[_nameless(plan)] = job
    _run_jobs(list(jobs_by_plan.values()), jobs or job_count(), report)
    made = {key: job.engine for key, job in jobs_by_plan.items()}
    return tuple(
        replace(made[_nameless(plans[target.id, backend.name])], target=target.id)
        for target, backend in pairs
    )


def _nameless(plan: Plan) -> Plan:
    """Return a plan that is equal for targets which differ in nothing it does."""
    return replace(plan, target="")


def _roots(backend: Backend, cache: Cache, report: Report, tree: Path) -> Roots:
    sources = load_sources(tree / "native" / "build" / "sources.toml")
    pinned = {name: sources[name] for name in (backend.source, "cpython")}
    folders = {
        name: str(ensure_source(source, cache, report))
        for name, source in pinned.items()
    }
    return Roots(
        folders={
            **folders,
            "tree": str(tree),
            "generated": str(_generated(backend, cache, tree)),
        },
        digests={name: source.digest for name, source in pinned.items()},
    )


def _openssls(
    targets: Sequence[Target],
    backends: Sequence[Backend],
    cache: Cache,
    report: Report,
    tree: Path,
    toolchain: Toolchain,
) -> dict[str, OpenSSL]:
    """Return the OpenSSL of each target, if there is a backend that takes it."""
    if not any(backend.speaks_tls for backend in backends):
        return {}
    pinned = load_sources(tree / "native" / "build" / "sources.toml")["openssl"]
    source = ensure_source(pinned, cache, report)
    return {
        target.id: prepare_openssl(target, source, cache, toolchain, report)
        for target in targets
    }


def _with_openssl(roots: Roots, openssl: OpenSSL) -> Roots:
    return Roots(
        folders={**roots.folders, "openssl": str(openssl.folder)},
        digests={**roots.digests, "openssl": openssl.digest},
    )


def _generated(backend: Backend, cache: Cache, tree: Path) -> Path:
    """Return the folder with the C of the backend's module, as cffi writes it."""
    path = tree / "native" / "abi" / "qe_abi.h"
    try:
        text = module_source(path.read_text(encoding="utf-8"), backend.module)
    except ImportError:
        raise
    except Exception as error:  # cffi and its parser raise many kinds
        raise DefinitionInvalid(path, str(error)) from error
    folder = cache.path("generated", text_sha256(text)[:16])
    if not folder.is_dir():
        with cache.scratch() as scratch:
            made = scratch / "made"
            made.mkdir()
            (made / f"{backend.module}.c").write_text(text, encoding="utf-8")
            cache.keep_folder(made, folder)
    return folder


def _run_jobs(jobs: Sequence[_Job], most: int, report: Report) -> None:
    """Compile the files of all engines side by side, and link each when it can be."""
    what = f"compiling {len(jobs)} engines" if len(jobs) > 1 else "compiling"
    with ThreadPoolExecutor(most) as pool, report.progress(what) as advance:
        # The first file of a plan takes longest: those of all engines go first.
        files = [(rank, job) for job in jobs for rank in range(job.file_count)]
        waiting: dict[Future[Any], _Job] = {
            job.start(pool, rank): job
            for rank, job in sorted(files, key=lambda file: file[0])
        }
        total, done = len(waiting) + len(jobs), 0
        try:
            while waiting:
                ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    job = waiting.pop(future)
                    future.result()  # a failure is told at once
                    done += 1
                    advance(done, total)
                    if job.is_finished:
                        _tell(job, report)
                    elif job not in waiting.values():
                        waiting[pool.submit(job.finish)] = job
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _tell(job: _Job, report: Report) -> None:
    engine = job.engine
    if engine.is_new:
        files = f"{job.new_count} of {job.file_count} files"
        size = f"{engine.size_bytes / 1e6:.2f} MB, build {engine.build_id}"
        name = f"{engine.target} {engine.backend}"
        report.step("compile", f"{name}: {files}, {size}")


class _Job:
    """One engine in the making: all its files are started, later it is finished.

    Attributes:
        engine: what came of it; there once it is finished.
        is_finished: whether it is.
        new_count: how many files were compiled for it just now.
    """

    engine: Engine

    def __init__(
        self,
        plan: Plan,
        backend: str,
        cache: Cache,
        toolchain: Toolchain,
        workshop: Workshop,
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._cache = cache
        self._toolchain = toolchain
        self._workshop = workshop
        self._futures: list[Future[Object]] = []
        self.is_finished = False
        self.new_count = 0

    @property
    def file_count(self) -> int:
        """How many files there are to start."""
        return len(self._plan.compiles)

    def start(self, pool: ThreadPoolExecutor, rank: int) -> Future[Object]:
        """Begin to compile a file of the plan."""
        work = self._plan.compiles[rank]
        future = pool.submit(self._workshop.compile, self._plan.target, work)
        self._futures.append(future)
        return future

    def finish(self) -> None:
        """Compile what tells the build's identity, and link."""
        plan = self._plan
        objects = [future.result() for future in self._futures]
        build_id = text_sha256(
            self._toolchain.name,
            __version__,
            *plan.link,
            plan.exports,
            *_stand_in_words(plan),
            *(made.identity for made in objects),
        )[:_BUILD_ID_DIGITS]
        defines = version_defines(__version__, build_id)
        version = self._workshop.compile(
            plan.target,
            replace(plan.version, arguments=(*plan.version.arguments, *defines)),
        )
        path, is_linked = self._link(plan, [*objects, version])
        self.new_count = sum(made.is_new for made in objects)
        self.engine = Engine(
            target=plan.target,
            backend=self._backend,
            path=path,
            size_bytes=path.stat().st_size,
            crc32=f"{zlib.crc32(path.read_bytes()):08x}",
            sha256=file_sha256(path),
            build_id=build_id,
            is_new=bool(self.new_count) or is_linked,
        )
        self.is_finished = True

    def _link(self, plan: Plan, objects: Sequence[Object]) -> tuple[Path, bool]:
        """Link under the final name: the format of macOS signs the name, too."""
        key = text_sha256(
            self._toolchain.name,
            *plan.link,
            plan.exports,
            *_stand_in_words(plan),
            plan.file_name,
            *(made.identity for made in objects),
        )
        folder = self._cache.path("engines", key[:32])
        if _is_whole(folder, plan.file_name):
            return folder / plan.file_name, False
        if folder.is_dir():
            self._cache.put_aside(folder, "changed-on-disk")
        with self._cache.scratch() as scratch:
            exports = scratch / "exports.txt"
            made = scratch / "made"
            try:
                made.mkdir()
                exports.write_text(plan.exports, encoding="utf-8")
                stand_ins = {
                    item.root: str(self._make_stand_in(item, scratch))
                    for item in plan.stand_ins
                }
                roots = {"exports": str(exports), **stand_ins}
                arguments = filled(plan.link, roots)
                inputs = [str(item.path) for item in objects]
                output = str(made / plan.file_name)
                self._workshop.run(
                    plan.target,
                    plan.file_name,
                    [*arguments, *inputs, "-o", output],
                    scratch,
                )
                (made / plan.file_name).chmod(0o755)  # whatever the umask is
                digest = file_sha256(made / plan.file_name)
                (made / "sha256").write_text(digest, encoding="utf-8")
            except OSError as error:
                raise CacheUnwritable(folder, error.strerror or str(error)) from error
            self._cache.keep_folder(made, folder)
        return folder / plan.file_name, True

    def _make_stand_in(self, item: StandIn, scratch: Path) -> Path:
        # In a folder of its own, because its path must be of no consequence.
        folder = scratch / item.root
        folder.mkdir()
        (folder / "source.c").write_text(item.source, encoding="utf-8")
        (folder / "versions.txt").write_text(item.versions, encoding="utf-8")
        arguments = item.arguments(str(folder))
        self._workshop.run(self._plan.target, item.name, arguments, scratch)
        return folder / item.name


def _stand_in_words(plan: Plan) -> tuple[str, ...]:
    return tuple(word for item in plan.stand_ins for word in item.identity)


def _is_whole(folder: Path, file_name: str) -> bool:
    try:
        wanted = (folder / "sha256").read_text(encoding="utf-8")
        return file_sha256(folder / file_name) == wanted
    except OSError:
        return False
