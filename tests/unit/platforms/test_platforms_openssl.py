from __future__ import annotations

import subprocess
import sys

import pytest

from engineroom.errors import MalformedBinary
from engineroom.platforms.openssl import openssl_of
from engineroom.platforms.probe import probe

MUSL = {"/proc/self/exe": ("x86_64", "/lib/ld-musl-x86_64.so.1")}
DEBIAN = "/usr/lib/x86_64-linux-gnu/libssl.so"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("libssl.so.3", "3"),
        ("libssl.so.3.0.7", "3"),
        ("libssl.so.1.1", "1.1"),
        ("libssl.so.1.1.1k", "1.1"),
        ("libssl.so.10", "1.0"),
        ("libssl.so.1.0.0", "1.0"),
        ("libssl.so.1.0.2k", "1.0"),
        ("libssl.so.1", "1.0"),
        ("libssl.so.0.9.8", "0.9"),
        ("libssl.so.4", "4"),
        ("libssl.so.53", "53"),  # LibreSSL
        ("libssl.so", ""),
        ("libssl3.so", ""),  # NSS
        ("libssl-1a2b3c4d.so.3", ""),  # renamed by auditwheel, for one wheel alone
        ("libcrypto.so.3", ""),
    ],
)
def test_openssl_of_a_file_is_told_by_its_name(name, version):
    assert openssl_of(name) == version


@pytest.mark.parametrize(
    ("description", "version", "source"),
    [
        pytest.param({"files": {f"{DEBIAN}.3": ""}}, "3", f"{DEBIAN}.3", id="Debian"),
        pytest.param(
            {"files": {"/lib64/libssl.so.1.1": "", "/usr/lib/libssl.so.3": ""}},
            "3",
            "/usr/lib/libssl.so.3",
            id="the newer one, in whichever folder",
        ),
        pytest.param(
            {
                "files": {
                    "/lib64/libssl.so.1.1": "",
                    "/usr/lib/libssl.so.3": ("x86", "glibc"),
                }
            },
            "1.1",
            "/lib64/libssl.so.1.1",
            id="the newer one is for 32 bits",
        ),
        pytest.param(
            {"files": {"/lib/libssl.so.3": ("x86_64", "musl")}},
            None,
            "the standard library folders have none; /lib/libssl.so.3 is for musl",
            id="a glibc process in Alpine",
        ),
        pytest.param(
            {
                "files": {
                    "/lib64/libssl.so.3": MalformedBinary("it is empty"),
                    "/usr/lib/libssl.so.3": PermissionError(13, "Permission denied"),
                }
            },
            None,
            "the standard library folders have none; /lib64/libssl.so.3 cannot be"
            " loaded: it is empty",
            id="files that cannot be loaded",
        ),
        pytest.param(
            {"files": {"/lib64/libssl.so.10": "", "/lib64/libssl.so.1.1": ""}},
            "1.1",
            "/lib64/libssl.so.1.1",
            id="one that can be bound before one that cannot",
        ),
        pytest.param(
            {"files": {"/lib64/libssl.so.10": ""}},
            "1.0",
            "/lib64/libssl.so.10",
            id="CentOS 7",
        ),
        pytest.param(
            {"files": {f"{DEBIAN}.4": ""}}, "4", f"{DEBIAN}.4", id="one to come"
        ),
        pytest.param(
            {"files": {"/var/lang/lib/libssl.so.3": ""}},
            None,
            "the standard library folders have none",
            id="Lambda's own, in LD_LIBRARY_PATH",
        ),
        pytest.param(
            {"confstr": "", "programs": MUSL, "files": {"/usr/lib/libssl.so.3": ""}},
            "3",
            "/usr/lib/libssl.so.3",
            id="Void with musl",
        ),
        pytest.param(
            {
                "confstr": "",
                "programs": MUSL,
                "files": {
                    "/etc/ld-musl-x86_64.path": "/a\n/b:/c\n",
                    "/c/libssl.so.3": "",
                    "/lib/libssl.so.1.1": "",
                },
            },
            "3",
            "/c/libssl.so.3",
            id="musl is told its folders",
        ),
        pytest.param(
            {"confstr": "", "programs": MUSL, "files": {"/lib64/libssl.so.3": ""}},
            None,
            "the standard library folders have none",
            id="a folder that musl does not know",
        ),
        pytest.param(
            {"system": "darwin", "cpu": "arm64"},
            None,
            "only looked for where a target's choice hangs on it",
            id="macOS",
        ),
    ],
)
def test_openssl_is_the_best_that_the_loader_would_find(
    described, description, version, source
):
    fact = probe(described(**description)).openssl
    assert (fact.value, fact.source) == (version, source)


LINE = "7f5c1e200000-7f5c1e21e000 r--p 00000000 fd:01 1311  {}\n"
HEAP = "55d0c9a5b000-55d0c9a7c000 rw-p 00000000 00:00 0      [heap]\n"


@pytest.mark.parametrize(
    ("description", "version", "source"),
    [
        pytest.param(
            {"maps": HEAP + 3 * LINE.format("/usr/lib64/libssl.so.3.0.7")},
            "3",
            "/proc/self/maps has /usr/lib64/libssl.so.3.0.7",
            id="RHEL 9",
        ),
        pytest.param(
            {"maps": LINE.format("/my files/libssl.so.1.1 (deleted)")},
            "1.1",
            "/proc/self/maps has /my files/libssl.so.1.1",
            id="upgraded while it runs, in a folder with a space",
        ),
        pytest.param(
            {
                "maps": LINE.format("/a/libssl.so.1.1")
                + LINE.format("/b/libssl.so.3")
                + LINE.format("/c/libssl.so.4")
            },
            "3",
            "/proc/self/maps has /a/libssl.so.1.1, /b/libssl.so.3, /c/libssl.so.4",
            id="several",
        ),
        pytest.param(
            {"maps": HEAP + LINE.format("/x/psycopg2_binary.libs/libssl-81ff.so.1.1")},
            None,
            "/proc/self/maps: this process has no libssl loaded",
            id="a wheel's own",
        ),
        pytest.param(
            {"maps": PermissionError(13, "Permission denied")},
            None,
            "/proc/self/maps cannot be read: Permission denied",
            id="no /proc",
        ),
        pytest.param(
            {"system": "darwin", "ssl": "OpenSSL 3.0.13 30 Jan 2024"},
            "3",
            "Python's ssl has OpenSSL 3.0.13 30 Jan 2024",
            id="macOS",
        ),
        pytest.param(
            {"system": "darwin", "ssl": "OpenSSL 1.1.1w  11 Sep 2023"},
            "1.1",
            "Python's ssl has OpenSSL 1.1.1w  11 Sep 2023",
            id="macOS, the old one",
        ),
        pytest.param(
            {"system": "darwin", "ssl": "LibreSSL 2.8.3"},
            None,
            "Python's ssl has LibreSSL 2.8.3",
            id="Apple's own",
        ),
        pytest.param(
            {"system": "darwin"},
            None,
            "Python's ssl is not imported",
            id="macOS, not imported",
        ),
        pytest.param(
            {"system": "win32"}, None, "not looked for on windows", id="Windows"
        ),
    ],
)
def test_openssl_mapped_is_the_one_that_the_process_has_loaded(
    described, description, version, source
):
    fact = probe(described(**description)).openssl_mapped
    assert (fact.value, fact.source) == (version, source)


MAPPED = """
import sys
from engineroom.platforms.probe import probe
before = probe().openssl_mapped.value, "ssl" in sys.modules, "_ssl" in sys.modules
import ssl
print(before, ssl.OPENSSL_VERSION_INFO[:2], probe().openssl_mapped.value)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what is mapped")
def test_openssl_mapped_of_a_real_process_changes_when_ssl_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", MAPPED], capture_output=True, text=True, check=True
    )
    before, _, after = done.stdout.partition(") (")
    assert before == "((None, False, False"[1:]
    numbers, _, mapped = after.strip().partition(") ")
    major, minor = numbers.split(", ")
    # None in a Python that has OpenSSL built in.
    assert mapped in (major if int(major) >= 3 else f"{major}.{minor}", "None")
