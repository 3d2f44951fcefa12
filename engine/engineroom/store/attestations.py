"""Attestations of wheels (PEP 740): who built this file, as a CI system's log has it.

An attestation is made in CI and published beside its wheel. What it says of the wheel
is checked here from its JSON alone; that it is genuine is checked with sigstore, with
no network: the certificate, the signature, the log's inclusion proof and promise are
all in the attestation, and the roots to hold them against are in a file. What was not
checked is told as such, and never passes for checked.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from engineroom.errors import AttestationWrong, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "NOT_CHECKED",
    "REFUSED",
    "VERIFIED",
    "AttestationPolicy",
    "Verdict",
    "check_provenance",
    "read_attestations",
]

VERIFIED, REFUSED, NOT_CHECKED = "verified", "refused", "not checked"

_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_GITHUB = "https://token.actions.githubusercontent.com"
_BYTES_MAX = 4 << 20
_EXTENSION = "1.3.6.1.4.1.57264.1."  # Fulcio's, see its docs/oid-info.md
_ISSUER, _REPOSITORY, _CONFIG = "8", "12", "18"


@dataclass(frozen=True)
class AttestationPolicy:
    """Whose attestations count.

    Attributes:
        issuer: who vouched for the builder, such as a CI system's OIDC address.
        repository: the address of the source repository that was built.
        trusted_root_path: the file of sigstore's roots; None for those that the
            installed sigstore brings.
    """

    issuer: str
    repository: str
    trusted_root_path: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What is to be thought of one attestation.

    Attributes:
        state: `verified`, `refused`, or `not checked` where only its words were read.
        predicate_type: what it attests to, such as a publish; empty if unreadable.
        reason: why it was refused or could not be checked; empty when verified.
    """

    state: str
    predicate_type: str
    reason: str = ""


def read_attestations(paths: Iterable[Path], file_name: str, sha256: str) -> bytes:
    """Make the provenance object of a wheel from the attestations CI made for it.

    Args:
        paths: files such as `NAME.whl.publish.attestation`.
        file_name: the wheel's name.
        sha256: the wheel's hash.

    Raises:
        AttestationWrong: one cannot be read, or is not about this wheel.
        MissingExtra: cryptography is not installed, which reads who made them.
    """
    bundles: dict[str, dict[str, Any]] = {}
    for path in paths:
        value = _read(path)
        try:
            _check_words(value, file_name, sha256)
            publisher = _publisher_of(value)
        except ValueError as error:
            raise AttestationWrong(str(path), str(error)) from error
        empty: dict[str, Any] = {"publisher": publisher, "attestations": []}
        bundle = bundles.setdefault(json.dumps(publisher, sort_keys=True), empty)
        bundle["attestations"].append(value)
    provenance = {"version": 1, "attestation_bundles": list(bundles.values())}
    return json.dumps(provenance, ensure_ascii=False, sort_keys=True).encode()


def check_provenance(
    data: bytes, file_name: str, sha256: str, policy: AttestationPolicy | None
) -> tuple[Verdict, ...]:
    """Check every attestation of a provenance object, without a network.

    Args:
        data: the object, as it is stored beside the wheel.
        file_name: the wheel's name.
        sha256: the wheel's hash.
        policy: whose attestations count; without one no signature is checked.
    """
    try:
        items = _attestations_of(data)
    except (ValueError, RecursionError) as error:
        return (Verdict(REFUSED, "", f"the provenance cannot be read: {error}"),)
    if not items:
        return (Verdict(REFUSED, "", "the provenance holds no attestation"),)
    return tuple(_judge(item, file_name, sha256, policy) for item in items)


def _judge(
    item: Any, file_name: str, sha256: str, policy: AttestationPolicy | None
) -> Verdict:
    try:
        predicate_type = _check_words(item, file_name, sha256)
    except ValueError as error:
        return Verdict(REFUSED, "", str(error))
    if policy is None:
        reason = "no policy says whose attestations count"
        return Verdict(NOT_CHECKED, predicate_type, reason)
    try:
        _verify(item, policy)
    except ImportError as error:
        return Verdict(NOT_CHECKED, predicate_type, _missing_extra(error).message)
    except Exception as error:  # sigstore and pydantic have many; each is a refusal
        reason = f"{type(error).__name__}: {error}"
        return Verdict(REFUSED, predicate_type, reason)
    return Verdict(VERIFIED, predicate_type)


def _verify(item: Any, policy: AttestationPolicy) -> None:
    """Check certificate, signature and log entry against the roots and the policy."""
    # By name: the types that are checked here do not need these packages installed.
    attestations = import_module("pypi_attestations")
    models, policies = (
        import_module("sigstore.models"),
        import_module("sigstore.verify.policy"),
    )
    verify = import_module("sigstore.verify")
    if policy.trusted_root_path is None:
        verifier = verify.Verifier.production(offline=True)
    else:
        root = models.TrustedRoot.from_file(policy.trusted_root_path)
        verifier = verify.Verifier(trusted_root=root)
    wanted = policies.AllOf(
        [
            policies.OIDCIssuerV2(policy.issuer),
            policies.OIDCSourceRepositoryURI(policy.repository),
        ]
    )
    bundle = attestations.Attestation.model_validate(item).to_bundle()
    _, payload = verifier.verify_dsse(bundle, wanted)
    if payload != _statement_of(item):
        raise ValueError("what is signed is not the statement that was read")


def _read(path: Path) -> Any:
    try:
        with open(path, "rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise AttestationWrong(str(path), reason) from error
    if len(data) > _BYTES_MAX:
        raise AttestationWrong(str(path), f"it has more than {_BYTES_MAX} bytes")
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise AttestationWrong(str(path), f"it is no JSON: {error}") from error


def _check_words(item: Any, file_name: str, sha256: str) -> str:
    """Check all that an attestation says in clear words; give what it attests to.

    Raises:
        ValueError: it is malformed, or about another file.
    """
    if _within(item, "version", int) != 1:
        raise ValueError(f"its version is {item['version']}, and 1 is known")
    material = _within(item, "verification_material", dict)
    _decoded(material, "certificate")
    if not _within(material, "transparency_entries", list):
        raise ValueError("no transparency log has an entry of it")
    _decoded(_within(item, "envelope", dict), "signature")
    statement = json.loads(_statement_of(item).decode())
    if _within(statement, "_type", str) != _STATEMENT_TYPE:
        raise ValueError(f"its statement is a `{statement['_type']}`")
    subjects = _within(statement, "subject", list)
    if len(subjects) != 1:
        raise ValueError(f"it is about {len(subjects)} files")
    name = _within(subjects[0], "name", str)
    if name != file_name:
        raise ValueError(f"it is about `{name}`, not `{file_name}`")
    found = _within(_within(subjects[0], "digest", dict), "sha256", str)
    if found != sha256:
        raise ValueError(f"it is about a file of sha256 {found}, not {sha256}")
    return str(_within(statement, "predicateType", str))


def _attestations_of(data: bytes) -> list[Any]:
    value = json.loads(data.decode())
    if _within(value, "version", int) != 1:
        raise ValueError(f"its version is {value['version']}, and 1 is known")
    bundles = _within(value, "attestation_bundles", list)
    return [one for bundle in bundles for one in _within(bundle, "attestations", list)]


def _statement_of(item: Any) -> bytes:
    return _decoded(_within(item, "envelope", dict), "statement")


def _within(value: Any, name: str, kind: type[Any]) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"what should hold `{name}` is no object")
    found = cast("dict[str, Any]", value).get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ValueError(f"`{name}` is missing or no {kind.__name__}")
    return found


def _decoded(value: Any, name: str) -> bytes:
    try:
        # Some writers break the lines.
        text = "".join(_within(value, name, str).split())
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"`{name}` is no base64: {error}") from error


def _publisher_of(item: Any) -> dict[str, Any]:
    """Say who made an attestation, in the words of its certificate."""
    try:
        from cryptography import x509
    except ImportError as error:
        raise _missing_extra(error) from error
    der = _decoded(item["verification_material"], "certificate")
    certificate = x509.load_der_x509_certificate(der)
    texts = {
        one.oid.dotted_string[len(_EXTENSION) :]: _text_of_der(one.value.public_bytes())
        for one in certificate.extensions
        if one.oid.dotted_string.startswith(_EXTENSION)
        and one.oid.dotted_string[len(_EXTENSION) :] in (_ISSUER, _REPOSITORY, _CONFIG)
    }
    issuer, repository = texts.get(_ISSUER, ""), texts.get(_REPOSITORY, "")
    if issuer != _GITHUB:
        claims = {"issuer": issuer, "repository": repository}
        return {"kind": "OIDC", "claims": claims}
    workflow = texts.get(_CONFIG, "").rpartition("@")[0].rpartition("/")[2]
    slug = "/".join(repository.split("/")[-2:])
    return {"kind": "GitHub", "claims": None, "repository": slug, "workflow": workflow}


def _text_of_der(der: bytes) -> str:
    """Read a DER UTF8String; longer ones than Fulcio writes are refused."""
    head = 3 if der[1:2] == b"\x81" else 2
    if der[:1] != b"\x0c" or der[head - 1] != len(der) - head:
        raise ValueError("its certificate has an extension that is no text")
    return der[head:].decode()


def _missing_extra(error: ImportError) -> MissingExtra:
    package = (error.name or "cryptography").partition(".")[0]
    return MissingExtra("Checking attestations", package, "attestations")
