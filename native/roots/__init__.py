"""Runs the built wheels where users run them: in real systems, from one machine.

`python -m native.roots` has a tree of files for each row of `rows.ROOTS` (a Debian, or
a CPython on musl), installs the wheels into it with pip and passes `smoke.py` and
`exits.py` there, on emulated hardware where need be. The trees are kept outside the
checkout. docs/internals/roots.md tells what is real in them and what is not.
"""
