"""Turns attempts that all failed into one error: the cause, every place, what to do.

Imported only once loading has failed. The cause is the story of the attempt that came
furthest: a file that was refused tells more than a target that has no file, and that
more than a target for another system. Each story has a class of its own.
"""

from __future__ import annotations

from engineroom.errors import LoadError, UnsupportedPlatform, engines
from engineroom.loader.find import PACKAGE_SHELF, find_shelf
from engineroom.loader.remedy import (
    DOCTOR,
    bring_back,
    noexec_remedy,
    openssl_package,
    reinstall,
)
from engineroom.platforms.choose import BINDS
from engineroom.platforms.openssl import SERVED
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import built_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from engineroom.loader.attempt import Attempt
    from engineroom.loader.settings import Overrides
    from engineroom.platforms.facts import Facts

    # The class, the cause, what mends it, and the attempt it goes by.
    Story = tuple[type[LoadError], str, str, Optional[Attempt]]

__all__ = ["explain"]

# The class for each verdict on a file or a place. Those with an entry in MENDED_BY, or
# a function of their own below, are mended so; the others by bringing the file back.
REFUSED_AS: dict[str, type[LoadError]] = {
    "no-manifest": engines.EngineListMissing,
    "manifest-damaged": engines.EngineListDamaged,
    "unsafe-place": engines.PlaceUnsafe,
    "missing": engines.EngineMissing,
    "unreadable": engines.EngineUnreadable,
    "not-a-file": engines.NotAnEngine,
    "not-a-binary": engines.NotAnEngine,
    "wrong-type": engines.NotAnEngine,
    "not-an-engine": engines.NotAnEngine,
    "truncated": engines.EngineTruncated,
    "damaged": engines.EngineDamaged,
    "other-cpu": engines.EngineForOtherCpu,
    "other-os": engines.EngineForOtherSystem,
    "libc-too-old": engines.EngineNeedsNewerLibc,
    "cffi-missing": engines.CffiMissing,
    "library-missing": engines.LibraryMissing,
    "openssl-missing": engines.OpensslMissing,
    "forbidden": engines.LoadingForbidden,
    "not-loadable": engines.EngineNotLoadable,
    "other-abi": engines.AbiMismatch,
    "other-version": engines.VersionMismatch,
    "other-backend": engines.BackendMismatch,
    "other-build": engines.BuildMismatch,
}
MENDED_BY = {
    "library-missing": "install the package of your system that has this library",
    "forbidden": "allow code to be loaded from there, or install engineroom elsewhere",
    "unreadable": "let this user read the file",
    "unsafe-place": "let nobody but you and root write there, then run `engineroom"
    " fetch` again",
}
# Verdicts on a folder, where the target is empty.
OF_PLACES = ("no-manifest", "manifest-damaged", "unsafe-place")
# Verdicts of places that are no refusals: most machines have nothing there.
PASSED_OVER = {"fits", "absent", "none-fits"}
# Verdicts of targets that might yet get an engine here.
LEFT_TO_TRY = {"no-engine", "excluded", "libc-unknown"}
# Where this Python, rather than its system, is the obstacle.
OF_PYTHONS: dict[str, tuple[type[LoadError], str]] = {
    "needs-cpython": (engines.PythonNotCPython, "use CPython 3.9 or newer"),
    "needs-gil": (
        engines.FreeThreadedUnsupported,
        "use the ordinary build of this Python, such as python3.13 for python3.13t",
    ),
}
OF_SYSTEMS: dict[str, tuple[type[LoadError], str, str]] = {
    "android": (
        engines.AndroidUnsupported,
        "Android's C library is neither glibc nor musl",
        "in Termux: proot-distro install debian, and use the Python in there",
    ),
    "windows": (
        engines.WindowsUnsupported,
        "none is made for Windows",
        "wsl --install, and use a Python in there",
    ),
    "freebsd": (
        engines.FreeBsdUnsupported,
        "none is made for FreeBSD",
        "use a Linux in a virtual machine or on another host",
    ),
}
# The kernels under which a 64-bit Python for one of our CPUs runs.
KERNELS_OF_64_BITS = ("x86_64", "amd64", "aarch64", "arm64", "armv8l")


class _Case:
    """What is known of a failure."""

    def __init__(
        self,
        backend: str,
        attempts: Sequence[Attempt],
        facts: Facts,
        overrides: Overrides,
        package_shelf: str,
    ) -> None:
        self.backend = backend
        self.attempts = attempts
        self.facts = facts
        self.overrides = overrides
        self.package_shelf = package_shelf

    def first(self, *verdicts: str) -> Attempt | None:
        """Return the first attempt that ended with one of these verdicts."""
        return next((a for a in self.attempts if a.verdict in verdicts), None)


def explain(
    backend: str,
    attempts: Sequence[Attempt],
    facts: Facts,
    overrides: Overrides,
    package_shelf: str = PACKAGE_SHELF,
) -> LoadError:
    """Return the error to raise when every attempt has failed.

    Args:
        backend: the backend that was asked for.
        attempts: every place that was tried, in order.
        facts: what is known of this process, all of it.
        overrides: the settings in force.
        package_shelf: the package's own folder of engines.
    """
    case = _Case(backend, attempts, facts, overrides, package_shelf)
    kind, cause, hint, decisive = (
        _of_python(case)
        or _of_refusal(case)
        or _of_installation(case)
        or _of_system(case)
    )
    return kind(
        backend,
        cause,
        attempts=attempts,
        facts=facts,
        overrides=overrides.in_force,
        decisive=decisive,
        hint=hint + DOCTOR,
    )


def _of_python(case: _Case) -> Story | None:
    found = case.first(*OF_PYTHONS)
    if found is None:
        return None
    kind, hint = OF_PYTHONS[found.verdict]
    cause = f"No {case.backend} engine fits this Python: {found.reason}"
    return kind, cause, hint, found


def _of_refusal(case: _Case) -> Story | None:
    """Tell of the first file or place that was refused."""
    refused = _refused(case)
    if refused is None:
        return None
    if refused.verdict in ("damaged", "truncated"):
        _add_hashes(refused)
    cause = f"The {case.backend} engine {refused.path} was refused: {refused.reason}"
    if not refused.target and refused.verdict in OF_PLACES:
        cause = f"No engine can be found in {refused.path}: {refused.reason}"
    kind = REFUSED_AS.get(refused.verdict, LoadError)
    hint = MENDED_BY.get(refused.verdict, "")
    if refused.verdict in ("library-missing", "openssl-missing"):
        kind, cause, hint = _of_libraries(case, refused, cause) or (kind, cause, hint)
    elif refused.verdict == "cffi-missing":
        hint = reinstall("cffi")
    elif refused.verdict == "other-libc":
        is_musl = refused.details.get("libc") == "musl"
        kind = engines.MuslEngineOnGlibc if is_musl else engines.GlibcEngineOnMusl
    elif refused.verdict == "forbidden":
        path = str(refused.details.get("path", refused.path))
        point, remedy = noexec_remedy(path, refused.path, case.overrides)
        if point:
            kind, hint = engines.NoexecMount, remedy
            what = "it" if path == refused.path else path
            cause = (
                f"The {case.backend} engine {refused.path} was refused: {what} lies on"
                f" {point}, which is mounted noexec"
            )
    elif _is_translated(case) and refused.details.get("cpu") == "arm64":
        return _of_translation(case, refused)
    return kind, cause, hint or _brought_back(case, refused), refused


def _refused(case: _Case) -> Attempt | None:
    refusals = [a for a in case.attempts if a.path and a.verdict not in PASSED_OVER]
    refusals.sort(key=lambda attempt: attempt.verdict == "no-manifest")
    if not refusals:
        return None
    is_pure = refusals[0].verdict == "no-manifest" and not case.overrides.folder
    if is_pure and not case.first(*LEFT_TO_TRY):
        # The wheel without engines, on a system that none is made for: it is the right
        # wheel, and installing it once more would change nothing.
        return None
    return refusals[0]


def _brought_back(case: _Case, refused: Attempt) -> str:
    is_place = refused.verdict in OF_PLACES and not refused.target
    if is_place and case.overrides.folder:
        names = " and ".join(name for name, _ in case.overrides.in_force)
        return f"correct or unset {names}"
    if is_place and refused.path == case.package_shelf:
        return reinstall()
    return bring_back(refused.path, refused.target, case.overrides, case.package_shelf)


def _add_hashes(refused: Attempt) -> None:
    """Add both SHA-256 to what is known of a damaged file.

    Not before all has failed: hashlib brings Python's libcrypto into the process.
    """
    listed = refused.details.get("sha256_listed")
    if not listed:
        return
    import hashlib

    try:
        with open(refused.path, "rb") as file:
            sha256 = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return
    reason = f"{refused.reason}; its SHA-256 is {sha256}, the manifest lists {listed}"
    refused.end(refused.verdict, reason, {**refused.details, "sha256": sha256})


def _of_libraries(
    case: _Case, refused: Attempt, cause: str
) -> tuple[type[LoadError], str, str] | None:
    """Tell of OpenSSL, if that is the library that is missing."""
    if "libssl" not in refused.reason and "libcrypto" not in refused.reason:
        return None
    here = case.facts.openssl
    row = next((target for target in TARGETS if target.id == refused.target), None)
    binds = BINDS.get(row.tls if row else "", tuple(SERVED))
    package = openssl_package(case.facts)
    if here.value is None or here.value in binds:
        return engines.OpensslMissing, cause, package
    cause = (
        f"The {case.backend} engine {refused.path} was refused: it needs OpenSSL"
        f" {' or '.join(binds)}, here is {here} ({here.source})"
    )
    # Another engine may be the one for this OpenSSL.
    serving = [t.id for t in TARGETS if here.value in BINDS.get(t.tls, ())]
    other = next(
        (a for a in case.attempts if a.target in serving and a.verdict in LEFT_TO_TRY),
        None,
    )
    if other is None:
        return engines.OpensslNotServed, cause, package
    way = "unset ENGINEROOM_TARGET" if other.verdict == "excluded" else reinstall()
    hint = f"the engine {other.target} is for OpenSSL {here}: {way}"
    return engines.OpensslNotServed, cause, hint


def _of_installation(case: _Case) -> Story | None:
    """Tell why there was no file to try, although one could fit."""
    missing = case.first("no-engine")
    if missing is not None:
        return _of_missing(case, missing)
    excluded = case.first("excluded")
    if excluded is not None:
        cause = (
            f"No {case.backend} engine is left to try: a setting restricts the choice"
        )
        hint = "unset ENGINEROOM_TARGET, or name a target there that fits this process"
        return engines.TargetExcluded, cause, hint, excluded
    unknown = case.first("libc-unknown")
    if unknown is not None:
        cause = (
            f"No {case.backend} engine was tried: the C library of this process is"
            " unknown"
        )
        hint = "set ENGINEROOM_TARGET to the target you know to fit"
        return engines.LibcUnknown, cause, hint, unknown
    return None


def _of_missing(case: _Case, missing: Attempt) -> Story:
    names = " or ".join(a.target for a in case.attempts if a.verdict == "no-engine")
    shelf = find_shelf(case.overrides, case.package_shelf)
    mine = [engine for engine in shelf.engines if engine.backend == case.backend]
    present = dict.fromkeys(engine.target for engine in mine)
    hint = f"install the wheel for this system: {reinstall()}"
    if case.overrides.folder:
        hint = bring_back(
            shelf.path, missing.target, case.overrides, case.package_shelf
        )
    if not present:
        cause = f"This installation has no {case.backend} engine for {names}"
        return engines.EngineNotInstalled, cause, hint, missing
    if _is_translated(case) and "darwin-arm64" in present:
        return _of_translation(case, missing)
    cause = (
        f"This installation has {case.backend} engines built for"
        f" {', '.join(present)}, and none for {names}: this is {case.facts}"
    )
    return engines.EnginesForOthersOnly, cause, hint, missing


def _is_translated(case: _Case) -> bool:
    return case.facts.translated.value is True


def _of_translation(case: _Case, decisive: Attempt) -> Story:
    cause = (
        f"The {case.backend} engine here is built for arm64, and Rosetta translates"
        " this Python for x86_64"
    )
    hint = "use a Python for arm64, such as `arch -arm64 python3`, or " + reinstall()
    return engines.PythonIsTranslated, cause, hint, decisive


def _of_system(case: _Case) -> Story:
    """Tell why no engine is made for a system such as this one."""
    facts = case.facts
    decisive = case.attempts[0] if case.attempts else None
    # A Python that was made for Linux may run on Android's C library.
    system = "android" if facts.libc.value == "bionic" else str(facts.os)
    hint = "run on one of these systems"
    kind: type[LoadError] = UnsupportedPlatform
    old = case.first("libc-too-old")
    if system in OF_SYSTEMS:
        kind, why, hint = OF_SYSTEMS[system]
    elif system not in {target.os for target in TARGETS}:
        why = f"none is made for {system}"
    elif old is not None:
        kind, why, decisive = engines.LibcTooOld, old.reason, old
        hint = "use a newer release of this system"
    elif facts.pointer_bits.value == 32 and (
        str(facts.kernel_cpu).lower() in KERNELS_OF_64_BITS
    ):
        kind, why = engines.PythonIs32Bit, "this Python has 32 bits, engines have 64"
        hint = "use a 64-bit Python, which this system can run"
    elif facts.cpu.value not in {target.cpu for target in TARGETS}:
        kind, why = engines.CpuUnsupported, f"none is made for the CPU {facts.cpu}"
    else:
        why = f"none is made for {facts.libc} on {system}"
    cause = f"There is no {case.backend} engine for {facts}: {why}."
    return kind, f"{cause} {built_for(TARGETS)}", hint, decisive
