"""`python -m bench` is bench.run, and `python -m bench store` is bench.store."""

import sys

if sys.argv[1:2] == ["store"]:
    from bench.store import main as measure_store

    measure_store(sys.argv[2:])
else:
    from bench.run import main

    main()
