"""A site by Crawlee: `python crawlee_site.py URL` in an environment that has it; prints the number of pages.

Its quickest static crawler (parsel, that is lxml) with its own HTTP client, which is Rust; requests are in memory, and
nothing is kept. It runs in Crawlee's environment, so it imports nothing of ours.
"""

import asyncio
import sys

from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

_AT_ONCE = 64


async def _main(url: str) -> None:
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        use_session_pool=False,
        max_request_retries=0,
        configure_logging=False,
        concurrency_settings=ConcurrencySettings(
            min_concurrency=_AT_ONCE, desired_concurrency=_AT_ONCE, max_concurrency=_AT_ONCE
        ),
    )
    pages = 0

    @crawler.router.default_handler
    async def _read(page: ParselCrawlingContext) -> None:
        nonlocal pages
        pages += 1
        await page.enqueue_links(selector="a, area")

    await crawler.run([url])
    print(f"{pages} pages")


asyncio.run(_main(sys.argv[1]))
