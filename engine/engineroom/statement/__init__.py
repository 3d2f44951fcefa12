"""What a text of SQL is, told from the text alone: no engine, no connection.

Three questions are answered of it. What has it in common with texts that differ in
their values only (`shape.py`)? Is it certain that it changes nothing, so that it may be
sent again (`reading.py`)? What is left behind of it on its connection (`effects.py`)?

No text tells what a view, an operator or a cast of the user's own does, nor a function
of theirs that goes by a built-in name. PostgreSQL's `standard_conforming_strings` is
taken to be on, as it is unless somebody turns it off.
"""

from __future__ import annotations

from engineroom.statement.statement import Statement, recognise

__all__ = ["Statement", "recognise"]
