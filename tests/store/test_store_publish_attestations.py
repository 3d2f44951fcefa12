"""Attestations on their way: published with their wheel, and shown on its pages.

The one used here is real but for its subject, which no signature covers any more;
whether one is genuine is another file's matter.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engineroom.errors import AttestationWrong
from engineroom.store import publish, read_project, read_store, repair

from .wheels import make_wheel

if TYPE_CHECKING:
    from engineroom.store import Transport

REAL = next((Path(__file__).parent / "data").glob("*.publish.attestation"))


def attest(wheel: Path) -> Path:
    """Write an attestation whose words are about a wheel."""
    value = json.loads(REAL.read_text())
    statement = json.loads(base64.b64decode(value["envelope"]["statement"]))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    statement["subject"] = [{"name": wheel.name, "digest": {"sha256": digest}}]
    text = json.dumps(statement).encode()
    value["envelope"]["statement"] = base64.b64encode(text).decode()
    path = wheel.with_name(f"{wheel.name}.publish.attestation")
    path.write_text(json.dumps(value))
    return path


def test_an_attestation_is_stored_beside_its_wheel_and_on_its_pages(
    transport: Transport, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    published = publish(transport, [wheel], attestations=[attest(wheel)])
    (file,) = published.commits[0].new
    assert file.provenance_sha256 is not None
    stored = transport.get("json/widget/index.json")
    assert stored is not None
    address = json.loads(stored.data)["files"][0]["provenance"]
    provenance = transport.get(address.replace("../", ""))
    assert provenance is not None
    assert hashlib.sha256(provenance.data).hexdigest() == file.provenance_sha256
    assert publish(transport, [wheel]).commits[0].new == ()
    again = publish(transport, [wheel], attestations=[attest(wheel)])
    assert again.commits[0].new == ()
    assert repair(transport).problems == ()


def test_an_attestation_about_another_file_stops_the_publish(
    transport: Transport, tmp_path: Path
) -> None:
    one, two = (make_wheel(tmp_path, version=version) for version in ("1.0", "2.0"))
    wrong = attest(one).rename(tmp_path / f"{two.name}.publish.attestation")
    with pytest.raises(AttestationWrong, match="widget-1"):
        publish(transport, [two], attestations=[wrong])
    with pytest.raises(AttestationWrong, match="none of the wheels"):
        publish(transport, [one], attestations=[wrong])
    assert list(transport.list("")) == []


def test_an_attestation_that_comes_after_its_wheel_is_not_dropped_in_silence(
    transport: Transport, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path)
    publish(transport, [wheel])
    with pytest.raises(AttestationWrong, match="published without these"):
        publish(transport, [wheel], attestations=[attest(wheel)])
    project = read_project(transport, read_store(transport), "widget")
    assert project.files[0].provenance_sha256 is None
