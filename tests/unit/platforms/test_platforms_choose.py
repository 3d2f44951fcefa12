from __future__ import annotations

import pytest

from engineroom.platforms.choose import VERDICTS, candidates, judge
from engineroom.platforms.probe import probe
from engineroom.platforms.rows import TARGETS
from engineroom.platforms.select import targets_named

MUSL = {"/proc/self/exe": ("x86_64", "/lib/ld-musl-x86_64.so.1")}
MUSL_ARM = {"/proc/self/exe": ("arm64", "/lib/ld-musl-aarch64.so.1")}


class Listed:
    def __init__(self, target, backend="sqlite", name=""):
        self.target = target
        self.backend = backend
        self.name = name


@pytest.mark.parametrize(
    ("description", "fitting"),
    [
        pytest.param(
            {"confstr": "glibc 2.36"},
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="Debian 12",
        ),
        pytest.param(
            {"confstr": "glibc 2.28"},
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="exactly the floor",
        ),
        pytest.param({"confstr": "glibc 2.17"}, [], id="CentOS 7"),
        pytest.param({"confstr": "glibc 2.9"}, [], id="2.9 is older than 2.28"),
        pytest.param(
            {"cpu": "aarch64", "confstr": "glibc 2.31"},
            ["debian-openssl-3-arm64", "rhel-arm64"],
            id="bullseye on arm64",
        ),
        pytest.param(
            {"confstr": "", "programs": MUSL}, ["linux-musl-x86_64"], id="Alpine"
        ),
        pytest.param(
            {"cpu": "aarch64", "confstr": "", "programs": MUSL_ARM},
            ["linux-musl-arm64"],
            id="Alpine on arm64",
        ),
        pytest.param(
            {"confstr": ""}, [], id="a libc that is unknown is no fitting one"
        ),
        pytest.param({"bits": 32}, [], id="a 32-bit Python on a 64-bit system"),
        pytest.param({"cpu": "armv7l", "bits": 32}, [], id="Raspberry Pi OS, 32 bits"),
        pytest.param({"cpu": "riscv64"}, [], id="RISC-V"),
        pytest.param(
            {"system": "darwin", "cpu": "arm64", "release": "23.5.0", "confstr": ""},
            ["darwin-arm64"],
            id="Apple silicon",
        ),
        pytest.param(
            {"system": "darwin", "cpu": "x86_64", "release": "17.7.0", "confstr": ""},
            ["darwin-x86_64"],
            id="an Intel Mac with 10.13",
        ),
        pytest.param(
            {"system": "darwin", "cpu": "x86_64", "release": "16.0.0", "confstr": ""},
            [],
            id="an Intel Mac with 10.12",
        ),
        pytest.param(
            {"system": "darwin", "cpu": "arm64", "release": "", "confstr": ""},
            ["darwin-arm64"],
            id="a macOS whose version nobody tells",
        ),
        pytest.param(
            {"system": "win32", "cpu": "AMD64", "confstr": ""}, [], id="Windows"
        ),
        pytest.param(
            {"system": "freebsd14", "cpu": "amd64", "confstr": ""}, [], id="FreeBSD"
        ),
        pytest.param(
            {"system": "android", "cpu": "aarch64", "confstr": ""}, [], id="Android"
        ),
        pytest.param({"python": ("pypy", "3.10.14", False)}, [], id="PyPy"),
        pytest.param({"python": ("cpython", "3.13.0", True)}, [], id="no GIL"),
    ],
)
def test_judge_of_every_target_lets_only_the_fitting_ones_pass(
    described, description, fitting
):
    facts = probe(described(**description))
    assert [t.id for t in TARGETS if judge(t, facts).word == "fits"] == fitting


@pytest.mark.parametrize(
    ("description", "target", "word", "reason"),
    [
        pytest.param(
            {}, "darwin-arm64", "other-os", "it is for darwin, this is linux", id="os"
        ),
        pytest.param(
            {},
            "rhel-arm64",
            "other-cpu",
            "it is for arm64, this process runs as x86_64",
            id="cpu",
        ),
        pytest.param(
            {"bits": 32},
            "rhel-x86_64",
            "other-cpu",
            "it is for 64-bit processes, this Python has 32 bits (x86)",
            id="32 bits",
        ),
        pytest.param(
            {},
            "linux-musl-x86_64",
            "other-libc",
            "it is for musl, this process uses glibc",
            id="libc",
        ),
        pytest.param(
            {"confstr": "glibc 2.17"},
            "rhel-x86_64",
            "libc-too-old",
            "it needs glibc 2.28 or newer, this process has 2.17",
            id="old libc",
        ),
        pytest.param(
            {"confstr": ""},
            "rhel-x86_64",
            "libc-unknown",
            "it needs glibc, and the C library of this process is unknown (confstr says"
            " nothing; no path leads to the program of this process)",
            id="unknown libc",
        ),
        pytest.param(
            {"python": ("pypy", "3.10.14", False)},
            "rhel-x86_64",
            "needs-cpython",
            "engines load into CPython, this is pypy",
            id="PyPy",
        ),
        pytest.param(
            {"python": ("cpython", "3.13.0", True)},
            "rhel-x86_64",
            "needs-gil",
            "engines need the GIL, this Python was built without it",
            id="no GIL",
        ),
        pytest.param(
            {},
            "rhel-x86_64",
            "fits",
            "linux x86_64, glibc 2.36 is 2.28 or newer",
            id="fits",
        ),
        pytest.param(
            {"confstr": "", "programs": MUSL},
            "linux-musl-x86_64",
            "fits",
            "linux x86_64, the version of musl here is unknown; 1.2.0 is needed",
            id="fits as far as is known",
        ),
    ],
)
def test_judge_of_a_target_gives_word_and_reason(
    described, description, target, word, reason
):
    verdict = judge(targets_named(target)[0], probe(described(**description)))
    assert (verdict.word, verdict.reason) == (word, reason)
    assert verdict.word in VERDICTS


def plan(facts, engines, **choice):
    found = candidates(facts, engines, TARGETS, backend="sqlite", **choice)
    return [(target.id, verdict.word, engine) for target, verdict, engine in found]


def test_candidates_come_engines_first_then_targets_without_then_the_rest(described):
    engine = Listed("rhel-x86_64")
    found = plan(probe(described()), [Listed("linux-musl-x86_64"), engine])
    assert found == [
        ("debian-openssl-3-x86_64", "no-engine", None),
        ("rhel-x86_64", "fits", engine),
        ("darwin-arm64", "other-os", None),
        ("darwin-x86_64", "other-os", None),
        ("linux-musl-x86_64", "other-libc", None),
        ("linux-musl-arm64", "other-cpu", None),
        ("debian-openssl-3-arm64", "other-cpu", None),
        ("rhel-arm64", "other-cpu", None),
    ]


def test_candidates_for_another_backend_are_none(described):
    found = plan(probe(described()), [Listed("rhel-x86_64", backend="postgres")])
    assert ("rhel-x86_64", "no-engine", None) in found


def test_candidates_of_one_target_keep_the_order_in_which_they_are_given(described):
    first, second = Listed("rhel-x86_64", name="a"), Listed("rhel-x86_64", name="b")
    found = plan(probe(described()), [first, second])
    assert [engine for _, _, engine in found if engine] == [first, second]


def test_candidates_under_a_setting_leave_out_what_it_does_not_name(described):
    engines = [Listed("debian-openssl-3-x86_64"), Listed("rhel-x86_64")]
    found = plan(probe(described()), engines, chosen=targets_named("rhel"))
    assert found[0] == ("rhel-x86_64", "fits", engines[1])
    assert ("debian-openssl-3-x86_64", "excluded", None) in found
    assert ("rhel-arm64", "other-cpu", None) in found


def test_candidates_under_a_setting_trust_it_where_the_libc_is_unknown(described):
    engine = Listed("linux-musl-x86_64")
    facts = probe(described(confstr=""))
    assert ("linux-musl-x86_64", "libc-unknown", None) in plan(facts, [engine])
    chosen = targets_named("linux-musl-x86_64")
    assert plan(facts, [engine], chosen=chosen)[0] == (
        "linux-musl-x86_64",
        "fits",
        engine,
    )


@pytest.mark.parametrize(
    ("description", "target", "word"),
    [
        pytest.param({}, "rhel-arm64", "other-cpu", id="another CPU"),
        pytest.param({}, "linux-musl-x86_64", "other-libc", id="another libc"),
        pytest.param(
            {"python": ("cpython", "3.13.0", True)},
            "rhel-x86_64",
            "needs-gil",
            id="no GIL",
        ),
    ],
)
def test_candidates_under_a_setting_do_not_trust_it_against_a_fact(
    described, description, target, word
):
    facts = probe(described(**description))
    found = plan(facts, [Listed(target)], chosen=targets_named(target))
    assert (target, word, None) in found
    assert all(engine is None for _, _, engine in found)


DEBIAN_3 = {"/usr/lib/x86_64-linux-gnu/libssl.so.3": ""}
DEBIAN_1_1 = {"/usr/lib/x86_64-linux-gnu/libssl.so.1.1": ""}
RHEL_8 = {"/usr/lib64/libssl.so.1.1": ""}
ARM_1_1 = {"/lib/aarch64-linux-gnu/libssl.so.1.1": ""}


@pytest.mark.parametrize(
    ("description", "order"),
    [
        pytest.param(
            {"confstr": "glibc 2.31", "files": DEBIAN_1_1},
            ["rhel-x86_64", "debian-openssl-3-x86_64"],
            id="Debian 11",
        ),
        pytest.param(
            {"confstr": "glibc 2.28", "files": RHEL_8},
            ["rhel-x86_64", "debian-openssl-3-x86_64"],
            id="RHEL 8",
        ),
        pytest.param(
            {"cpu": "aarch64", "confstr": "glibc 2.31", "files": ARM_1_1},
            ["rhel-arm64", "debian-openssl-3-arm64"],
            id="Debian 11 on arm64",
        ),
        pytest.param(
            {"files": DEBIAN_3},
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="Debian 12",
        ),
        pytest.param(
            {"files": {**DEBIAN_1_1, **DEBIAN_3}},
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="both",
        ),
        pytest.param({}, ["debian-openssl-3-x86_64", "rhel-x86_64"], id="none"),
        pytest.param(
            {"files": ARM_1_1},
            ["debian-openssl-3-x86_64", "rhel-x86_64"],
            id="that of another CPU",
        ),
    ],
)
def test_candidates_whose_openssl_is_not_there_come_after_those_whose_is(
    described, description, order
):
    engines = [Listed(target) for target in sorted(order)]
    found = plan(probe(described(**description)), engines)
    assert [target for target, _, engine in found if engine] == order


def test_candidates_whose_openssl_is_not_there_fit_all_the_same_and_say_so(described):
    facts = probe(described(confstr="glibc 2.31", files=RHEL_8))
    verdict = judge(targets_named("debian-openssl-3-x86_64")[0], facts)
    assert verdict.word == "fits"
    assert verdict.reason == (
        "linux x86_64, glibc 2.31 is 2.28 or newer; it is for OpenSSL 3, here is 1.1"
    )
    engine = Listed("debian-openssl-3-x86_64")
    assert plan(facts, [engine])[1] == ("debian-openssl-3-x86_64", "fits", engine)


MAPPED = "7f00-7f10 r--p 00000000 fd:00 12 {path}\n"
CONDA = MAPPED.format(path="/opt/conda/lib/libssl.so.3")
OLD = MAPPED.format(path="/usr/lib64/libssl.so.1.1.1k")
RHEL_9 = {"/usr/lib64/libssl.so.3": ""}
DEBIAN, RHEL = "debian-openssl-3-x86_64", "rhel-x86_64"


def release(text):
    return {"/etc/os-release": text}


@pytest.mark.parametrize(
    ("description", "first"),
    [
        pytest.param(
            {"files": DEBIAN_1_1, "maps": CONDA}, DEBIAN, id="loaded before installed"
        ),
        pytest.param(
            {"files": RHEL_9, "maps": OLD}, RHEL, id="the loaded one is the older"
        ),
        pytest.param(
            {"files": {**DEBIAN_3, **release("ID=debian")}, "maps": OLD},
            RHEL,
            id="OpenSSL before kinship",
        ),
        pytest.param(
            {"files": {**RHEL_9, **release("ID=fedora")}}, RHEL, id="kinship of Fedora"
        ),
        pytest.param(
            {"files": release('ID="x"\nID_LIKE="suse opensuse"')},
            RHEL,
            id="kinship without OpenSSL",
        ),
        pytest.param(
            {"files": {**RHEL_9, **release("ID=wolfi")}}, DEBIAN, id="no kinship"
        ),
        pytest.param(
            {"files": DEBIAN_1_1, "maps": MAPPED.format(path="/x/libssl.so.1.0.2k")},
            RHEL,
            id="a loaded one that nobody binds does not count",
        ),
    ],
)
def test_candidates_come_by_loaded_openssl_then_installed_then_kinship(
    described, description, first
):
    found = plan(probe(described(**description)), [Listed(DEBIAN), Listed(RHEL)])
    assert next(target for target, _, engine in found if engine) == first


@pytest.mark.parametrize(
    ("files", "target", "word", "reason"),
    [
        pytest.param(DEBIAN_3, DEBIAN, "fits", "", id="3"),
        pytest.param(DEBIAN_1_1, RHEL, "fits", "", id="1.1"),
        pytest.param(
            DEBIAN_1_1,
            DEBIAN,
            "openssl-not-served",
            "it needs OpenSSL 3, here is 1.1 (/usr/lib/x86_64-linux-gnu/libssl.so.1.1)",
            id="only 1.1",
        ),
        pytest.param(
            {"/lib64/libssl.so.10": ""},
            RHEL,
            "openssl-not-served",
            "it needs OpenSSL 3 or 1.1, here is 1.0 (/lib64/libssl.so.10)",
            id="only 1.0",
        ),
        pytest.param(
            {},
            RHEL,
            "openssl-missing",
            "it needs OpenSSL 3 or 1.1; the standard library folders have none",
            id="none",
        ),
    ],
)
def test_judge_of_an_engine_with_tls_needs_an_openssl(
    described, files, target, word, reason
):
    row = targets_named(target)[0]
    facts = probe(described(files=files))
    verdict = judge(row, facts, with_tls=True)
    assert verdict.word == word
    assert verdict.reason == (reason or judge(row, facts).reason)
    assert judge(row, facts).word == "fits"


def test_a_setting_is_trusted_where_no_openssl_is_found(described):
    facts, engine = probe(described()), Listed(RHEL)
    for chosen, word in ((None, "openssl-missing"), (targets_named(RHEL), "fits")):
        found = plan(facts, [engine], chosen=chosen, with_tls=True)
        assert word in [w for target, w, _ in found if target == RHEL]
