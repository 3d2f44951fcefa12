"""What a health value tells, and what it keeps to itself."""

from __future__ import annotations

import gc
import json
import weakref

from engineroom import errors
from engineroom.health import Health


def test_one_that_is_well_says_how_long_it_took():
    health = Health(seconds=0.0031234567, state="ready")
    told = health.as_dict()
    assert 0 <= told.pop("age_seconds") <= health.age_seconds
    assert told == {
        "is_healthy": True,
        "state": "ready",
        "seconds": 0.003123,
        "is_cached": False,
        "error": None,
    }
    assert repr(health) == "<engineroom.Health healthy, ready, 3.1 ms>"


def test_one_that_is_not_says_why_in_parts_that_are_json():
    error = errors.ConnectFailed("Connection refused", hint="start it")
    health = Health(seconds=0.5, state="failed", error=error)
    assert not health.is_healthy
    told = json.loads(json.dumps(health.as_dict()))
    assert told["error"] == {
        "code": "ER2106",
        "fault": "unreachable",
        "message": "Connection refused",
        "hint": "start it",
    }
    assert repr(health) == "<engineroom.Health ER2106 unreachable, failed, 500.0 ms>"


def test_the_words_of_another_program_are_not_told():
    health = Health(seconds=0.5, state="failed", error=ValueError("hunter2"))
    assert "hunter2" not in json.dumps(health.as_dict())
    assert (health.error.code, health.error.fault) == ("ER2000", "")
    assert health.error.message == "`ValueError`"


def test_an_error_is_not_kept_with_all_that_its_traceback_holds():
    error = errors.ConnectFailed("x")
    watched = weakref.ref(error)
    health = Health(seconds=0.5, state="failed", error=error)
    del error
    gc.collect()
    assert watched() is None
    assert health.error.code == "ER2106"


def test_told_again_it_grows_older_and_says_so():
    health = Health(seconds=0.5, state="ready")
    again = health.as_cached()
    assert (health.is_cached, again.is_cached) == (False, True)
    assert again.seconds == 0.5
    earlier = health.age_seconds
    assert again.age_seconds >= earlier
