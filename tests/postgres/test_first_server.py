"""The page that a newcomer to PostgreSQL reads does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from tests.postgres.cluster import Cluster

PAGE = Path(__file__).resolve().parents[2] / "docs" / "start" / "first-server.md"
ADDRESS = "postgresql://shop@db.example/shop?sslmode=verify-full"


def test_the_example_of_the_page_runs(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    import engineroom

    text = PAGE.read_text("utf-8")
    (block,) = re.findall(r"^```py\n(.*?)^```$", text, re.M | re.S)
    assert ADDRESS in block
    with engineroom.connect(cluster.url(), autocommit=True) as connection:
        connection.executescript(
            "DROP TABLE IF EXISTS product; CREATE TABLE product (name text, price int);"
            "INSERT INTO product VALUES ('lamp', 49), ('chair', 120)"
        )
        exec(compile(block.replace(ADDRESS, cluster.url()), str(PAGE), "exec"), {})
        connection.execute("DROP TABLE product")
    assert capsys.readouterr().out == "chair 120\n"


def test_what_the_page_says_of_marks_holds(cluster: Cluster) -> None:
    import engineroom

    with engineroom.connect(cluster.url()) as connection:
        execute = connection.execute
        assert execute("SELECT ?", (1,)).fetchone() == ("1",)
        assert execute("SELECT ?::int", (1,)).fetchone() == (1,)
        assert execute("SELECT :a || :b", {"a": "x", "b": "y"}).fetchone() == ("xy",)
        assert execute("""SELECT '{"a": 1}'::jsonb ? $1""", ("a",)).fetchone() == (
            True,
        )
        assert execute("""SELECT '{"a": 1}'::jsonb ?? ?""", ("a",)).fetchone() == (
            True,
        )
        assert execute("SELECT ?::date", ("2024-02-29",)).fetchone() is not None
