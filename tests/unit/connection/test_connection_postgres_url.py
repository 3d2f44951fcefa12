"""PostgreSQL's connection strings: what libpq is given, and what people are shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engineroom import errors
from engineroom.connection import Location, hide_secrets, parse_url
from engineroom.connection.opening import explain

DEFAULTS = {"fallback_application_name": "engineroom"}


@pytest.mark.parametrize(
    ("url", "display"),
    [
        ("postgresql://", "postgresql://"),
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql://u:pw@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgresql://u:p%40w@h/d?sslmode=require", "postgresql://u@h/d"),
        ("postgresql://h1:1,h2:2/d", "postgresql://h1:1,h2:2/d"),
        ("postgresql://u@[::1]:5433/d", "postgresql://u@[::1]:5433/d"),
        ("postgresql://%2Frun%2Fpg/d", "postgresql:///run/pg/d"),
        ("postgresql:///d?host=/run/pg&user=u&password=x", "postgresql://u@/run/pg/d"),
        ("host=h port=1 dbname=d user=u password='a b'", "postgresql://u@h:1/d"),
        ("dbname = 'my\\'db' host=h", "postgresql://h/***"),
        ("postgresql://u:a/b@h/d", "postgresql://***"),
        ("postgresql://u:a@b@h/d", "postgresql://***"),
        ("postgresql://u:secret/d", "postgresql://u:***/d"),
        ("postgresql://h/d%zz", "postgresql://h/***"),
    ],
)
def test_a_display_has_user_host_port_and_database_alone(url, display):
    assert parse_url(url).display == display
    assert hide_secrets(url) == display


@pytest.mark.parametrize(
    ("url", "dbname", "ours"),
    [
        ("postgresql://h/d", "postgresql://h/d", {}),
        (
            "postgresql://h/d?autocommit=on&sslmode=require&prepared=off",
            "postgresql://h/d?sslmode=require",
            {"autocommit": "on", "prepared": "off"},
        ),
        (
            "postgresql://u:p?w@h/d?statement_cache=0",
            "postgresql://u:p?w@h/d",
            {"statement_cache": "0"},
        ),
        (
            "postgres://h/d?timeout_seconds=2.5",
            "postgres://h/d",
            {"timeout_ms": "2500"},
        ),
        (
            "host=h  password = 'a b' autocommit=on options='-c x=y'",
            "host=h password = 'a b' options='-c x=y'",
            {"autocommit": "on"},
        ),
    ],
)
def test_our_settings_are_taken_out_and_the_rest_stays_as_it_was(url, dbname, ours):
    location = parse_url(url)
    assert location.backend == "postgres"
    assert location.settings == {**DEFAULTS, "dbname": dbname, **ours}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:pw@h/d?prepared=maybe", "sets `prepared` to `maybe`"),
        ("host=h timeout_seconds=-1", "sets `timeout_seconds` to `-1`"),
        ("host=h password='open", "is no list of `name=value`"),
        ("host=h words password=x", "is no list of `name=value`"),
        ("postgresql://h/\0", "holds a zero byte"),
        ("shop.db", "has no scheme"),
        ("u:pw@h/d", "`***` has no scheme"),
        ("mysql://u:pw@h/d", "`mysql://***` has the scheme `mysql`"),
    ],
)
def test_what_cannot_be_read_is_said_without_secrets(url, words):
    with pytest.raises(errors.UrlError) as caught:
        parse_url(url)
    assert words in str(caught.value)
    assert "pw" not in str(caught.value)


def said(url: str, message: str) -> str:
    """What the error shows after libpq's complaint about the string."""
    error = explain(parse_url(url), errors.Misuse(message))
    assert type(error) is errors.UrlError
    return str(error)


def test_a_setting_that_libpq_does_not_know_is_named_with_what_was_meant():
    text = said("postgresql://h/d?sslmod=x", 'Invalid URI query parameter: "sslmod"')
    assert "has a setting `sslmod`, which is not known" in text
    assert "perhaps `sslmode` was meant" in text
    text = said("host=h colour=red", 'invalid connection option "colour"')
    assert "has a setting `colour`, which is not known" in text


def test_a_name_behind_a_password_is_shown_only_if_it_resembles_a_setting():
    url = "postgresql://h/d?password=ab&cdef=gh&sslmod=require"
    text = said(url, 'invalid URI query parameter: "cdef"')
    assert "cdef" not in text
    text = said(url, 'invalid URI query parameter: "sslmod"')
    assert "`sslmod`" in text


def test_a_value_is_shown_unless_it_may_be_secret():
    message = 'The connection string is not valid: invalid sslmode value: "sometimes"'
    assert "`sometimes`" in said("host=h sslmode=sometimes password=x", message)
    text = said("postgresql://u:pa/ss@h", 'invalid port number: "pa"')
    assert "`***`" in text
    assert "%2F" in text


def test_a_lost_connection_while_opening_is_one_that_never_came_about():
    location = parse_url("postgresql://u:geheim@h/d")
    lost = errors.ConnectionLost("closed after geheim", hint="x")
    error = explain(location, lost)
    assert type(error) is errors.ConnectFailed
    assert "geheim" not in str(error)


def read(url: str) -> tuple[Location | None, str]:
    """Where the URL leads, or what is said of one that cannot be read."""
    try:
        return parse_url(url), ""
    except errors.UrlError as error:
        return None, str(error)


MARK = "S3cr3t"
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(
    lambda text: MARK + text.replace("\0", "") + MARK
)
words = st.text("abcxyz_", min_size=1, max_size=8)


@st.composite
def uris(draw):
    password = draw(secrets)
    if draw(st.booleans()):
        password = quote(password, safe="")
    form = draw(st.sampled_from(range(4)))
    tail = f"?{draw(words)}={draw(words)}" if draw(st.booleans()) else ""
    if form == 0:
        return f"postgresql://user:{password}@host:1/name{tail}"
    if form == 1:
        return f"postgres://host/name?password={password}&user=u"
    if form == 2:
        return f"postgresql:///name{tail or '?a=b'}&sslpassword={password}"
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    return f"host=h password='{escaped}' user=u"


@given(uris(), st.sampled_from(["", "prepared=maybe", "autocommit=on"]))
def test_no_secret_is_ever_shown(url, more):
    if more:
        url += f" {more}" if url.startswith("host") else f"&{more}"
    assert MARK not in hide_secrets(url)
    location, refused = read(url)
    if location is None:
        assert MARK not in refused
        return
    assert MARK not in location.display
    assert location.server is not None
    complaints = [
        f'unexpected character "x" at position 9 in URI: "{url}"',
        f'unexpected character "x" at position 9 in URI: "{url}'[:60],
        f'invalid URI query parameter: "{url[-12:]}"',
        *(f'missing separator "=" in: "{part}"' for part in url.split("&")),
        *(f'invalid URI query parameter: "{part}"' for part in url.split("&")),
        *(f'invalid integer value "{part}" for "port"' for part in url.split(":")),
    ]
    for complaint in complaints:
        error = explain(location, errors.Misuse(complaint))
        assert MARK not in str(error)


@given(secrets)
def test_no_password_survives_in_what_a_failed_connection_says(password):
    url = f"postgresql://user:{quote(password, safe='')}@host/name"
    location = parse_url(url)
    assert location.server is not None
    assume(len(password) > 3)
    for form in (password, quote(password, safe="")):
        failed = errors.ConnectFailed(f"failed with {form}", hint=f"not {form}")
        assert MARK not in str(explain(location, failed))


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for url in (text, f"postgresql://{text}", f"host={text}"):
        location, refused = read(url)
        assert location or "hint: " in refused
