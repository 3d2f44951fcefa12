"""How OpenSSL is configured, target by target.

For Linux only its headers are wanted: the library is the machine's own. For macOS it is
part of the engine, and what neither libpq nor a server that people run needs is left
out. What stays: TLS 1.2 and 1.3 with all their suites and groups, RSA, ECDSA, EdDSA and
ML-DSA certificates, keys with passphrases in any format of the last twenty years, and
what SCRAM and md5 authentication compute. docs/decisions/0008-openssl-on-macos.md has
the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from native.build.tls import BUILT_IN

if TYPE_CHECKING:
    from engineroom.platforms.target import Target

__all__ = ["FILE_WORDS", "Configuration", "configuration"]

# Where macOS keeps the roots that Apple ships, as one file: /etc/ssl/cert.pem.
CERTIFICATES = "/etc/ssl"

_PLATFORMS = {
    ("darwin", "arm64"): "darwin64-arm64",
    ("darwin", "x86_64"): "darwin64-x86_64",
}
_NEVER = ("no-shared", "no-tests", "no-apps", "no-docs", "no-makedepend")
# Code that is loaded when the program runs: there is nothing of ours to load.
_LOADED = ("no-dso", "no-engine", "no-legacy", "no-module")
# A handler at exit would free what other threads still use, as Python's daemon threads
# may. Nothing is lost: the system takes the memory.
_UNSAFE = ("no-async", "no-atexit")
_PROTOCOLS = (
    "no-cmp", "no-cms", "no-ct", "no-dgram", "no-dtls", "no-http", "no-ktls",
    "no-nextprotoneg", "no-ocsp", "no-psk", "no-quic", "no-rfc3779", "no-srp",
    "no-srtp", "no-ssl-trace", "no-tls1", "no-tls1_1", "no-ts",
)  # fmt: skip
_ALGORITHMS = (
    "no-argon2", "no-aria", "no-bf", "no-blake2", "no-camellia", "no-cast", "no-comp",
    "no-dsa", "no-ec2m", "no-gost", "no-idea", "no-integrity-only-ciphers", "no-md4",
    "no-mdc2", "no-ocb", "no-rc2", "no-rc4", "no-rmd160", "no-seed", "no-siphash",
    "no-siv", "no-slh-dsa", "no-sm2", "no-sm3", "no-sm4", "no-whirlpool",
)  # fmt: skip

# What each of its files is compiled with, besides what its library asks for. The empty
# folders are those it would load code from.
FILE_WORDS = (
    "-std=gnu11",  # its inline assembly is no strict C11
    "-DL_ENDIAN",
    "-DOPENSSL_BUILDING_OPENSSL",
    "-DOPENSSL_PIC",
    "-D_REENTRANT",
    # Errors would name the file they come from, and with it folders of this machine.
    "-DOPENSSL_NO_FILENAMES",
    f'-DOPENSSLDIR="{CERTIFICATES}"',
    '-DENGINESDIR=""',
    '-DMODULESDIR=""',
)


@dataclass(frozen=True)
class Configuration:
    """What OpenSSL's Configure is told.

    Attributes:
        platform: what it calls the target.
        options: what is left out.
        is_whole: whether the library is compiled, and not its headers wanted alone.
    """

    platform: str
    options: tuple[str, ...]
    is_whole: bool


def configuration(target: Target) -> Configuration:
    """Return how OpenSSL is configured for a target; a row of platforms.toml."""
    if target.tls == BUILT_IN:
        return Configuration(
            _PLATFORMS[target.os, target.cpu],
            (*_NEVER, *_LOADED, *_UNSAFE, *_PROTOCOLS, *_ALGORITHMS),
            is_whole=True,
        )
    # Its public headers are the same for every 64-bit Linux.
    return Configuration("linux-generic64", (*_NEVER, "no-asm"), is_whole=False)
