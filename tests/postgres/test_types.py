"""Every type, to the server and back, and what users add to the conversions."""

from __future__ import annotations

import datetime
import enum
import ipaddress
import pickle
import uuid
from collections import namedtuple
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naming import case_name

import engineroom
from engineroom import Array, Interval, Multirange, Range, errors

from .cluster import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9, 123, UTC)
CLOCK = datetime.datetime(2024, 5, 6, 7, 8, 9, 123)
HARD = ["", "NULL", 'a"b', "a\\b", "{},()", " ä\n", "€😀'"]

OWN_TYPES = """
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE TYPE part AS (number int, word text, list int[], moment timestamptz);
    CREATE TYPE mood AS ENUM ('sad', 'all right');
    CREATE DOMAIN positive AS int CHECK (value > 0);
    CREATE TYPE textrange AS RANGE (subtype = text);
"""


@pytest.fixture(scope="module")
def connection(cluster: Cluster) -> Iterator[engineroom.Connection]:
    """A connection to a database with types of its own."""
    cluster.run(f"CREATE DATABASE types OWNER {OWNER}")
    url = cluster.url(database="types")
    with engineroom.connect(url, autocommit=True) as opened:
        opened.executescript(OWN_TYPES)
        yield opened


def there_and_back(
    connection: engineroom.Connection, value: object, type_name: str
) -> object:
    row = connection.execute(f"SELECT ?::{type_name}", (value,)).fetchone()
    assert row is not None
    return row[0]


SAME = [
    ("bool", [True, False]),
    ("int2", [0, 2**15 - 1, -(2**15)]),
    ("int4", [2**31 - 1, -(2**31)]),
    ("int8", [2**63 - 1, -(2**63)]),
    ("oid", [0, 2**32 - 1]),
    ("float4", [1.5, float("inf"), -0.0]),
    ("float8", [0.1, float("-inf"), 1e308]),
    ("numeric", [Decimal("1.50"), Decimal("-0.001"), Decimal("9" * 1000)]),
    ("numeric", [Decimal("Infinity"), Decimal("-Infinity")]),
    ("text", HARD),
    ("varchar(9)", HARD),
    ("name", ["ä"]),
    ("bytea", [b"", b"\x00\xff", bytes(range(256)) * 99]),
    ("date", [datetime.date(2024, 5, 6), datetime.date.min, datetime.date.max]),
    ("time", [datetime.time(1, 2, 3, 4), datetime.time.max]),
    ("timetz", [datetime.time(1, 2, 3, 4, EAST), datetime.time(0, tzinfo=UTC)]),
    ("timestamp", [CLOCK, datetime.datetime.min, datetime.datetime.max]),
    ("timestamptz", [MOMENT]),
    ("interval", [Interval(1, -2, -3_600_000_001), Interval()]),
    ("interval", [Interval(2**31 - 2, 2**31 - 2, 2**63 - 2)]),
    ("interval", [Interval(-(2**31) + 1, 1, -(2**63))]),
    ("uuid", [ID]),
    ("jsonb", [{"a": [1, None, 'ä\\"']}, [1, [2]], []]),
    ("json", [{"a": {"b": 0.5}}, [True]]),
    ("inet", [ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1")]),
    ("inet", [ipaddress.ip_interface("10.0.0.1/8")]),
    ("cidr", [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fe80::/64")]),
    ("int4[]", [[], [1, None, -2], [[1, 2], [3, 4]], [[[1]], [[None]]]]),
    ("int4[]", [Array([[7, 8]], (0, 3)), Array([1], (-5,))]),
    ("float8[]", [[0.5, float("inf"), None]]),
    ("text[]", [HARD, [None, "x"], [HARD, HARD]]),
    ("bool[]", [[True, None, False]]),
    ("bytea[]", [[b"", b"\x00\xff"]]),
    ("numeric[]", [[Decimal("1.50"), None]]),
    ("date[]", [[datetime.date.min, None]]),
    ("time[]", [[datetime.time.max]]),
    ("timetz[]", [[datetime.time(1, tzinfo=EAST)]]),
    ("timestamp[]", [[CLOCK, datetime.datetime.max]]),
    ("timestamptz[]", [[MOMENT]]),
    ("interval[]", [[Interval(1, 2, 3)]]),
    ("uuid[]", [[ID, None]]),
    ("jsonb[]", [[{"a": ['"\\']}, None, [1, [2]]]]),
    ("inet[]", [[ipaddress.ip_address("::1")]]),
    ("int4range", [Range(1, 5), Range(empty=True), Range(None, 3), Range()]),
    ("numrange", [Range(Decimal("1.5"), Decimal(2), "(]")]),
    ("daterange", [Range(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1))]),
    ("tsrange", [Range(CLOCK, datetime.datetime.max, "[]")]),
    ("tstzrange", [Range(MOMENT, None, "()")]),
    ("textrange", [Range('a"', "b,\\", "[]")]),
    ("int4range[]", [[Range(1, 5), None]]),
    ("int8multirange", [Multirange([Range(1, 2), Range(4)]), Multirange()]),
    ("tsmultirange", [Multirange([Range(CLOCK, datetime.datetime.max)])]),
    ("hstore", [{}, {"a": 'x"y\\', "b": None, "": "=>"}]),
    ("hstore[]", [[{"a": None}, {}]]),
    ("part", [(1, 'x,"y\\ ()', [2, None], MOMENT), (None, "", None, None)]),
    ("part[]", [[(1, word, [], MOMENT) for word in HARD]]),
    ("mood", ["sad", "all right"]),
    ("mood[]", [["sad", None]]),
    ("positive", [5]),
    ("positive[]", [[1, 2]]),
    ("money", ["$1.00"]),
    ("macaddr", ["08:00:2b:01:02:03"]),
    ("bit(3)", ["101"]),
    ("varbit", ["", "10"]),
    ("point", ["(1,2)"]),
    ("pg_lsn", ["16/B374D848"]),
    ("xml", ["<a/>"]),
    ("text", [None]),
]


@pytest.mark.parametrize(
    ("type_name", "value"),
    [(name, value) for name, values in SAME for value in values],
    ids=case_name,
)
def test_a_value_comes_back_as_it_went(connection, type_name, value):
    found = there_and_back(connection, value, type_name)
    assert found == value
    assert type(found) is type(value)
    if type_name != "hstore":  # which has an order of its own
        assert repr(found) == repr(value)


def test_a_uuid_is_whole_though_it_was_made_the_short_way(connection):
    found = there_and_back(connection, ID, "uuid")
    assert isinstance(found, uuid.UUID)
    assert (found, hash(found), found.hex) == (ID, hash(ID), ID.hex)
    assert found.is_safe is uuid.SafeUUID.unknown
    assert pickle.loads(pickle.dumps(found)) == ID
    with pytest.raises(TypeError):
        found.int = 1


class Mood(enum.Enum):
    GOOD = "all right"


Part = namedtuple("Part", "number word list moment")


@pytest.mark.parametrize(
    ("type_name", "value", "back"),
    [
        ("numeric", 2**70, Decimal(2**70)),
        ("numeric", Decimal("1E+3"), Decimal(1000)),
        ("numeric", "1.10", Decimal("1.10")),
        ("float8", 3, 3.0),
        ("bytea", bytearray(b"a"), b"a"),
        ("bytea", memoryview(b"a"), b"a"),
        (
            "timestamptz",
            datetime.datetime(2024, 5, 6, 7, tzinfo=EAST),
            datetime.datetime(2024, 5, 6, 1, 30, tzinfo=UTC),
        ),
        ("interval", datetime.timedelta(days=-1, seconds=1), Interval(0, -1, 10**6)),
        ("int4[]", (1, 2), [1, 2]),
        ("mood", Mood.GOOD, "all right"),
        ("mood[]", [Mood.GOOD], ["all right"]),
        ("part", Part(1, "a", None, None), (1, "a", None, None)),
        ("int4range", Range(1, 5, "[]"), Range(1, 6)),
        (
            "int4multirange",
            Multirange([Range(4, 9), Range(1, 5)]),
            Multirange([Range(1, 9)]),
        ),
        ("jsonb", "[1]", [1]),
        ("date", "2024-05-06", datetime.date(2024, 5, 6)),
        ("uuid", str(ID), ID),
        ("json", (1, 2), [1, 2]),
        (
            "inet",
            ipaddress.ip_interface("10.0.0.0/8"),
            ipaddress.ip_network("10.0.0.0/8"),
        ),
    ],
    ids=case_name,
)
def test_a_value_of_another_class_is_understood(connection, type_name, value, back):
    found = there_and_back(connection, value, type_name)
    assert found == back
    assert type(found) is type(back)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("date", "infinity"),
        ("date", "-infinity"),
        ("date", "0044-03-15 BC"),
        ("date", "10000-01-01"),
        ("time", "24:00:00"),
        ("timetz", "24:00:00+05:30"),
        ("timetz", "24:00:00-00:00:01"),
        ("timestamp", "infinity"),
        ("timestamp", "10000-01-01 00:00:00.5"),
        ("timestamp", "4713-01-01 00:00:00 BC"),
        ("timestamptz", "-infinity"),
        ("timestamptz", "0001-12-31 23:59:59.999999+00 BC"),
    ],
)
def test_what_python_cannot_hold_comes_as_the_servers_text(connection, type_name, text):
    assert there_and_back(connection, text, type_name) == text
    assert there_and_back(connection, [text], f"{type_name}[]") == [text]
    connection.execute("SET timezone = 'UTC'")
    row = connection.execute(f"SELECT (?::{type_name})::text", (text,)).fetchone()
    assert row == (text,)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1))
quick = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(texts, st.lists(st.one_of(st.none(), texts)), st.lists(numbers))
def test_any_text_comes_back_from_wherever_it_lay(connection, text, words, numbers):
    assert there_and_back(connection, words, "text[]") == words
    part = (None, text, numbers, None)
    assert there_and_back(connection, part, "part") == part
    assert there_and_back(connection, [part], "part[]") == [part]
    assert there_and_back(connection, {text: text, "k": None}, "hstore") == {
        text: text,
        "k": None,
    }
    assert there_and_back(connection, {"a": [text]}, "jsonb") == {"a": [text]}


@quick
@given(st.decimals(allow_nan=False, allow_infinity=False, places=9))
def test_any_decimal_keeps_its_digits(connection, number):
    found = there_and_back(connection, number, "numeric")
    assert found == number
    # A zero has no sign there.
    assert f"{found:f}" == f"{number or abs(number):f}"


@quick
@given(
    st.one_of(
        st.tuples(
            st.integers(-(2**30), 2**30),
            st.integers(-(2**30), 2**30),
            st.integers(-(2**62), 2**62),
        )
    )
)
def test_any_interval_comes_back(connection, parts):
    assert there_and_back(connection, Interval(*parts), "interval") == Interval(*parts)


class Temperature:
    def __init__(self, degrees: Decimal) -> None:
        self.degrees = degrees


class Kelvin(Temperature):
    """Below a class that has an adapter."""


@pytest.fixture
def fresh(
    cluster: Cluster, connection: engineroom.Connection
) -> Iterator[engineroom.Connection]:
    """Another connection to the database that has the types."""
    assert not connection.closed
    with engineroom.connect(cluster.url(database="types"), autocommit=True) as opened:
        yield opened


def test_adapters_and_converters_of_a_connection_serve_it_alone(fresh, connection):
    fresh.register_adapter(Temperature, lambda one: one.degrees)
    fresh.register_converter("numeric", float)
    fresh.register_converter("MOOD", Mood)
    sql = "SELECT ?::numeric, ?::mood, NULL::mood, 1"
    values = (Kelvin(Decimal("1.5")), Mood.GOOD)
    assert fresh.execute(sql, values).fetchall() == [(1.5, Mood.GOOD, None, 1)]
    assert fresh.execute(sql, values).fetchone() == (1.5, Mood.GOOD, None, 1)
    assert list(fresh.execute(sql, values)) == [(1.5, Mood.GOOD, None, 1)]
    assert fresh.execute(sql, values).fetchmany(5) == [(1.5, Mood.GOOD, None, 1)]
    with pytest.raises(errors.ParameterTypeUnsupported) as caught:
        connection.execute(sql, values)
    assert "register_adapter" in caught.value.hint


def test_adapters_reach_into_lists_and_every_row(fresh):
    engineroom.register_adapter(Temperature, lambda one: one.degrees)
    try:
        degrees = [Temperature(Decimal(1)), Kelvin(Decimal(2))]
        found = there_and_back(fresh, degrees, "numeric[]")
        assert found == [Decimal(1), Decimal(2)]
        fresh.execute("CREATE TEMP TABLE reading (degrees numeric)")
        rows = [{"one": one} for one in degrees]
        fresh.executemany("INSERT INTO reading VALUES (:one)", rows)
        assert fresh.execute("SELECT sum(degrees) FROM reading").fetchone() == (3,)
    finally:
        engineroom.register_adapter(Temperature, None)


def test_a_value_the_server_refuses_is_an_error_of_its_kind(connection):
    with pytest.raises(errors.NumericValueOutOfRange):
        there_and_back(connection, 2**31, "int4")
    with pytest.raises(errors.InvalidTextRepresentation) as caught:
        there_and_back(connection, "furious", "mood")
    assert isinstance(caught.value, errors.DataError)
    with pytest.raises(errors.CheckViolation) as violated:
        there_and_back(connection, -5, "positive")
    assert violated.value.data_type_name == "positive"
    assert violated.value.constraint_name == "positive_check"


def test_what_arrow_cannot_hold_comes_with_advice_for_this_database(connection):
    cursor = connection.execute("SELECT 'infinity'::date AS a")
    with pytest.raises(errors.NotOfDeclaredType) as caught:
        cursor.fetch_arrow()
    assert "column `a` holds `infinity`" in caught.value.message
    assert "types=stored" not in caught.value.hint
    assert "column::text" in caught.value.hint
    given = connection.execute("SELECT 'infinity'::date::text AS a").fetch_arrow()
    assert hasattr(given, "__arrow_c_stream__")
