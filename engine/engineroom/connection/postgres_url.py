"""PostgreSQL's connection strings: what is ours in them, and what may be shown.

    postgresql://user@host:5432/database?sslmode=verify-full&prepared=off
    host=/run/postgresql dbname=shop autocommit=on

libpq reads these strings itself, with its service files, password file and environment.
Here our own settings are taken out of them, and they are read for display: a message
shows user, host, port and database, and only where each is beyond doubt. libpq's rules
are followed: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING
"""

from __future__ import annotations

import os

from engineroom import errors

__all__ = ["HIDDEN", "SCHEMES", "ServerUrl", "is_keyword_string", "read_server_url"]

SCHEMES = ("postgresql", "postgres")
HIDDEN = "***"

_FORMS = (
    "write `postgresql://user@host:5432/database?sslmode=verify-full`, or "
    "`host=... dbname=... user=...`"
)
# One of these makes a text without a scheme a keyword string.
_TELLING = frozenset(
    ("host", "hostaddr", "port", "dbname", "user", "service", "password")
)
_IN_NAMES = frozenset("_-.~$+")
_IN_HOSTS = frozenset("_-.~/:[]%")


class ServerUrl:
    """A connection string, read.

    Attributes:
        conninfo: what libpq is given: the string without our settings.
        ours: our settings, as they were written.
        given: libpq's settings by name, decoded, the last of each.
        display: what may be shown to people.
        is_clear: whether it can be read in one way only.
        secrets: texts that may not be shown, in every form they were written in.
    """

    __slots__ = ("conninfo", "display", "given", "is_clear", "ours", "secrets")

    def __init__(self) -> None:
        self.conninfo = ""
        self.ours: list[tuple[str, str]] = []
        self.given: dict[str, str] = {}
        self.display = f"postgresql://{HIDDEN}"
        self.is_clear = True
        self.secrets: list[str] = []

    def take(self, name: str, value: str, written: str) -> None:
        """Note one of libpq's settings."""
        self.given[name] = value
        if is_secret(name, value):
            self.secrets += [value, written]

    def show(self) -> None:
        """Set `display` from what was given."""
        if not self.is_clear:
            return
        given = self.given
        user = _shown(given.get("user", ""), _IN_NAMES)
        hosts = given.get("host") or given.get("hostaddr") or ""
        ports = given.get("port", "").split(",")
        places: list[str] = []
        for index, host in enumerate(hosts.split(",")):
            port = ports[min(index, len(ports) - 1)]
            places.append(_place(host, port))
        place = ",".join(places)
        name = _shown(given.get("dbname", ""), _IN_NAMES)
        front = f"{user}@" if user else ""
        self.display = f"postgresql://{front}{place}{'/' if name else ''}{name}"


def is_secret(name: str, value: str) -> bool:
    """Whether a setting's value may never be shown."""
    lower = name.lower()
    if lower == "passfile":
        return False
    if lower == "sslkey":  # a file, unless it is the address of a key elsewhere
        return ":" in value
    return lower == "options" or any(
        word in lower for word in ("pass", "secret", "token", "key")
    )


def _shown(text: str, others: frozenset[str]) -> str:
    return text if all(c.isalnum() or c in others for c in text) else HIDDEN


def _place(host: str, port: str) -> str:
    shown = _shown(host, _IN_HOSTS)
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    if not port:
        return shown
    return f"{shown}:{port if port.isdecimal() else HIDDEN}"


def is_keyword_string(text: str) -> bool:
    """Whether the text is a list of libpq's keywords and values."""
    name, equals, _ = text.partition("=")
    if not equals or "://" in name:
        return False
    words = _words(text)
    if words is None:
        return name.strip() in _TELLING
    return any(word[0] in _TELLING for word in words)


def read_server_url(text: str, our_names: frozenset[str]) -> ServerUrl:
    """Return what a connection string says.

    Args:
        text: a URI or a keyword string.
        our_names: the settings that are not libpq's.

    Raises:
        UrlError: a keyword string cannot be taken apart, or holds a zero byte.
    """
    scheme, separator, rest = text.partition("://")
    read = ServerUrl()
    if "\0" in text:
        raise errors.UrlError(read.display, "holds a zero byte", hint=_FORMS)
    if separator and scheme in SCHEMES:
        _read_uri(read, scheme, rest, our_names)
    else:
        _read_words(read, text, our_names)
    read.show()
    return read


def _read_uri(
    read: ServerUrl, scheme: str, rest: str, our_names: frozenset[str]
) -> None:
    # As libpq has it: user and password end at an `@` before the first `/`.
    front, at, behind = rest.partition("@")
    if not at or "/" in front:
        front, at, behind = "", "", rest
    # A second `@`, or one behind a `/`, may well be part of a password that was not
    # encoded, and then what looks like a host is part of it too.
    read.is_clear = "@" not in behind
    user, _, password = front.partition(":")
    if password:
        read.secrets += [password, decode(password) or ""]
    read.given["user"] = decoded_or_hidden(user)
    place, question, query = behind.partition("?")
    hosts, _, name = place.partition("/")
    if hosts:
        _read_hosts(read, hosts)
    if name:
        read.given["dbname"] = decoded_or_hidden(name)
    kept: list[str] = []
    for pair in query.split("&") if question else []:
        written, _, value = pair.partition("=")
        keyword = decode(written) or ""
        if keyword in our_names:
            read.ours.append((keyword, value))
            continue
        kept.append(pair)
        if keyword:
            read.take(keyword, decoded_or_hidden(value), value)
    tail = f"?{'&'.join(kept)}" if kept else ""
    read.conninfo = f"{scheme}://{front}{at}{place}{tail}"


def _read_hosts(read: ServerUrl, text: str) -> None:
    hosts: list[str] = []
    ports: list[str] = []
    for each in text.split(","):
        if each.startswith("["):
            host, _, port = each[1:].partition("]")
            port = port[1:]
        else:
            host, _, port = each.partition(":")
        hosts.append(decoded_or_hidden(host))
        ports.append(decoded_or_hidden(port))
    read.given["host"] = ",".join(hosts)
    if any(ports):
        read.given["port"] = ",".join(ports)


def _read_words(read: ServerUrl, text: str, our_names: frozenset[str]) -> None:
    words = _words(text)
    if words is None:
        raise errors.UrlError(
            read.display,
            "is no list of `name=value`",
            hint="put a value that holds blanks between `'`, and a backslash before "
            "each `'` and backslash in it",
        )
    kept: list[str] = []
    for name, value, written in words:
        if name in our_names:
            read.ours.append((name, value))
        else:
            kept.append(written)
            read.take(name, value, written.partition("=")[2].strip())
    read.conninfo = " ".join(kept)


def _words(text: str) -> list[tuple[str, str, str]] | None:
    """Return name, value and the text as written; None if libpq would not read it."""
    words: list[tuple[str, str, str]] = []
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return words
        start = at
        name, equals, _ = text[at:].partition("=")
        at += len(name) + 1
        name = name.strip()
        if not equals or not name or any(c.isspace() for c in name):
            return None
        while at < len(text) and text[at].isspace():
            at += 1
        value, at = _word_value(text, at)
        if at < 0:
            return None
        words.append((name, value, text[start:at]))


def _word_value(text: str, at: int) -> tuple[str, int]:
    """Return the value that starts there and where it ends, -1 if it does not."""
    value: list[str] = []
    is_quoted = text[at : at + 1] == "'"
    at += is_quoted
    while at < len(text):
        char = text[at]
        if char == "'" and is_quoted:
            return "".join(value), at + 1
        if char.isspace() and not is_quoted:
            break
        if char == "\\":
            at += 1
            char = text[at : at + 1]
        value.append(char)
        at += 1
    return "".join(value), -1 if is_quoted else min(at, len(text))


def decoded_or_hidden(text: str) -> str:
    """Undo percent-encoding; three stars where it cannot be undone."""
    decoded = decode(text)
    return HIDDEN if decoded is None else decoded


def decode(text: str) -> str | None:
    """Undo percent-encoding as libpq does; None if it is wrong."""
    if "%" not in text:
        return text
    head, *parts = os.fsencode(text).split(b"%")
    try:
        raw = head + b"".join(bytes([int(p[:2], 16)]) + p[2:] for p in parts)
    except ValueError:
        return None
    if b"\0" in raw or any(len(part) < 2 for part in parts):
        return None
    return os.fsdecode(raw)
