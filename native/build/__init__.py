"""From the rows of platforms.toml to wheels: sources, compiler, engines, audit.

`sources` fetches what others wrote, `plan` turns a target into command lines and knows
no machine, `compile` runs them and keeps the results, `engine` puts both together,
`hatch_hook` carries engines into wheels, `audit` reads wheels and can refuse them,
`first_light` walks the whole way. `python -m native.build` is the door to all of it.

Nothing here is imported by the package, and of the package only `errors`, `version`
and `platforms` are used. They are found in this checkout unless the package is
installed, so that a build needs no installation of what it builds.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parents[2]

_ENGINE = str(ROOT / "engine")
if _ENGINE not in sys.path:
    sys.path.append(_ENGINE)
