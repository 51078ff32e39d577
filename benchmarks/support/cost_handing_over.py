"""The trip to the worker processes and back, alone: `python cost_handing_over.py COUNT BYTES`.

Each document is another body of this size without a link, so that next to nothing but the trip and the digest costs
anything. It prints a line of JSON: CPU microseconds for each trip, of all threads of the main process and of the
workers. The workers have started before the clock does.
"""

import asyncio
import json
import sys
import time
from functools import partial

from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.parse.page_reader import Task
from crawler.parse.pool import LaneParser, lanes
from crawler.runtime.loop import Stop, run
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import Limits

_AT_ONCE = 200
_WORKERS = 2
_TASK = Task(max_decoded=1 << 26)
_URL = parse("http://127.0.0.1/some/page.html")
_HEADERS = ((b"Content-Type", b"text/html"),)


async def _send(parser: LaneParser, size: int, count: int) -> None:
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:
            body = b"%d " % number + bytes(size)
            page = await parser.parse(Response(request=Request(url=_URL), status=200, headers=_HEADERS, body=body))
            assert page.size == len(body), page

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


def _of_workers(lanes: Lanes) -> float:
    """Return the CPU seconds so far of the worker processes; the clock of another process is `clock_getcpuclockid`."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in lanes.pids)


async def _main(trips: int, size: int, _: Stop) -> None:
    async with lanes(_TASK, _WORKERS, Limits()) as workers:
        await workers.start()
        parser = LaneParser(workers, _TASK)
        await _send(parser, size, 4 * _AT_ONCE)
        began, began_there = time.process_time(), _of_workers(workers)
        await _send(parser, size, trips)
        spent, spent_there = time.process_time() - began, _of_workers(workers) - began_there
    print(json.dumps({"main": spent * 1e6 / trips, "workers": spent_there * 1e6 / trips}))


if __name__ == "__main__":
    run(partial(_main, int(sys.argv[1]), int(sys.argv[2])))
