"""Pages of codes that are lacking, left over or not as they must be are named."""

from __future__ import annotations

import pytest

from engineroom.errors import ConnectionClosed, FetchError, SourceForbidden
from native.build.error_pages import faults

GOOD = """\
# ER3211 SourceForbidden

The source refuses.

## As it is printed

```text
error ER3211: Cannot fetch
```

## Usual causes

- One.

## How to tell which

- Look.

## What mends it

- Mend it.
"""
BASE = "# ER3200 FetchError\n\nA failure.\n\n## Its kinds\n\n- ER3210.\n"


def found(folder, kinds, **pages):
    folder = folder / "pages"
    folder.mkdir()
    for code, text in pages.items():
        (folder / f"{code}.md").write_text(text)
    return faults(kinds, folder)


def test_good_pages_have_no_faults_and_other_areas_need_none(tmp_path):
    kinds = [SourceForbidden, FetchError, ConnectionClosed]
    assert found(tmp_path, kinds, ER3211=GOOD, ER3200=BASE) == []


def test_a_class_without_a_page_and_a_page_without_a_class_are_named(tmp_path):
    assert found(tmp_path, [FetchError], ER3211=GOOD) == [
        "pages/ER3200.md is lacking: FetchError has no page",
        "pages/ER3211.md: no class has this code",
    ]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("SourceForbidden", "Forbidden", "does not begin with `# ER3211 Sou"),
        ("The source refuses.\n\n", "", "does not say what the code means"),
        ("## Usual causes\n\n- One.\n\n", "", "its sections are As it is printed, H"),
        ("- Mend it.\n", "", "`What mends it` is empty"),
        ("error ER3211", "error ER3212", "no text that begins with `error ER3211: `"),
        (GOOD[GOOD.index("## As") :], BASE[BASE.index("## Its") :], "must be As it is"),
    ],
    ids=["name", "meaning", "section", "empty", "example", "no base"],
)
def test_a_page_that_is_not_as_it_must_be_is_named_with_why(tmp_path, old, new, fault):
    (text,) = found(tmp_path, [SourceForbidden], ER3211=GOOD.replace(old, new))
    assert text.startswith("pages/ER3211.md: ")
    assert fault in text
