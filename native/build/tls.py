"""How an engine that speaks TLS gets OpenSSL, target by target.

`system-openssl-3`: it needs the machine's own libssl.so.3 and libcrypto.so.3. They are
linked without being at hand: libraries of the same names, with the same functions and
symbol versions and nothing in them, stand in. No file of the building machine is read.

`system-openssl-1.1-or-3`: it needs no library, and when it first speaks TLS it looks
for one (native/src/qe_postgres_tls_open.c).

`static-openssl-3`: OpenSSL is among the files that the engine is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from native.build.openssl_functions import (
    CRYPTO_FUNCTIONS,
    SSL_FUNCTIONS,
    SYMBOL_VERSION,
)
from native.build.stand_in import StandIn

if TYPE_CHECKING:
    from engineroom.platforms.target import Target

__all__ = ["BUILT_IN", "TLS_FILES", "functions_header", "tls_defines", "tls_stand_ins"]

# Our own files that are compiled in another way for each; their names begin so.
TLS_FILES = "qe_postgres_tls"
_LINKED = "system-openssl-3"
_OPENED = "system-openssl-1.1-or-3"
BUILT_IN = "static-openssl-3"
_DEFINES = {
    _LINKED: (),
    _OPENED: ("-DQE_TLS_OPENED",),
    BUILT_IN: ("-DQE_TLS_BUILT_IN",),
}
_FUNCTIONS = {"libssl.so.3": SSL_FUNCTIONS, "libcrypto.so.3": CRYPTO_FUNCTIONS}


def tls_defines(target: Target) -> tuple[str, ...]:
    """Return what tells `TLS_FILES` where OpenSSL is."""
    return _DEFINES[target.tls]


def tls_stand_ins(target: Target, machine: tuple[str, ...]) -> tuple[StandIn, ...]:
    """Return the libraries that stand in for OpenSSL where an engine needs it.

    Args:
        target: a row of platforms.toml.
        machine: the arguments that name the target to the compiler.
    """
    if target.tls != _LINKED:
        return ()
    return tuple(_stand_in(name, machine) for name in target.tls_libraries)


def functions_header() -> str:
    """Return the header that lists the functions for qe_postgres_tls_open.c."""
    names = (*SSL_FUNCTIONS, *CRYPTO_FUNCTIONS)
    return "\n".join(
        [
            "/* Written by `nox -s regen` from native/build/openssl_functions.py;",
            " * changes made here are lost. */",
            "/* clang-format off */",
            "#define QE__TLS_FUNCTIONS(X) \\",
            *(f"  X({name}) \\" for name in names[:-1]),
            f"  X({names[-1]})",
            "",
        ]
    )


def _stand_in(name: str, machine: tuple[str, ...]) -> StandIn:
    functions = _FUNCTIONS[name]
    listed = "".join(f" {function};" for function in functions)
    return StandIn(
        root=name.partition(".")[0],
        name=name,
        machine=machine,
        source="".join(f"void {function}(void) {{}}\n" for function in functions),
        versions=f"{SYMBOL_VERSION} {{ global:{listed} local: *; }};\n",
    )
