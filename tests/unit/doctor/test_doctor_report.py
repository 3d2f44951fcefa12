from __future__ import annotations

import pytest

from engineroom.doctor.findings import Finding
from engineroom.doctor.report import Report


def report(*states, **more):
    findings = [
        Finding(f"check {number}", state, f"found {number}", remedy=f"do {number}")
        for number, state in enumerate(states)
    ]
    return Report(findings, more.pop("sections", {}), backend="sqlite", **more)


@pytest.mark.parametrize(
    ("states", "verdict", "summary", "remedy"),
    [
        pytest.param(
            ["ok", "ok"], "ok", "the sqlite engine answers queries", "", id="all fine"
        ),
        pytest.param(
            ["ok", "problem", "problem"],
            "problem",
            "found 1",
            "do 1",
            id="first problem",
        ),
        pytest.param(
            ["unknown", "problem"],
            "problem",
            "found 1",
            "do 1",
            id="problem over unknown",
        ),
        pytest.param(["ok", "unknown"], "unknown", "found 1", "do 1", id="unknown"),
        pytest.param(
            ["problem", "skipped"], "problem", "found 0", "do 0", id="skipped after"
        ),
    ],
)
def test_verdict_of_findings_is_that_of_the_worst(states, verdict, summary, remedy):
    found = report(*states)
    assert found.verdict == verdict
    value = found.as_json()
    assert (value["verdict"], value["summary"], value["remedy"]) == (
        verdict,
        summary,
        remedy,
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/home/ann/venv", "~/venv", id="below the home folder"),
        pytest.param("/home/ann", "~", id="the home folder"),
        pytest.param("in `/home/ann`, or", "in `~`, or", id="within a sentence"),
        pytest.param("/home/anna/venv", "/home/anna/venv", id="another's home folder"),
        pytest.param("/home/ann.bak", "/home/ann.bak", id="a folder beside it"),
    ],
)
def test_report_shows_the_home_folder_as_a_tilde(monkeypatch, text, shown):
    monkeypatch.setenv("HOME", "/home/ann")
    found = report("ok", sections={"package": {"path": text, "others": [text]}})
    assert found.as_json()["package"] == {"path": shown, "others": [shown]}


def test_report_with_the_root_as_home_leaves_paths_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    found = report("ok", sections={"package": {"path": "/usr/lib"}})
    assert found.as_json()["package"] == {"path": "/usr/lib"}


def test_report_hides_what_it_is_told_to_hide_wherever_it_stands():
    found = report(
        "ok",
        sections={"query": {"url": "x://a:b@c"}, "list": ["see x://a:b@c?"]},
        hidden=[("x://a:b@c", "x://a:***@c")],
    )
    value = found.as_json()
    assert value["query"] == {"url": "x://a:***@c"}
    assert value["list"] == ["see x://a:***@c?"]
