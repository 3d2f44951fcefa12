"""The first words between package and engine: are these two made for each other?

The ABI's number comes first, because nothing else of an engine that speaks another
one can be trusted to mean what it says.
"""

from __future__ import annotations

from engineroom.loader.attempt import Refused
from engineroom.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from engineroom.loader.load import Engine

__all__ = ["ABI_VERSION", "Handshake", "bind_tls", "shake_hands", "tls_facts"]

# The number of the contract in native/abi/qe_abi.h that this package speaks.
ABI_VERSION = 2

_TWO_INSTALLS = "the usual cause is two installations of engineroom in one place"


class Handshake:
    """What an engine says it is.

    Attributes:
        abi_version: the number of the contract it speaks.
        package_version: the release of engineroom it was built for.
        build_id: the id of its build.
        backend_version: the version of the database library within it.
    """

    __slots__ = ("abi_version", "backend_version", "build_id", "package_version")

    def __init__(
        self,
        abi_version: int,
        package_version: str,
        build_id: str,
        backend_version: str,
    ) -> None:
        self.abi_version = abi_version
        self.package_version = package_version
        self.build_id = build_id
        self.backend_version = backend_version


def shake_hands(
    ffi: Any, lib: Any, backend: str, *, build_id: str = "", version: str = __version__
) -> Handshake:
    """Ask a loaded engine who it is.

    Args:
        ffi: the engine's `ffi`.
        lib: the engine's `lib`.
        backend: the backend it should serve.
        build_id: the build that the manifest lists; empty where there is none.
        version: the version of this package.

    Raises:
        Refused: it is not the engine that this package needs.
    """
    try:
        abi_version = int(lib.qe_abi_version())
        if abi_version != ABI_VERSION:
            raise Refused(
                "other-abi",
                f"it speaks ABI {abi_version}, this package speaks {ABI_VERSION};"
                f" {_TWO_INSTALLS}",
                abi_version=abi_version,
                abi_version_wanted=ABI_VERSION,
            )
        package_version = _text(ffi, lib.qe_package_version())
        answered_build_id = _text(ffi, lib.qe_build_id())
        name = _text(ffi, lib.qe_backend_name())
        backend_version = _text(ffi, lib.qe_backend_version())
    except AttributeError as error:
        reason = f"it lacks a function every engine has: {error}"
        raise Refused("not-an-engine", reason) from error
    if package_version != version:
        raise Refused(
            "other-version",
            f"it was built for engineroom {package_version}, this is {version};"
            f" {_TWO_INSTALLS}",
            package_version=package_version,
            package_version_wanted=version,
        )
    if name != backend:
        raise Refused("other-backend", f"it serves {name}, not {backend}", backend=name)
    if build_id and answered_build_id != build_id:
        raise Refused(
            "other-build",
            f"its build is {answered_build_id}, the manifest lists {build_id}",
            build_id=answered_build_id,
            build_id_listed=build_id,
        )
    return Handshake(abi_version, package_version, answered_build_id, backend_version)


def bind_tls(ffi: Any, lib: Any) -> None:
    """Have the engine bind the TLS library that its connections need.

    An engine that needs it as a library has it by now; one that serves several versions
    looks for them here, so that what is missing is told before a connection is tried.

    Raises:
        Refused: none that it can use is there.
    """
    error = ffi.new("qe_error *")
    if lib.qe_backend_bind_tls(error):
        raise Refused("openssl-missing", _text(ffi, error.message))


def tls_facts(engine: Engine) -> tuple[str, str, str]:
    """Return the TLS library an engine has bound: its name, version and file."""
    ffi, lib = engine.ffi, engine.lib
    return (
        _text(ffi, lib.qe_backend_tls_library()),
        _text(ffi, lib.qe_backend_tls_version()),
        _text(ffi, lib.qe_backend_tls_file()),
    )


def _text(ffi: Any, pointer: Any) -> str:
    return str(ffi.string(pointer).decode("utf-8", "replace"))
