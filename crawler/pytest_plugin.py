"""The fixtures for pytest of those who use the crawler; pytest finds them by itself (entry point `pytest11`).

Rules
- pytest loads this file in every project that has the crawler installed: it imports nothing before a fixture is used.
- No fixture is asynchronous, so none needs a plugin; a test that awaits does, such as pytest-asyncio.
Runs on: the test's thread.
"""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def crawler_fake() -> Any:
    """Return a `crawler.testing.FakeTransport` without answers: `crawler_fake.answers[url] = b"text"`."""
    from crawler.testing.transport import FakeTransport  # noqa: PLC0415 - see the rules

    return FakeTransport()


@pytest.fixture(scope="session")
def crawler_site() -> Iterator[str]:
    """Serve the built-in site on loopback for all tests, and give its URL, without a slash at the end."""
    from crawler.testing.site import served_site  # noqa: PLC0415 - see the rules

    with served_site() as url:
        yield url
