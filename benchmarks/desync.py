"""Unasked answers against 10,000 URLs in pairs: how many pages are filed under another URL?

Run with: python benchmarks/desync.py [PAIRS]
Each server repeats an answer 0, 1, 5 or 50 ms later: always, or after some answers only, before it reads the next
request or while it does. The last rows are hosts that behave until they are trusted: a push that meets a request on its
way cannot be told from an answer there, until the first one that meets none.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import cycle

from crawler.core import urls
from crawler.core.config import FetchConfig
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.downloader.fetcher import HttpFetcher
from crawler.runtime.clock import SystemClock

DELAYS = (0, 0.001, 0.005, 0.05)
IN_FLIGHT = 25


def pushing(every: int, *, sleeps: bool, quiet_first: int = 0) -> Callable[..., Awaitable[None]]:
    """A handler that pushes after each `every`-th answer, but never after the first `quiet_first` ones."""
    delays, count = cycle(DELAYS), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
                writer.write(answer)
                count += 1
                if count > quiet_first and count % every == 0:
                    if sleeps:
                        await asyncio.sleep(next(delays))
                        writer.write(answer)
                    else:
                        asyncio.get_running_loop().call_later(next(delays), writer.write, answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    return serve


async def measure(name: str, handler: Callable[..., Awaitable[None]], pairs: int) -> None:
    """Fetch all pairs from one server, and count."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    wrong = failed = 0
    numbers = iter(range(pairs))

    async def work(fetcher: HttpFetcher) -> None:
        nonlocal wrong, failed
        for number in numbers:
            for path in (f"/{number}/a", f"/{number}/b"):
                request = Request(url=urls.parse(f"http://127.0.0.1:{port}{path}"), named=True)
                try:
                    wrong += (await fetcher.fetch(request)).body != path.encode()
                except FetchError:
                    failed += 1

    async with HttpFetcher(FetchConfig(), clock=SystemClock()) as fetcher:
        await asyncio.gather(*(work(fetcher) for _ in range(IN_FLIGHT)))
    server.close()
    await asyncio.sleep(0.05)  # for the servers of the last connections to see their ends
    print(f"{name:58} {pairs * 2:6} URLs  {wrong:4} misattributed  {failed:4} failed", flush=True)


async def main(pairs: int) -> None:
    """All servers, one after the other."""
    for sleeps, how in ((True, "before it reads on"), (False, "while it reads on")):
        for every in (1, 2, 10):
            await measure(f"pushes after every {every}. answer, {how}", pushing(every, sleeps=sleeps), pairs)
    for sleeps, how in ((True, "before it reads on"), (False, "while it reads on")):
        await measure(f"quiet for 1000 answers, then pushes, {how}", pushing(1, sleeps=sleeps, quiet_first=1000), pairs)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
