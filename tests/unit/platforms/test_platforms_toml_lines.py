from __future__ import annotations

import pytest

from engineroom.platforms.toml_lines import find_lines


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("a = 1\nb = 2\n", [(("a",), 1), (("b",), 2)], id="plain keys"),
        pytest.param("\n\n  a=1", [(("a",), 3)], id="blank lines and no last newline"),
        pytest.param("a = 1\r\nb = 2\r\n", [(("a",), 1), (("b",), 2)], id="CRLF"),
        pytest.param(
            "[t.x]\na = 1\n[t.y]\na = 1",
            [
                (("t", "x"), 1),
                (("t", "x", "a"), 2),
                (("t", "y"), 3),
                (("t", "y", "a"), 4),
            ],
            id="tables",
        ),
        pytest.param(
            '[ t . "x y" ]\n"a.b" . c = 1',
            [(("t", "x y"), 1), (("t", "x y", "a.b", "c"), 2)],
            id="spaces, quotes and dots in keys",
        ),
        pytest.param("# a = 1\nb = 2 # c = 3", [(("b",), 2)], id="comments"),
        pytest.param(
            'a = [ # ]\n  "]", "b = 1",\n  [2],\n]\nc = 1',
            [(("a",), 1), (("c",), 5)],
            id="a list over several lines",
        ),
        pytest.param(
            'a = """\nb = 1\n\\"""\n"""\nc = 1',
            [(("a",), 1), (("c",), 5)],
            id="a text over several lines",
        ),
        pytest.param(
            "a = '''\nb = 1\n'''\nc = 1",
            [(("a",), 1), (("c",), 4)],
            id="a literal text over several lines",
        ),
        pytest.param(
            'a = "x # y"\nb = \'c:\\\'\nd = ""\ne = "\\""\nf = 1',
            [(("a",), 1), (("b",), 2), (("d",), 3), (("e",), 4), (("f",), 5)],
            id="marks within texts",
        ),
        pytest.param(
            "t = { x = 1, y = [2] }\nz = 1",
            [(("t",), 1), (("z",), 2)],
            id="an inline table has one place",
        ),
        pytest.param(
            "[[t]]\na = 1\n[[t]]\na = 2",
            [(("t",), 1), (("t", "a"), 2), (("t",), 3), (("t", "a"), 4)],
            id="tables of one name",
        ),
        pytest.param(
            "a = 1\na = 2", [(("a",), 1), (("a",), 2)], id="a key twice is found twice"
        ),
        pytest.param("a = 1\n= 2\nb = 3", [(("a",), 1)], id="stops where sense ends"),
        pytest.param(
            "a = 1\nb\nc = 3", [(("a",), 1)], id="stops at a key with no value"
        ),
        pytest.param(
            'a = "no end\nb = 1', [(("a",), 1), (("b",), 2)], id="a text with no end"
        ),
        pytest.param("", [], id="empty"),
    ],
)
def test_find_lines_of_a_text_gives_each_key_with_its_line(text, places):
    assert find_lines(text) == places


def test_find_lines_of_the_real_file_agree_with_what_stands_there(platforms_toml):
    text = platforms_toml.read_text("utf-8")
    lines = text.splitlines()
    places = find_lines(text)
    for key, line in places:
        found = lines[line - 1]
        assert found.startswith((f"{key[-1]} = ", f"[{'.'.join(key)}]"))
    assert len(places) == 1 + 8 * 15  # format; eight tables of fourteen keys
