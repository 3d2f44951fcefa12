from __future__ import annotations

import copy
import pickle

import pytest

from engineroom.platforms.rows import TARGETS
from engineroom.platforms.target import version_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("2.36", (2, 36), id="plain"),
        pytest.param("10.13", (10, 13), id="two digits compare as numbers"),
        pytest.param("2.36.9000-dirty", (2, 36, 9000), id="trailing words are dropped"),
        pytest.param("2.17rc1.5", (2, 17), id="nothing after the first word counts"),
        pytest.param("", (), id="empty"),
        pytest.param("PRIVATE", (), id="no number at all"),
    ],
)
def test_version_numbers_of_a_text_are_its_leading_numbers(text, numbers):
    assert version_numbers(text) == numbers


def test_a_target_when_changed_refuses():
    target = TARGETS[0]
    with pytest.raises(AttributeError, match="never changes; tried to set `cpu`"):
        target.cpu = "riscv64"
    with pytest.raises(AttributeError, match="never changes; tried to delete `cpu`"):
        del target.cpu
    assert target.cpu == "arm64"


def test_a_target_when_pickled_or_copied_is_equal_to_itself():
    for target in TARGETS:
        again = pickle.loads(pickle.dumps(target))
        assert again == target
        assert hash(again) == hash(target)
        assert copy.deepcopy(target) == target
    assert TARGETS[0] != TARGETS[1]
    assert TARGETS[0] != "darwin-arm64"


def test_fields_of_a_target_are_in_the_order_of_the_file():
    assert list(TARGETS[0].fields())[:5] == ["id", "family", "aliases", "os", "cpu"]
