"""The trip to the worker processes and back, alone: `python cost_handing_over.py COUNT BYTES`.

The work is `len`, so nothing but the trip costs anything. It prints a line of JSON: CPU microseconds for each trip, of
all threads of the main process and of the workers. The workers have started before the clock does.
"""

import asyncio
import json
import sys
import time
from functools import partial

from crawler.runtime.loop import Stop, run
from crawler.runtime.processes import Lanes

_AT_ONCE = 64
_WORKERS = 2


async def _send(lanes: Lanes, body: bytes, count: int) -> None:
    async def some() -> None:
        for _ in range(count // _AT_ONCE):
            assert await lanes.run(len, body) == len(body)

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


def _of_workers(lanes: Lanes) -> float:
    """Return the CPU seconds so far of the worker processes; the clock of another process is `clock_getcpuclockid`."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in lanes.pids)


async def _main(count: int, size: int, _: Stop) -> None:
    body = b"x" * size
    async with Lanes(_WORKERS) as lanes:
        await lanes.start()
        await _send(lanes, body, 4 * _AT_ONCE)
        began, began_there = time.process_time(), _of_workers(lanes)
        await _send(lanes, body, count)
        spent, spent_there = time.process_time() - began, _of_workers(lanes) - began_there
    trips = count // _AT_ONCE * _AT_ONCE
    print(json.dumps({"main": spent * 1e6 / trips, "workers": spent_there * 1e6 / trips}))


if __name__ == "__main__":
    run(partial(_main, int(sys.argv[1]), int(sys.argv[2])))
