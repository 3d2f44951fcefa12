"""What libpq says of a connection string, with nothing in it that may be secret.

libpq quotes what it cannot read: a whole URI, or the part of a password behind an `&`
that was not encoded. So a quoted text is passed on only where it is known to be plain:
the value of a setting that holds no secret, or the name of one that libpq does not know
and that stands before every secret or resembles one that there is.
"""

from __future__ import annotations

from engineroom import errors
from engineroom.connection.postgres_url import HIDDEN, is_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from engineroom.connection.postgres_url import ServerUrl

__all__ = ["explain_server"]

_OPENING = "The connection string is not valid: "  # the engine's
_UNKNOWN = ("invalid URI query parameter", "invalid connection option")
_ENCODE = (
    "in a URI, write `@` `/` `?` `&` `%` in a user's name or password as `%40` `%2F` "
    "`%3F` `%26` `%25`"
)
_SHORTEST = 3


def explain_server(server: ServerUrl, error: errors.Error) -> errors.Error:
    """Return the error, or one that says better what was wrong with the string."""
    if isinstance(error, errors.Misuse):
        better = _not_understood(server, error.message)
        # It stays behind as the context of the better one.
        error.message = HIDDEN
        error.args = (HIDDEN,)
        return better
    if type(error) is errors.ConnectionLost:
        # There was none to lose yet.
        failed = errors.ConnectFailed(error.message, hint=error.hint)
        failed.sqlstate = error.sqlstate
        error = failed
    error.message = _without_secrets(server, error.message)
    error.hint = _without_secrets(server, error.hint)
    error.args = (error.message,)
    return error


def _not_understood(server: ServerUrl, message: str) -> errors.Error:
    plain, quoted = _split(message.partition(_OPENING)[2] or message)
    lower = plain[0][:1].lower() + plain[0][1:]
    if lower.startswith(_UNKNOWN) and quoted:
        return _unknown(server, quoted[0])
    shown = list(plain[:1])
    for text, behind in zip(quoted, plain[1:]):
        shown += [f"`{text if _is_plain(server, text) else HIDDEN}`", behind]
    sentence = " ".join("".join(shown).split())
    return errors.UrlError(
        server.display,
        f"cannot be used: {sentence[:1].lower()}{sentence[1:]}",
        hint=_ENCODE,
    )


def _split(message: str) -> tuple[list[str], list[str]]:
    """Return what stands outside of quotation marks, and what stands inside."""
    parts = message.split('"')
    if len(parts) % 2 == 0:  # cut off inside of one, or one inside of a text
        return [parts[0], ""], [HIDDEN]
    return parts[::2], parts[1::2]


def _is_plain(server: ServerUrl, text: str) -> bool:
    if not server.is_clear or _holds_secret(server, text):
        return False
    from engineroom.connection.settings import LIBPQ_SETTINGS

    return any(
        name in LIBPQ_SETTINGS
        and (text == name or (text == value and not is_secret(name, value)))
        for name, value in server.given.items()
    )


def _unknown(server: ServerUrl, name: str) -> errors.UrlError:
    from difflib import get_close_matches

    from engineroom.connection.settings import LIBPQ_SETTINGS, POSTGRES_SETTINGS

    known = [*(setting.name for setting in POSTGRES_SETTINGS), *LIBPQ_SETTINGS]
    near = get_close_matches(name, known, 1, 0.75)
    if near:
        hint = f"perhaps `{near[0]}` was meant"
    else:
        hint = "libpq's settings are listed in PostgreSQL's manual, and ours here: "
        hint += ", ".join(setting.name for setting in POSTGRES_SETTINGS)
    names = list(server.given)
    secret = [is_secret(each, server.given[each]) for each in names]
    is_first = name in names and not any(secret[: names.index(name) + 1])
    is_shown = bool(near) or is_first
    if not server.is_clear or _holds_secret(server, name) or not is_shown:
        return errors.UrlError(
            server.display,
            "has a setting that is not known, behind a password or another secret",
            hint=_ENCODE,
        )
    return errors.UrlError(
        server.display, f"has a setting `{name}`, which is not known", hint=hint
    )


def _holds_secret(server: ServerUrl, text: str) -> bool:
    return any(secret and secret in text for secret in server.secrets)


def _without_secrets(server: ServerUrl, text: str) -> str:
    if not server.is_clear:
        plain, quoted = _split(text)
        text = plain[0]
        for _, behind in zip(quoted, plain[1:]):
            text += f'"{HIDDEN}"{behind}'
    for secret in sorted(server.secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text
