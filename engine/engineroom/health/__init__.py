"""Whether a client works, told to people, containers and balancers.

What is told comes from a query by the way that all queries go: a check on a side path
passes while queries fail.
"""

from __future__ import annotations

from engineroom.health.app import health_app
from engineroom.health.value import Health, Problem

__all__ = ["Health", "Problem", "health_app"]
