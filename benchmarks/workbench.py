"""100,000 hosts in the workbench: time per step and memory, beside a thousand and ten thousand.

Run with: python benchmarks/workbench.py [--hosts N ...] [--requests N]
Each host is asked once a second, in a simulated time that only moves when nothing is due. A step is one request's whole
turn here: taken, sent, released. Nothing may be lost, early or more than one at a time.
"""

import argparse
import gc
import sys
import time
import tracemalloc
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.tables import mark, show
from crawler.core.leases_and_commits import HostState
from crawler.core.messages import Request
from crawler.core.throttle import HostThrottle, ThrottleBounds
from crawler.core.urls import Host, parse
from crawler.engine.workbench import Workbench

_BOUNDS = ThrottleBounds(per_host=1, delay=1.0)


def main() -> int:
    """Step through every size; the exit code is 0 when a step among the most hosts costs at most 4 of the fewest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--requests", type=int, default=3, help="of each host")
    options = parser.parse_args()
    rows = [_row(hosts, options.requests) for hosts in options.hosts]
    last = mark(holds=rows[-1][2] <= 4 * rows[0][2])
    shown = [(*row, mark(holds=row[-1] == 0)) for row in rows[:-1]] + [(*rows[-1], last)]
    head = ("hosts", "requests", "us per step", "us per request laid", "bytes per host", "simulated s", "faults", "")
    show("workbench: each host asked once a second", head, shown)
    return int(any(row[-1] != mark(holds=True) for row in shown))


def _row(hosts: int, requests: int) -> tuple[int, int, float, float, int, float, int]:
    laid = [
        Request(url=parse(f"http://h{host}.example/{number}"), id=number)
        for number in range(requests)
        for host in range(hosts)
    ]
    tracemalloc.start()
    bench = Workbench(_pace_of, capacity=256)
    bench.add(laid[:hosts], {}, 0.0)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    gc.collect()
    began = time.perf_counter()
    bench.add(laid[hosts:], {}, 0.0)
    adding = time.perf_counter() - began
    seconds, simulated, faults = _step_through(bench)
    return (
        hosts,
        len(laid),
        1e6 * seconds / len(laid),
        1e6 * adding / len(laid[hosts:]),
        held // hosts,
        simulated,
        faults,
    )


def _pace_of(_host: Host, state: HostState) -> HostThrottle:
    return HostThrottle(_BOUNDS, state)


def _step_through(bench: Workbench) -> tuple[float, float, int]:
    """Ask for everything; gives the seconds that it took, the simulated ones, and how often a rule was broken."""
    now, faults = 0.0, 0
    sent: dict[Host, float] = {}
    expected = bench.queued
    seconds = 0.0
    while bench.queued:
        began = time.perf_counter()
        found = bench.take(now, 256, may_dial=True)
        if found is None:
            now = bench.next_due(now, 256, may_dial=True) or now
            continue
        host = found[0].url.host_port
        bench.send(host, now)
        bench.release(host)
        seconds += time.perf_counter() - began
        faults += now - sent.get(host, -1.0) < 1.0
        sent[host] = now
        expected -= 1
    return seconds, now, faults + expected


if __name__ == "__main__":
    sys.exit(main())
