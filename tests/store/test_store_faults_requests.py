"""A publish over a network and a server that fail, at every request it sends.

Real requests to a real server, through a proxy that hurts one of them, or all from one
on. What passes is not noticed. What stays ends the publish with an error that tells
why; readers meet the state before or after, and the same publish again finishes it.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from engineroom.errors import (
    PagesBehind,
    RemoteCredentialsExpired,
    RemoteCredentialsWrong,
    RemoteError,
    RemoteForbidden,
    RemoteServerFailed,
    StoreDamaged,
    StoreError,
)
from engineroom.store import publish, read_project, read_store, repair

from .conftest import s3_transport
from .faults import act_at_call
from .faulty_proxy import FaultyProxy
from .reader import listed, visible, visible_json
from .servers import free_ports
from .servers import seaweedfs as run_seaweedfs
from .wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from engineroom.store.s3 import S3Transport
    from engineroom.store.s3_answers import Answers

ONE, TWO = "widget-1.0-py3-none-any.whl", "widget-2.0-py3-none-any.whl"
COMMIT = "c0ffee" + "0" * 34
AT_ONCE = 6
FOR_EVER = 1 << 30

# What is done to one request, and to which; a client that tries again does not notice.
PASSING: dict[str, dict[str, Any]] = {
    "drop": {"how": "drop"},
    "cut": {"how": "cut"},
    "lose": {"how": "lose"},
    "delay": {"how": "delay", "seconds": 0.2},
    "swap": {"how": "swap", "seconds": 0.2},
    "twice": {"how": "twice"},
    "truncate": {"how": "truncate", "method": "GET"},
    "refuse 500": {"how": "refuse", "status": 500},
    "refuse 503": {"how": "refuse", "status": 503, "code": "SlowDown"},
    "disown 500": {"how": "disown", "status": 500},
    "conflict 409": {
        "how": "refuse",
        "method": "PUT",
        "status": 409,
        "code": "ConditionalRequestConflict",
    },
}


@pytest.fixture(scope="module")
def answers(seaweedfs: str) -> Answers:
    """Give what the server can do, so that no request here is spent on asking."""
    return s3_transport(seaweedfs, "answers/").answers


class Hurt:
    """A store of its own, and one publish of a commit to it that is hurt somewhere."""

    def __init__(self, endpoint: str, answers: Answers, wheels: list[Path]) -> None:
        self._endpoint = endpoint
        self._answers = answers
        self._wheels = wheels
        self._prefix = f"{secrets.token_hex(8)}/"
        self.direct = self._transport(endpoint)
        publish(self.direct, wheels[:1])

    def publish(self, number: int, **fault: Any) -> tuple[bool, StoreError | None]:
        """Publish while the n-th request is hurt; tell whether any was, and the end."""
        with FaultyProxy(self._endpoint) as proxy:
            proxy.hurt(nth=number, **fault)
            try:
                self._publish(self._transport(proxy.url))
            except StoreError as error:
                return proxy.was_hurt, error
            return proxy.was_hurt, None

    def check_readers(self, *, is_done: bool) -> None:
        """Check that all pages show the old state or the new one."""
        for show in (visible, visible_json):
            old = {ONE, TWO} if is_done else {ONE}
            assert show(self.direct) in (old, {ONE, TWO})
            root = f"commits/{COMMIT}/"
            new = {TWO} if is_done else set[str]()
            assert show(self.direct, root=root) in (new, {TWO})

    def finish(self) -> None:
        """Publish again, with nothing in the way, and check that nothing is left."""
        self._publish(self.direct)
        self.check_readers(is_done=True)
        assert listed(self.direct) == {"widget"}
        project = read_project(self.direct, read_store(self.direct), "widget")
        assert project.number == 2
        outcome = repair(self.direct)
        assert (outcome.pages, outcome.problems) == ((), ())

    def _transport(self, endpoint: str) -> S3Transport:
        return s3_transport(endpoint, self._prefix, answers=self._answers)

    def _publish(self, transport: S3Transport) -> None:
        publish(transport, self._wheels[1:], commit=COMMIT)


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    return [make_wheel(tmp_path, version=version) for version in ("1.0", "2.0")]


def _hurt_each(
    endpoint: str, answers: Answers, wheels: list[Path], **fault: Any
) -> list[StoreError | None]:
    """Publish to a new store for each request there is to hurt; give how each ended."""

    def once(number: int) -> tuple[bool, StoreError | None]:
        hurt = Hurt(endpoint, answers, wheels)
        was_hurt, error = hurt.publish(number, **fault)
        hurt.check_readers(is_done=error is None)
        hurt.finish()
        return was_hurt, error

    ends: list[StoreError | None] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(1, 100, AT_ONCE):
            row = list(pool.map(once, range(first, first + AT_ONCE)))
            ends.extend(error for was_hurt, error in row if was_hurt)
            if not all(was_hurt for was_hurt, _ in row):
                return ends
    pytest.fail("a publish sends more requests than this test expects")


@pytest.mark.parametrize("name", PASSING)
def test_a_publish_survives_any_request_that_fails_once(
    seaweedfs: str, answers: Answers, wheels: list[Path], name: str
) -> None:
    ends = _hurt_each(seaweedfs, answers, wheels, **PASSING[name])
    assert len(ends) >= 10
    assert set(ends) == {None}


def test_a_server_that_refuses_wrongly_once_is_told_of_or_asked_again(
    seaweedfs: str, answers: Answers, wheels: list[Path]
) -> None:
    """It says that a condition does not hold and keeps nothing."""
    fault = {"how": "refuse", "status": 412, "code": "PreconditionFailed"}
    ends = _hurt_each(seaweedfs, answers, wheels, method="PUT", **fault)
    assert {type(end) for end in ends} == {type(None), StoreDamaged}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "ExpiredToken", RemoteCredentialsExpired),
        (403, "AccessDenied", RemoteForbidden),
        (500, "InternalError", RemoteServerFailed),
    ],
)
def test_a_server_that_refuses_everything_from_one_request_on_is_told_of(
    seaweedfs: str,
    answers: Answers,
    wheels: list[Path],
    status: int,
    code: str,
    kind: type[RemoteError],
) -> None:
    """Such as credentials that run out: with new ones the publish goes on."""
    ends = _hurt_each(
        seaweedfs,
        answers,
        wheels,
        how="refuse",
        times=FOR_EVER,
        status=status,
        code=code,
    )
    assert len(ends) >= 10
    assert {type(end) for end in ends} == {kind, PagesBehind}
    assert all(str(status) in str(end) for end in ends)


def test_a_bucket_that_may_only_be_read_refuses_a_publish_and_is_not_changed(
    seaweedfs: str, answers: Answers, wheels: list[Path]
) -> None:
    hurt = Hurt(seaweedfs, answers, wheels)
    before = {entry.key: entry.version for entry in hurt.direct.entries("")}
    fault = {"how": "refuse", "status": 403, "code": "AccessDenied"}
    _, error = hurt.publish(1, method="PUT", times=FOR_EVER, **fault)
    assert isinstance(error, RemoteForbidden)
    assert {entry.key: entry.version for entry in hurt.direct.entries("")} == before
    hurt.finish()


def test_wrong_credentials_are_refused_before_anything_is_written(
    seaweedfs: str,
    answers: Answers,
    wheels: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurt = Hurt(seaweedfs, answers, wheels)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        _, error = hurt.publish(FOR_EVER, how="drop")
    assert isinstance(error, RemoteCredentialsWrong)
    hurt.check_readers(is_done=False)
    hurt.finish()


@pytest.mark.parametrize("seconds", [-366 * 86_400, 366 * 86_400])
def test_a_server_whose_clock_is_a_year_off_is_published_to_all_the_same(
    seaweedfs: str, wheels: list[Path], seconds: int
) -> None:
    prefix = f"{secrets.token_hex(8)}/"
    with FaultyProxy(seaweedfs) as proxy:
        proxy.skew_seconds = seconds
        publish(s3_transport(proxy.url, prefix), wheels)
    direct = s3_transport(seaweedfs, prefix)
    assert visible(direct) == visible_json(direct) == {ONE, TWO}


def test_a_server_killed_at_any_step_of_a_publish_comes_back_with_a_sound_store(
    tmp_path: Path,
    aws_environment: None,  # noqa: ARG001 - asked for so that it is set
) -> None:
    ports = free_ports(10)
    shown: set[str] = set()
    for number in range(1, 15, 3):
        wheel = make_wheel(tmp_path, version=f"{number}.0")
        with ExitStack() as running:
            endpoint = running.enter_context(run_seaweedfs(tmp_path / "server", ports))
            if shown:
                assert visible(s3_transport(endpoint, "killed/")) == shown
            # Leaving the block kills the server.
            patient = s3_transport(endpoint, "killed/", tries=2, timeout_seconds=5.0)
            assert patient.answers.puts_if_absent
            with pytest.raises(StoreError):
                publish(act_at_call(patient, number, running.close), [wheel])
        with run_seaweedfs(tmp_path / "server", ports) as endpoint:
            transport = s3_transport(endpoint, "killed/", tries=8)
            assert visible(transport) in (shown, shown | {wheel.name})
            publish(transport, [wheel])
            shown.add(wheel.name)
            assert visible(transport) == visible_json(transport) == shown
            assert repair(transport).problems == ()
