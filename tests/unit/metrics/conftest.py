"""Statements for the tests below this folder: metrics ask for two names of them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import pytest

from engineroom.metrics import Metrics


class Text(NamedTuple):
    """A statement's shape with its fingerprint."""

    shape: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.shape.encode()).hexdigest()[:16]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(backend="sqlite", url="sqlite:///shop.db")
