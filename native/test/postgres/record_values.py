"""Writes values.h: values as a real PostgreSQL sends them, with their text beside.

    python native/test/postgres/record_values.py "host=... dbname=..." > values.h

The database is scratch: a schema is made in it and dropped again. Each expression is
asked for twice, as it is and through `format('%s', ...)`, which gives what the type's
output function writes. Both come by `COPY ... (FORMAT binary)`: psql is all it takes.
What the catalog says of the types that the schema adds is asked with the query that the
engine has, taken from its source.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[2] / "src" / "qe_postgres_type.c"
_COPY_HEADER = 19
# No server has a type of this number.
_MISSING = "4294967295"

_SETUP = """
SET client_min_messages = error;
DROP SCHEMA IF EXISTS recorded CASCADE;
CREATE SCHEMA recorded;
SET search_path = recorded, public;
CREATE EXTENSION hstore SCHEMA recorded;
CREATE EXTENSION citext SCHEMA recorded;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TYPE pair AS (a int4, b text);
CREATE TYPE nest AS (p pair, m mood, l int4[], d numeric(10, 2));
CREATE TYPE priced AS (a int4, b money);
CREATE DOMAIN small AS int4 CHECK (VALUE < 100);
CREATE DOMAIN smalls AS int4[];
CREATE TYPE floats AS RANGE (subtype = float8);
CREATE TYPE moods AS RANGE (subtype = mood);
"""

_EXPRESSIONS = """
true
false
'\\xdeadbeef00'::bytea
''::bytea
'x'::"char"
'\\377'::"char"
'pg_class'::name
(-9223372036854775808)::int8
(-32768)::int2
2147483647
4294967295::oid
'4000000000'::xid
1.5::float8
'-0'::float8
'NaN'::float8
'Infinity'::float8
'-Infinity'::float4
0.1::float8
1e-7::float8
123456.789::float8
''::text
'naïve ☃ 🐘'::text
'ab '::char(5)
'<a>1</a>'::xml
'[1, {"a": null}]'::json
'{"b": [1.50, "x"], "a": true}'::jsonb
'00112233-4455-6677-8899-aabbccddeeff'::uuid
'2000-01-01'::date
'0001-01-01'::date
'0044-03-15 BC'::date
'4714-11-24 BC'::date
'5874897-12-31'::date
'infinity'::date
'-infinity'::date
'00:00'::time
'24:00'::time
'12:34:56.789'::time
'23:59:59.999999'::time
'1999-12-31 23:59:59.999999'::timestamp
'1969-12-31 23:59:59.5'::timestamp
'0001-12-31 10:00:00 BC'::timestamp
'4714-11-24 BC'::timestamp
'294246-12-31 23:59:59.999999'::timestamp
'infinity'::timestamp
'-infinity'::timestamptz
'2024-02-29 12:00:00+05:30'::timestamptz
'12:34:56.7+05:30'::timetz
'24:00:00-15:59:59'::timetz
'00:00+00'::timetz
'0'::interval
'1 year 2 mons 3 days 04:05:06.789'::interval
'-1 year 2 mons -3 days 04:05:06'::interval
'1 mon -1 day'::interval
'-00:00:00.000001'::interval
'-178000000 years'::interval
'2562047788:00:54.775807'::interval
0::numeric
0.000::numeric
-1::numeric
10000::numeric
12345678901234567890.0123456789::numeric
-0.00000000000000000012300::numeric
1e-40::numeric
1e40::numeric
'NaN'::numeric
'Infinity'::numeric
'-Infinity'::numeric
9999.9999::numeric(8, 4)
'10.0.0.1'::inet
'10.0.0.1/8'::inet
'10.0.0.0/8'::cidr
'10.1.2.3/32'::cidr
'::'::inet
'::1'::inet
'::2'::inet
'1::'::inet
'2001:db8::8:800:200c:417a'::inet
'1:0:0:2:0:0:0:3'::inet
'1:0:2:0:3:0:4:0'::inet
'::ffff:1.2.3.4'::inet
'::1.2.3.4'::inet
'2001:db8::/32'::cidr
'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'::inet
'{}'::int4[]
'{1,NULL,-3}'::int4[]
'{{1,2},{3,4}}'::int8[]
'{{{1},{2}},{{3},{NULL}}}'::int2[]
'[0:1]={5,6}'::int4[]
'[-2:-1][3:4]={{1,2},{3,4}}'::int4[]
'{a,"b c","NULL","","\\"q\\"","\\\\","{x}",NULL,"a,b"}'::text[]
'{t,f,NULL}'::bool[]
'{1.5,NaN,-Infinity}'::float8[]
'{1e15,123456789012345,1234567890123456,-1.5e-5,0.0001,1e-300,0,-0,2e22}'::float8[]
'{1.10,NaN,12345.678900}'::numeric[]
'{2024-01-01,infinity,"0044-03-15 BC"}'::date[]
'{12:00,24:00}'::time[]
'{"2024-01-01 10:00",infinity}'::timestamp[]
'{"2024-01-01 10:00+02"}'::timestamptz[]
'{"10:00+02"}'::timetz[]
'{"1 day","2 mons 00:00:01"}'::interval[]
'{00112233-4455-6677-8899-aabbccddeeff}'::uuid[]
'{"\\\\xdead",""}'::bytea[]
array['{"a": 1}'::jsonb, '[]', 'null']
array['{"a" : 1}'::json]
'{10.0.0.1,::1/64}'::inet[]
'{10.0.0.0/8}'::cidr[]
'{a,"",\\\\377}'::"char"[]
'1 2 3'::int2vector
'10 20'::oidvector
'[1,5)'::int4range
'empty'::int4range
'(,)'::int8range
'(,5)'::int8range
'[1.5,2.50]'::numrange
'["2024-01-01 10:00","2024-01-02 00:00")'::tsrange
'["2024-01-01 10:00+00",infinity]'::tstzrange
'[2024-01-01,)'::daterange
'{"[1,2)","empty",NULL}'::int4range[]
'{}'::int4multirange
'{[1,3),[5,9)}'::int4multirange
'{(,1),[2.5,)}'::nummultirange
array['{[1,3)}'::int4multirange]
'happy'::mood
'{sad,"it''s ok",NULL}'::mood[]
'(1,x)'::pair
'(,)'::pair
'(,"")'::pair
'(7,"a ""b"" (c), \\\\ d")'::pair
array['(1,x)'::pair, NULL, '(2,"y z")']
'("(1,""x y"")",happy,"{1,2}",3.10)'::nest
5::small
'{5,6}'::small[]
'{1,2}'::smalls
array['{1,2}'::smalls]
'[1.5,2)'::floats
'{[1,2),[3,4)}'::floats_multirange
'[sad,happy]'::moods
'a=>1, "b c"=>NULL, "q\\"x"=>"\\\\"'::hstore
''::hstore
array['a=>b'::hstore]
'MiXed'::citext
'{MiXed}'::citext[]
1234.5::money
'101'::bit(3)
'08:00:2b:01:02:03'::macaddr
'(1,2.5)'::point
'a b'::tsvector
'16/B374D848'::pg_lsn
'{$1.00,NULL,"-$1,234.50"}'::money[]
'[0:1][2:3]={{101,NULL},{000,111}}'::bit(3)[]
'{}'::macaddr[]
'{"08:00:2b:01:02:03"}'::macaddr[]
'{"(1,2.5)","(0,0)"}'::point[]
'{(2,2),(1,1);(4,4),(3,3)}'::box[]
array['a ''b\"c'' \\ d'::tsvector]
'{pg_class,pg_type}'::regclass[]
'(1,$2.00)'::priced
array['(1,$2.00)'::priced, NULL]
ROW(1, 'x'::text, NULL::int8, ARRAY[1.5])
array[ROW(1, true)]
"""


def _run(dsn: str, sql: str) -> bytes:
    command = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", dsn, "-f", "-")
    done = subprocess.run(command, input=sql.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode())
    return done.stdout


def _copy(dsn: str, select: str) -> list[list[bytes | None]]:
    """Return the rows of a query as COPY's binary format has them."""
    session = (
        "SET search_path = recorded, public; SET TimeZone = 'UTC'; "
        "SET DateStyle = ISO; SET IntervalStyle = postgres; "
    )
    data = _run(dsn, f"{session}COPY ({select}) TO STDOUT (FORMAT binary);")
    at = _COPY_HEADER
    rows: list[list[bytes | None]] = []
    while (count := int.from_bytes(data[at : at + 2], "big", signed=True)) >= 0:
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            size = int.from_bytes(data[at : at + 4], "big", signed=True)
            at += 4
            row.append(None if size < 0 else data[at : at + size])
            at += max(size, 0)
        rows.append(row)
    return rows


def _literal(data: bytes) -> str:
    """Write bytes as a C string that no compiler reads in another way."""
    shown = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in data
    )
    return f'"{shown}"'


def _types_query(oids: list[str]) -> str:
    source = _SOURCE.read_text(encoding="utf-8")
    body = source.split("QE_PG_TYPES_QUERY[] =", 1)[1].split(";", 1)[0]
    query = "".join(re.findall(r'"([^"]*)"', body))
    return query.replace("$1", "'{" + ",".join(oids) + "}'")


def _value_lines(expression: str, *parts: bytes | None) -> list[str]:
    """Write one row of the values, from its type, its bytes and its text."""
    oid, data, text = (part or b"" for part in parts)
    return [
        f"  {{{oid.decode()}, {len(data)}, {_literal(expression.encode())},",
        f"    {_literal(data)},",
        f"    {_literal(text)}}},",
    ]


def _record(dsn: str) -> list[str]:
    expressions = _EXPRESSIONS.strip().splitlines()
    shown = [f"format('%s', {expression})" for expression in expressions]
    numbers = [f"pg_typeof({expression})::oid::text" for expression in expressions]
    [values] = _copy(dsn, "SELECT " + ", ".join(expressions))
    [texts] = _copy(dsn, "SELECT " + ", ".join(shown))
    [oids] = _copy(dsn, "SELECT " + ", ".join(numbers))
    [told] = _copy(
        dsn, "SELECT 'priced'::regtype::oid::text, current_setting('server_version')"
    )
    priced, version = ((part or b"").decode() for part in told)
    known = sorted({(oid or b"").decode() for oid in oids}, key=int)
    lines = [
        f"/* Made by record_values.py with PostgreSQL {version}. */",
        "/* clang-format off */",
        "static const recorded_value VALUES[] = {",
    ]
    for row in zip(expressions, oids, values, texts):
        lines += _value_lines(*row)
    lines += ["};", "", "static const char *const CATALOG[][5] = {"]
    for cells in _copy(dsn, _types_query([*known, priced, _MISSING])):
        lines.append("  {" + ", ".join(_literal(cell or b"") for cell in cells) + "},")
    return [*lines, "};", "/* clang-format on */", ""]


def main(dsn: str) -> None:
    """Record the values and write the header file."""
    _run(dsn, _SETUP)
    sys.stdout.write("\n".join(_record(dsn)))
    _run(dsn, "SET client_min_messages = error; DROP SCHEMA recorded CASCADE;")


if __name__ == "__main__":
    main(sys.argv[1])
