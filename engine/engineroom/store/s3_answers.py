"""What an S3 server can do, found out by asking it before it is first written to.

Everything safe about a store rests on put-if-absent having one winner. Many servers
that speak like S3 take `If-None-Match: *` and ignore it: two publishers would then both
be told that their entry stands, and one would be lost without a word. So nothing is
taken on trust, and nothing is guessed from a server's name.

Questions are put with objects of the transport's own, which are removed again. The
answers stay, for the next publisher, under a name made of the endpoint and the bucket,
so that a copy of the bucket elsewhere does not inherit them; and they are asked for
anew when the server says that it is another program or version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from engineroom.errors import RemoteError
from engineroom.store.document import encode
from engineroom.store.s3_bucket import OWN_PREFIX, Letter
from engineroom.store.transport import BytesBody

if TYPE_CHECKING:
    from engineroom.store.s3_bucket import Bucket

__all__ = ["QUESTIONS", "Answers", "ask", "recall", "remember"]

QUESTIONS = f"{OWN_PREFIX}probe-"

_ANSWERS = f"{OWN_PREFIX}server-"
_FORMAT = 1


@dataclass(frozen=True)
class Answers:
    """What a server was found to do.

    Attributes:
        server: what it calls itself.
        puts_if_absent: whether `If-None-Match: *` keeps a second writer out.
        if_match: how an ETag must be written for `If-Match` to compare it: `quoted` as
            the standard has it, `unquoted`, or `ignored` when it is not compared.
        slash_pages: whether a key that ends in `/` keeps its body.
        sha256: whether a sha256 that is sent along is `checked`, `ignored`, or makes
            the request be `refused`.
        md5: whether a wrong MD5 is noticed: `checked` or `ignored`.
    """

    server: str
    puts_if_absent: bool
    if_match: str
    slash_pages: bool
    sha256: str
    md5: str


def recall(bucket: Bucket) -> Answers:
    """Give what is known about a bucket's server; ask it when that is nothing.

    Raises:
        RemoteError: when it cannot be asked, such as for want of the right to write.
    """
    answer = bucket.fetch(_key(bucket))
    if answer is not None:
        with bucket.download(_key(bucket), answer, 0, None) as file:
            known = _decode(file.read())
        if known is not None and known.server == _server(answer):
            return known
    answers = ask(bucket)
    remember(bucket, answers)
    return answers


def remember(bucket: Bucket, answers: Answers) -> None:
    """Keep answers in the store."""
    body = BytesBody(encode({"format": _FORMAT, **asdict(answers)}))
    bucket.put(_key(bucket), Letter.of(body, sha256=answers.sha256 != "refused"))


def ask(bucket: Bucket) -> Answers:
    """Put every question to a server: about fifteen small requests."""
    questions = _Questions(bucket)
    try:
        # Whatever hinders a plain write is an error and no answer.
        server = _server(questions.write("plain", b"plain"))
        return Answers(
            server=server,
            puts_if_absent=questions.puts_if_absent(),
            if_match=questions.if_match(),
            slash_pages=questions.slash_pages(),
            sha256=questions.sha256(),
            md5=questions.md5(),
        )
    finally:
        questions.clear()


class _Questions:
    """The questions, and the objects that they leave behind."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._folder = f"{QUESTIONS}{secrets.token_hex(8)}/"
        self._written: list[str] = []

    def write(self, name: str, data: bytes, **condition: str) -> dict[str, Any]:
        """Write an object that is removed in the end."""
        letter = Letter.of(BytesBody(data), sha256=False)
        return self._put(name, letter, **condition)

    def puts_if_absent(self) -> bool:
        """Write twice where the second must be refused, and see whose bytes stay."""
        first = self._is_taken("once", b"first", if_none_match="*")
        second = self._is_taken("once", b"second", if_none_match="*")
        return first and not second and self._read("once") == b"first"

    def if_match(self) -> str:
        """Write from a version that is not there, then from the one that is."""
        head = self._bucket.head(f"{self._folder}plain")
        etag = head["ETag"].strip('"') if head is not None else ""
        wrong = "0" * len(etag)
        for spelled in (f'"{wrong}"', wrong):
            if self._is_taken("plain", b"wrong", if_match=spelled):
                return "ignored"
        if self._is_taken("plain", b"quoted", if_match=f'"{etag}"'):
            return "quoted"
        if self._is_taken("plain", b"unquoted", if_match=etag):
            return "unquoted"
        return "ignored"

    def slash_pages(self) -> bool:
        """Write a page under the address that installers ask for, and beside it."""
        return (
            self._is_taken("page/", b"page")
            and self._is_taken("page/index.html", b"page")
            and self._read("page/") == b"page"
        )

    def sha256(self) -> str:
        """Send a right sha256, then a wrong one."""
        right = Letter.of(BytesBody(b"sha256"), sha256=True)
        wrong = Letter.of(BytesBody(b"other"), sha256=True).sha256
        if not self._is_letter_taken("sha256", right):
            return "refused"
        is_taken = self._is_letter_taken("sha256", replace(right, sha256=wrong))
        return "ignored" if is_taken else "checked"

    def md5(self) -> str:
        """Send a wrong MD5."""
        right = Letter.of(BytesBody(b"md5"), sha256=False)
        wrong = Letter.of(BytesBody(b"other"), sha256=False).md5
        is_taken = self._is_letter_taken("md5", replace(right, md5=wrong))
        return "ignored" if is_taken else "checked"

    def clear(self) -> None:
        """Remove what was written, as far as this is allowed."""
        for key in self._written:
            # Who publishes need not have the right to remove; nothing reads these.
            with contextlib.suppress(RemoteError):
                self._bucket.delete(key)

    def _is_taken(self, name: str, data: bytes, **condition: str) -> bool:
        letter = Letter.of(BytesBody(data), sha256=False)
        return self._is_letter_taken(name, letter, **condition)

    def _is_letter_taken(self, name: str, letter: Letter, **condition: str) -> bool:
        """Tell whether the server took a write or refused it; no answer is neither."""
        try:
            self._put(name, letter, **condition)
        except RemoteError as error:
            if not error.status:
                raise
            return False
        return True

    def _put(self, name: str, letter: Letter, **condition: str) -> dict[str, Any]:
        key = f"{self._folder}{name}"
        if key not in self._written:
            self._written.append(key)
        return self._bucket.put(key, letter, **condition)

    def _read(self, name: str) -> bytes | None:
        key = f"{self._folder}{name}"
        answer = self._bucket.fetch(key)
        if answer is None:
            return None
        with self._bucket.download(key, answer, 0, None) as file:
            return file.read()


def _key(bucket: Bucket) -> str:
    place = f"{bucket.endpoint}/{bucket.name}/{bucket.prefix}"
    return f"{_ANSWERS}{hashlib.sha256(place.encode()).hexdigest()[:16]}.json"


def _server(answer: dict[str, Any]) -> str:
    name: str = answer["ResponseMetadata"]["HTTPHeaders"].get("server", "")
    return name


def _decode(data: bytes) -> Answers | None:
    """Read answers; None for what this version did not write, which is asked anew."""
    try:
        document = json.loads(data)
        if document.pop("format") != _FORMAT:
            return None
        return Answers(**document)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
