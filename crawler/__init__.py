"""One asyncio engine that crawls sites, fetches URL lists and load-tests local servers.

    async with crawler.Fetcher(concurrency=1000) as fetcher:
        page = await fetcher.get("https://example.com/")
        async for page in fetcher.stream(urls):
            ...

    pages = crawler.fetch(urls)          # the same without a loop of your own
    for page in crawler.iter_fetch(urls):
        ...

    async for page in crawler.crawl(["https://example.com/"], max_pages=100):
        ...

    result = await crawler.load_test("http://127.0.0.1:8000/", rate=500, duration=10)
    result = await crawler.find_capacity("http://127.0.0.1:8000/", slo="p99<50ms")
    result = await crawler.compare("http://127.0.0.1:8000/", "http://127.0.0.1:8001/")

Everything is imported when it is first used, so that `import crawler` costs nothing and a worker process stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.core.errors import CrawlerError, FetchError, LoadTestFailed, StatusError, UrlError, UsageError
    from crawler.core.reasons import Reason
    from crawler.downloader.auth import DigestAuth
    from crawler.downloader.blocking import fetch, iter_fetch
    from crawler.downloader.client import Fetcher
    from crawler.downloader.cookie_jar import CookieJar
    from crawler.downloader.fetched import Answer, Fetched, SentRequest
    from crawler.downloader.hooks import RetryNotice
    from crawler.downloader.open_answer import OpenAnswer
    from crawler.downloader.request_options import ClientRequest
    from crawler.http.cookies import Cookie
    from crawler.http.event_stream import ServerSentEvent
    from crawler.http.retry import RetryPolicy
    from crawler.library import CrawledPage, crawl
    from crawler.load.capacity.result import CapacityResult
    from crawler.load.capacity.run import find_capacity
    from crawler.load.compare.result import Comparison
    from crawler.load.compare.run import compare
    from crawler.load.gates import LoadGate, PercentileInterval
    from crawler.load.keywords import LoadOptions
    from crawler.load.load_progress import LoadProgress
    from crawler.load.result import LoadResult
    from crawler.load.run import LoadTest, load_test
    from crawler.load.targets.in_memory import LoadTarget
    from crawler.load.users.answer import LoadAnswer
    from crawler.load.users.script import LoadUser
    from crawler.parse.extract import PageSource

__all__ = [
    "Answer",
    "CapacityResult",
    "ClientRequest",
    "Comparison",
    "Cookie",
    "CookieJar",
    "CrawledPage",
    "CrawlerError",
    "DigestAuth",
    "FetchError",
    "Fetched",
    "Fetcher",
    "LoadAnswer",
    "LoadGate",
    "LoadOptions",
    "LoadProgress",
    "LoadResult",
    "LoadTarget",
    "LoadTest",
    "LoadTestFailed",
    "LoadUser",
    "OpenAnswer",
    "PageSource",
    "PercentileInterval",
    "Reason",
    "RetryNotice",
    "RetryPolicy",
    "SentRequest",
    "ServerSentEvent",
    "StatusError",
    "UrlError",
    "UsageError",
    "__version__",
    "compare",
    "crawl",
    "fetch",
    "find_capacity",
    "iter_fetch",
    "load_test",
]

_HOMES = {
    "Answer": "crawler.downloader.fetched",
    "CapacityResult": "crawler.load.capacity.result",
    "ClientRequest": "crawler.downloader.request_options",
    "Comparison": "crawler.load.compare.result",
    "Cookie": "crawler.http.cookies",
    "CookieJar": "crawler.downloader.cookie_jar",
    "CrawledPage": "crawler.library",
    "CrawlerError": "crawler.core.errors",
    "DigestAuth": "crawler.downloader.auth",
    "FetchError": "crawler.core.errors",
    "Fetched": "crawler.downloader.fetched",
    "Fetcher": "crawler.downloader.client",
    "LoadAnswer": "crawler.load.users.answer",
    "LoadGate": "crawler.load.gates",
    "LoadOptions": "crawler.load.keywords",
    "LoadProgress": "crawler.load.load_progress",
    "LoadResult": "crawler.load.result",
    "LoadTarget": "crawler.load.targets.in_memory",
    "LoadTest": "crawler.load.run",
    "LoadTestFailed": "crawler.core.errors",
    "LoadUser": "crawler.load.users.script",
    "OpenAnswer": "crawler.downloader.open_answer",
    "PageSource": "crawler.parse.extract",
    "PercentileInterval": "crawler.load.gates",
    "Reason": "crawler.core.reasons",
    "RetryNotice": "crawler.downloader.hooks",
    "RetryPolicy": "crawler.http.retry",
    "SentRequest": "crawler.downloader.fetched",
    "ServerSentEvent": "crawler.http.event_stream",
    "StatusError": "crawler.core.errors",
    "UrlError": "crawler.core.errors",
    "UsageError": "crawler.core.errors",
    "compare": "crawler.load.compare.run",
    "crawl": "crawler.library",
    "fetch": "crawler.downloader.blocking",
    "find_capacity": "crawler.load.capacity.run",
    "iter_fetch": "crawler.downloader.blocking",
    "load_test": "crawler.load.run",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'crawler' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
