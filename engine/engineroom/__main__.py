"""`python -m engineroom` is the command `engineroom`."""

from __future__ import annotations

import sys

from engineroom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
