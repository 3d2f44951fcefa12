"""A client for a database, with a pool of connections behind it.

Who may have which connection is kept in lane.py, how one is opened and thrown away in
pool.py, what is tried again in call.py and retry.py; none of these waits. The blocking
face is here, the awaited one in `engineroom.aio`.
"""

from __future__ import annotations

from engineroom.pool.client import Client
from engineroom.pool.client import open_client as open  # noqa: A004 - as `connect`
from engineroom.pool.lease import LeaseFacts
from engineroom.pool.result import Result
from engineroom.pool.states import State

__all__ = ["Client", "LeaseFacts", "Result", "State", "open"]
