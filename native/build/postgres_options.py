"""Which files of PostgreSQL are libpq, and what they are compiled with.

The answers that its configure would give stand in native/postgres. libpq is made of its
own folder and of parts of two libraries that it shares with the server; of those, the
files stand here whose functions it calls. What is left out of its own folder: large
objects and printing, which are interfaces on PGresult, and all that is for Windows.
"""

from __future__ import annotations

__all__ = [
    "POSTGRES_FILES",
    "POSTGRES_FILE_DEFINES",
    "POSTGRES_FOLDERS",
    "POSTGRES_LIBC_FILES",
    "postgres_defines",
]

POSTGRES_FILES = (
    "interfaces/libpq/fe-connect.c",
    "interfaces/libpq/fe-secure-openssl.c",
    "interfaces/libpq/fe-exec.c",
    "interfaces/libpq/fe-protocol3.c",
    "interfaces/libpq/fe-auth.c",
    "interfaces/libpq/fe-auth-scram.c",
    "interfaces/libpq/fe-cancel.c",
    "interfaces/libpq/fe-misc.c",
    "interfaces/libpq/fe-secure.c",
    "interfaces/libpq/fe-secure-common.c",
    "interfaces/libpq/fe-trace.c",
    "interfaces/libpq/libpq-events.c",
    "interfaces/libpq/pqexpbuffer.c",
    "common/base64.c",
    "common/cryptohash_openssl.c",
    "common/encnames.c",
    "common/hmac_openssl.c",
    "common/ip.c",
    "common/link-canary.c",
    "common/md5_common.c",
    "common/pg_prng.c",
    "common/saslprep.c",
    "common/scram-common.c",
    "common/string.c",
    "common/unicode_norm.c",
    "common/wchar.c",
    "port/chklocale.c",
    "port/inet_net_ntop.c",
    "port/noblock.c",
    "port/pg_strong_random.c",
    "port/pgstrcasecmp.c",
    "port/snprintf.c",
    "port/strerror.c",
    "port/user.c",
)
# Functions that one libc has and another lacks, as native/postgres/pg_config.h says.
POSTGRES_LIBC_FILES = {
    "glibc": (
        "port/getpeereid.c",
        "port/strlcat.c",
        "port/strlcpy.c",
        "port/timingsafe_bcmp.c",
    ),
    "musl": ("port/getpeereid.c", "port/timingsafe_bcmp.c"),
    "libSystem": ("port/explicit_bzero.c",),
}
# Calls that go through a function of ours first.
POSTGRES_FILE_DEFINES = {
    "interfaces/libpq/fe-auth-scram.c": (
        "-Dscram_SaltedPassword=qe__pg_salted_password",
    ),
}
# Ours first: the headers there stand for those that configure writes.
POSTGRES_FOLDERS = (
    "{tree}/native/postgres",
    "{postgresql}/include",
    "{postgresql}/interfaces/libpq",
    "{postgresql}/port",
    "{postgresql}/common",
)
# As its makefiles have them. OpenSSL's headers would have the names of libpq's files,
# and with them folders of this machine, in the engine. A function to a section, so that
# the linker can leave out what is not called, such as the floating-point half of the
# random numbers.
_ALWAYS = (
    "-DFRONTEND",
    "-DUNSAFE_STAT_OK",
    "-DSO_MAJOR_VERSION=5",
    "-DOPENSSL_NO_FILENAMES",
    "-ffunction-sections",
    "-fdata-sections",
)


def postgres_defines(os_name: str) -> tuple[str, ...]:
    """Return what libpq's files are compiled with on an operating system."""
    return (*_ALWAYS, *(("-D_GNU_SOURCE",) if os_name == "linux" else ()))
