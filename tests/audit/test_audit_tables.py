"""The tables of Mach-O files that no linker here writes, made by hand."""

from __future__ import annotations

import struct

import pytest

from native.audit.bindings import DYNAMIC_LOOKUP, Binding, Tables, read_tables
from native.audit.macho import read_macho
from native.audit.signature import read_signature
from tests.audit.binaries import MAC, Workshop, load_command, patched

NAMES = b"\0_getenv\0_PyErr_Occurred\0"


def chained(form: int, entries: bytes, count: int) -> bytes:
    """Return LC_DYLD_CHAINED_FIXUPS: two segments, the second with fixups."""
    starts = struct.pack("<3I", 2, 0, 12) + bytes(16)
    head = 28
    table = head + len(starts)
    symbols = table + len(entries)
    words = (0, head, table, symbols, count, form, 0)
    return struct.pack("<7I", *words) + starts + entries + NAMES


@pytest.mark.parametrize(
    ("form", "entries"),
    [
        pytest.param(
            1, struct.pack("<2I", 1 | 1 << 9, 0xFE | 9 << 9), id="short-names"
        ),
        pytest.param(
            2,
            struct.pack("<4I", 1 | 1 << 9, 7, 0xFE | 9 << 9, 7),
            id="with-addends",
        ),
        pytest.param(
            3,
            struct.pack("<4Q", 1 | 1 << 32, 7, 0xFFFE | 9 << 32, 7),
            id="long-names",
        ),
    ],
)
def test_chained_fixups_name_symbols_with_their_libraries(
    form: int, entries: bytes
) -> None:
    data = chained(form, entries, 2)

    followed = read_tables(data, Tables(fixups=(0, len(data))), segment_count=2)

    assert followed.imports == {
        Binding("_getenv", 1),
        Binding("_PyErr_Occurred", DYNAMIC_LOOKUP),
    }
    assert followed.segments == {1}


def test_chained_fixups_of_an_unknown_form_are_refused() -> None:
    data = chained(9, bytes(8), 1)

    with pytest.raises(ValueError, match="unknown form 9"):
        read_tables(data, Tables(fixups=(0, len(data))), segment_count=2)


def test_an_export_trie_that_runs_in_a_circle_is_refused() -> None:
    data = b"\0\x01_a\0\0"  # no symbol here, one edge, back to the start

    with pytest.raises(ValueError, match="circle"):
        read_tables(data, Tables(trie=(0, len(data))), segment_count=1)


def test_a_table_beyond_the_end_of_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond its end"):
        read_tables(bytes(10), Tables(bind=(4, 8)), segment_count=1)


def test_every_page_of_a_signed_engine_is_compared(workshop: Workshop) -> None:
    data = workshop.good(MAC)
    at = load_command(data, 0x1D)
    offset, _ = struct.unpack_from("<2I", data, at + 8)

    signature = read_macho(data).signature

    assert signature is not None
    assert (signature.is_ad_hoc, signature.problem) == (True, "")
    assert signature.pages == -(-offset // 16384)  # the pages of arm64
    # The last byte that is signed, and so one in the last page.
    changed = read_macho(patched(data, offset - 1, "<B", lambda byte: byte ^ 1))
    assert changed.signature is not None
    assert changed.signature.problem == (
        f"pages with other bytes: {signature.pages - 1}"
    )


@pytest.mark.parametrize(
    ("place", "form", "value", "problem"),
    [
        pytest.param(0, ">I", 1, "it does not begin as one", id="magic"),
        pytest.param(12, ">I", 9, "it has no code directory", id="no-directory"),
    ],
)
def test_what_is_wrong_with_a_signature_itself_is_told(
    workshop: Workshop, place: int, form: str, value: int, problem: str
) -> None:
    data = workshop.good(MAC)
    at = load_command(data, 0x1D)
    offset, size = struct.unpack_from("<2I", data, at + 8)

    signature = read_signature(patched(data, offset + place, form, value), offset, size)

    assert signature.problem == problem


def test_a_signature_that_leaves_bytes_behind_it_is_refused(
    workshop: Workshop,
) -> None:
    signature = read_macho(workshop.good(MAC) + b"more").signature

    assert signature is not None
    assert signature.problem == "it does not end where the file ends"
