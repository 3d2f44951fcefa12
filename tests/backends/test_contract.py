"""The contract between C and Python, read from the loaded module."""

from __future__ import annotations

from typing import Any

import pytest

from engineroom import errors
from engineroom.core.failure import STATUS_CLASSES, make_error
from engineroom.dbapi.types import TYPE_WORDS
from engineroom.loader import load_engine
from engineroom.loader.handshake import ABI_VERSION


@pytest.fixture(scope="module")
def engine() -> Any:
    return load_engine("sqlite")


def names_of(engine: Any, kind: str) -> dict[str, int]:
    return dict(engine.ffi.typeof(kind).relements)


def test_every_status_has_a_class(engine: Any) -> None:
    statuses = names_of(engine, "enum qe_status")
    assert statuses.pop("QE_OK") == 0
    for wish in ("QE_WANT_READ", "QE_WANT_WRITE"):  # no failures
        assert statuses.pop(wish) > 0
    assert set(STATUS_CLASSES) == set(statuses.values())


def test_every_type_has_a_word(engine: Any) -> None:
    types = names_of(engine, "enum qe_type")
    by_number = {number: name for name, number in types.items()}
    assert [by_number[n] for n in range(len(TYPE_WORDS))] == [
        f"QE_TYPE_{word.upper()}" for word in TYPE_WORDS
    ]
    assert len(types) == len(TYPE_WORDS)


def test_the_package_and_the_contract_have_the_same_number(engine: Any) -> None:
    assert engine.lib.qe_abi_version() == ABI_VERSION


def test_the_error_struct_is_of_fixed_size(engine: Any) -> None:
    assert engine.ffi.sizeof("qe_error") == 528


@pytest.mark.parametrize(
    ("native_code", "kind"),
    [
        (1, errors.SqlError),
        (5, errors.DatabaseLocked),
        (517, errors.DatabaseLocked),
        (8, errors.ReadOnly),
        (266, errors.StorageFailed),
        (11, errors.DatabaseCorrupt),
        (13, errors.StorageFailed),
        (18, errors.ValueTooBig),
        (2067, errors.ConstraintViolated),
        (26, errors.NotADatabase),
        (99, errors.DatabaseError),
    ],
)
def test_a_database_error_is_told_by_its_primary_code(
    native_code: int, kind: type[errors.Error]
) -> None:
    error = make_error(13, native_code, "HY000", -1, "went wrong", None, 0)
    assert type(error) is kind
    assert error.message == "Went wrong"


def test_running_out_of_memory_is_also_a_memory_error() -> None:
    error = make_error(1, 0, "", -1, "Out of memory: x", None, 0)
    assert isinstance(error, MemoryError)
    assert isinstance(error, errors.OperationalError)
