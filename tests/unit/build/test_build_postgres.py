"""What libpq is told of its systems, held against what the compiler says of them.

native/postgres stands for the headers that PostgreSQL's configure would write. Each of
its answers is asked again here, for every target: by a program that has to compile, and
for functions by one that has to link with a libc as old as the target's floor.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from engineroom.platforms.rows import TARGETS
from native.audit.symbols import musl
from native.build import ROOT
from native.build.cache import Cache, cache_root
from native.build.openssl_functions import CRYPTO_FUNCTIONS, SSL_FUNCTIONS
from native.build.pins import load_sources
from native.build.postgres_options import (
    POSTGRES_FILES,
    POSTGRES_FOLDERS,
    POSTGRES_LIBC_FILES,
    postgres_defines,
)
from native.build.report import Report
from native.build.sources import ensure_source
from native.build.toolchain import find_zig

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.platforms.target import Target

ANSWERS = ROOT / "native" / "postgres"
# A function's answer, the function and the header that has to declare it.
FUNCTIONS = {
    "HAVE_DECL_FDATASYNC": ("fdatasync", "unistd.h"),
    "HAVE_DECL_MEMSET_S": ("memset_s", "string.h"),
    "HAVE_DECL_STRCHRNUL": ("strchrnul", "string.h"),
    "HAVE_DECL_STRLCAT": ("strlcat", "string.h"),
    "HAVE_DECL_STRLCPY": ("strlcpy", "string.h"),
    "HAVE_DECL_STRNLEN": ("strnlen", "string.h"),
    "HAVE_DECL_TIMINGSAFE_BCMP": ("timingsafe_bcmp", "string.h"),
    "HAVE_EXPLICIT_BZERO": ("explicit_bzero", "string.h"),
    "HAVE_GETPEEREID": ("getpeereid", "unistd.h"),
    "HAVE_INET_ATON": ("inet_aton", "arpa/inet.h"),
    "HAVE_INET_PTON": ("inet_pton", "arpa/inet.h"),
    "HAVE_MKDTEMP": ("mkdtemp", "stdlib.h"),
    "HAVE_STRERROR_R": ("strerror_r", "string.h"),
}
HEADERS = {
    "HAVE_LANGINFO_H": "langinfo.h",
    "HAVE_STRINGS_H": "strings.h",
    "HAVE_SYS_UCRED_H": "sys/ucred.h",
}
BUILTINS = {
    "HAVE__BUILTIN_BSWAP16": "__builtin_bswap16",
    "HAVE__BUILTIN_BSWAP32": "__builtin_bswap32",
    "HAVE__BUILTIN_BSWAP64": "__builtin_bswap64",
    "HAVE__BUILTIN_CLZ": "__builtin_clz",
    "HAVE__BUILTIN_CTZ": "__builtin_ctz",
    "HAVE__BUILTIN_OP_OVERFLOW": "__builtin_mul_overflow",
    "HAVE__BUILTIN_TYPES_COMPATIBLE_P": "__builtin_types_compatible_p",
    "HAVE__BUILTIN_UNREACHABLE": "__builtin_unreachable",
}
# What has to be so where the answer is there, and must not be where it is not.
FACTS = {
    "ALIGNOF_SHORT": "_Alignof(short) == ALIGNOF_SHORT",
    "ALIGNOF_INT": "_Alignof(int) == ALIGNOF_INT",
    "ALIGNOF_LONG": "_Alignof(long) == ALIGNOF_LONG",
    "ALIGNOF_DOUBLE": "_Alignof(double) == ALIGNOF_DOUBLE",
    "ALIGNOF_PG_INT128_TYPE": "_Alignof(PG_INT128_TYPE) == ALIGNOF_PG_INT128_TYPE",
    "MAXIMUM_ALIGNOF": "_Alignof(long long) == MAXIMUM_ALIGNOF",
    "SIZEOF_SIZE_T": "sizeof(size_t) == SIZEOF_SIZE_T",
    "SIZEOF_VOID_P": "sizeof(void *) == SIZEOF_VOID_P",
    "HAVE_LONG_INT_64": "sizeof(long) == 8",
    "INT64_MODIFIER": '__builtin_strcmp(INT64_MODIFIER, "l") == 0 && sizeof(long) == 8',
    "PG_INT64_TYPE": "sizeof(PG_INT64_TYPE) == 8",
    "PG_INT128_TYPE": "sizeof(PG_INT128_TYPE) == 16",
    "PG_USE_STDBOOL": "sizeof(bool) == 1",
    "HAVE_SOCKLEN_T": "sizeof(socklen_t) == 4",
    "HAVE_TYPEOF": "sizeof(typeof(1L)) == 8",
    "HAVE__STATIC_ASSERT": "1",
    "STRERROR_R_INT": "_Generic(strerror_r(0, (char *)0, 0), int: 1, default: 0)",
    "HAVE_VISIBILITY_ATTRIBUTE": "__has_attribute(visibility)",
    "PG_C_PRINTF_ATTRIBUTE": "__has_attribute(format)",
}
# Functions of OpenSSL: an answer is right if the function is among those engines call.
OPENSSL = {
    "HAVE_ASN1_STRING_GET0_DATA": "ASN1_STRING_get0_data",
    "HAVE_BIO_METH_NEW": "BIO_meth_new",
    "HAVE_HMAC_CTX_FREE": "HMAC_CTX_free",
    "HAVE_HMAC_CTX_NEW": "HMAC_CTX_new",
    "HAVE_OPENSSL_INIT_SSL": "OPENSSL_init_ssl",
    "HAVE_SSL_CTX_SET_CERT_CB": "SSL_CTX_set_cert_cb",
    "HAVE_X509_GET_SIGNATURE_INFO": "X509_get_signature_info",
}
# What is chosen and not found.
CHOSEN = {
    "BLCKSZ", "DEF_PGPORT", "DEF_PGPORT_STR", "MEMSET_LOOP_LIMIT",
    "OPENSSL_API_COMPAT", "PG_CXX_PRINTF_ATTRIBUTE", "PG_KRB_SRVNAM",
    "PG_MAJORVERSION", "PG_VERSION", "PG_VERSION_NUM", "USE_OPENSSL", "XLOG_BLCKSZ",
    "pg_restrict", "typeof",
}  # fmt: skip
# What libpq's files mention and is "no" everywhere.
UNANSWERED = {
    # Left out of the engines.
    "ENABLE_GSS", "ENABLE_NLS", "HAVE_GSSAPI_H", "HAVE_LIBZ", "USE_LDAP",
    "USE_ASSERT_CHECKING",
    # Other systems than ours.
    "HAVE_GETPEERUCRED", "HAVE_UCRED_H", "HAVE_LONG_LONG_INT_64", "WORDS_BIGENDIAN",
    "HAVE_INT8", "HAVE_INT64", "HAVE_UINT8", "HAVE_UINT64", "_FILE_OFFSET_BITS",
    # An OpenSSL before 1.1.
    "HAVE_CRYPTO_LOCK",
    # Of the server, or of headers that libpq's files include and do not use.
    "HAVE_DECL_POSIX_FADVISE", "HAVE_POSIX_FADVISE", "HAVE_SYNC_FILE_RANGE",
    "HAVE_UNION_SEMUN", "HAVE_X86_64_POPCNTQ", "HAVE__BUILTIN_CONSTANT_P",
    "HAVE__CPUID", "HAVE__GET_CPUID", "USE_AVX512_POPCNT_WITH_RUNTIME_CHECK",
    # A keyword that every compiler of ours has.
    "inline",
}  # fmt: skip
ASKED = {*FUNCTIONS, *HEADERS, *BUILTINS, *FACTS, *OPENSSL}


@pytest.fixture(scope="module")
def postgresql() -> Path:
    return ensure_source(load_sources()["postgresql"], Cache(cache_root()), Report())


def compiler(
    target: Target, folder: Path, source: str, *more: str
) -> subprocess.CompletedProcess[str]:
    """Compile a file for a target as libpq's files are."""
    zig = find_zig(Cache(cache_root()))
    (folder / "probe.c").write_text(source)
    return subprocess.run(
        [
            *(*zig.command, "-target", target.zig_triple, "-std=c11"),
            *(*postgres_defines(target.os), "-ferror-limit=0", f"-I{ANSWERS}"),
            *("-Werror=implicit-function-declaration", "-D__STDC_WANT_LIB_EXT1__=1"),
            *("-Werror=unguarded-availability", *more, "probe.c"),
        ],
        cwd=folder,
        env=zig.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def answers_for(target: Target, folder: Path) -> dict[str, str]:
    """Return what our headers define for a target, beyond what the compiler does."""
    source = '#include "pg_config_ext.h"\n#include "pg_config.h"\n'
    told = compiler(target, folder, source, "-E", "-dM")
    assert told.returncode == 0, told.stderr
    macros = dict(re.findall(r"(?m)^#define (\w+)(?: (.*))?$", told.stdout))
    written = set(written_macros())
    return {name: value for name, value in macros.items() if name in written}


def written_macros() -> list[str]:
    text = "".join((ANSWERS / f"pg_config{x}.h").read_text() for x in ("", "_ext"))
    names = re.findall(r"(?m)^#define (\w+)", text)
    return [name for name in names if not name.startswith("ENGINEROOM_")]


def probe_of(functions: list[str]) -> str:
    headers = sorted({header for _, header in FUNCTIONS.values()})
    return "\n".join(
        [
            *(f"#include <{header}>" for header in headers),
            "void use(void *function) { (void)function; }",
            *(f"void use_{f}(void) {{ use((void *)&{f}); }}" for f in functions),
        ]
    )


def available_functions(target: Target, folder: Path) -> set[str]:
    """Return the functions that are declared, and there at the target's floor."""
    asked = {function for function, _ in FUNCTIONS.values()}
    more = ("-fPIC", "-fno-sanitize=all", "-c", "-o", "probe.o")
    told = compiler(target, folder, probe_of(sorted(asked)), *more).stderr
    refused = set(re.findall(r"undeclared identifier '(\w+)'", told))
    refused |= set(re.findall(r"'(\w+)' is only available on macOS", told))
    declared = sorted(asked - refused)
    link = ("-shared", "-fPIC", "-fno-sanitize=all", "-o", "probe.so", "-Wl,-z,defs")
    if target.os == "darwin":
        link = link[:-1]
    told = compiler(target, folder, probe_of(declared), *link).stderr
    missing = set(re.findall(r"undefined symbol: _?(\w+)", told))
    found = set(declared) - missing
    return found & musl(target.cpu) if target.libc == "musl" else found


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_a_function_is_said_to_be_there_if_it_links_at_the_floor(
    target: Target, tmp_path: Path
) -> None:
    answers = answers_for(target, tmp_path)
    available = available_functions(target, tmp_path)

    said = {m for m in FUNCTIONS if answers.get(m, "0") != "0"}
    assert said == {m for m, (name, _) in FUNCTIONS.items() if name in available}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_headers_builtins_and_facts_are_as_the_compiler_has_them(
    target: Target, tmp_path: Path
) -> None:
    answers = answers_for(target, tmp_path)
    asked = {
        **{m: f"__has_include(<{header}>)" for m, header in HEADERS.items()},
        **{m: f"__has_builtin({name})" for m, name in BUILTINS.items()},
        **FACTS,
    }
    lines = [
        *("#include <stdbool.h>", "#include <stddef.h>", "#include <string.h>"),
        *("#include <sys/socket.h>", '#include "pg_config_ext.h"'),
        '#include "pg_config.h"',
    ]
    for macro, fact in asked.items():
        said = macro in answers
        if fact.startswith(("__has_include", "__has_builtin")):
            lines += [f"#if !!{fact} != {int(said)}", f"#error {macro}", "#endif"]
        else:
            lines.append(f'_Static_assert(!!({fact}) == {int(said)}, "{macro}");')
    told = compiler(target, tmp_path, "\n".join(lines), "-c", "-o", "probe.o")

    assert re.findall(r"error: .*", told.stderr) == []
    assert told.returncode == 0


def test_every_answer_is_asked_or_chosen_and_no_other_is_given() -> None:
    assert set(written_macros()) == ASKED | CHOSEN
    assert {*SSL_FUNCTIONS, *CRYPTO_FUNCTIONS} >= set(OPENSSL.values())


def read_files(postgresql: Path) -> list[str]:
    """Return the texts of libpq's files and of all of its headers that they include."""
    roots = [f.replace("{postgresql}", str(postgresql)) for f in POSTGRES_FOLDERS[1:]]
    waiting = [*POSTGRES_FILES, *(n for ns in POSTGRES_LIBC_FILES.values() for n in ns)]
    paths = {(postgresql / name) for name in waiting}
    texts: dict[Path, str] = {}
    while paths:
        path = paths.pop()
        texts[path] = text = path.read_text(encoding="utf-8", errors="replace")
        for name in re.findall(r'(?m)^\s*#\s*include\s*["<]([^">]+)', text):
            places = [path.parent / name, *(postgresql / r / name for r in roots)]
            found = next((place for place in places if place.is_file()), None)
            if found is not None and found.resolve() not in texts:
                paths.add(found.resolve())
    return list(texts.values())


def test_every_answer_that_libpqs_files_ask_for_is_given_or_known_to_be_no(
    postgresql: Path,
) -> None:
    """A new version of PostgreSQL may ask something new."""
    form = (postgresql / "include" / "pg_config.h.in").read_text()
    known = {*re.findall(r"(?m)^#\s*undef (\w+)", form), "PG_INT64_TYPE"}
    mentioned = {
        word for text in read_files(postgresql) for word in re.findall(r"\w+", text)
    }

    assert known & mentioned - set(written_macros()) == UNANSWERED


def test_the_version_is_that_of_the_pinned_source() -> None:
    version = load_sources()["postgresql"].version
    text = (ANSWERS / "pg_config.h").read_text()

    major, _, minor = version.partition(".")
    assert f'#define PG_VERSION "{version}"\n' in text
    assert f'#define PG_MAJORVERSION "{major}"\n' in text
    assert f"#define PG_VERSION_NUM {int(major) * 10000 + int(minor)}\n" in text
