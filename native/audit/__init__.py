"""Reads wheels and the engines in them as their users will, and finds what is wrong.

Every statement that a wheel makes is held against its bytes: its tag against
platforms.toml, its manifest against the engines, each engine against the row of its
target. `python -m native.audit` is the command; `audit_wheel` is the door for programs.

    __main__ ──▶ report, compare, wheels ──▶ archive, contents, programs, engines
    engines ──▶ linux, darwin ──▶ symbols; elf; macho ──▶ bindings, signature

Nothing here runs what it reads, so it needs no other system than the one at hand.
"""

from __future__ import annotations

from native.audit.check import BAD, OK, SKIPPED, Check, refuse_bad
from native.audit.report import table
from native.audit.wheels import Audit, audit_wheel, examine_wheel

__all__ = [
    "BAD",
    "OK",
    "SKIPPED",
    "Audit",
    "Check",
    "audit_wheel",
    "examine_wheel",
    "refuse_bad",
    "table",
]
