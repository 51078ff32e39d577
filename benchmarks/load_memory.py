"""Does the memory of a load test grow with its requests? Millions of them, through one connection's own code.

Run with: python benchmarks/load_memory.py [--millions N]
The transport is a stand-in, so this takes seconds instead of minutes; the connection, its records and the clock are the
real ones. Latencies are spread over six powers of ten, heads change every hundred thousand answers as a Date does, and
every twentieth answer is an error, so that the table of failures is full soon, too.

Memory grows until the counts are large: Python has the whole numbers up to 256 ready, and a larger count is an object
of 32 bytes. They stand in two tables, that of the phase and that of the second, which a real test begins anew. So there
are two claims, once all buckets are there: until the tenth million memory grows by no more than these objects and the
heads that are kept, and behind it by no more than the heads.
"""

import argparse
import resource
import sys
from itertools import cycle, islice, pairwise
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.tables import at_most, exactly, figure, verdict
from crawler.load.exchange import Exchange
from support.simulation import REQUEST, connected

MILLION = 1_000_000
FULL, SETTLED = 2, 10  # millions, after which all buckets are there, and all counts large
READY = 256  # the largest whole number of which Python has one object for all
OBJECT = 32  # bytes of a larger one
HEADS = 0.25  # MiB: at most 1,024 are kept, here of 0.2 KiB


def main() -> int:
    """Feed them; the exit code is 0 when memory stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--millions", type=int, default=15, help=f"more than {SETTLED}")
    options = parser.parse_args()
    if options.millions <= SETTLED:
        parser.error(f"--millions: give more than {SETTLED}, since memory settles until then")
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
        for answer in islice(cycle([good] * 19 + [error]), MILLION // 10):
            connection.data_received(answer)
            connection.ask(connection.request, clock[0], clock[0])
        if number % 10 == 9:
            sizes.append(_resident())
    counted = pool.phase.ok + sum(pool.phase.failed.values())
    tables = (pool.phase.reused.whole, pool.phase.failed, pool.times)
    large = sum(count > READY for table in tables for count in table.values())
    grown, settled = sizes[SETTLED - 1] - sizes[FULL - 1], sizes[-1] - sizes[SETTLED - 1]
    claims = [
        exactly("answers in the records", options.millions * MILLION, counted),
        figure(f"memory after {FULL} millions", f"{sizes[FULL - 1]:.1f} MiB"),
        figure("growth with each million, KiB", " ".join(f"{(b - a) * 1024:.0f}" for a, b in pairwise(sizes))),
        figure("buckets in use", len(pool.phase.reused.whole)),
        figure("counts that are objects", large),
        at_most(f"growth from {FULL} to {SETTLED} millions", large * OBJECT / 2**20 + HEADS, grown, " MiB"),
        at_most(f"growth from {SETTLED} to {options.millions} millions", HEADS, settled, " MiB"),
    ]
    return verdict(f"load_memory: {options.millions} million requests", claims)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    sys.exit(main())
