"""What the doctor asks of an engine that speaks to a server, and of that server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engineroom.doctor.findings import OK, PROBLEM, SKIPPED, Finding

if TYPE_CHECKING:
    from typing import Any

__all__ = ["SERVERS", "about_server", "check_tls", "server_text"]

# The backends that are reached over a connection.
SERVERS = ("postgres",)
ROUNDS = 20
_MILLISECONDS = 1000


def check_tls(engine: Any, sections: dict[str, Any]) -> Finding:
    """Which TLS library has the engine bound, and from which file?"""
    if engine is None:
        return Finding("tls", SKIPPED, "there is no engine to ask")
    from engineroom.loader.handshake import tls_facts

    library, version, file = tls_facts(engine)
    sections["tls"] = {
        "library": library,
        "version": version or None,
        "file": file or None,
    }
    if not version:
        text = f"the engine has found no {library or 'TLS library'} that it can use"
        return Finding("tls", PROBLEM, text, remedy="install OpenSSL 3")
    # The version may begin with the library's name, as OpenSSL's does.
    name = version if version.startswith(library) else f"{library} {version}"
    return Finding("tls", OK, f"{name} from {file}")


def about_server(connection: Any) -> dict[str, Any]:
    """Return what is known of the server that a connection leads to."""
    info = connection.info
    return {
        "version": info.server_version,
        "host": info.host,
        "port": info.port,
        "tls_version": info.tls_version,
        "tls_cipher": info.tls_cipher,
        "round_trip_milliseconds": _round_trip(connection),
    }


def _round_trip(connection: Any) -> float:
    """The median of some selects that are prepared already."""
    import time

    cursor = connection.cursor()
    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        cursor.execute("select 1").fetchone()
        times.append(time.perf_counter() - started)
    return round(sorted(times)[ROUNDS // 2] * _MILLISECONDS, 3)


def server_text(server: dict[str, Any]) -> str:
    """Say in words what `about_server` returned."""
    place = f"{server['host']}:{server['port']}"
    tls = "not encrypted"
    if server["tls_version"]:
        tls = f"{server['tls_version']} with {server['tls_cipher']}"
    return (
        f"PostgreSQL {server['version']} at {place}, {tls},"
        f" a round trip of {server['round_trip_milliseconds']} ms"
    )
