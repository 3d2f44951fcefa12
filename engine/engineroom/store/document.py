"""JSON objects of the store as text and back, with every value's type checked.

What is read was written by someone else, perhaps long ago, perhaps by a failing disk:
a wrong shape is named by object and field and is never an accident further on. What the
fields mean is said where they are used.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, cast

from engineroom.errors import StoreDamaged, StoreTooNew

__all__ = ["FORMAT", "Reader", "encode", "encode_tightly"]

FORMAT = 1

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def encode(value: dict[str, Any]) -> bytes:
    """Write an object so that equal values give equal bytes and people can read it."""
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    return f"{text}\n".encode()


def encode_tightly(value: dict[str, Any]) -> bytes:
    """Write an object likewise in one line: large ones take a tenth of the time."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return f"{text}\n".encode()


class Reader:
    """Typed access to one JSON object.

    Args:
        key: the object in the store, for messages.
        value: the parsed object.
        place: where in the document this part stands, for messages.

    Attributes:
        value: the object as it was read; nothing of it is checked.
    """

    def __init__(self, key: str, value: Any, place: str = "") -> None:
        self.key = key
        self._place = place
        if not isinstance(value, dict):
            raise self.damage(f"{place or 'the document'} is no JSON object")
        self.value: dict[str, Any] = value

    @classmethod
    def of_bytes(cls, key: str, data: bytes) -> Reader:
        """Parse a document and check its format number.

        Raises:
            StoreDamaged: when it is no JSON object with a format.
            StoreTooNew: when its format is not the one known here.
        """
        try:
            value = json.loads(data.decode())
        except (ValueError, RecursionError) as error:
            sha256 = hashlib.sha256(data).hexdigest()
            reason = f"its {len(data)} bytes (sha256 {sha256}) are no JSON: {error}"
            raise StoreDamaged(key, reason) from error
        reader = cls(key, value)
        number = reader.integer("format")
        if number != FORMAT:
            raise StoreTooNew(key, f"format {number}", f"format {FORMAT}")
        return reader

    def damage(self, reason: str) -> StoreDamaged:
        """Make the error that names this object."""
        return StoreDamaged(self.key, reason)

    def has(self, name: str) -> bool:
        """Tell whether there is a field of this name."""
        return name in self.value

    def text(self, name: str) -> str:
        """Give a string field."""
        value = self.value.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """Give a string field that may be null."""
        return None if self.value.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """Give an integer field that is not negative."""
        value = self.value.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(name, "a whole number", value)
        return value

    def sha256(self, name: str) -> str:
        """Give a field that holds a sha256 in lower-case hex."""
        value = self.text(name)
        if not _SHA256.fullmatch(value):
            raise self._wrong(name, "a sha256", value)
        return value

    def optional_sha256(self, name: str) -> str | None:
        """Give a field that holds a sha256 or null."""
        return None if self.value.get(name) is None else self.sha256(name)

    def texts(self, name: str) -> list[str]:
        """Give the strings of a list field."""
        items: Any = self.value.get(name)
        if not _is_list_of(str, items):
            raise self._wrong(name, "a list of strings", items)
        texts: list[str] = items
        return texts

    def numbers_by_name(self, name: str) -> dict[str, list[int]]:
        """Give a field that holds lists of whole numbers under names."""
        value = self.member(name).value
        if not all(_is_list_of(int, numbers) for numbers in value.values()):
            raise self._wrong(name, "lists of whole numbers under names", value)
        return value

    def member(self, name: str) -> Reader:
        """Give a field that holds an object."""
        return Reader(self.key, self.value.get(name), self._at(name))

    def objects_by_name(self, name: str) -> dict[str, Reader]:
        """Give a field that holds objects under names."""
        inner = self.member(name)
        return {str(field): inner.member(field) for field in inner.value}

    def objects(self, name: str) -> list[Reader]:
        """Give the objects of a list field."""
        if not isinstance(self.value.get(name), list):
            raise self._wrong(name, "a list", self.value.get(name))
        items: list[Any] = self.value[name]
        return [
            Reader(self.key, item, f"{self._at(name)}[{index}]")
            for index, item in enumerate(items)
        ]

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}" if self._place else name

    def _wrong(self, name: str, wanted: str, found: object) -> StoreDamaged:
        return self.damage(f"`{self._at(name)}` should be {wanted}, found {found!r}")


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(
        type(item) is kind for item in cast("list[object]", value)
    )
