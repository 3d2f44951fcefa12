"""The picture in docs/guides/monitor.md: a shop on PostgreSQL, watched by the monitor.

    PYTHONPATH=engine:.:tests python -m health.draw_monitor

Four threads sell, two of them what is sold already; now and then the server ends the
connections. The picture is what stands on a terminal of 100 columns after 20 seconds.
"""

from __future__ import annotations

import random
import sys
from contextlib import closing, suppress
from threading import Event, Thread

from postgres.cluster import started_cluster

import engineroom
from tests.unit.metrics.served import Service
from tests.unit.metrics.terminal import Terminal

PICTURES = 20
_TABLES = (
    "CREATE TABLE product (id integer PRIMARY KEY, name text, price numeric)",
    "INSERT INTO product SELECT n, 'product ' || n, n FROM generate_series(1, 1000) n",
    "CREATE TABLE sale (id integer PRIMARY KEY, product integer, at timestamptz)",
)


def sell(client: engineroom.Client, is_over: Event, seed: int, mistakes: float) -> None:
    chance = random.Random(seed)
    while not is_over.wait(0.002):
        product = chance.randrange(1000)
        number = 1 if chance.random() < mistakes else chance.randrange(1 << 30)
        with suppress(engineroom.Error):
            client.fetchone("SELECT name, price FROM product WHERE id = ?", (product,))
            client.execute("INSERT INTO sale VALUES (?, ?, now())", (number, product))
        if chance.random() < 0.02:
            client.fetchall("SELECT product, count(*) FROM sale GROUP BY product")


def main() -> None:
    is_over = Event()
    with (
        closing(Service()) as service,
        started_cluster("monitor") as cluster,
        engineroom.open(cluster.url(), min_size=2, max_size=4) as client,
    ):
        for statement in _TABLES:
            client.execute(statement)
        service.metrics = client.metrics
        sellers = [
            Thread(target=sell, args=(client, is_over, *seller))
            for seller in enumerate((0.0, 0.0, 0.001, 0.002))
        ]
        try:
            for seller in sellers:
                seller.start()
            with closing(Terminal(service.url())) as terminal:
                for picture in range(1, PICTURES + 1):
                    terminal.read_until("\x1b[H", times=picture)
                    client.health()
                    if picture % 7 == 0:
                        cluster.terminate()
                terminal.interrupt()
                sys.stdout.write(f"{terminal.picture}\n")
        finally:
            is_over.set()
            for seller in sellers:
                seller.join()


if __name__ == "__main__":
    main()
