"""Does the memory of a load test grow with its requests? Ten million of them, through one connection's own code.

Run with: python benchmarks/load_memory.py [--millions N]
The transport is a stand-in, so this takes seconds instead of minutes; the connection, its records and the clock are the
real ones. Latencies are spread over six powers of ten, heads change every hundred thousand answers as a Date does, and
every thousandth answer is an error. A bucket may cost 64 bytes more in time: a count above 256 is an object of its own.
"""

import argparse
import resource
import sys
from itertools import cycle, islice
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.tables import at_most, exactly, figure, verdict
from crawler.load.exchange import Exchange
from support.simulation import REQUEST, connected

MILLION = 1_000_000


def main() -> int:
    """Feed them; the exit code is 0 when memory stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--millions", type=int, default=10)
    options = parser.parse_args()
    pool, connection = connected(Exchange(request=REQUEST))
    chance = Random(1)
    clock = [0]
    waits = cycle([round(10 ** chance.uniform(3, 9)) for _ in range(100_003)])

    def now() -> int:
        clock[0] += next(waits)
        return clock[0]

    pool.now = now
    sizes = []
    error = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    for number in range(options.millions * 10):
        good = b"HTTP/1.1 200 OK\r\nX-Second: %d\r\nContent-Length: 1\r\n\r\nx" % number
        for answer in islice(cycle([good] * 999 + [error]), MILLION // 10):
            connection.data_received(answer)
            connection.ask(connection.request, clock[0], clock[0])
        if number % 10 == 9:
            sizes.append(_resident())
    counted = pool.phase.ok + sum(pool.phase.failed.values())
    buckets = len(pool.phase.reused.whole)
    claims = [
        exactly("answers in the records", options.millions * MILLION, counted),
        figure("memory after one million", f"{sizes[0]:.1f} MiB"),
        at_most(f"growth until {options.millions} millions", buckets * 64 / 2**20, sizes[-1] - sizes[0], " MiB"),
        figure("buckets in use", buckets),
    ]
    return verdict(f"load_memory: {options.millions} million requests", claims)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    sys.exit(main())
