"""The fetcher's part of the loop's step, alone: `python cost_fetching.py URL COUNT` fetches one URL again and again.

It prints a line of JSON: CPU microseconds for each fetch. 64 are in flight, each on a connection that was open before
the clock started. The engine around the fetcher is not in it.
"""

import asyncio
import json
import sys
import time
from functools import partial

from crawler.core.config import FetchConfig
from crawler.core.messages import Request
from crawler.core.urls import parse
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock
from crawler.runtime.loop import Stop, run

_AT_ONCE = 64


async def _fetch(fetcher: HttpFetcher, request: Request, count: int) -> None:
    async def some(number: int) -> None:
        for _ in range(number):
            response = await fetcher.fetch(request)
            assert response.status == 200, response

    await asyncio.gather(*(some(count // _AT_ONCE) for _ in range(_AT_ONCE)))


async def _main(url: str, count: int, _: Stop) -> None:
    request = Request(url=parse(url), named=True)
    async with HttpFetcher(FetchConfig(), clock=SystemClock(), idle_limit=_AT_ONCE) as fetcher:
        await _fetch(fetcher, request, 4 * _AT_ONCE)
        began = time.process_time()
        await _fetch(fetcher, request, count)
        spent = time.process_time() - began
    print(json.dumps({"us": spent * 1e6 / (count // _AT_ONCE * _AT_ONCE)}))


if __name__ == "__main__":
    run(partial(_main, sys.argv[1], int(sys.argv[2])))
