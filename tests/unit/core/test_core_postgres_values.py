"""PostgreSQL's values in Python, both ways, without a server."""

from __future__ import annotations

import datetime
import enum
import ipaddress
import struct
import sys
import uuid
from collections import namedtuple
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engineroom import Array, Interval, Multirange, Range, errors
from engineroom.core.postgres_values import adapt, convert

UTC = datetime.timezone.utc
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
ID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, DECIMAL = 6, 7, 8, 9, 10
UUID, JSON, INTERVAL, TIMETZ, NETWORK, NESTED = 11, 12, 13, 14, 15, 16


def i(value: int) -> bytes:
    return b"i" + struct.pack("=q", value)


def sized(tag: str, data: bytes) -> bytes:
    return tag.encode() + struct.pack("=I", len(data)) + data


def t(text: str) -> bytes:
    return sized("t", text.encode())


def many(tag: str, *values: bytes) -> bytes:
    return tag.encode() + struct.pack("=I", len(values)) + b"".join(values)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (many("["), []),
        (many("[", i(1), i(-2)), [1, -2]),
        (many("[", i(2**63 - 1), b"n"), [2**63 - 1, None]),
        (many("[", b"n", i(1)), [None, 1]),
        (many("[", many("[", i(1)), many("[", i(2))), [[1], [2]]),
        (many("[", b"f" + struct.pack("=d", 0.5)), [0.5]),
        (many("[", b"?\x01", b"?\x00"), [True, False]),
        (many("[", t("ä"), t("")), ["ä", ""]),
        (many("[", sized("b", b"\x00\xff")), [b"\x00\xff"]),
        (
            many("[", b"d" + struct.pack("=i", 19849)),
            [datetime.date(2024, 5, 6)],
        ),
        (many("[", b"d" + struct.pack("=i", 2**31 - 1)), ["infinity"]),
        (
            many("[", b"c" + struct.pack("=q", 3_600_000_001)),
            [datetime.time(1, 0, 0, 1)],
        ),
        (
            many("[", b"s" + struct.pack("=q", -1)),
            [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)],
        ),
        (
            many("[", b"z" + struct.pack("=q", 0)),
            [datetime.datetime(1970, 1, 1, tzinfo=UTC)],
        ),
        (many("[", sized("m", b"1.50")), [Decimal("1.50")]),
        (many("[", b"u" + ID.bytes), [ID]),
        (many("[", sized("j", b'{"a": [1]}')), [{"a": [1]}]),
        (many("[", b"v" + struct.pack("=qii", 1, 2, 3)), [Interval(3, 2, 1)]),
        (
            many("[", b"o" + struct.pack("=qi", 0, 19800)),
            [datetime.time(0, tzinfo=EAST)],
        ),
        (many("[", sized("w", b"::1")), [ipaddress.IPv6Address("::1")]),
        (many("(", i(1), t("a"), b"n"), (1, "a", None)),
        (many("(", many("(", i(1)), many("[", i(2))), ((1,), [2])),
        (b"r\x02" + i(1) + i(5), Range(1, 5)),
        (b"r\x06" + i(1) + i(5), Range(1, 5, "[]")),
        (b"r\x18nn", Range()),
        (b"r\x0cn" + i(5), Range(None, 5, "(]")),
        (b"r\x01nn", Range(empty=True)),
        (
            many("R", b"r\x02" + i(1) + i(2), b"r\x02" + i(5) + i(9)),
            Multirange([Range(1, 2), Range(5, 9)]),
        ),
        (many("R"), Multirange()),
        (
            many("h", t("a"), t("1"), t("b"), b"n")[:1]
            + struct.pack("=I", 2)
            + t("a")
            + t("1")
            + t("b")
            + b"n",
            {"a": "1", "b": None},
        ),
    ],
)
def test_tagged_bytes_are_read(data, value):
    found = convert(data, NESTED, "c", 1)
    assert found == value
    assert type(found) is type(value)
    assert str(found) == str(value)


def test_an_array_that_starts_elsewhere_tells_where():
    data = b"A" + struct.pack("=Iii", 2, 0, 3) + many("[", many("[", i(7), i(8)))
    found = convert(data, NESTED, "c", 1)
    assert found == Array([[7, 8]], (0, 3))
    assert adapt(found) == "[0:0][3:4]={{7,8}}"


@pytest.mark.parametrize(
    ("value", "declared", "made"),
    [
        (-719162, DATE, datetime.date(1, 1, 1)),
        (2932896, DATE, datetime.date(9999, 12, 31)),
        (2932897, DATE, "10000-01-01"),
        (-719163, DATE, "0001-12-31 BC"),
        (-735160, DATE, "0044-03-15 BC"),
        (2**31 - 1, DATE, "infinity"),
        (-(2**31), DATE, "-infinity"),
        (86_399_999_999, TIME, datetime.time(23, 59, 59, 999999)),
        (86_400_000_000, TIME, "24:00:00"),
        (253402300799999999, TIMESTAMP, datetime.datetime.max),
        (253402300800000000, TIMESTAMP, "10000-01-01 00:00:00"),
        (253402300800500000, TIMESTAMPTZ, "10000-01-01 00:00:00.5+00"),
        (-62135596800000000, TIMESTAMP, datetime.datetime.min),
        (-62135596800000001, TIMESTAMP, "0001-12-31 23:59:59.999999 BC"),
        (-62135596800000001, TIMESTAMPTZ, "0001-12-31 23:59:59.999999+00 BC"),
        (2**63 - 1, TIMESTAMP, "infinity"),
        (-(2**63), TIMESTAMPTZ, "-infinity"),
        ("NaN", DECIMAL, Decimal("NaN")),
        ("-Infinity", DECIMAL, Decimal("-Infinity")),
        ("1.10", DECIMAL, Decimal("1.10")),
        (ID.bytes, UUID, ID),
        (' {"a": null} ', JSON, {"a": None}),
        ("1e400", JSON, float("inf")),
        ('"x"', JSON, "x"),
        (struct.pack("=qii", -1, -2, -3), INTERVAL, Interval(-3, -2, -1)),
        (struct.pack("=qii", 2**63 - 1, 2**31 - 1, 2**31 - 1), INTERVAL, "infinity"),
        (struct.pack("=qii", -(2**63), -(2**31), -(2**31)), INTERVAL, "-infinity"),
        (struct.pack("=qi", 1, 19800), TIMETZ, datetime.time(0, 0, 0, 1, EAST)),
        (struct.pack("=qi", 86_400_000_000, -19800), TIMETZ, "24:00:00-05:30"),
        (struct.pack("=qi", 86_400_000_000, 0), TIMETZ, "24:00:00+00"),
        ("10.0.0.1", NETWORK, ipaddress.IPv4Address("10.0.0.1")),
        ("10.0.0.0/8", NETWORK, ipaddress.IPv4Network("10.0.0.0/8")),
        ("10.0.0.1/8", NETWORK, ipaddress.IPv4Interface("10.0.0.1/8")),
        ("fe80::1/128", NETWORK, ipaddress.IPv6Network("fe80::1/128")),
    ],
)
def test_a_value_is_made(value, declared, made):
    found = convert(value, declared, "c", 1)
    assert type(found) is type(made)
    assert str(found) == str(made)


def test_a_uuid_made_the_short_way_is_as_one_made_the_long_way():
    found = convert(ID.bytes, UUID, "c", 1)
    assert isinstance(found, uuid.UUID)
    assert found == ID
    assert hash(found) == hash(ID)
    assert found.is_safe is ID.is_safe
    assert found.hex == ID.hex


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 5000, "{"], ids=["deep", "long", "broken"]
)
def test_json_that_python_cannot_hold_names_its_row(text):
    if text.isdecimal() and not hasattr(sys, "set_int_max_str_digits"):
        pytest.skip("this Python reads integers of any length")
    with pytest.raises(errors.NotOfDeclaredType) as caught:
        convert(text, JSON, "doc", 7)
    assert "Row 7 of column `doc`" in caught.value.message
    assert "::text" in caught.value.hint
    assert len(caught.value.message) < 300


class Colour(enum.Enum):
    RED = "red"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "oid", "literal"),
    [
        (Decimal("1.50"), 1700, "1.50"),
        (Decimal("sNaN"), 1700, "NaN"),
        (Decimal("-Infinity"), 1700, "-Infinity"),
        (2**70, 1700, "1180591620717411303424"),
        (ID, 2950, "00112233-4455-6677-8899-aabbccddeeff"),
        (Colour.RED, 99999, "red"),
        (
            datetime.datetime(2024, 5, 6, 7, tzinfo=EAST),
            1184,
            "2024-05-06 07:00:00+05:30",
        ),
        (datetime.time(1, tzinfo=EAST), 1266, "01:00:00+05:30"),
        (
            datetime.datetime(
                2024, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(0, 0, 1))
            ),
            1184,
            "2024-01-01 00:59:59.999999+00:00",
        ),
        (datetime.timedelta(days=-1, seconds=1), 1186, "0 mons -1 days 00:00:01"),
        (Interval(1, -2, -3_600_000_001), 1186, "1 mons -2 days -01:00:00.000001"),
        (
            Interval(0, 0, -(2**63)),
            1186,
            "0 mons 0 days -9223372036854775808 microseconds",
        ),
        (ipaddress.ip_network("10.0.0.0/8"), 650, "10.0.0.0/8"),
        (ipaddress.ip_interface("10.0.0.1/8"), 869, "10.0.0.1/8"),
        ([], 1007, "{}"),
        (
            [1, None, 2**70, -1.5, Decimal("2")],
            1231,
            "{1,NULL,1180591620717411303424,-1.5,2}",
        ),
        ([[1, 2], [3, 4]], 1007, "{{1,2},{3,4}}"),
        ((1, 2), 1007, "{1,2}"),
        (
            ["", "NULL", 'a"b', "a\\b", "{}", "ä "],
            1009,
            '{"","NULL","a\\"b","a\\\\b","{}","ä "}',
        ),
        ([b"\x00\xff", bytearray(b"a")], 1001, '{"\\\\x00ff","\\\\x61"}'),
        ([True, False], 1000, '{"t","f"}'),
        ([Colour.RED], 99999, '{"red"}'),
        ([datetime.date(2024, 5, 6)], 1182, '{"2024-05-06"}'),
        ([float("inf"), float("nan")], 1022, "{inf,nan}"),
        ([(1, "a")], 99999, '{"(1,\\"a\\")"}'),
        ((1, None, "x,y", ""), 99999, '(1,,"x,y","")'),
        (Point(1, [2, 3]), 99999, '(1,"{2,3}")'),
        ((), 99999, "()"),
        (Range(1, 5), 3904, "[1,5)"),
        (Range(None, Decimal("1.5"), "(]"), 3906, "(,1.5]"),
        (Range(datetime.date(2024, 1, 1)), 3912, '["2024-01-01",)'),
        (Range(empty=True), 3904, "empty"),
        ([Range(1, 5)], 3905, '{"[1,5)"}'),
        (Multirange([Range(1, 2), Range(4)]), 4451, "{[1,2),[4,)}"),
        (Multirange(), 4451, "{}"),
        ({"a": 'x"y', "b": None}, 99999, '"a"=>"x\\"y","b"=>NULL'),
        ({}, 99999, ""),
        ({"a": [1, "ä"]}, 3802, '{"a": [1, "ä"]}'),
        ([1, {"b": None}], 114, '[1, {"b": null}]'),
        ((1,), 3802, "[1]"),
        ([{"a": 1}, None, [2]], 3807, '{"{\\"a\\": 1}",NULL,"[2]"}'),
        (Array([1, 2], (0,)), 1007, "[0:1]={1,2}"),
        (Array([1, 2]), 1007, "{1,2}"),
        (Array([], (5,)), 1007, "{}"),
        (None, 23, None),
        (memoryview(b"ab"), 17, b"ab"),
        (bytearray(b"ab"), 17, b"ab"),
    ],
)
def test_a_parameter_becomes_what_postgresql_reads(value, oid, literal):
    assert adapt(value, oid) == literal


@pytest.mark.parametrize(
    ("value", "oid"),
    [
        (object(), 25),
        ({1, 2}, 1007),
        ([object()], 1007),
        ({"a": 1}, 99999),
        ({1: "a"}, 99999),
        ({"a": object()}, 3802),
        ([lambda: 0], 3807),
    ],
    ids=["object", "set", "objects", "mapping", "keys", "object in json", "function"],
)
def test_what_has_no_form_is_refused_with_a_way_out(value, oid):
    with pytest.raises(errors.ParameterTypeUnsupported) as caught:
        adapt(value, oid)
    assert caught.value.hint


class _Zone(datetime.tzinfo):
    def utcoffset(self, when):
        return None if when is None else datetime.timedelta(hours=1)


def holding_itself():
    items: list = []
    items.append(items)
    return items


def deep(count: int):
    value: tuple = ()
    for _ in range(count):
        value = (value,)
    return value


@pytest.mark.parametrize(
    ("value", "oid"),
    [
        (datetime.time(1, tzinfo=_Zone()), 1266),
        (["a\0b"], 1009),
        ({"a": float("nan")}, 3802),
        (holding_itself(), 3802),
        (holding_itself(), 1007),
        (deep(100), 99999),
    ],
    ids=["zone", "zero", "nan", "itself-json", "itself-array", "deep"],
)
def test_a_value_without_a_form_is_refused(value, oid):
    with pytest.raises(errors.DataError) as caught:
        adapt(value, oid)
    assert caught.value.hint


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def unquote(text: str) -> str:
    assert text[0] == text[-1] == '"'
    out, chars = [], iter(text[1:-1])
    for char in chars:
        assert char != '"'
        out.append(next(chars) if char == "\\" else char)
    return "".join(out)


@given(texts)
def test_any_text_can_be_got_back_from_its_quotes(text):
    literal = adapt([text], 1009)
    assert isinstance(literal, str)
    assert unquote(literal[1:-1]) == text
    literal = adapt((text,), 99999)
    assert isinstance(literal, str)
    assert unquote(literal[1:-1]) == text
    literal = adapt([(text,)], 99999)
    assert isinstance(literal, str)
    assert unquote(unquote(literal[1:-1])[1:-1]) == text


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), texts)))
def test_lists_are_read_as_they_were_written(values):
    parts = [
        b"n" if v is None else i(v) if isinstance(v, int) else t(v) for v in values
    ]
    assert convert(many("[", *parts), NESTED, "c", 1) == values


@given(st.integers(-106751991, 106751991))
def test_days_become_the_calendars_text_and_back(days):
    """The text is checked by a second way to count: cycles of 400 years."""
    made = convert(days, DATE, "c", 1)
    shifted = days % 146097
    inside = datetime.date(1970, 1, 1) + datetime.timedelta(days=shifted)
    year = inside.year + (days - shifted) // 146097 * 400
    era = "" if year > 0 else " BC"
    shown = year if year > 0 else 1 - year
    assert str(made) == f"{shown:04}-{inside:%m-%d}{era}"
