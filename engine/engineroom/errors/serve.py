"""What serving a store can fail with before it begins: ER3300 to ER3305."""

from __future__ import annotations

from engineroom.errors.store import StoreError


class ServeError(StoreError):
    """The store cannot be served as asked; nothing was started."""

    code = "ER3300"


class ServeAddressUnusable(ServeError):
    """The host and port cannot be listened on.

    Attributes:
        host: the host that was asked for.
        port: the port that was asked for.
        reason: the operating system's words.
    """

    code = "ER3301"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(
            f"Cannot listen on host `{host}`, port `{port}`: {reason}",
            hint="give another `--port`, or 0 for any that is free, and as `--host`"
            " an address of this machine",
        )


class ServeTokensUnreadable(ServeError):
    """The file of tokens is missing, unreadable or empty.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    code = "ER3302"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"Cannot take tokens from `{path}`: {reason}",
            hint="write one token a line, each from"
            ' `python -c "import secrets; print(secrets.token_urlsafe())"`',
        )


class ServeTokenRefused(ServeError):
    """A token is too weak, or cannot be sent in a header.

    Attributes:
        source: the file or variable it stands in.
        number: which of the tokens there, from 1; the token itself is never shown.
        reason: what is wrong with it.
    """

    code = "ER3303"

    def __init__(self, source: str, number: int, reason: str) -> None:
        self.source = source
        self.number = number
        self.reason = reason
        super().__init__(
            f"Token {number} of `{source}` cannot be used: {reason}",
            hint="a token has 16 or more printable ASCII characters and no spaces:"
            ' `python -c "import secrets; print(secrets.token_urlsafe())"`',
        )


class ServeUrlInvalid(ServeError):
    """The public address is none that an installer could be given.

    Attributes:
        url: the text as it was given.
        reason: what is wrong with it.
    """

    code = "ER3304"

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(
            f"Public address `{url}` cannot be used: {reason}",
            hint="give the address that others reach this server by, such as"
            " `https://wheels.example/`",
        )


class ServeCannotRedirect(ServeError):
    """Downloads should be redirected, and the store's place has no such addresses.

    Attributes:
        store: the store's address.
    """

    code = "ER3305"

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"The store `{store}` gives no addresses that downloads could be"
            " redirected to",
            hint="leave `--redirect` out: the server then sends the bytes itself",
        )
