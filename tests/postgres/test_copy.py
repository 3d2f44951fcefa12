"""COPY in and out: rows of every type, bytes, files."""

from __future__ import annotations

import datetime
import enum
import io
import ipaddress
import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import Interval, errors

from .copies import FORMATS, MIXED, UTC, make, make_database, mixed, stored, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .cluster import Cluster

EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


@pytest.fixture(scope="module")
def url(cluster: Cluster) -> str:
    return make_database(cluster)


@pytest.fixture
def connection(url: str) -> Iterator[engineroom.Connection]:
    with engineroom.connect(url, autocommit=True) as opened:
        yield opened


@pytest.mark.parametrize("form", FORMATS)
def test_rows_arrive_as_they_are(connection: engineroom.Connection, form: str) -> None:
    rows = mixed(5000)
    make(connection, MIXED)
    with connection.copy_in(f"COPY t FROM STDIN (FORMAT {form})") as copy:
        assert copy.write_rows(iter(rows[:2000])) == 2000
        assert copy.write_rows([list(row) for row in rows[2000:]]) == 3000
    assert copy.rowcount == 5000
    assert stored(connection) == rows


class Colour(enum.Enum):
    SAD = "sad"


BINARY_VALUES = [
    ("int2", -(2**15), None),
    ("int2", True, 1),
    ("int4", 2**31 - 1, None),
    ("int8", -(2**63), None),
    ("oid", 2**32 - 1, None),
    ("float4", 1.5, None),
    ("float8", float("inf"), None),
    ("float8", 2**60, float(2**60)),
    ("float8", Decimal("0.1"), 0.1),
    ("float8", True, 1.0),
    ("numeric", False, Decimal(0)),
    ("bool", False, None),
    ("text", "ä\n\t\\€😀\"',", None),
    ("text", "", None),
    ("text", "\\N", None),
    ("varchar(3)", "abc", None),
    ("char(4)", "ab", "ab  "),
    ('"char"', "x", None),
    ("name", "n", None),
    ("bytea", b"\x00\xff", None),
    ("bytea", bytearray(b"\x00\xff"), b"\x00\xff"),
    ("date", datetime.date(1, 1, 1), None),
    ("date", "infinity", None),
    ("time", datetime.time(23, 59, 59, 999999), None),
    ("time", "24:00:00", None),
    ("timetz", datetime.time(1, 2, 3, 4, EAST), None),
    ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4), None),
    ("timestamp", datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29)),
    ("timestamptz", datetime.datetime(9999, 12, 31, tzinfo=UTC), None),
    ("timestamptz", datetime.datetime(2024, 1, 1, tzinfo=EAST), None),
    ("numeric", Decimal("-123456789012345678901234567890.000123456789"), None),
    ("numeric", Decimal("0.00"), None),
    ("numeric", Decimal("1e-20"), None),
    ("numeric", Decimal("1.5e+30"), Decimal(15 * 10**29)),
    ("numeric", 10**25, Decimal(10**25)),
    ("numeric", 10000, Decimal(10000)),
    ("numeric", 0.1, Decimal("0.1")),
    ("numeric(10,2)", Decimal("3.14"), None),
    ("uuid", uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), None),
    ("json", {"a": [1, None, "ä"]}, None),
    ("jsonb", {"a": [1, None, "ä"]}, None),
    ("interval", Interval(-1, 2, -3), None),
    ("interval", Interval(2**31 - 1, -(2**31), 2**53 + 1), None),
    ("inet", ipaddress.ip_address("10.1.2.3"), None),
    ("inet", ipaddress.ip_interface("fe80::1/64"), None),
    ("cidr", ipaddress.ip_network("10.0.0.0/8"), None),
    ("mood", "all right", None),
    ("mood", Colour.SAD, "sad"),
    ("positive", 7, None),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    BINARY_VALUES,
    ids=[f"{name}-{index}" for index, (name, *_) in enumerate(BINARY_VALUES)],
)
def test_every_type_goes_in(
    connection: engineroom.Connection,
    type_name: str,
    value: object,
    expected: object,
    form: str,
) -> None:
    make(connection, f"a {type_name}")
    statement = f"COPY t (a) FROM STDIN (FORMAT {form})"
    with connection.copy_in(statement) as copy:
        copy.write_rows([(value,), (None,)])
    assert copy.rowcount == 2
    wanted = value if expected is None else expected
    assert values(connection) == [wanted, None]
    # And out again.
    with connection.copy_out("COPY (SELECT a FROM t) TO STDOUT (FORMAT binary)") as out:
        assert list(out.rows()) == [(wanted,), (None,)]
    assert out.rowcount == 2


NESTED_VALUES = [
    ("int4[]", [[1, 2], [3, None]]),
    ("text[]", ["a,b", 'c"d', "\\", "NULL", None]),
    ("int4range", engineroom.Range(1, 5)),
    ("hstore", {"a": None, "b": "c d"}),
    ("bit(3)", "101"),
    ("macaddr", "08:00:2b:01:02:03"),
]


@pytest.mark.parametrize("form", ["text", "csv"])
@pytest.mark.parametrize(("type_name", "value"), NESTED_VALUES)
def test_what_has_only_a_text_form_goes_in_as_text(
    connection: engineroom.Connection, type_name: str, value: object, form: str
) -> None:
    make(connection, f"a {type_name}")
    with connection.copy_in(f"COPY t FROM STDIN (FORMAT {form})") as copy:
        copy.write_rows([(value,), (None,)])
    assert values(connection) == [value, None]


@pytest.mark.parametrize(("type_name", "value"), NESTED_VALUES)
def test_what_has_only_a_text_form_is_refused_in_binary(
    connection: engineroom.Connection, type_name: str, value: object
) -> None:
    make(connection, f"a {type_name}")
    with (
        pytest.raises(errors.DataError, match=r"Column `a`: .*binary format"),
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write_rows([(None,), (value,)])
    assert values(connection) == []


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("int2", 2**15),
        ("int4", 1.5),
        ("int8", "twelve"),
        ("float4", 1e39),
        ("bool", 2),
        ("date", "tomorrow"),
        ("timestamptz", datetime.datetime(2024, 1, 1)),
        ("timestamp", datetime.datetime(2024, 1, 1, tzinfo=UTC)),
        ("uuid", "0011"),
        ("inet", "10.1.2"),
        ("numeric", "1_000"),
        ("text", "a\0b"),
        ("text", b"bytes"),
        ("interval", "1 day"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_column_and_row(
    connection: engineroom.Connection, type_name: str, value: object
) -> None:
    make(connection, f"a int, word {type_name}")
    with (
        pytest.raises(errors.DataError, match="Column `word`") as caught,
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write_rows([*((i, None) for i in range(1500)), (1500, value)])
    assert "1501" in str(caught.value)
    assert stored(connection) == []
    assert connection.execute("SELECT 42").fetchone() == (42,)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_may_be_copied(connection: engineroom.Connection, form: str) -> None:
    make(connection, MIXED)
    with connection.copy_in(f"COPY t FROM STDIN (FORMAT {form})") as copy:
        pass
    assert copy.rowcount == 0
    with connection.copy_in(f"COPY t FROM STDIN (FORMAT {form})") as copy:
        assert copy.write_rows([]) == 0
    assert copy.rowcount == 0
    with connection.copy_out(f"COPY t TO STDOUT (FORMAT {form})") as out:
        b"".join(out)
    assert out.rowcount == 0


def test_columns_are_those_that_are_named(connection: engineroom.Connection) -> None:
    make(connection, "a int, \"b (c\" text, d text DEFAULT 'new'")
    statement = '/* one ( */ COPY t ("b (c", a) FROM STDIN WITH (FORMAT binary)'
    with connection.copy_in(statement) as copy:
        copy.write_rows([("x", 1)])
    assert stored(connection) == [(1, "x", "new")]


def test_generated_columns_have_to_be_left_out(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int, b int GENERATED ALWAYS AS (a + 1) STORED")
    with (
        pytest.raises(errors.Misuse, match="name the columns"),
        connection.copy_in("COPY t FROM STDIN (FORMAT binary)"),
    ):
        pytest.fail("the COPY began")
    with connection.copy_in("COPY t (a) FROM STDIN (FORMAT binary)") as copy:
        copy.write_rows([(1,)])
    assert stored(connection) == [(1, 2)]


def test_a_table_that_was_altered_is_asked_about_again(
    connection: engineroom.Connection,
) -> None:
    statement = "COPY t FROM STDIN (FORMAT binary)"
    make(connection, "a int4")
    with connection.copy_in(statement) as copy:
        copy.write_rows([(1,)])
    connection.execute("ALTER TABLE t ALTER a TYPE float4")
    with (
        pytest.raises(errors.DatabaseError, match="may be run again"),
        connection.copy_in(statement),
    ):
        pytest.fail("the COPY began")
    with connection.copy_in(statement) as copy:
        copy.write_rows([(2,)])
    assert stored(connection) == [(1.0,), (2.0,)]


def test_adapters_and_converters_are_heeded(connection: engineroom.Connection) -> None:
    class Money:
        def __init__(self, cents: int) -> None:
            self.cents = cents

    make(connection, "a int8")
    connection.register_adapter(Money, lambda money: money.cents)
    connection.register_converter("int8", Money)
    with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
        copy.write_rows([(Money(5),)])
    with connection.copy_out("COPY t TO STDOUT (FORMAT binary)") as out:
        assert [money.cents for (money,) in out.rows()] == [5]


def test_options_that_change_the_format_are_for_bytes(
    connection: engineroom.Connection,
) -> None:
    make(connection, "a int, b text")
    statement = "COPY t FROM STDIN (FORMAT csv, DELIMITER ';', HEADER)"
    with connection.copy_in(statement) as copy:
        with pytest.raises(errors.NotSupportedError):
            copy.write_rows([(1, "x")])
        copy.write(b"a;b\n1;x\n")
    assert stored(connection) == [(1, "x")]


def test_rows_of_the_wrong_width_are_refused(connection: engineroom.Connection) -> None:
    make(connection, "a int, b int")
    for row in [(1,), (1, 2, 3), "ab", {"a": 1, "b": 2}]:
        with (
            pytest.raises(errors.ParameterError),
            connection.copy_in("COPY t FROM STDIN") as copy,
        ):
            copy.write_rows([(1, 2), row])
    assert stored(connection) == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_every_kind_are_cut_anywhere(
    connection: engineroom.Connection, kind: Callable[[bytes], bytes]
) -> None:
    make(connection, "a int, b text")
    data = b"".join(b"%d\t%s\n" % (i, b"x" * 90) for i in range(30000))
    with connection.copy_in("COPY t FROM STDIN") as copy:
        copy.write(kind(data[:1]))
        copy.write(kind(data[1:]))
        copy.write(kind(b""))
    assert copy.rowcount == 30000


def test_files_go_in_and_out(connection: engineroom.Connection, tmp_path: Path) -> None:
    rows = mixed(3000)
    make(connection, MIXED)
    with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
        copy.write_rows(rows)
    path = tmp_path / "t.csv"
    with (
        path.open("wb") as file,
        connection.copy_out("COPY t TO STDOUT (FORMAT csv, HEADER)") as out,
    ):
        assert out.write_to(file) == file.tell()
    connection.execute("TRUNCATE t")
    with (
        path.open("rb") as file,
        connection.copy_in("COPY t FROM STDIN (FORMAT csv, HEADER)") as copy,
    ):
        while block := file.read(10000):
            copy.write(block)
    assert stored(connection) == rows


def test_rows_come_out_typed_in_blocks(connection: engineroom.Connection) -> None:
    rows = mixed(5000)
    make(connection, MIXED)
    with connection.copy_in("COPY t FROM STDIN (FORMAT binary)") as copy:
        copy.write_rows(rows)
    with connection.copy_out(
        "COPY (SELECT * FROM t ORDER BY a) TO STDOUT (FORMAT binary)"
    ) as out:
        assert list(out.rows()) == rows
        assert list(out.rows()) == []
        assert out.read() == b""
    assert out.rowcount == 5000


def test_nested_values_come_out_typed(connection: engineroom.Connection) -> None:
    query = (
        "SELECT ARRAY[[1, 2], [3, NULL]], int4range(1, 5), 'a=>1'::hstore, ROW(1, 'x')"
    )
    with connection.copy_out(f"COPY ({query}) TO STDOUT (FORMAT binary)") as out:
        rows = list(out.rows())
    assert rows == connection.execute(query).fetchall()


def test_types_without_a_binary_reader_are_refused_as_rows(
    connection: engineroom.Connection,
) -> None:
    with (
        connection.copy_out("COPY (SELECT 1::money) TO STDOUT (FORMAT binary)") as out,
        pytest.raises(errors.DataError, match="cast it to text"),
    ):
        next(out.rows())
    with (
        connection.copy_out("COPY (SELECT 1) TO STDOUT") as out,
        pytest.raises(errors.NotSupportedError),
    ):
        next(out.rows())


@pytest.mark.parametrize("autocommit", [True, False])
def test_leaving_early_keeps_the_connection(url: str, autocommit: bool) -> None:
    statement = "COPY (SELECT generate_series(1, 3000000)) TO STDOUT"
    with engineroom.connect(url, autocommit=autocommit) as connection:
        with connection.copy_out(statement) as out:
            assert out.read()
        assert connection.execute("SELECT 42").fetchone() == (42,)
        with pytest.raises(ZeroDivisionError), connection.copy_out(statement) as out:
            assert out.read()
            raise ZeroDivisionError
        connection.rollback()
        assert connection.execute("SELECT 43").fetchone() == (43,)


def test_a_query_that_fails_midway_says_so(connection: engineroom.Connection) -> None:
    statement = (
        "COPY (SELECT 10000 / (9999 - i) FROM generate_series(1, 10000) i) TO STDOUT"
    )
    with (
        pytest.raises(errors.DataError, match="ivision by zero"),
        connection.copy_out(statement) as out,
    ):
        out.write_to(io.BytesIO())
    assert connection.execute("SELECT 42").fetchone() == (42,)


def test_the_examples_of_the_guide_run(
    connection: engineroom.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow has no wheel for this Python")
    guide = Path(__file__).resolve().parents[2] / "docs" / "guides" / "copy.md"
    blocks = re.findall(r"^```py\n(.*?)^```$", guide.read_text("utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    Path("items.csv").write_text("id,name,price\n3,nut,0.25\n", encoding="utf-8")
    connection.execute("CREATE TEMP TABLE items (id int8, name text, price numeric)")
    names = {
        "connection": connection,
        "rows": [(1, "bolt", Decimal("1.50"))],
        "table": pa.table({"id": [2], "name": ["ring"], "price": [Decimal("2.00")]}),
    }
    for block in blocks:
        exec(compile(block, str(guide), "exec"), names)
    assert names["total"] == Decimal("3.75")
    assert Path("out.csv").read_bytes() == b"1,bolt,1.50\n2,ring,2.00\n3,nut,0.25\n"
