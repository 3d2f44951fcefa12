"""Finds out what this installation would do, and what keeps it from doing it.

`examine` is the door, and `examine_roots` that for other systems, which `roots` reads
from their files. `checks` looks, one question a function; `findings` holds the
answers; `report` makes them safe to paste and gives the verdict. Only the standard
library and what each check imports for itself is needed, so that the doctor can
report on a package of which any other part is broken.
"""

from __future__ import annotations

from engineroom.doctor.checks import examine
from engineroom.doctor.report import Report
from engineroom.doctor.roots import RootsReport, examine_roots

__all__ = ["Report", "RootsReport", "examine", "examine_roots"]
