"""Turns attempts that all failed into one error: the cause, every place, what to do.

Imported only once loading has failed. The cause is the story of the attempt that came
furthest: a file that was refused tells more than a target that has no file, and that
more than a target for another system.
"""

from __future__ import annotations

from engineroom.errors import LoadError, UnsupportedPlatform
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import built_for
from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from engineroom.loader.attempt import Attempt
    from engineroom.loader.settings import Overrides
    from engineroom.platforms.probe import Facts

__all__ = ["DOCTOR", "REINSTALL", "explain"]

DOCTOR = "; for the evidence run `engineroom doctor`"
REINSTALL = f"python -m pip install --force-reinstall engineroom=={__version__}"

# What mends a refused file, by verdict; what is not here is mended by reinstalling.
MENDED_BY = {
    "cffi-missing": "python -m pip install --force-reinstall cffi",
    "library-missing": "install the package of your system that has this library",
    "forbidden": "install engineroom where programs may be run from, not on a noexec"
    " file system",
    "unreadable": "let this user read the file",
    "unsafe-place": "let nobody but you and root write there, then run `engineroom"
    " fetch` again",
}
# Verdicts that say OpenSSL is not there, and how each family of distributions gets it.
WITHOUT_OPENSSL = ("library-missing", "openssl-missing")
OPENSSL_PACKAGES = (
    (("alpine", "wolfi", "chainguard"), "apk add libssl3 libcrypto3"),
    (("debian", "ubuntu"), "apt-get install libssl3"),
    (("rhel", "fedora", "centos", "amzn", "azurelinux"), "dnf install openssl-libs"),
    (("suse", "opensuse", "sles"), "zypper install libopenssl3"),
    (("arch",), "pacman -S openssl"),
)
# Verdicts on a folder, where the target is empty.
OF_PLACES = ("no-manifest", "manifest-damaged", "unsafe-place")
# Verdicts of places that are no refusals: most machines have nothing there.
PASSED_OVER = {"fits", "absent", "none-fits"}
# Verdicts of targets that might yet get an engine here.
LEFT_TO_TRY = {"no-engine", "excluded", "libc-unknown"}
# What helps where this Python, rather than its system, is the obstacle.
PYTHON_MENDED_BY = {
    "needs-cpython": "use CPython 3.9 or newer",
    "needs-gil": "use the ordinary build of the same Python, such as python3.13 in"
    " place of python3.13t",
}


def explain(
    backend: str, attempts: Sequence[Attempt], facts: Facts, overrides: Overrides
) -> LoadError:
    """Return the error to raise when every attempt has failed."""
    verdicts = [attempt.verdict for attempt in attempts]
    kind = LoadError
    refusals = [a for a in attempts if a.path and a.verdict not in PASSED_OVER]
    refusals.sort(key=lambda attempt: attempt.verdict == "no-manifest")
    refused = refusals[0] if refusals else None
    if (
        refused is not None
        and refused.verdict == "no-manifest"
        and not overrides.folder
        and not LEFT_TO_TRY.intersection(verdicts)
    ):
        # The wheel without engines, on a system that none is made for: it is the right
        # wheel, and installing it once more would change nothing.
        refused = None
    if any(verdict in PYTHON_MENDED_BY for verdict in verdicts):
        found = next(a for a in attempts if a.verdict in PYTHON_MENDED_BY)
        kind = UnsupportedPlatform
        cause = f"No {backend} engine fits this Python: {found.reason}"
        hint = PYTHON_MENDED_BY[found.verdict]
    elif refused is not None:
        cause = f"The {backend} engine {refused.path} was refused: {refused.reason}"
        if not refused.target and refused.verdict in OF_PLACES:
            cause = f"No engine can be found in {refused.path}: {refused.reason}"
        hint = _openssl_package(refused, facts) or _mended_by(refused, overrides)
    elif "no-engine" in verdicts:
        names = " or ".join(a.target for a in attempts if a.verdict == "no-engine")
        cause = f"This installation has no {backend} engine for {names}"
        hint = f"install the wheel for this system: {REINSTALL}"
    elif "excluded" in verdicts:
        cause = f"No {backend} engine is left to try: a setting restricts the choice"
        hint = "unset the setting, or name a target that fits this process"
    elif "libc-unknown" in verdicts:
        cause = (
            f"No {backend} engine was tried: the C library of this process is unknown"
        )
        hint = "set ENGINEROOM_TARGET to the target you know to fit"
    else:
        kind = UnsupportedPlatform
        cause = f"There is no {backend} engine for {facts}. {built_for(TARGETS)}"
        hint = _other_python(facts)
    return kind(
        backend,
        cause,
        attempts=attempts,
        facts=facts,
        overrides=overrides.in_force,
        hint=hint + DOCTOR,
    )


def _openssl_package(refused: Attempt, facts: Facts) -> str:
    """Return the command that installs OpenSSL here, empty where it is not at fault."""
    named = refused.verdict in WITHOUT_OPENSSL and (
        "libssl" in refused.reason or "libcrypto" in refused.reason
    )
    if not named:
        return ""
    kin = (
        str(facts.distribution_id.value or ""),
        *str(facts.distribution_like.value or "").split(),
    )
    for names, command in OPENSSL_PACKAGES:
        if any(name in names for name in kin):
            return command
    return "install OpenSSL 3, with libssl.so.3 and libcrypto.so.3, from your system"


def _mended_by(refused: Attempt, overrides: Overrides) -> str:
    if refused.verdict in MENDED_BY:
        return MENDED_BY[refused.verdict]
    if overrides.file or overrides.folder:
        names = " and ".join(name for name, _ in overrides.in_force)
        return f"correct or unset {names}"
    return REINSTALL


def _other_python(facts: Facts) -> str:
    if facts.pointer_bits.value == 32 and "64" in str(facts.kernel_cpu):
        return "use a 64-bit Python, which this system can run"
    return "run on one of these systems"
