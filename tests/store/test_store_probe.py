"""What servers were found to do, and what is done where one cannot be trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import PutIfAbsentIgnored, RemoteForbidden
from engineroom.store import open_store, probe, publish, repair
from engineroom.store.s3_answers import Answers
from engineroom.store.transport import BytesBody

from . import servers
from .conftest import s3_transport
from .faulty_proxy import FaultyProxy
from .reader import listed, visible, visible_json
from .wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engineroom.store import Transport

KEY = "journal/widget/000000000001.json"
ONE = BytesBody(b"one")
TWO = BytesBody(b"two")

# What each real server does, as found; a change here is news about the server.
DOES = {
    "seaweedfs": {
        "puts_if_absent": True,
        "if_match": "quoted",
        "slash_pages": False,
        "sha256": "checked",
        "md5": "checked",
    },
    "moto": {
        "puts_if_absent": True,
        "if_match": "quoted",
        "slash_pages": True,
        "sha256": "ignored",
        "md5": "ignored",
    },
    "rclone": {
        "puts_if_absent": False,
        "if_match": "ignored",
        "slash_pages": False,
        "sha256": "ignored",
        "md5": "checked",
    },
}


def answers_file(transport: Any) -> list[str]:
    pages = transport.bucket.pages(".engineroom-", "")
    start = len(transport.bucket.prefix)
    return [item["Key"][start:] for page in pages for item in page.get("Contents", ())]


@pytest.mark.parametrize("server", DOES)
def test_each_server_is_found_to_do_what_it_does(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    endpoint = request.getfixturevalue(server)
    transport = s3_transport(endpoint, f"{tmp_path.name}/")
    found = transport.answers
    does = {name: getattr(found, name) for name in DOES[server]}
    assert does == DOES[server]
    assert list(transport.list("")) == []
    assert len(answers_file(transport)) == 1, "the questions are gone, the answers stay"


def test_a_server_is_asked_once_for_all_publishers(
    seaweedfs: str, tmp_path: Path
) -> None:
    with FaultyProxy(seaweedfs) as proxy:
        first = s3_transport(proxy.url, f"{tmp_path.name}/").answers
        asked = len(proxy.asked)
        assert s3_transport(proxy.url, f"{tmp_path.name}/").answers == first
        assert [each.method for each in proxy.asked[asked:]] == ["GET"]


def test_readers_ask_nothing(seaweedfs: str, tmp_path: Path) -> None:
    with FaultyProxy(seaweedfs) as proxy:
        transport = s3_transport(proxy.url, f"{tmp_path.name}/")
        assert transport.get(KEY) is None
        assert list(transport.list("")) == []
        assert transport.size(KEY) is None
        assert {each.method for each in proxy.asked} == {"GET", "HEAD"}


def test_another_server_behind_the_same_address_is_asked_anew(
    seaweedfs: str, tmp_path: Path
) -> None:
    transport = s3_transport(seaweedfs, f"{tmp_path.name}/")
    found = transport.answers
    [key] = answers_file(transport)
    for data in (
        json.dumps({"format": 1, **vars(found), "server": "other"}).encode(),
        json.dumps({"format": 2, **vars(found)}).encode(),
        json.dumps({"format": 1}).encode(),
        b"[]",
        b"{",
    ):
        transport.delete(key)
        again = s3_transport(seaweedfs, f"{tmp_path.name}/", answers=found)
        assert again.put_if_absent(key, BytesBody(data))
        assert s3_transport(seaweedfs, f"{tmp_path.name}/").answers == found


def test_answers_are_not_inherited_by_a_copy_elsewhere(
    seaweedfs: str, moto: str, tmp_path: Path
) -> None:
    here = s3_transport(seaweedfs, f"{tmp_path.name}/")
    there = s3_transport(moto, f"{tmp_path.name}/")
    assert here.answers.server != there.answers.server
    assert answers_file(here) != answers_file(there)


def test_a_user_who_may_not_write_is_told_so(seaweedfs: str, tmp_path: Path) -> None:
    with FaultyProxy(seaweedfs) as proxy:
        proxy.hurt("refuse", method="PUT", times=99, status=403, code="AccessDenied")
        transport = s3_transport(proxy.url, f"{tmp_path.name}/")
        with pytest.raises(RemoteForbidden):
            transport.put_if_absent(KEY, ONE)
        assert transport.slash_pages is False, "a reader need not be able to ask"


def test_a_user_who_may_not_remove_can_publish_all_the_same(
    seaweedfs: str, tmp_path: Path
) -> None:
    with FaultyProxy(seaweedfs) as proxy:
        proxy.hurt("refuse", method="DELETE", times=99, status=403, code="AccessDenied")
        transport = s3_transport(proxy.url, f"{tmp_path.name}/")
        assert transport.put_if_absent(KEY, ONE)
        assert transport.sweep(older_than_seconds=-60) == ()
    direct = s3_transport(seaweedfs, f"{tmp_path.name}/")
    assert list(direct.list("")) == [KEY], "what is left is hidden"
    left = direct.sweep(older_than_seconds=-60)
    assert left
    assert all(key.startswith(".engineroom-probe-") for key in left)
    assert len(answers_file(direct)) == 1


def test_nothing_is_written_where_a_second_writer_would_not_be_noticed(
    rclone: str, tmp_path: Path
) -> None:
    transport = s3_transport(rclone, f"{tmp_path.name}/")
    with pytest.raises(PutIfAbsentIgnored) as caught:
        publish(transport, [make_wheel(tmp_path)])
    assert caught.value.endpoint == rclone
    assert "`--single-writer`" in caught.value.hint
    assert list(transport.list("")) == []
    # Replacing nothing is creating, so pages are no way around it.
    with pytest.raises(PutIfAbsentIgnored):
        transport.replace("simple/index.html", ONE, expected=None)


def test_a_single_writer_may_publish_there(rclone: str, tmp_path: Path) -> None:
    transport = s3_transport(rclone, f"{tmp_path.name}/", single_writer=True)
    wheels = [make_wheel(tmp_path, version=version) for version in ("1.0", "2.0")]
    for wheel in wheels:
        publish(transport, [wheel])
    names = {wheel.name for wheel in wheels}
    assert visible(transport) == visible_json(transport) == names
    assert listed(transport) == {"widget"}
    assert repair(transport).problems == ()


def test_a_single_writer_is_told_what_is_there(rclone: str, tmp_path: Path) -> None:
    transport = s3_transport(rclone, f"{tmp_path.name}/", single_writer=True)
    assert transport.put_if_absent(KEY, ONE)
    assert not transport.put_if_absent(KEY, TWO)
    assert not transport.replaces_conditionally
    stored = transport.get(KEY)
    assert stored is not None
    assert stored.data == b"one"
    assert transport.replace(KEY, TWO, expected=stored.version)
    assert not transport.replace(KEY, ONE, expected=stored.version)
    assert not transport.replace(KEY, ONE, expected=None)
    assert not transport.replace("journal/other.json", ONE, expected=stored.version)


@pytest.mark.parametrize("if_match", ["quoted", "unquoted", "ignored"])
def test_versions_are_sent_as_the_server_compares_them(
    seaweedfs: str, tmp_path: Path, if_match: str
) -> None:
    answers = Answers("", True, if_match, False, "refused", "checked")
    with FaultyProxy(seaweedfs) as proxy:
        transport = s3_transport(proxy.url, f"{tmp_path.name}/", answers=answers)
        assert transport.put_if_absent(KEY, ONE)
        stored = transport.get(KEY)
        assert stored is not None
        assert transport.replaces_conditionally is (if_match != "ignored")
        transport.replace(KEY, TWO, expected=stored.version)
        sent = [each.headers for each in proxy.asked if each.method == "PUT"]
    spelled = {
        "quoted": f'"{stored.version}"',
        "unquoted": stored.version,
        "ignored": None,
    }
    assert sent[1].get("if-match") == spelled[if_match]
    assert all("x-amz-checksum-sha256" not in headers for headers in sent)


def test_a_probe_finds_folders_and_good_servers_fit(
    make_transport: Callable[[], Transport],
) -> None:
    found = probe(make_transport(), rounds=1)
    assert found.is_fit
    assert (found.rounds, found.lone_winners) == (1, 1)
    assert found.lists_at_once
    assert abs(found.clock_ahead_seconds) < 5
    assert found.left == ()
    assert list(make_transport().list("")) == []


def test_a_probe_tells_a_skewed_clock(seaweedfs: str, tmp_path: Path) -> None:
    with FaultyProxy(seaweedfs) as proxy:
        proxy.skew_seconds = 7200
        found = probe(s3_transport(proxy.url, f"{tmp_path.name}/"), rounds=1)
    assert 7195 < found.clock_ahead_seconds < 7205


def engineroom(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engineroom", "store", *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_prints_a_table_and_ends_well(
    seaweedfs: str, tmp_path: Path
) -> None:
    store = f"s3://{servers.BUCKET}/{tmp_path.name}"
    words = ("probe", "--store", store, "--endpoint-url", seaweedfs, "--rounds", 1)
    done = engineroom(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SeaweedFS" in done.stdout
    assert done.stdout.endswith(f"{store} is fit for several publishers at once.\n")


def test_the_command_tells_programs_why_a_server_is_unfit(
    rclone: str, tmp_path: Path
) -> None:
    store = f"s3://{servers.BUCKET}/{tmp_path.name}"
    done = engineroom(
        "probe", "--json", ENGINEROOM_STORE=store, ENGINEROOM_STORE_ENDPOINT_URL=rclone
    )
    assert done.returncode == 6
    value = json.loads(done.stdout)
    assert value["store"] == store
    assert value["fit_for_publishing"] is False
    assert value["rounds"] == value["lone_winners"] == 0
    assert value["answers"]["puts_if_absent"] is False


def test_publishing_by_command_to_a_bucket(seaweedfs: str, tmp_path: Path) -> None:
    """The whole way: options, environment, publish, and the wheel at its address."""
    store = f"s3://{servers.BUCKET}/{tmp_path.name}"
    wheel = make_wheel(tmp_path)
    done = engineroom(
        "publish", wheel, "--store", store, ENGINEROOM_STORE_ENDPOINT_URL=seaweedfs
    )
    assert done.returncode == 0, done.stderr
    page = f"{seaweedfs}/{servers.BUCKET}/{tmp_path.name}/simple/widget/index.html"
    assert done.stdout.endswith(f"pip install --no-index --find-links {page} widget\n")
    place = open_store(store, endpoint_url=seaweedfs)
    assert visible(place) == visible_json(place) == {wheel.name}
    refused = engineroom(
        "publish", wheel, "--store", store, "--endpoint-url", "http://127.0.0.1:1"
    )
    assert refused.returncode == 6
    assert "ER3016" in refused.stderr
