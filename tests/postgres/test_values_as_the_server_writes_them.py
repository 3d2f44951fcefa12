"""Values that nobody chose, decoded by the engine and written by the server.

A composite becomes Arrow text by way of every decoder and of the writer of nested
values, so comparing it with the server's own cast to text holds both to what the server
means. The values are random with a seed that is set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import engineroom

pa: Any = pytest.importorskip("pyarrow")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

ROWS = 5000

# Every expression is asked anew for each row: `i` keeps it from being a constant.
VALUES = {
    "numeric": "((random() - 0.5) * 10 ^ (random() * 40 - 20)::int)::numeric"
    " * 10::numeric ^ ((random() * 30)::int - 15)",
    "numeric_of_a_scale": "round((random() * 1e9)::numeric, (random() * 12)::int - 4)",
    "interval": "make_interval("
    "months => ((random() - 0.5) * (10 ^ (random() * 8))::int)::int,"
    " days => ((random() - 0.5) * (10 ^ (random() * 9))::int)::int)"
    " + ((random() - 0.5) * 10 ^ (random() * 17))::bigint * interval '1 microsecond'",
    "timestamptz": "timestamptz '2000-01-01 00:00+00'"
    " + ((random() - 0.5) * 10 ^ (random() * 17))::bigint * interval '1 microsecond'",
    "date": "date '2000-01-01' + ((random() - 0.001) * 2e9)::int",
    "timetz": "(time '00:00' + (random() * 86399999999)::bigint"
    " * interval '1 microsecond' || (CASE WHEN random() < 0.5 THEN '+' ELSE '-' END)"
    " || lpad((random() * 15)::int::text, 2, '0')"
    " || ':' || lpad((random() * 59)::int::text, 2, '0'))::timetz",
    "inet": "((SELECT string_agg("
    "CASE WHEN random() < 0.5 THEN '0' ELSE to_hex((random() * 65535)::int) END, ':')"
    " FROM generate_series(1, 8) WHERE i IS NOT NULL)"
    " || '/' || (random() * 128)::int)::inet",
    "text_to_quote": "(SELECT coalesce(string_agg(chr((random() * 94)::int + 32), ''),"
    " '') FROM generate_series(1, (random() * 6)::int) WHERE i IS NOT NULL)",
}

# The server writes a digit more than it takes for a few of these.
FLOATS = {
    "float8": "(random() - 0.5) * 10::float8 ^ ((random() * 600)::int - 300)",
    "float8_of_few_digits": "round((random() * 1e6)::numeric, 3)::float8"
    " * 10::float8 ^ ((random() * 30)::int - 15)",
}

FORMS = {
    "composite": "ROW(v, v)",
    "array": "ROW(ARRAY[v, v])",
    "composites_in_arrays": "ARRAY[ARRAY[ROW(v)], ARRAY[ROW(v)]]",
}


def numbers_in(text: str) -> list[float]:
    """The floats of a value, whatever stands around them."""
    return [float(part) for part in re.findall(r"[-+.\de]+", text)]


@pytest.fixture(scope="module")
def connection(cluster: Cluster) -> Iterator[engineroom.Connection]:
    """A connection whose session writes times in UTC and has a seed."""
    opened = engineroom.connect(cluster.url())
    cursor = opened.cursor()
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute("SELECT setseed(0.42)")
    cursor.fetchall()
    opened.commit()
    yield opened
    opened.close()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_random_values_have_the_text_that_the_server_gives_them(
    connection: engineroom.Connection, value: str, form: str
) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT {form}, CAST({form} AS text) FROM"
        f" (SELECT {value} AS v FROM generate_series(1, {ROWS}) i OFFSET 0) made"
    )
    table = pa.table(cursor.fetch_arrow())
    ours, theirs = (column.to_pylist() for column in table.columns)
    assert len(ours) == ROWS
    assert len(set(ours)) > ROWS // 100
    assert [pair for pair in zip(ours, theirs) if pair[0] != pair[1]] == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("value", FLOATS.values(), ids=FLOATS)
def test_random_floats_are_the_numbers_that_the_server_writes(
    connection: engineroom.Connection, value: str, form: str
) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT {form}, CAST({form} AS text) FROM"
        f" (SELECT {value} AS v FROM generate_series(1, {ROWS}) i OFFSET 0) made"
    )
    table = pa.table(cursor.fetch_arrow())
    ours, theirs = (column.to_pylist() for column in table.columns)
    assert [numbers_in(text) for text in ours] == [numbers_in(text) for text in theirs]


@pytest.mark.parametrize(
    "value", [*VALUES.values(), *FLOATS.values()], ids=[*VALUES, *FLOATS]
)
def test_random_values_go_out_and_come_back_the_same(
    connection: engineroom.Connection, value: str
) -> None:
    cursor = connection.cursor()
    cursor.execute(
        f"SELECT pg_typeof(v)::text, v FROM"
        f" (SELECT {value} AS v FROM generate_series(1, 200) i OFFSET 0) made"
    )
    for name, one in cursor.fetchall():
        cursor.execute(f"SELECT CAST(? AS {name}), CAST(? AS {name}[])", (one, [one]))
        assert cursor.fetchall() == [(one, [one])]
