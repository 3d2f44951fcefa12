"""A secret of a connection string never comes back: in no error, repr, log or warning.

The secrets here have the characters that take strings apart, so that no piece of one
slips out either.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import pickle
import subprocess
import sys
import traceback
import warnings
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

import engineroom
from engineroom import errors

from .cluster import DATABASE, OTHER, OWNER, PASSWORDS
from .hostile import Talk, hostile, message
from .programs import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .certificates import Certificates
    from .cluster import Cluster

pytestmark = pytest.mark.usefixtures("no_socket_left", "no_libpq_environment")

# Each piece between the special characters is long enough to be looked for.
PIECES = ("alphabet", "backwater", "candelabra", "doorkeeper", "evergreen")
SECRET = "alphabet:backwater@candelabra/doorkeeper?evergreen"
QUOTED = quote(SECRET, safe="")


def urls(port: int) -> dict[str, str]:
    """Return connection strings that hold the secret, well formed and not."""
    place = f"127.0.0.1:{port}/{DATABASE}"
    keywords = f"host=127.0.0.1 port={port} user={OWNER} dbname={DATABASE}"
    return {
        "in the URL": f"postgresql://{OWNER}:{QUOTED}@{place}",
        "not quoted": f"postgresql://{OWNER}:{SECRET}@{place}",
        "behind the question mark": (f"postgresql://{OWNER}@{place}?password={QUOTED}"),
        "of a key": f"postgresql://{OWNER}:{QUOTED}@{place}?sslpassword={QUOTED}",
        "beside a wrong setting": f"postgresql://{OWNER}:{QUOTED}@{place}?sslmood=x",
        "beside a wrong value": f"postgresql://{OWNER}:{QUOTED}@{place}?sslmode=x",
        "beside a wrong port": f"postgresql://{OWNER}:{QUOTED}@127.0.0.1:p0rt/x",
        "beside half a percent": f"postgresql://{OWNER}:{QUOTED}%@{place}",
        "in keywords": f"{keywords} password={SECRET}",
        "in quoted keywords": f"{keywords} password='{SECRET}'",
        "in keywords that do not end": f"{keywords} password='{SECRET}",
        "in keywords beside a wrong one": f"{keywords} password={SECRET} sslmood=x",
        "with a space in keywords": f"{keywords} password=evergreen alphabet",
        "of another scheme": f"mysql://{OWNER}:{QUOTED}@{place}",
        "of no scheme": f"{OWNER}:{SECRET}@{place}",
    }


def shown(error: BaseException) -> Iterator[str]:
    """Yield everything that an error shows, and those behind it."""
    one: BaseException | None = error
    while one is not None:
        yield str(one)
        yield repr(one)
        yield repr(getattr(one, "__dict__", {}))
        yield from (str(note) for note in getattr(one, "__notes__", ()))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    yield "".join(traceback.format_exception_only(type(error), error))


def assert_hidden(texts: Iterator[str]) -> None:
    for text in texts:
        for piece in PIECES:
            assert piece not in text, text


@pytest.mark.parametrize("name", list(urls(0)))
@pytest.mark.parametrize("is_there", [True, False], ids=["refused", "nobody there"])
def test_an_error_of_connecting_does_not_show_it(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, name: str, is_there: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    url = urls(cluster.port if is_there else free_port())[name]
    with pytest.raises(errors.Error) as caught:
        engineroom.connect(url)
    assert_hidden(shown(caught.value))
    assert_hidden(iter([caplog.text]))
    with contextlib.suppress(TypeError, AttributeError, pickle.PicklingError):
        assert_hidden(iter([repr(pickle.dumps(caught.value))]))


@pytest.fixture
def secret_url(cluster: Cluster) -> Iterator[str]:
    """A URL whose secret is right."""
    cluster.run(f"ALTER ROLE {OTHER} PASSWORD $${SECRET}$$")
    yield cluster.url(user=OTHER, password=SECRET)
    cluster.run(f"ALTER ROLE {OTHER} PASSWORD $${PASSWORDS[OTHER]}$$")


def test_an_open_connection_does_not_show_it(secret_url: str) -> None:
    with engineroom.connect(secret_url, autocommit=True) as connection:
        cursor = connection.execute("SELECT 42")
        texts = [repr(connection), str(connection), repr(cursor), str(cursor)]
        with pytest.raises(errors.Error) as caught:
            connection.execute("SELECT nothing").fetchall()
        assert_hidden(iter(texts))
        assert_hidden(shown(caught.value))


def test_a_forgotten_connection_does_not_show_it(secret_url: str) -> None:
    connection = engineroom.connect(secret_url)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del connection
        gc.collect()
    assert told
    assert_hidden(str(warning.message) for warning in told)


def test_a_lost_connection_does_not_show_it(cluster: Cluster, secret_url: str) -> None:
    connection = engineroom.connect(secret_url)
    cluster.terminate(OTHER)
    for _ in range(2):
        with pytest.raises(errors.Error) as caught:
            connection.execute("SELECT 1").fetchall()
        assert_hidden(shown(caught.value))
    connection.close()


def test_a_server_that_tells_it_back_is_not_helped() -> None:
    """A server that is asked in the clear knows the password, and could say it."""

    def script(talk: Talk) -> None:
        talk.receive_startup()
        talk.send(message(b"R", b"\0\0\0\3"))
        kind, password = talk.receive()
        assert (kind, password) == (b"p", SECRET.encode() + b"\0")

    with hostile(script) as server:
        url = server.url().replace("engine@", f"engine:{QUOTED}@")
        with pytest.raises(errors.ConnectFailed) as caught:
            engineroom.connect(url)
        assert_hidden(shown(caught.value))


def doctor_says(url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "engineroom", "doctor", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("name", list(urls(0)))
def test_the_doctor_does_not_show_it(cluster: Cluster, name: str) -> None:
    assert_hidden(iter([doctor_says(urls(cluster.port)[name])]))


def test_a_key_that_takes_a_password_does_not_show_it(
    cluster: Cluster, certificates: Certificates
) -> None:
    pair = certificates.client
    url = cluster.url(
        sslmode="require",
        sslcert=pair.certificate,
        sslkey=certificates.authority,
        sslpassword=SECRET,
    )
    with pytest.raises(errors.Error) as caught:
        engineroom.connect(url)
    assert_hidden(shown(caught.value))
