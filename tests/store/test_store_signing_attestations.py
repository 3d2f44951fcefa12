"""Attestations: what they say of a wheel, and whether a real one is genuine."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import AttestationWrong
from engineroom.store.attestations import (
    NOT_CHECKED,
    REFUSED,
    VERIFIED,
    AttestationPolicy,
    Verdict,
    check_provenance,
    read_attestations,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WHEEL = "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl"
SHA256 = "8cb34da1e27336f11a2c43f3f9c7433bd76f24f470c904724f06ad7f131d9e9f"
ATTESTATION = Path(__file__).parent / "data" / f"{WHEEL}.publish.attestation"
ISSUER = "https://oidc.circleci.com"
REPOSITORY = "github.com/CircleCI-Public/sign-and-publish-examples"


@pytest.fixture(scope="session")
def root() -> str:
    """The file of sigstore's roots that the installed sigstore brings."""
    sigstore = pytest.importorskip("sigstore")
    pytest.importorskip("pypi_attestations")
    folder = Path(sigstore.__file__).parent / "_store"
    (path,) = folder.glob("*sigstore.dev/trusted_root.json")
    return str(path)


def provenance() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(read_attestations([ATTESTATION], WHEEL, SHA256))
    return value


def judge(value: dict[str, Any], policy: AttestationPolicy | None = None) -> Verdict:
    (verdict,) = check_provenance(json.dumps(value).encode(), WHEEL, SHA256, policy)
    return verdict


def attestation_of(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = value["attestation_bundles"][0]["attestations"][0]
    return found


def test_a_provenance_holds_the_attestations_by_who_made_them() -> None:
    value = provenance()

    (bundle,) = value["attestation_bundles"]
    assert value["version"] == 1
    assert bundle["publisher"] == {
        "kind": "OIDC",
        "claims": {"issuer": ISSUER, "repository": REPOSITORY},
    }
    assert bundle["attestations"] == [json.loads(ATTESTATION.read_text())]


def test_without_a_policy_nothing_passes_for_verified() -> None:
    verdict = judge(provenance())

    assert verdict.state == NOT_CHECKED
    assert verdict.predicate_type.endswith("/attestations/publish/v1")
    assert verdict.reason


def test_a_real_attestation_is_verified_with_no_network(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network was asked")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)

    policy = AttestationPolicy(ISSUER, REPOSITORY, root)
    assert judge(provenance(), policy).state == VERIFIED


@pytest.mark.parametrize(
    ("issuer", "repository", "word"),
    [
        ("https://oidc.example", REPOSITORY, "OIDCIssuer"),
        (ISSUER, "github.com/somebody/else", "OIDCSourceRepositoryURI"),
    ],
    ids=["issuer", "repository"],
)
def test_an_attestation_of_somebody_else_is_refused(
    root: str, issuer: str, repository: str, word: str
) -> None:
    verdict = judge(provenance(), AttestationPolicy(issuer, repository, root))

    assert verdict.state == REFUSED
    assert word in verdict.reason


def test_other_roots_vouch_for_nothing(root: str) -> None:
    (other,) = Path(root).parents[1].glob("*sigstage.dev/trusted_root.json")
    policy = AttestationPolicy(ISSUER, REPOSITORY, str(other))

    assert judge(provenance(), policy).state == REFUSED


def _flip(part: dict[str, Any], name: str, place: float) -> None:
    data = bytearray(base64.b64decode(part[name]))
    data[int(place * len(data))] ^= 1
    part[name] = base64.b64encode(data).decode()


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9], ids=["head", "middle", "tail"])
@pytest.mark.parametrize(
    ("part", "name"),
    [
        (lambda a: a["envelope"], "signature"),
        (lambda a: a["envelope"], "statement"),
        (lambda a: a["verification_material"], "certificate"),
        (
            lambda a: a["verification_material"]["transparency_entries"][0],
            "canonicalizedBody",
        ),
        (
            lambda a: a["verification_material"]["transparency_entries"][0][
                "inclusionProof"
            ],
            "rootHash",
        ),
        (
            lambda a: a["verification_material"]["transparency_entries"][0][
                "inclusionPromise"
            ],
            "signedEntryTimestamp",
        ),
    ],
    ids=["signature", "statement", "certificate", "log entry", "proof", "promise"],
)
def test_an_attestation_that_was_changed_is_refused(
    root: str, part: Callable[[Any], dict[str, Any]], name: str, place: float
) -> None:
    value = copy.deepcopy(provenance())
    _flip(part(attestation_of(value)), name, place)

    policy = AttestationPolicy(ISSUER, REPOSITORY, root)
    assert judge(value, policy).state == REFUSED


def test_a_statement_that_was_rewritten_for_another_wheel_is_refused(
    root: str,
) -> None:
    value = provenance()
    envelope = attestation_of(value)["envelope"]
    statement = base64.b64decode(envelope["statement"]).decode()
    other = "0" * 64
    forged = statement.replace(SHA256, other)
    envelope["statement"] = base64.b64encode(forged.encode()).decode()

    (verdict,) = check_provenance(
        json.dumps(value).encode(),
        WHEEL,
        other,
        AttestationPolicy(ISSUER, REPOSITORY, root),
    )
    assert verdict.state == REFUSED


def test_an_attestation_of_another_file_is_not_published() -> None:
    for name, sha256, word in (
        (WHEEL.replace("0.0.1", "0.0.2"), SHA256, "it is about `circleci"),
        (WHEEL, "0" * 64, f"sha256 {SHA256}"),
    ):
        with pytest.raises(AttestationWrong, match=word) as caught:
            read_attestations([ATTESTATION], name, sha256)
        assert caught.value.key == str(ATTESTATION)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.pop(name)


@pytest.mark.parametrize(
    "spoil",
    [
        _without("version"),
        _without("envelope"),
        _without("verification_material"),
        lambda value: value.update(version=2),
        lambda value: value.update(version=True),
        lambda value: value["envelope"].update(statement="!"),
        lambda value: value["envelope"].update(statement="W10="),
        lambda value: value["verification_material"].update(transparency_entries=[]),
        lambda value: value["verification_material"].update(certificate="AAAA"),
    ],
    ids=[
        *("no version", "no envelope", "no material", "newer", "no number"),
        *("no base64", "no statement", "no log entry", "no certificate"),
    ],
)
def test_what_is_no_attestation_is_named(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    value = json.loads(ATTESTATION.read_text())
    spoil(value)
    path = tmp_path / "a.attestation"
    path.write_text(json.dumps(value))

    with pytest.raises(AttestationWrong) as caught:
        read_attestations([path], WHEEL, SHA256)

    assert caught.value.code == "ER3420"
    assert caught.value.reason


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"version": 1, "attestation_bundles": []}', b"\xff"]
)
def test_a_provenance_without_attestations_is_refused(data: bytes) -> None:
    (verdict,) = check_provenance(data, WHEEL, SHA256, None)

    assert verdict.state == REFUSED


def test_without_the_extra_a_genuine_attestation_is_not_checked() -> None:
    program = (
        "import sys; sys.modules['pypi_attestations'] = None\n"
        "from pathlib import Path\n"
        "from engineroom.store.attestations import *\n"
        f"path = Path({str(ATTESTATION)!r})\n"
        f"data = read_attestations([path], {WHEEL!r}, {SHA256!r})\n"
        f"policy = AttestationPolicy({ISSUER!r}, {REPOSITORY!r})\n"
        f"print(*check_provenance(data, {WHEEL!r}, {SHA256!r}, policy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert f"state='{NOT_CHECKED}'" in done.stdout
    assert "`pypi_attestations`, which is not installed" in done.stdout
