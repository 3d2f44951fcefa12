"""COPY of Arrow: every type, every way that batches are cut."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .copies import FORMATS, MIXED, UTC, make, make_database, mixed, stored, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")

EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return make_database(cluster)


@pytest.fixture
def connection(url: str) -> Iterator[engineroom.Connection]:
    with engineroom.connect(url, autocommit=True) as opened:
        yield opened


def arrow_in(
    connection: engineroom.Connection, data: object, form: str = "binary"
) -> int:
    with connection.copy_in(f"COPY t FROM STDIN (FORMAT {form})") as copy:
        written = copy.write_arrow(data)  # type: ignore[arg-type]
    assert copy.rowcount == written
    return written


CLOCK = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456)
ARROW_VALUES = [
    ("int2", pa.int8(), -128, None),
    ("int4", pa.int16(), -(2**15), None),
    ("int4", pa.int32(), 2**31 - 1, None),
    ("int8", pa.int64(), -(2**63), None),
    ("int4", pa.uint8(), 255, None),
    ("int4", pa.uint16(), 65535, None),
    ("int8", pa.uint32(), 2**32 - 1, None),
    ("numeric", pa.uint64(), 2**64 - 1, Decimal(2**64 - 1)),
    ("float4", pa.float32(), 1.5, None),
    ("float8", pa.float64(), 0.1, None),
    ("bool", pa.bool_(), True, None),
    ("int2", pa.bool_(), True, 1),
    ("text", pa.string(), "ä, much longer than twelve bytes", None),
    ("text", pa.large_string(), "ä", None),
    ("bytea", pa.binary(), b"\x00\xff", None),
    ("bytea", pa.large_binary(), b"", None),
    ("bytea", pa.binary(3), b"abc", None),
    ("uuid", pa.binary(16), b"\x11" * 16, uuid.UUID(bytes=b"\x11" * 16)),
    ("jsonb", pa.string(), '{"a": 1}', {"a": 1}),
    ("date", pa.date32(), datetime.date(1969, 12, 31), None),
    ("date", pa.date64(), datetime.date(2024, 2, 29), None),
    ("time", pa.time32("s"), datetime.time(1, 2, 3), None),
    ("time", pa.time32("ms"), datetime.time(1, 2, 3, 4000), None),
    ("time", pa.time64("us"), datetime.time(1, 2, 3, 4), None),
    ("time", pa.time64("ns"), datetime.time(1, 2, 3, 4), None),
    ("timestamp", pa.timestamp("s"), CLOCK.replace(microsecond=0), None),
    ("timestamp", pa.timestamp("ms"), CLOCK.replace(microsecond=5000), None),
    ("timestamp", pa.timestamp("us"), CLOCK, None),
    ("timestamp", pa.timestamp("ns"), CLOCK, None),
    ("timestamptz", pa.timestamp("us", "UTC"), CLOCK.replace(tzinfo=UTC), None),
    ("timestamptz", pa.timestamp("us", "+05:30"), CLOCK.replace(tzinfo=EAST), None),
    (
        "numeric",
        pa.decimal128(38, 10),
        Decimal("-9876543210987654321.0123456789"),
        None,
    ),
    ("numeric", pa.decimal128(5, 0), Decimal("99999"), None),
    ("numeric", pa.decimal128(3, 3), Decimal("-0.001"), None),
    ("numeric", pa.decimal128(38, 0), Decimal(10**38 - 1), None),
    ("text", pa.dictionary(pa.int8(), pa.string()), "word", None),
    ("numeric", pa.dictionary(pa.uint16(), pa.decimal128(9, 2)), Decimal("1.25"), None),
]
for _name in ("string_view", "binary_view"):
    if hasattr(pa, _name):
        _long = "much longer than twelve bytes"
        ARROW_VALUES.append(
            ("text", pa.string_view(), _long, None)
            if _name == "string_view"
            else ("bytea", pa.binary_view(), b"short", None)
        )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("type_name", "arrow_type", "value", "expected"),
    ARROW_VALUES,
    ids=[f"{name}-{arrow}" for name, arrow, *_ in ARROW_VALUES],
)
def test_every_arrow_type_goes_in(
    connection: engineroom.Connection,
    type_name: str,
    arrow_type: pa.DataType,
    value: object,
    expected: object,
    form: str,
) -> None:
    make(connection, f"a {type_name}")
    if pa.types.is_dictionary(arrow_type):
        column = pa.DictionaryArray.from_arrays(
            pa.array([1, None], arrow_type.index_type),
            pa.array([None, value], arrow_type.value_type),
        )
    else:
        column = pa.array([value, None], arrow_type)
    assert arrow_in(connection, pa.table({"a": column}), form) == 2
    assert values(connection) == [value if expected is None else expected, None]


def arrow_table(count: int) -> pa.Table:
    columns = [list(column) for column in zip(*mixed(count))]
    return pa.table(
        {
            "a": pa.array(columns[0], pa.int64()),
            "b": pa.array(columns[1]),
            "c": pa.array(columns[2]),
            "d": pa.array(columns[3]),
            "e": pa.array(columns[4], pa.timestamp("us", "UTC")),
            "f": pa.array(columns[5], pa.int32()),
        }
    )


def test_chunked_sliced_and_empty_batches_go_in(
    connection: engineroom.Connection,
) -> None:
    rows = mixed(4000)
    table = arrow_table(4000)
    make(connection, MIXED)
    empty = table.slice(0, 0)
    chunked = pa.concat_tables(
        [
            empty,
            table.slice(0, 3),
            empty,
            table.slice(3, 1000),
            table.slice(1003),
            empty,
        ]
    )
    assert arrow_in(connection, chunked) == 4000
    assert stored(connection) == rows
    connection.execute("TRUNCATE t")
    batch = table.combine_chunks().to_batches()[0].slice(13, 777)
    reader = pa.RecordBatchReader.from_batches(table.schema, [batch.slice(1, 700)])
    assert arrow_in(connection, reader) == 700
    assert stored(connection) == rows[14:714]
    connection.execute("TRUNCATE t")
    assert arrow_in(connection, empty) == 0


def test_a_sliced_dictionary_and_a_sliced_struct_keep_their_offsets(
    connection: engineroom.Connection,
) -> None:
    words = pa.array([f"w{i % 7}" for i in range(100)]).dictionary_encode()
    make(connection, "a text, b int")
    table = pa.table({"a": words, "b": pa.array(range(100))}).slice(37, 20)
    assert arrow_in(connection, table) == 20
    wanted = [(f"w{i % 7}", i) for i in range(37, 57)]
    assert connection.execute("SELECT * FROM t ORDER BY b").fetchall() == wanted


def test_arrow_columns_are_found_by_name_else_by_place(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int, b int")
    arrow_in(connection, pa.table({"b": [2], "a": [1]}))
    arrow_in(connection, pa.table({"x": [3], "y": [4]}))
    assert stored(connection) == [(1, 2), (3, 4)]


def test_a_result_is_copied_into_another_connection(
    connection: engineroom.Connection, url: str
) -> None:
    rows = mixed(2500)
    make(connection, MIXED)
    with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
        copy.write_rows(rows)
    with engineroom.connect(url, autocommit=True) as other:
        make(other, MIXED)
        arrow_in(other, connection.execute("SELECT * FROM t").fetch_arrow())
        assert stored(other) == rows


@pytest.mark.parametrize(
    ("type_name", "column", "message"),
    [
        ("int4", pa.array(["x"]), "Column `a` is of type int4"),
        ("text", pa.array([b"x"]), "Column `a` is of type text"),
        ("text", pa.array([[1]]), "Arrow type `\\+l`"),
        ("text", pa.array([1], pa.duration("s")), "Arrow type `tDs`"),
        ("int4[]", pa.array([1]), "Column `a` is of type"),
        ("timestamptz", pa.array([CLOCK]), "timestamp without a zone"),
    ],
)
def test_arrow_types_that_do_not_fit_are_refused_before_anything_is_sent(
    connection: engineroom.Connection, type_name: str, column: pa.Array, message: str
) -> None:
    make(connection, f"a {type_name}")
    with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
        with pytest.raises(errors.DataError, match=message):
            copy.write_arrow(pa.table({"a": column}))
        # Nothing was sent, so the COPY can go on.
        copy.write_rows([(None,)])
    assert values(connection) == [None]


@pytest.mark.parametrize(
    ("type_name", "column", "message"),
    [
        ("int2", pa.array([1, 70000]), "int2"),
        ("timestamp", pa.array([0, 1], pa.timestamp("ns")), "more exact"),
        ("timestamp", pa.array([0, 2**62], pa.timestamp("s")), "too far from 1970"),
        ("date", pa.array([0, 1], pa.date64()), "time of day"),
    ],
)
def test_arrow_values_that_would_lose_something_are_refused(
    connection: engineroom.Connection, type_name: str, column: pa.Array, message: str
) -> None:
    make(connection, f"a {type_name}")
    with pytest.raises(errors.DataError, match=message):
        arrow_in(connection, pa.table({"a": column}))
    assert values(connection) == []


def test_a_stream_that_fails_ends_the_copy(connection: engineroom.Connection) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from arrow_table(500).to_batches()
        raise ValueError("the source is broken")

    make(connection, MIXED)
    reader = pa.RecordBatchReader.from_batches(arrow_table(1).schema, batches())
    with pytest.raises(errors.Error, match="the source is broken"):
        arrow_in(connection, reader)
    assert stored(connection) == []
