"""From a backend's name to its loaded engine.

`load_engine` is the door: it probes, looks for engines, orders them, reads each file
before it is loaded, loads, shakes hands, and remembers every attempt. Nothing else of
the package imports a compiled module, and nothing here happens on import.
"""

from __future__ import annotations

from engineroom.loader.load import Engine, load_engine

__all__ = ["Engine", "load_engine"]
