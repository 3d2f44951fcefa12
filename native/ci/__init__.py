"""What continuous integration needs and the build does not: `python -m native.ci`.

`matrix` turns platforms.toml into the legs of the workflows, `ask` is what cibuildwheel
runs against each wheel, `compare` holds two sets of wheels against each other,
`release` refuses an incomplete set, `lint` checks the workflows, and `container` runs
cibuildwheel on this machine.
"""

from __future__ import annotations

# Has the package found in this checkout, unless it is installed.
from native.build import ROOT

__all__ = ["ROOT"]
