"""What `engineroom fetch` can fail with: ER3200 to ER3251."""

from __future__ import annotations

from engineroom.errors.store import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar


class FetchError(StoreError):
    """Engines could not be fetched; the folder they were for is as it was."""

    code = "ER3200"


class SourceFailed(FetchError):
    """One source could not give what was asked of it; the next one is tried.

    Attributes:
        url: what was asked for, without credentials and query.
        reason: what went wrong, with the values that show it.
    """

    code = "ER3210"
    advice: ClassVar[str] = "name another source with `--from`"

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"Cannot fetch `{url}`: {reason}", hint=self.advice)


class SourceForbidden(SourceFailed):
    """The source refuses whoever asks: status 401 or 403."""

    code = "ER3211"
    advice = (
        "give credentials that may read there, as `https://USER:PASSWORD@HOST/...`;"
        " they are never shown"
    )


class SourceNotFound(SourceFailed):
    """The source has nothing there: status 404 or 410, or no such file."""

    code = "ER3212"
    advice = (
        "give the address that pip takes as `--index-url`, which often ends in"
        " `/simple/`, or the folder of a store"
    )


class SourceServerFailed(SourceFailed):
    """The source failed on its side: status 500 to 599."""

    code = "ER3213"
    advice = "run the same command again later, or add a mirror with `--from`"


class SourceTlsFailed(SourceFailed):
    """No trusted connection: the certificate, its name or the handshake is wrong."""

    code = "ER3214"
    advice = (
        "check the address and this machine's clock; for an authority of your own,"
        " name its certificate with SSL_CERT_FILE"
    )


class SourceProxyFailed(SourceFailed):
    """The proxy that the environment names refused, or could not be reached."""

    code = "ER3215"
    advice = "check HTTPS_PROXY and HTTP_PROXY, or list the host in NO_PROXY"


class SourceTimedOut(SourceFailed):
    """The source did not answer, or stopped sending, for too long."""

    code = "ER3216"
    advice = "raise `--timeout`, or add a mirror with `--from`"


class SourceUnreachable(SourceFailed):
    """There is no connection: refused, cut, no route, or no host of that name."""

    code = "ER3217"
    advice = "check the address and this machine's network, or add a mirror"


class SourceNotAnIndex(SourceFailed):
    """The source answered with something that is no index of wheels."""

    code = "ER3218"
    advice = SourceNotFound.advice


class DownloadHashWrong(SourceFailed):
    """The bytes that came are not those that the index or the lock file promises.

    Attributes:
        expected: the SHA-256 that was promised.
        found: the SHA-256 of what came.
    """

    code = "ER3219"
    advice = (
        "do not use this source until its owner knows why; a proxy that rewrites"
        " downloads is the usual cause"
    )

    def __init__(self, url: str, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        super().__init__(url, f"its sha256 is {found}, promised was {expected}")


class DownloadTruncated(SourceFailed):
    """The download ended early.

    Attributes:
        expected_bytes: its full size; 0 where that is not known.
        found_bytes: what came.
    """

    code = "ER3220"
    advice = "run the same command again, or add a mirror with `--from`"

    def __init__(self, url: str, expected_bytes: int, found_bytes: int) -> None:
        self.expected_bytes = expected_bytes
        self.found_bytes = found_bytes
        size = f"its {expected_bytes} bytes" if expected_bytes else "its end"
        super().__init__(url, f"{found_bytes} bytes came, not {size}")


class DownloadBroken(SourceFailed):
    """The bytes are as promised, and no wheel with the engines that it lists."""

    code = "ER3221"
    advice = "publish the wheel again with `engineroom store publish`, which checks it"


class TargetNotOffered(SourceFailed):
    """The source has no wheel of this version for a target.

    Attributes:
        target: the target's id.
        version: the version of engineroom.
    """

    code = "ER3222"
    advice = "publish the wheel of this version for it, or add a mirror with `--from`"

    def __init__(self, url: str, target: str, version: str, reason: str) -> None:
        self.target = target
        self.version = version
        super().__init__(url, f"it offers no engine {version} for `{target}`: {reason}")


class SourcesFailed(FetchError):
    """None of several sources could give the engines.

    Attributes:
        target: the target the engines are for.
        failures: what each source failed with, in order.
    """

    code = "ER3230"

    def __init__(self, target: str, failures: Sequence[SourceFailed]) -> None:
        self.target = target
        self.failures = tuple(failures)
        lines = "\n".join(f"  {one.code}: {one.message}" for one in failures)
        super().__init__(
            f"None of {len(self.failures)} sources gave the engines for"
            f" `{target}`\n\n{lines}",
            hint=self.failures[0].hint,
        )


class SourceAddressInvalid(FetchError):
    """The text given as a source's address leads to no kind of source.

    Attributes:
        address: the text, without credentials.
        reason: why it cannot be used.
    """

    code = "ER3231"

    def __init__(self, address: str, reason: str) -> None:
        self.address = address
        self.reason = reason
        super().__init__(
            f"Source `{address}` cannot be used: {reason}",
            hint="give a store's folder, or the `https://` address of an index",
        )


class SourceMissing(FetchError):
    """Engines are to be fetched, and nothing says where from.

    Attributes:
        targets: the targets whose engines are not there.
    """

    code = "ER3232"

    def __init__(self, targets: Sequence[str]) -> None:
        self.targets = tuple(targets)
        super().__init__(
            f"No source is named for the engines of {', '.join(self.targets)}",
            hint="name one with `--from`, or set ENGINEROOM_FETCH_FROM",
        )


class EnginesMissing(FetchError):
    """Engines are not there, or not as they should be, and the network is barred.

    Attributes:
        folder: where they were looked for.
        missing: each target with what is wrong.
    """

    code = "ER3233"

    def __init__(self, folder: str, missing: Sequence[tuple[str, str]]) -> None:
        self.folder = folder
        self.missing = tuple(missing)
        lines = "\n".join(f"  {target}: {reason}" for target, reason in missing)
        names = " ".join(target for target, _ in missing)
        super().__init__(
            f"`{folder}` has not every engine, and `--offline` bars the network"
            f"\n\n{lines}",
            hint=f"run `engineroom fetch --target {names}` where there is a network,"
            " or name a store's folder with `--from`",
        )


class LockUnreadable(FetchError):
    """The lock file is missing, or is none that `engineroom fetch --lock` writes.

    Attributes:
        path: the file.
        reason: what is wrong with it.
        line: the line at fault, counted from 1; 0 where no line is.
    """

    code = "ER3240"

    def __init__(self, path: str, reason: str, *, line: int = 0) -> None:
        self.path = path
        self.reason = reason
        self.line = line
        place = f"line {line}: " if line else ""
        super().__init__(
            f"Cannot use the lock file `{path}`: {place}{reason}",
            hint="write it with `engineroom fetch --lock`",
        )


class LockDiffers(FetchError):
    """What is to be fetched is not what the lock file records.

    Attributes:
        path: the lock file.
        what: what differs, such as a target or a file's name.
        locked: what the lock file records; empty for nothing.
        found: what there is instead; empty for nothing.
    """

    code = "ER3241"

    def __init__(self, path: str, what: str, *, locked: str, found: str) -> None:
        self.path = path
        self.what = what
        self.locked = locked
        self.found = found
        super().__init__(
            f"`{path}` records {locked or 'nothing'} for {what}, and there is"
            f" {found or 'nothing'}",
            hint="if the change is meant, write the file again with"
            " `engineroom fetch --lock` and look at what changes in it",
        )


class ShelfUnwritable(FetchError):
    """The folder for the engines, or the lock file, cannot be written.

    Attributes:
        path: what could not be written.
        reason: the operating system's words.
    """

    code = "ER3250"

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"Cannot write `{path}`: {reason}",
            hint="name a folder that this user may write with `--into`",
        )


class ShelfBusy(FetchError):
    """Another process has been fetching into the folder for too long.

    Attributes:
        path: the lock that it holds.
        waited_seconds: how long this process waited.
    """

    code = "ER3251"

    def __init__(self, path: str, waited_seconds: float) -> None:
        self.path = path
        self.waited_seconds = waited_seconds
        super().__init__(
            f"Another process has held `{path}` for {waited_seconds:g} seconds",
            hint="end that process, or wait for it; leave the file where it is",
        )
