"""Answers of aioresponses at an aiohttp whose answers need one argument more than the newest aioresponses gives.

aioresponses 0.7.9 makes an answer without `stream_writer`, which aiohttp demands since 3.14. `MockedAnswer` has one:
give it as `mocked.get(url, response_class=MockedAnswer)`, or use `with mocking() as mocked`, where it is the default.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

from aiohttp import ClientResponse
from aioresponses import aioresponses
from yarl import URL


class MockedAnswer(ClientResponse):
    """An answer that was never on a wire."""

    def __init__(self, method: str, url: URL, **parts: Any) -> None:
        sent: Any = SimpleNamespace(output_size=0)
        super().__init__(method, url, stream_writer=sent, **parts)


@contextmanager
def mocking(**options: Any) -> Iterator[aioresponses]:
    """Give an `aioresponses` whose answers work with the installed aiohttp."""
    with aioresponses(**options) as mocked:
        mocked.add = partial(mocked.add, response_class=MockedAnswer)  # type: ignore[method-assign] # the same, filled in
        yield mocked
