"""Systems as they are found in the field, and which engine each must get.

The sample gives no version of glibc; each of its systems is asked with one that is new
enough, and the versions that those systems really have are a table of their own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engineroom.platforms.choose import judge, preferred
from engineroom.platforms.probe import probe
from engineroom.platforms.release import kin_family, read_fields
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import known_names, targets_named

CASES = {
    case["name"]: case
    for case in json.loads(
        Path(__file__).parents[2].joinpath("data/detection-cases.json").read_text()
    )
}
DEBIAN, DEBIAN_ARM = "debian-openssl-3-x86_64", "debian-openssl-3-arm64"
MUSL, RHEL = "linux-musl-x86_64", "rhel-x86_64"
SYSTEMS = {"windows": "win32"}
LOADERS = {
    "musl": "/lib/ld-musl-{}.so.1",
    "bionic": "/system/bin/linker64",
}
CPUS = {"aarch64": "arm64", "armv7l": "arm"}

# The answers where Prisma's is wrong or cannot be ours, for an engine without TLS, such
# as SQLite's, and for one that needs OpenSSL.
OURS = {
    "unit: alpine armv7 openssl 3": ("other-cpu", "other-cpu"),
    "unit: ubuntu amd64, no libssl found": (DEBIAN, "openssl-missing"),
    # Nothing is started, so that the program's answer is not known.
    "only the openssl program, 3.1.0": (RHEL, "openssl-missing"),
    "fixture: libssl.so and libssl.so.1": (DEBIAN, "openssl-not-served"),
    "bun 1.0/1.1 alpine image: os-release says alpine, process is glibc": (
        DEBIAN_ARM,
        "openssl-missing",
    ),
    # OpenSSL 1.0 is not served; 1.1 beside it is.
    "vercel build image (both 1.1 and 1.0)": (RHEL, RHEL),
    "centos 7 with openssl11 package": (RHEL, RHEL),
    "red hat family with libssl.so.10 and libssl.so.1.1 only": (RHEL, RHEL),
    "lambda nodejs18: node brings OpenSSL 3 in /var/lang/lib": (
        RHEL,
        "openssl-not-served",
    ),
    "void linux musl": (MUSL, MUSL),
    "cloudlinux cage without os-release": (DEBIAN, "openssl-not-served"),
    "sles 12 (ID=sles, no ID_LIKE)": (RHEL, "openssl-not-served"),
    "opensuse leap 42.1 (ID_LIKE=suse)": (RHEL, "openssl-not-served"),
    "oracle linux 7.5 amd64 (ID=ol, no ID_LIKE)": (RHEL, "openssl-not-served"),
    "nixos amd64": (DEBIAN, "openssl-missing"),
    "nixos arm64": (DEBIAN_ARM, "openssl-missing"),
    "raspbian 32-bit": ("other-cpu", "other-cpu"),
    "webcontainer, empty os-release, no libssl": (DEBIAN, "openssl-missing"),
    "termux on android": ("other-os", "other-os"),
    "windows x64": ("other-os", "other-os"),
    "windows arm64 process": ("other-os", "other-os"),
}


def describe(described, case):
    arch, libc = case["arch"], case["libc"]
    names = {"ID": case["id"], "ID_LIKE": case["id_like"]}
    text = "".join(f'{name}="{value}"\n' for name, value in names.items() if value)
    is_alpine = case["id"] == "alpine"
    library = (CPUS.get(arch, arch), "musl" if is_alpine else libc)
    files = dict.fromkeys(case["libssl_files"], library)
    loader = LOADERS.get(libc, "").format(arch)
    return described(
        system=SYSTEMS.get(case["os"], case["os"]),
        cpu=arch,
        bits=32 if arch == "armv7l" else 64,
        release="23.5.0" if case["os"] == "darwin" else "",
        confstr="glibc 2.34" if libc == "glibc" else "",
        programs={"/proc/self/exe": (CPUS.get(arch, arch), loader)} if loader else {},
        files={**files, "/etc/os-release": text},
    )


def answer(facts, *, with_tls=False):
    """Return the target, or the verdict on the one that comes nearest."""
    words = []
    for target in preferred(TARGETS, facts):
        word = judge(target, facts, with_tls=with_tls).word
        if word == "fits":
            return target.id
        words.append(word)
    by_nearness = (
        "openssl-not-served", "openssl-missing", "libc-too-old", "libc-unknown",
        "other-libc", "other-cpu", "other-os",
    )  # fmt: skip
    return next(word for word in by_nearness if word in words)


@pytest.mark.parametrize("name", CASES)
def test_a_sample_system_gets_the_engine_that_is_right_for_it(described, name):
    case = CASES[name]
    facts = probe(describe(described, case))
    found = (answer(facts), answer(facts, with_tls=True))
    if name in OURS:
        assert found == OURS[name]
    else:
        assert case["prisma_answer_ok"]
        target = targets_named(case["expected_prisma_target"])[0].id
        assert found == (target, target)


def test_every_answer_of_prisma_s_that_is_wrong_has_one_of_ours():
    assert set(OURS) <= set(CASES)
    for name, case in CASES.items():
        known = case["expected_prisma_target"] in known_names()
        assert name in OURS or (case["prisma_answer_ok"] and known), name


@pytest.mark.parametrize(
    ("confstr", "files"),
    [
        pytest.param("glibc 2.27", {}, id="Ubuntu 18.04"),
        pytest.param("glibc 2.26", {}, id="Amazon Linux 2, openSUSE Leap 15"),
        pytest.param("glibc 2.24", {}, id="Debian 9"),
        pytest.param("glibc 2.22", {}, id="SLES 12"),
        pytest.param("glibc 2.17", {"/lib64/libssl.so.1.1": ""}, id="CentOS 7"),
    ],
)
def test_a_system_whose_glibc_is_too_old_is_refused_for_that(described, confstr, files):
    facts = probe(described(confstr=confstr, files=files))
    assert answer(facts) == answer(facts, with_tls=True) == "libc-too-old"


# The fields of os-release on real systems, and the family that is made for such.
KINSHIP = [
    ("debian", "", "debian-openssl-3"),
    ("ubuntu", "debian", "debian-openssl-3"),
    ("raspbian", "debian", "debian-openssl-3"),
    ("kali", "debian", "debian-openssl-3"),
    ("linuxmint", "ubuntu debian", "debian-openssl-3"),
    ("pop", "ubuntu debian", "debian-openssl-3"),
    ("neon", "ubuntu debian", "debian-openssl-3"),
    ("zorin", "ubuntu", "debian-openssl-3"),
    ("elementary", "ubuntu", "debian-openssl-3"),
    ("devuan", "debian", "debian-openssl-3"),
    ("fedora", "", "rhel"),
    ("rhel", "fedora", "rhel"),
    ("centos", "rhel fedora", "rhel"),
    ("cloudlinux", "rhel fedora centos", "rhel"),
    ("rocky", "rhel centos fedora", "rhel"),
    ("almalinux", "rhel centos fedora", "rhel"),
    ("amzn", "rhel fedora", "rhel"),
    ("amzn", "fedora", "rhel"),
    ("ol", "", "rhel"),
    ("kvmibm", "rhel fedora", "rhel"),
    ("mageia", "mandriva fedora", "rhel"),
    ("azurelinux", "", "rhel"),
    ("mariner", "", "rhel"),
    ("photon", "", "rhel"),
    ("openEuler", "", "rhel"),
    ("sles", "", "rhel"),
    ("sles", "suse", "rhel"),
    ("opensuse", "suse", "rhel"),
    ("opensuse-leap", "suse opensuse", "rhel"),
    ("opensuse-tumbleweed", "opensuse suse", "rhel"),
    ("arch", "", ""),
    ("manjaro", "arch", ""),
    ("alpine", "", ""),
    ("wolfi", "", ""),
    ("chainguard", "", ""),
    ("nixos", "", ""),
    ("guix", "", ""),
    ("gentoo", "", ""),
    ("void", "", ""),
    ("slackware", "", ""),
    ("exherbo", "", ""),
    ("buildroot", "", ""),
    ("coreos", "", ""),
    ("openelec", "", ""),
    ("altlinux", "", ""),
    ("clear-linux-os", "", ""),
    ("org.freedesktop.platform", "", ""),
]


@pytest.mark.parametrize(
    ("name", "like", "family"), KINSHIP, ids=[f"{n}-{k}" for n, k, _ in KINSHIP]
)
def test_kinship_is_told_by_id_then_by_what_it_is_like(described, name, like, family):
    text = f"ID={name}\n" + (f'ID_LIKE="{like}"\n' if like else "")
    assert kin_family(probe(described(files={"/etc/os-release": text}))) == family


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        pytest.param("ID=x\r\nNAME='a b'\r\n", {"ID": "x", "NAME": "a b"}, id="quotes"),
        pytest.param("# ID=no\n\n  ID=y\n", {"ID": "y"}, id="comment and spaces"),
        pytest.param('ID="\n', {"ID": '"'}, id="a quote that does not end"),
        pytest.param("ID\n=\n", {"": ""}, id="no assignment"),
        pytest.param("URL=a=b\n", {"URL": "a=b"}, id="two signs"),
    ],
)
def test_os_release_is_read_as_assignments(text, fields):
    assert read_fields(text) == fields
