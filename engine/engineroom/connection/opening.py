"""Opens a connection, and says in words why none came about.

SQLite answers "unable to open database file" to a missing folder, a missing file, a
folder in its place and a lack of permission alike. After such an answer, never
before, the path is looked at and the likely cause named. What PostgreSQL's library says
of a connection string may quote it, so nothing of it is passed on that may be secret.
"""

from __future__ import annotations

import os
import stat

from engineroom import errors
from engineroom.connection.url import MEMORY, parse_url
from engineroom.core import open_handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.url import Location
    from engineroom.core import Handle

__all__ = ["explain", "locate", "open_connection", "open_location"]

_CANNOT_OPEN = 14


def open_connection(
    url: str, *, is_autocommit: bool | None, timeout_seconds: float | None = None
) -> tuple[Location, Handle]:
    """Return where the URL leads and a connection to it.

    Args:
        url: see `engineroom.connection.url`.
        is_autocommit: overrides the URL's setting where it is not None.
        timeout_seconds: how long it may take in all, over every host and address.

    Raises:
        UrlError: the URL cannot be understood.
        LoadError: there is no engine for this process.
        FileMissing: there is no such file, and the mode is not `rwc`.
        FileUnreadable: the file cannot be opened.
        NotADatabase: the file holds something else.
        DatabaseLocked: another connection holds an exclusive lock.
        ConnectFailed: no connection to a server came about.
        ConnectTimedOut: none did in time.
    """
    location = locate(url, is_autocommit=is_autocommit)
    return location, open_location(location, timeout_seconds)


def open_location(location: Location, timeout_seconds: float | None) -> Handle:
    """Return a connection to where a URL leads; as `open_connection()`."""
    try:
        return open_handle(
            location.backend, location.settings, location.display, timeout_seconds
        )
    except errors.Error as error:
        better = explain(location, error)
        if better is error:
            raise
        raise better from (None if location.server else error)


def locate(url: str, *, is_autocommit: bool | None) -> Location:
    """Return where the URL leads, with autocommit as it was asked for."""
    location = parse_url(url)
    if is_autocommit is not None:
        location.settings["autocommit"] = "on" if is_autocommit else "off"
    return location


def explain(location: Location, error: errors.Error) -> errors.Error:
    """Return the error, or a better one, for what an engine said while opening."""
    return _EXPLAIN[location.backend](location, error)


def _explain_file(location: Location, error: errors.Error) -> errors.Error:
    if isinstance(error, errors.NotADatabase):
        error.message = f"The file `{os.path.abspath(location.file)}` is not a database"
        error.args = (error.message,)
    if not isinstance(error, errors.OperationalError) or location.file == MEMORY:
        return error
    if error.native_code & 0xFF != _CANNOT_OPEN:
        return error
    return _why(location, str(error.message))


def _explain_server(location: Location, error: errors.Error) -> errors.Error:
    from engineroom.connection.postgres_opening import explain_server

    assert location.server is not None
    return explain_server(location.server, error)


_EXPLAIN = {"sqlite": _explain_file, "postgres": _explain_server}


def _why(location: Location, reason: str) -> errors.OperationalError:
    path = os.path.abspath(location.file)
    folder = os.path.dirname(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if not os.path.isdir(folder):
            return errors.FileMissing(
                path,
                hint=f"there is no folder `{folder}`; see whether the path is right",
            )
        if location.settings.get("mode") == "rwc":
            return errors.FileUnreadable(
                path,
                f"it could not be made in `{folder}`",
                hint="see who may write to that folder",
            )
        return errors.FileMissing(
            path,
            hint="see whether the path is right, or add `?mode=rwc` to make the file",
        )
    except OSError as error:
        return errors.FileUnreadable(
            path, os.strerror(error.errno or 0), hint="see who may read the folder"
        )
    if stat.S_ISDIR(found.st_mode):
        return errors.FileUnreadable(path, "it is a folder", hint="name a file")
    if not os.access(path, os.R_OK):
        return errors.FileUnreadable(
            path, "this user may not read it", hint="see who may read the file"
        )
    return errors.FileUnreadable(path, reason, hint="see what the system log says")
