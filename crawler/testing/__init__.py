"""Public fakes of the network and the clock, for tests of code that uses the crawler.

`FakeTransport` and `AsgiTransport` are for users of `crawler.Fetcher`; `FakeFetcher` stands below the engine;
`LoadTester` load-tests a real server, and is no fake.

Rules
- A fake is deterministic, does no I/O, and records its calls, so that a test can check them.
Runs on: anywhere; all but the clock on a loop.
"""

from crawler.downloader.asgi import AsgiTransport
from crawler.testing.answers import FakeAnswer
from crawler.testing.clock import FakeClock
from crawler.testing.fetcher import Answer, FakeFetcher, refused
from crawler.testing.load_tester import LoadTester
from crawler.testing.site import served_site
from crawler.testing.transport import FakeTransport, UnknownUrl

__all__ = [
    "Answer",
    "AsgiTransport",
    "FakeAnswer",
    "FakeClock",
    "FakeFetcher",
    "FakeTransport",
    "LoadTester",
    "UnknownUrl",
    "refused",
    "served_site",
]
