"""Loads engines: the only place of the package where a compiled module is imported.

One loop over candidates, best first. Each is examined before it is loaded and asked
who it is afterwards; whatever happens becomes an `Attempt`, and the next one is
tried. An engine is loaded once in a process, also when two threads want it at the
same moment. Failures are not remembered: what failed may be mended meanwhile.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from importlib import import_module
from importlib.machinery import ExtensionFileLoader, ModuleSpec

from engineroom.loader.attempt import LOADED, Attempt, Refused
from engineroom.loader.examine import examine
from engineroom.loader.find import PACKAGE_SHELF, EngineFile, find_shelf
from engineroom.loader.handshake import bind_tls, shake_hands
from engineroom.loader.settings import read_overrides
from engineroom.platforms.choose import candidates, judge_python
from engineroom.platforms.probe import probe
from engineroom.platforms.rows import TARGETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Callable

    from engineroom.errors import LoadError
    from engineroom.loader.handshake import Handshake
    from engineroom.loader.settings import Overrides
    from engineroom.platforms.probe import Facts, Machine

__all__ = ["BACKENDS", "Engine", "find_and_load", "load_engine"]


class Engine:
    """A loaded engine.

    Attributes:
        backend: the backend it serves, such as `sqlite`.
        target: the target it was built for; empty for a file that a setting names.
        path: the file it was loaded from.
        ffi: cffi's hold on its types.
        lib: cffi's hold on its functions.
        abi_version: the number of the contract it speaks.
        package_version: the release of engineroom it was built for.
        build_id: the id of its build.
        backend_version: the version of the database library within it.
        sha256: its hash by the manifest; empty for a file that a setting names.
        attempts: what was tried, this engine included, and what was not.
        facts: what was known of this process when it was chosen.
        overrides: the settings that were in force, as (name, value).
    """

    __slots__ = (
        "abi_version",
        "attempts",
        "backend",
        "backend_version",
        "build_id",
        "facts",
        "ffi",
        "lib",
        "overrides",
        "package_version",
        "path",
        "sha256",
        "target",
    )

    def __init__(
        self,
        file: EngineFile,
        ffi: Any,
        lib: Any,
        handshake: Handshake,
        attempts: tuple[Attempt, ...],
        facts: Facts,
        overrides: tuple[tuple[str, str], ...],
    ) -> None:
        self.backend = file.backend
        self.target = file.target
        self.path = file.path
        self.sha256 = file.sha256
        self.ffi = ffi
        self.lib = lib
        self.abi_version = handshake.abi_version
        self.package_version = handshake.package_version
        self.build_id = handshake.build_id
        self.backend_version = handshake.backend_version
        self.attempts = attempts
        self.facts = facts
        self.overrides = overrides

    def __repr__(self) -> str:
        return f"<Engine {self.backend} {self.backend_version} from {self.path}>"


# What dynamic loaders and Python say, by what it means.
_REFUSALS = (
    ("not-an-engine", ("does not define module export function",)),
    # Before the next, because musl's one sentence for all is among the latter's.
    (
        "forbidden",
        (
            "failed to map segment",
            "Operation not permitted",
            "code signature",
            "cannot enable executable stack",
        ),
    ),
    (
        "library-missing",
        (
            "cannot open shared object file",
            "Error loading shared library",
            "Library not loaded",
        ),
    ),
)

BACKENDS = ("sqlite", "postgres")
# Backends whose connections need OpenSSL.
WITH_TLS = ("postgres",)

_engines: dict[str, Engine] = {}
_lock = allocate_lock()


def _renew_lock() -> None:
    # A child must not inherit a lock that a thread of its parent holds.
    global _lock  # noqa: PLW0603 - one lock a process
    _lock = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def load_engine(backend: str) -> Engine:
    """Return the engine of a backend, loading it on the first call in this process.

    Raises:
        LoadError: no engine could be loaded; it lists every place that was tried.
        UnsupportedPlatform: Engineroom is not built for a process like this one.
        SettingError: a setting of the loader holds what it cannot.
    """
    engine = _engines.get(backend)
    if engine is None:
        with _lock:
            engine = _engines.get(backend)
            if engine is None:
                engine = _engines[backend] = find_and_load(backend)
    return engine


def find_and_load(
    backend: str,
    *,
    environment: Mapping[str, str] = os.environ,
    package_shelf: str = PACKAGE_SHELF,
    machine: Machine | None = None,
    places: Sequence[tuple[str, str]] | None = None,
    announce: Callable[[EngineFile], None] | None = None,
) -> Engine:
    """Find, check and load an engine; `load_engine` without its memory.

    Args:
        backend: the backend it must serve.
        environment: where settings are read.
        package_shelf: the package's own folder of engines.
        machine: what facts are read from; this machine if None.
        places: where to look after the package, as (origin, folder); the user's and
            the system's engine folder if None.
        announce: called with each file just before it is loaded: should that end the
            process, this is what is known of it.

    Raises:
        LoadError: see `load_engine`.
    """
    if backend not in BACKENDS:
        raise _unknown(backend)
    overrides = read_overrides(backend, environment)
    facts = probe(machine)
    plan = _plan(backend, overrides, facts, package_shelf)
    loaded = _first(backend, plan, facts, announce)
    # Where no target fits, there is nothing to look for in another place either.
    is_hopeless = not any(file or one.verdict == "no-engine" for file, one in plan)
    if not (loaded or is_hopeless or overrides.file or overrides.folder):
        from engineroom.loader.elsewhere import plans_elsewhere

        for more in plans_elsewhere(backend, overrides, facts, environment, places):
            plan += more
            loaded = _first(backend, more, facts, announce)
            if loaded is not None:
                break
    attempts = tuple(attempt for _, attempt in plan)
    if loaded is None:
        from engineroom.loader.explain import explain

        # Only now is it worth knowing what decides nothing.
        facts = probe(machine, thorough=True)
        raise explain(backend, attempts, facts, overrides, package_shelf)
    return Engine(*loaded, attempts, facts, overrides.in_force)


def _unknown(backend: str) -> LoadError:
    from engineroom.errors import BackendUnknown

    known = " and ".join(f"`{name}`" for name in BACKENDS)
    hint = f"the backends are {known}"
    return BackendUnknown(backend, f"No backend is called `{backend}`", hint=hint)


def _first(
    backend: str,
    plan: list[tuple[EngineFile | None, Attempt]],
    facts: Facts,
    announce: Callable[[EngineFile], None] | None,
) -> tuple[EngineFile, Any, Any, Handshake] | None:
    """Load the first engine of a plan that passes; note how each attempt ends."""
    loaded: tuple[EngineFile, Any, Any, Handshake] | None = None
    for file, attempt in plan:
        if file is None:
            continue
        if loaded is not None:
            attempt.end("not-tried", "an engine before it is in use")
            continue
        try:
            examine(file, facts)
            if announce is not None:
                announce(file)
            ffi, lib = _import(file)
            handshake = shake_hands(ffi, lib, backend, build_id=file.build_id)
            if backend in WITH_TLS:
                bind_tls(ffi, lib)
        except Refused as refused:
            _forget(backend)
            attempt.end(refused.verdict, refused.reason, refused.details)
            continue
        attempt.end(LOADED, attempt.reason)
        loaded = (file, ffi, lib, handshake)
    return loaded


def _plan(
    backend: str, overrides: Overrides, facts: Facts, package_shelf: str
) -> list[tuple[EngineFile | None, Attempt]]:
    """Return the files to try in order, and what cannot be tried with the reason."""
    if overrides.file:
        setting = overrides.in_force[0][0]
        against = judge_python(facts)
        if against:
            return [(None, Attempt("", overrides.file, against.word, against.reason))]
        attempt = Attempt("", overrides.file, "fits", f"{setting} names it")
        return [(EngineFile("", backend, overrides.file), attempt)]
    plan: list[tuple[EngineFile | None, Attempt]] = []
    shelf = find_shelf(overrides, package_shelf)
    if shelf.problem:
        plan.append((None, Attempt("", shelf.path, shelf.verdict, shelf.problem)))
    for target, verdict, file in candidates(
        facts, shelf.engines, TARGETS, backend=backend, chosen=overrides.targets
    ):
        path = file.path if file else ""
        plan.append((file, Attempt(target.id, path, verdict.word, verdict.reason)))
    return plan


def _import(file: EngineFile) -> tuple[Any, Any]:
    """Load an examined file; return cffi's two holds on it."""
    try:
        import_module("_cffi_backend")  # the engine imports it too, from C
    except ImportError as error:
        refusal = _refusal(str(error))
        if refusal.verdict == "forbidden":  # and so would the engine be
            refusal.details["path"] = error.path
            raise refusal from error
        raise Refused("cffi-missing", f"cffi cannot be imported: {error}") from error
    name = f"_qe_{file.backend}"
    loader = ExtensionFileLoader(name, file.path)
    try:
        module = loader.create_module(ModuleSpec(name, loader, origin=file.path))
        loader.exec_module(module)
    except ImportError as error:
        raise _refusal(str(error)) from error
    except Exception as error:  # an engine's start may raise whatever it likes
        reason = f"its start raised {type(error).__name__}: {error}"
        raise Refused("not-loadable", reason) from error
    try:
        return module.ffi, module.lib
    except AttributeError as error:
        raise Refused("not-an-engine", "it has no `ffi` and `lib`") from error


def _refusal(text: str) -> Refused:
    """Find the verdict in the words of the dynamic loaders of Linux and macOS."""
    for verdict, phrases in _REFUSALS:
        if any(phrase in text for phrase in phrases):
            return Refused(verdict, text)
    return Refused("not-loadable", text)


def _forget(backend: str) -> None:
    """Drop what a refused engine has left among the imported modules."""
    for name in (f"_qe_{backend}", f"_qe_{backend}.lib"):
        sys.modules.pop(name, None)
