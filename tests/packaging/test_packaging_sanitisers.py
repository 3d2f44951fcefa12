"""The sanitiser runs see what they are there for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from native.build.errors import ToolUnusable
from native.build.native_tests import SANITISERS, find_compiler, run_native_tests
from native.build.report import Report

if TYPE_CHECKING:
    from pathlib import Path

    from native.build.cache import Cache

HEAD = """
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
static int shared;
static char *volatile memory;
static void *add(void *unused) {
  for (int i = 0; i < 1000; i++) shared++;
  return unused;
}
int main(int argc, char **argv) {
  (void)argv;
  (void)add;
"""
FAULTS = {
    "overflow": "memory = malloc(4); memset(memory, 0, 8); free(memory);",
    "leak": "memory = malloc(4); memory = NULL;",
    "shift": "int by = 31 + argc; shared = 1 << by;",
    "race": (
        "pthread_t a; pthread_create(&a, NULL, add, NULL); add(NULL);"
        " pthread_join(a, NULL);"
    ),
    "nothing": "",
}


def have_compiler() -> bool:
    try:
        find_compiler()
    except ToolUnusable:
        return False
    return True


@pytest.mark.skipif(not have_compiler(), reason="needs a C compiler of the machine")
@pytest.mark.parametrize(
    ("fault", "sanitiser", "words"),
    [
        ("overflow", 0, "heap-buffer-overflow"),
        ("leak", 0, "LeakSanitizer"),
        ("shift", 0, "shift exponent"),
        ("race", 1, "data race"),
        ("nothing", 0, ""),
        ("nothing", 1, ""),
    ],
)
def test_each_sanitiser_finds_its_faults_and_no_others(
    fault: str, sanitiser: int, words: str, tree: Path, cache: Cache
) -> None:
    text = f"{HEAD}  {FAULTS[fault]}\n  return argc == 7;\n}}\n"
    (tree / "native" / "test" / "test_fault.c").write_text(text)
    report = Report(out=io.StringIO(), live=io.StringIO())

    (outcome,) = run_native_tests(
        cache,
        report,
        sanitisers=[SANITISERS[sanitiser]],
        only=["test_fault"],
        tree=tree,
    )

    assert outcome.is_passed is (not words)
    assert words in outcome.output
