"""Servers that lie: a clear error for each lie, and neither a crash nor a long wait."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

import engineroom
from engineroom import errors

from .hostile import (
    INT4,
    TEXT,
    Talk,
    data_row,
    hostile,
    message,
    notice,
    row_description,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engineroom import Connection

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

SOON_SECONDS = 5.0
BOOL, BYTEA, NAME, INT8, FLOAT8 = 16, 17, 19, 20, 701
JSON, JSONB, UUID, INET, NUMERIC = 114, 3802, 2950, 869, 1700
DATE, TIME, TIMESTAMP, TIMESTAMPTZ, INTERVAL, TIMETZ = (
    1082,
    1083,
    1114,
    1184,
    1186,
    1266,
)
INT4_ARRAY, TEXT_ARRAY, INT4_RANGE, INT4_MULTIRANGE = 1007, 1009, 3904, 4451
RECORD = 2249
DONE = message(b"C", b"SELECT 1\0")
HUGE = 0x7FFFFFFF


@contextmanager
def visit(script: Callable[[Talk], None], **options: object) -> Iterator[Connection]:
    """Give a connection to a server that plays the script."""
    with hostile(script) as server:
        url = server.url(**options)
        with closing(engineroom.connect(url, autocommit=True)) as connection:
            yield connection


def ints(*values: int) -> bytes:
    return struct.pack(f"!{len(values)}i", *values)


def one_value(oid: int, value: bytes | None) -> tuple[int, bytes]:
    return oid, data_row(value) + DONE


def array(dimensions: int, element: int, *sizes: int, body: bytes = b"") -> bytes:
    """Return an array's head, which promises sizes, and whatever follows."""
    head = struct.pack("!iiI", dimensions, 0, element)
    return head + b"".join(ints(size, 1) for size in sizes) + body


# What a type of fixed size, or with a head, is sent in place of a value.
WRONG_VALUES = {
    "bool of no byte": (BOOL, b""),
    "bool of two bytes": (BOOL, b"\1\1"),
    "int4 of three bytes": (INT4, b"\0\0\1"),
    "int4 of eight bytes": (INT4, b"\0" * 8),
    "int8 of four bytes": (INT8, b"\0" * 4),
    "float8 of seven bytes": (FLOAT8, b"\0" * 7),
    "text that is not UTF-8": (TEXT, b"\xff\xfe\xfd"),
    "text cut within a character": (TEXT, "é".encode()[:1]),
    "name that is not UTF-8": (NAME, b"\xc0\x80"),
    "json that is not UTF-8": (JSON, b'"\xff"'),
    "jsonb of no byte": (JSONB, b""),
    "jsonb of an unknown version": (JSONB, b"\2{}"),
    "uuid of fifteen bytes": (UUID, b"\0" * 15),
    "date of two bytes": (DATE, b"\0\0"),
    "time of four bytes": (TIME, b"\0" * 4),
    "time beyond the day": (TIME, struct.pack("!q", 1 << 60)),
    "time before the day": (TIME, struct.pack("!q", -1)),
    "timestamp of nine bytes": (TIMESTAMP, b"\0" * 9),
    "timestamptz of no byte": (TIMESTAMPTZ, b""),
    "interval of twelve bytes": (INTERVAL, b"\0" * 12),
    "timetz of eight bytes": (TIMETZ, b"\0" * 8),
    "inet of no byte": (INET, b""),
    "inet of an unknown family": (INET, bytes([9, 32, 0, 4]) + b"\x7f\0\0\1"),
    "inet with too few bytes": (INET, bytes([2, 32, 0, 4]) + b"\x7f\0"),
    "inet with too long a mask": (INET, bytes([2, 200, 0, 4]) + b"\x7f\0\0\1"),
    "inet that lies about its size": (INET, bytes([2, 32, 0, 16]) + b"\x7f\0\0\1"),
    "numeric of three bytes": (NUMERIC, b"\0\0\0"),
    "numeric without its digits": (NUMERIC, struct.pack("!hhHh", 30000, 0, 0, 0)),
    "numeric with a negative count": (NUMERIC, struct.pack("!hhHh", -1, 0, 0, 0)),
    "numeric of an unknown sign": (NUMERIC, struct.pack("!hhHh", 0, 0, 0x1234, 0)),
    "numeric with a digit of 99999": (
        NUMERIC,
        struct.pack("!hhHhH", 1, 0, 0, 0, 60000),
    ),
    "numeric with a negative scale": (NUMERIC, struct.pack("!hhHh", 0, 0, 0, -5)),
    "array of three dimensions without data": (
        INT4_ARRAY,
        array(3, INT4, 1000, 1000, 1000),
    ),
    "array of huge dimensions": (INT4_ARRAY, array(2, INT4, HUGE, HUGE)),
    "array of dimensions that wrap": (
        INT4_ARRAY,
        array(2, INT4, 1 << 16, 1 << 16),
    ),
    "array of a negative size": (INT4_ARRAY, array(1, INT4, -1)),
    "array of negative dimensions": (INT4_ARRAY, array(-1, INT4)),
    "array of seven dimensions": (INT4_ARRAY, array(7, INT4, *[1] * 7)),
    "array of a billion dimensions": (INT4_ARRAY, array(1 << 30, INT4)),
    "array without its head": (INT4_ARRAY, b"\0\0\0\1"),
    "array of another type": (
        INT4_ARRAY,
        array(1, TEXT, 1, body=ints(4) + b"abcd"),
    ),
    "array with an element too long": (
        INT4_ARRAY,
        array(1, INT4, 1, body=ints(HUGE)),
    ),
    "array with an element too short": (
        INT4_ARRAY,
        array(1, INT4, 1, body=ints(2) + b"\0\0"),
    ),
    "array with an element of size -2": (INT4_ARRAY, array(1, INT4, 1, body=ints(-2))),
    "array with bytes behind it": (
        INT4_ARRAY,
        array(1, INT4, 1, body=ints(4, 42) + b"more"),
    ),
    "array with text that is not UTF-8": (
        TEXT_ARRAY,
        array(1, TEXT, 1, body=ints(1) + b"\xff"),
    ),
    "range of no byte": (INT4_RANGE, b""),
    "range without its bounds": (INT4_RANGE, b"\2"),
    "range with a bound too long": (INT4_RANGE, b"\2" + ints(HUGE)),
    "range with bytes behind it": (INT4_RANGE, b"\1more"),
    "multirange of huge count": (INT4_MULTIRANGE, ints(HUGE)),
    "multirange of negative count": (INT4_MULTIRANGE, ints(-1)),
    "record of huge count": (RECORD, ints(HUGE)),
    "record of negative count": (RECORD, ints(-7)),
    "record with a value too long": (RECORD, ints(1, INT4, HUGE)),
}


@pytest.mark.parametrize(
    ("oid", "value"), WRONG_VALUES.values(), ids=list(WRONG_VALUES)
)
def test_a_value_that_is_wrong_for_its_type_is_refused(oid: int, value: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", oid))
        talk.send(data_row(value), DONE)
        talk.answer_sync()
        talk.send(talk.ready())
        talk.receive()

    with visit(script) as connection:
        with pytest.raises(errors.DatabaseError) as caught:
            connection.execute("SELECT x").fetchall()
        assert str(caught.value)


@pytest.mark.parametrize("levels", [100, 100_000])
def test_records_within_records_do_not_exhaust_the_stack(levels: int) -> None:
    # The innermost has no field; each one around it has twelve bytes before it.
    heads = [ints(1, RECORD, 4 + 12 * level) for level in reversed(range(levels))]
    value = b"".join(heads) + ints(0)

    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", RECORD))
        talk.send(data_row(value), DONE)
        talk.answer_sync()
        talk.send(talk.ready())
        talk.receive()

    with visit(script) as connection:
        try:
            (found,) = connection.execute("SELECT x").fetchone() or ()
        except errors.DatabaseError:
            assert levels > 50
        else:
            assert levels == 100
            assert len(found) == 1


# What comes in place of a row, where one int4 column was described.
WRONG_MESSAGES = {
    "a row of negative length": message(b"D", length=-5),
    "a row of length nought": message(b"D", length=0),
    "a row of length three": message(b"D", length=3),
    "a row without a count": message(b"D", b"\0"),
    "a row of two values": data_row(ints(1), ints(2)) + DONE,
    "a row of no values": data_row() + DONE,
    "a row of a negative count": message(b"D", struct.pack("!h", -1)) + DONE,
    "a value longer than its message": message(
        b"D", struct.pack("!hi", 1, 4000) + b"\0\0\0\1"
    ),
    "a value of size -2": message(b"D", struct.pack("!hi", 1, -2)),
    "a row with bytes behind it": message(
        b"D", struct.pack("!hii", 1, 4, 42) + b"more"
    ),
    "a message of no known kind": message(b"q", b"what"),
    "a message of kind nought": message(b"\0", b"what"),
    "a web page": b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html></html>",
    "bytes without sense": bytes(range(256)) * 20,
    "an authentication request": message(b"R", ints(3)),
    "another key": message(b"K", b"\0" * 8),
    "a description in between": row_description(("y", TEXT)) + data_row(b"y") + DONE,
    "a description without a count": message(b"T", b"\0"),
    "a description of a negative count": message(b"T", struct.pack("!h", -1)),
    "a description whose name does not end": message(
        b"T", struct.pack("!h", 1) + b"x" * 30
    ),
    "a description that promises more": message(b"T", struct.pack("!h", 30000)),
    "an error without fields": message(b"E"),
    "an error that does not end": message(b"E", b"SERROR\0C42601\0Mwithout an end"),
    "an error without a state": message(b"E", b"SERROR\0Mno state\0\0"),
    "an error with a long state": message(b"E", b"SERROR\0C4260142601\0Mx\0\0"),
    "an error that is not UTF-8": message(b"E", b"SERROR\0C42601\0M\xff\xfe\0\0"),
    "an error at a position that is none": message(
        b"E", b"SERROR\0C42601\0Mx\0P99999999999999999999\0\0"
    ),
    "a tag that does not end": message(b"C", b"SELECT 1"),
    "a tag of a number that is none": message(
        b"C", b"INSERT 0 99999999999999999999999\0"
    ),
    "ready without a state": message(b"Z"),
    "ready in an unknown state": DONE + message(b"Z", b"X"),
    "ready before anything": message(b"Z", b"I"),
    "ready after a row without its end": data_row(ints(42)) + message(b"Z", b"I"),
    "a notification that does not end": message(b"A", ints(1) + b"channel"),
    "a notification of no byte": message(b"A"),
    "a setting that does not end": message(b"S", b"TimeZone"),
    "a setting of no byte": message(b"S"),
    "another encoding": message(b"S", b"client_encoding\0LATIN1\0")
    + data_row(b"\xff\xff\xff\xff\xff")
    + DONE,
    "a wish for data": message(b"G", b"\0" + struct.pack("!h", 0)),
    "data nobody asked for": message(b"H", b"\0" + struct.pack("!h", 0)),
    "a copy in both directions": message(b"W", b"\0" + struct.pack("!h", 0)),
    "copied data out of place": message(b"d", b"data"),
    "parameters out of place": message(b"t", struct.pack("!h", 32767)),
    "a suspended portal": message(b"s"),
    "a bound portal with a body": message(b"2", b"body"),
    "a function's result": message(b"V", ints(HUGE)),
}


@pytest.mark.parametrize("wrong", WRONG_MESSAGES.values(), ids=list(WRONG_MESSAGES))
def test_a_message_that_makes_no_sense_is_refused(wrong: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", INT4))
        talk.send(wrong)

    with visit(script, timeout_seconds=2) as connection:
        start = time.monotonic()
        with pytest.raises(errors.DatabaseError) as caught:
            connection.execute("SELECT x").fetchall()
        assert time.monotonic() - start < SOON_SECONDS
        assert str(caught.value)


WRONG_DESCRIPTIONS = {
    "ready and nothing else": message(b"Z", b"I"),
    "parsed and ready": message(b"1") + message(b"Z", b"I"),
    "no description of the result": message(b"1")
    + message(b"t", struct.pack("!h", 0))
    + message(b"Z", b"I"),
    "no description of the parameters": message(b"1")
    + row_description(("x", INT4))
    + message(b"Z", b"I"),
    "parameters that are not there": message(b"1")
    + message(b"t", struct.pack("!h", 5)),
    "a result of parameters nobody gave": message(b"1")
    + message(b"t", struct.pack("!hI", 1, INT4))
    + row_description(("x", INT4))
    + message(b"Z", b"I"),
    "a row": message(b"1") + data_row(ints(42)),
}


@pytest.mark.parametrize(
    "wrong", WRONG_DESCRIPTIONS.values(), ids=list(WRONG_DESCRIPTIONS)
)
def test_a_description_that_makes_no_sense_is_refused(wrong: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.answer_sync()
        talk.send(wrong)

    with visit(script, timeout_seconds=2) as connection:
        start = time.monotonic()
        with pytest.raises(errors.Error) as caught:
            connection.execute("SELECT x").fetchall()
        assert time.monotonic() - start < SOON_SECONDS
        assert str(caught.value)


# The thread that the server starts for the request to stop reserves 72 MiB of it.
SOME_BYTES = 192 * 1024 * 1024


def memory_bytes() -> int:
    """Return the memory that this process has asked for, used or not."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def test_memory_is_not_taken_for_what_is_only_promised() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", TEXT))
        talk.send(message(b"D", b"\0\1" + b"x" * 1_000_000, length=0x3FFFFFFF))
        talk.receive_until(b"X")

    with visit(script, timeout_seconds=1) as connection:
        before = memory_bytes()
        with pytest.raises(errors.TimedOut):
            connection.execute("SELECT x").fetchall()
        assert memory_bytes() - before < SOME_BYTES


def test_notices_without_end_end_at_the_deadline() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", INT4))
        some = notice("x" * 1000) * 100
        while True:
            talk.send(some)

    with visit(script, timeout_seconds=1) as connection:
        before = memory_bytes()
        start = time.monotonic()
        with pytest.raises(errors.TimedOut):
            connection.execute("SELECT x").fetchall()
        assert time.monotonic() - start < SOON_SECONDS
        assert memory_bytes() - before < SOME_BYTES


def test_an_answer_that_trickles_ends_at_the_deadline() -> None:
    def script(talk: Talk) -> None:
        talk.greet()
        talk.describe(("x", INT4))
        for _ in range(10_000):
            talk.send(message(b"S", b"TimeZone\0UTC\0"))
            time.sleep(0.05)

    with visit(script, timeout_seconds=1) as connection:
        start = time.monotonic()
        with pytest.raises(errors.TimedOut):
            connection.execute("SELECT x").fetchall()
        assert time.monotonic() - start < SOON_SECONDS


def scram(talk: Talk, first: str) -> None:
    talk.receive_startup()
    talk.send(message(b"R", ints(10) + b"SCRAM-SHA-256\0\0"))
    talk.receive()
    talk.send(message(b"R", ints(11) + first.encode()))
    talk.receive()


def say(*messages: bytes) -> Callable[[Talk], None]:
    def script(talk: Talk) -> None:
        talk.receive_startup()
        talk.send(*messages)

    return script


WRONG_GREETINGS = {
    "nothing at all": say(),
    "a web page": say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "bytes without sense": say(bytes(range(256)) * 20),
    "a request of negative length": say(message(b"R", length=-1)),
    "a request of huge length": say(message(b"R", length=HUGE)),
    "an unknown request": say(message(b"R", ints(4242))),
    "a request cut short": say(message(b"R", b"\0\0")),
    "a salt cut short": say(message(b"R", ints(5) + b"ab")),
    "mechanisms that do not end": say(message(b"R", ints(10) + b"SCRAM-SHA-256")),
    "mechanisms nobody knows": say(message(b"R", ints(10) + b"MAGIC\0\0")),
    "the end of a proof never begun": say(message(b"R", ints(12) + b"v=abcd")),
    "a row": say(data_row(b"x")),
    "a refusal of the second version": say(b"Esorry, too many clients already\n\0"),
    "a refusal that does not end": say(message(b"E", b"SFATAL\0C28000\0Mno")),
    "another version that does not end": say(message(b"v", ints(1))),
    "settings without end of text": say(
        message(b"R", ints(0)), message(b"S", b"server_version")
    ),
    "a key cut short": say(message(b"R", ints(0)), message(b"K", b"\0\0")),
    "another nonce": lambda talk: scram(talk, "r=other,s=c2FsdA==,i=4096"),
    "a salt that is none": lambda talk: scram(talk, "r=x,s=!!!!,i=4096"),
    "iterations that are none": lambda talk: scram(talk, "r=x,s=c2FsdA==,i=-1"),
    "a proof without parts": lambda talk: scram(talk, ""),
}


@pytest.mark.parametrize("script", WRONG_GREETINGS.values(), ids=list(WRONG_GREETINGS))
def test_a_greeting_that_makes_no_sense_is_refused(
    script: Callable[[Talk], None],
) -> None:
    with hostile(script) as server:
        url = server.url(connect_timeout=2, password="never5aid")
        start = time.monotonic()
        with pytest.raises(errors.OperationalError) as caught:
            engineroom.connect(url)
        assert time.monotonic() - start < SOON_SECONDS
        assert str(caught.value)
        assert "never5aid" not in str(caught.value)


def test_an_answer_to_the_wish_for_tls_that_makes_no_sense() -> None:
    def script(talk: Talk) -> None:
        talk.send(b"X")

    with hostile(script) as server:
        url = server.url().replace("sslmode=disable", "sslmode=require")
        with pytest.raises(errors.ConnectFailed):
            engineroom.connect(url)


def test_a_server_that_goes_away_while_tls_begins_may_be_asked_again() -> None:
    def script(talk: Talk) -> None:
        talk.send(b"S")

    with hostile(script) as server:
        url = server.url().replace("sslmode=disable", "sslmode=require")
        with pytest.raises(errors.ConnectFailed, match="SSL") as caught:
            engineroom.connect(url)
        assert not isinstance(caught.value, errors.TlsFailed)
        assert caught.value.fault == "unreachable"
        assert caught.value.retryable


SLOW = """
import sys
import engineroom
try:
    engineroom.connect(sys.argv[1])
except engineroom.Error as error:
    print(type(error).__name__)
"""


def test_a_proof_that_would_take_for_ever_ends_at_the_deadline() -> None:
    """The server decides how often a password is hashed, up to two thousand million."""

    def script(talk: Talk) -> None:
        talk.receive_startup()
        talk.send(message(b"R", ints(10) + b"SCRAM-SHA-256\0\0"))
        _, body = talk.receive()
        nonce = body.partition(b"r=")[2].decode()
        first = f"r={nonce}server,s=c2FsdHNhbHQ=,i=2000000000"
        talk.send(message(b"R", ints(11) + first.encode()))
        talk.receive()

    with hostile(script) as server:
        url = server.url(connect_timeout=2, password="never5aid")
        # In a process of its own, which can be ended if it does not end itself.
        done = subprocess.run(
            [sys.executable, "-c", SLOW, url],
            stdout=subprocess.PIPE,
            text=True,
            timeout=20,
            check=True,
        )
    assert done.stdout.strip() in ("ConnectTimedOut", "AuthenticationFailed")
