"""The fixtures for pytest of those who use the crawler; pytest finds them by itself (entry point `pytest11`).

Rules
- pytest loads this file in every project that has the crawler installed: it imports nothing before a fixture is used.
- A load test that judges nobody is skipped, unless the configuration says otherwise.
- No fixture is asynchronous, so none needs a plugin; a test that awaits does, such as pytest-asyncio.
Runs on: the test's thread.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

DISTURBED = "load_test_disturbed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the configuration that says what becomes of a load test that judges nobody."""
    told = "a load test that its client or other tests (xdist) have disturbed: skip (default), or judge it as any other"
    parser.addini(DISTURBED, told, default="skip")


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


@pytest.fixture
def load_test(request: pytest.FixtureRequest) -> Any:
    """Return a `crawler.testing.LoadTester`, which is called: `load_test(app, "/items", rate=200, duration=5)`.

    The target is an ASGI application, a command with `{port}` in it, or a URL. The test fails if the server fails or a
    threshold is missed, or is skipped if its client was the limit; asynchronous tests `await load_test.run(...)`.
    """
    from crawler.testing.load_tester import LoadTester  # noqa: PLC0415 - see the rules

    ways: Mapping[str, Callable[[str], object]] = {"skip": pytest.skip, "judge": lambda _: None}
    way = request.config.getini(DISTURBED)
    if way not in ways:
        raise pytest.UsageError(f"{DISTURBED} = {way}: expected skip or judge")
    return LoadTester(ways[way], getattr(request.config, "workerinput", {}).get("workercount", 1))
