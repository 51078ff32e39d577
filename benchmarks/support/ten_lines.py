"""A bare fetcher of lists, as most people write their first: `python ten_lines.py LIST SEMAPHORE`. No robots.txt."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp


async def _fetch(session: aiohttp.ClientSession, url: str, slots: asyncio.Semaphore) -> None:
    async with slots:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(url) as answer:
                await answer.read()


async def _main(urls: list[str], slots: int) -> None:
    timeout, connector = aiohttp.ClientTimeout(total=60, connect=10), aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        semaphore = asyncio.Semaphore(slots)
        await asyncio.gather(*(_fetch(session, url, semaphore) for url in urls))


asyncio.run(_main(Path(sys.argv[1]).read_text("utf-8").split(), int(sys.argv[2])))
