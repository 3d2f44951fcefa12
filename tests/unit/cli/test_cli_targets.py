from __future__ import annotations

import json

from engineroom.cli.main import main
from engineroom.platforms.choose import VERDICTS, judge
from engineroom.platforms.probe import probe
from engineroom.platforms.rows import TARGETS


def test_targets_as_json_gives_every_field_and_what_fits_here(capsys):
    assert main(["targets", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    facts = probe()
    assert value["format"] == 1
    assert value["process"] == str(facts)
    assert [target["id"] for target in value["targets"]] == [t.id for t in TARGETS]
    for target, row in zip(value["targets"], TARGETS):
        verdict = judge(row, facts)
        assert target["fits"] == (verdict.word == "fits")
        assert (target["verdict"], target["reason"]) == (verdict.word, verdict.reason)
        assert set(row.fields()) < set(target)
    assert any(target["fits"] for target in value["targets"])


def test_targets_for_people_is_a_table_of_every_target(capsys):
    assert main(["targets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "target", "oldest", "system", "OpenSSL", "wheel", "here"
    ]  # fmt: skip
    for target, line in zip(TARGETS, lines[1:]):
        assert line.split()[0] == target.id
        assert line.split()[-1] in VERDICTS
    assert lines[10] == f"This process is {probe()}."
    assert "rhel-openssl-3.0.x (rhel-x86_64)" in lines[11]
