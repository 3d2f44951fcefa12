"""Why no engine could be loaded, one class for each reason: ER1003 to ER1044.

Each is a `LoadError`, and what no engine is made for is an `UnsupportedPlatform`. They
carry what those carry; `decisive` is the attempt that the class was chosen by. The
classes know what is wrong, `engineroom.loader.explain` chooses among them and says what
mends it. Imported only once loading has failed.
"""

from __future__ import annotations

from engineroom.errors.load import LoadError, UnsupportedPlatform

__all__ = [
    "AbiMismatch",
    "AndroidUnsupported",
    "BackendMismatch",
    "BackendUnknown",
    "BuildMismatch",
    "CffiMissing",
    "CpuUnsupported",
    "EngineDamaged",
    "EngineForOtherCpu",
    "EngineForOtherSystem",
    "EngineListDamaged",
    "EngineListMissing",
    "EngineMissing",
    "EngineNeedsNewerLibc",
    "EngineNotInstalled",
    "EngineNotLoadable",
    "EngineTruncated",
    "EngineUnreadable",
    "EnginesForOthersOnly",
    "FreeBsdUnsupported",
    "FreeThreadedUnsupported",
    "GlibcEngineOnMusl",
    "LibcTooOld",
    "LibcUnknown",
    "LibraryMissing",
    "LoadingForbidden",
    "MuslEngineOnGlibc",
    "NoexecMount",
    "NotAnEngine",
    "OpensslMissing",
    "OpensslNotServed",
    "PlaceUnsafe",
    "PythonIs32Bit",
    "PythonIsTranslated",
    "PythonNotCPython",
    "TargetExcluded",
    "VersionMismatch",
    "WindowsUnsupported",
]


# What is installed.


class EngineNotInstalled(LoadError):
    """Engines are made for this process, but none is installed for this backend."""

    code = "ER1003"


class EnginesForOthersOnly(LoadError):
    """The engines that are installed are for other systems, none for this process.

    The usual causes: a wheel for another platform was forced, or an environment was
    copied from another machine or into an image.
    """

    code = "ER1004"


class EngineListMissing(LoadError):
    """The folder of the engines has no `manifest.csv`, as in the wheel without engines.

    That is the wheel pip takes where it finds none for the platform.
    """

    code = "ER1005"


class EngineListDamaged(LoadError):
    """The list of the engines, `manifest.csv`, is there and cannot be understood."""

    code = "ER1006"


class PlaceUnsafe(LoadError):
    """Engines lie where other users could have put something else in their place."""

    code = "ER1007"


class TargetExcluded(LoadError):
    """The setting `ENGINEROOM_TARGET` leaves out every engine that would fit."""

    code = "ER1008"


class LibcUnknown(LoadError):
    """It cannot be found out which C library this process uses, so none was tried."""

    code = "ER1009"


class BackendUnknown(LoadError):
    """There is no such backend; nothing was tried."""

    code = "ER1044"


# What no engine is made for.


class CpuUnsupported(UnsupportedPlatform):
    """No engine is made for the CPU that this process runs on."""

    code = "ER1010"


class PythonIs32Bit(UnsupportedPlatform):
    """This Python has 32 bits on a system of 64; engines are for 64-bit processes."""

    code = "ER1011"


class LibcTooOld(UnsupportedPlatform):
    """The C library, or macOS, is older than the oldest that an engine is made for."""

    code = "ER1012"


class AndroidUnsupported(UnsupportedPlatform):
    """No engine is made for Android, whose C library is neither glibc nor musl."""

    code = "ER1013"


class WindowsUnsupported(UnsupportedPlatform):
    """No engine is made for Windows; a Python within WSL is one on Linux."""

    code = "ER1014"


class FreeBsdUnsupported(UnsupportedPlatform):
    """No engine is made for FreeBSD."""

    code = "ER1015"


class PythonNotCPython(UnsupportedPlatform):
    """This Python is PyPy or another one, and engines load into CPython alone."""

    code = "ER1016"


class FreeThreadedUnsupported(UnsupportedPlatform):
    """This Python was built without the GIL, which engines need."""

    code = "ER1017"


class PythonIsTranslated(LoadError):
    """Rosetta translates this Python for Intel, and the engines here are for arm64."""

    code = "ER1018"


# What a file is, found out before it is loaded.


class EngineMissing(LoadError):
    """An engine is listed, or named by a setting, and its file is not there."""

    code = "ER1020"


class EngineUnreadable(LoadError):
    """This user may not read the engine's file."""

    code = "ER1021"


class NotAnEngine(LoadError):
    """What lies in an engine's place is something else, such as a text or a program."""

    code = "ER1022"


class EngineDamaged(LoadError):
    """The engine's bytes are not those that were built; both hashes are told.

    `decisive.details` has them as `sha256` and `sha256_listed`.
    """

    code = "ER1023"


class EngineTruncated(EngineDamaged):
    """The engine's file ends too early, as after a copy that was cut off."""

    code = "ER1024"


class EngineForOtherCpu(LoadError):
    """The engine's file was built for another CPU than this process runs on."""

    code = "ER1025"


class EngineForOtherSystem(LoadError):
    """The engine's file was built for another operating system than this one."""

    code = "ER1026"


class MuslEngineOnGlibc(LoadError):
    """The engine's file is linked with musl, and this process uses glibc."""

    code = "ER1027"


class GlibcEngineOnMusl(LoadError):
    """The engine's file is linked with glibc, and this process uses musl."""

    code = "ER1028"


class EngineNeedsNewerLibc(LoadError):
    """The engine's file needs a newer C library, or macOS, than this process has."""

    code = "ER1029"


# What happened when it was loaded.


class CffiMissing(LoadError):
    """The package cffi, which every engine needs, cannot be imported."""

    code = "ER1030"


class LibraryMissing(LoadError):
    """A library that the engine needs is not on this system."""

    code = "ER1031"


class OpensslMissing(LibraryMissing):
    """The engine needs OpenSSL's libraries, and the system has none that it can load.

    Only PostgreSQL's engine needs them; SQLite's serves without.
    """

    code = "ER1032"


class OpensslNotServed(LoadError):
    """The system's OpenSSL is of a version that the engine cannot use."""

    code = "ER1033"


class LoadingForbidden(LoadError):
    """The operating system lets no code be loaded from that file, by a rule of its own.

    Such as SELinux, a quarantine, a signature that is not valid, or a limit on memory.
    """

    code = "ER1034"


class NoexecMount(LoadingForbidden):
    """The engine lies on a file system that is mounted `noexec`."""

    code = "ER1035"


class EngineNotLoadable(LoadError):
    """The dynamic loader or Python refused the engine, in words that we do not know."""

    code = "ER1036"


# What it said of itself.


class AbiMismatch(LoadError):
    """Engine and package speak different ABIs; both numbers are told.

    The usual cause is two installations of engineroom in one place. `decisive.details`
    has the numbers as `abi_version` and `abi_version_wanted`.
    """

    code = "ER1040"


class VersionMismatch(LoadError):
    """Engine and package are of different versions; both are told.

    The usual cause is two installations of engineroom in one place. `decisive.details`
    has them as `package_version` and `package_version_wanted`.
    """

    code = "ER1041"


class BackendMismatch(LoadError):
    """The engine is one for another backend."""

    code = "ER1042"


class BuildMismatch(LoadError):
    """The engine is of another build than the list of the engines says."""

    code = "ER1043"
