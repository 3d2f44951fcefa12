"""Executes darwin engines on Linux, under a CPU emulator.

No Mac is at hand where the engines are built, so each is run the next best way: its
code on an emulated processor, against our own stand-in for the system library and
against the interpreter at hand. Executed under emulation is not tested on macOS;
docs/internals/emulation.md says what it shows and what it cannot.

From the bottom: `memory`, `cpu` and `image` know the machine and the file, `machine`
runs code, `libsystem`, `text`, `clock`, `files` and `threads` are what it calls of the
system, `objects` and `python_*` what it calls of the interpreter, `cffi_module` its
functions, `gate` what every engine has to pass. `python -m native.emulate` is the door.
"""

from __future__ import annotations

import native.build  # noqa: F401 - finds the package in this checkout
