"""Lives of one run in this process: a run that has lost its hosts to other workers begins again.

Rules
- What was not committed is given up with the old life; the new one cuts the files back to what was, and leases hosts.
- A stop that came meanwhile is the new life's: it ends in order, with its files cut back.
Runs on: the loop.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from crawler.core.errors import LeaseLost

T = TypeVar("T")


async def in_lives(live: Callable[[], Awaitable[T]], say: Callable[[str], None]) -> T:
    """Return the result of `live`, which opens, runs and closes a crawl, and is called again for each further life."""
    while True:
        try:
            return await live()
        except LeaseLost as error:
            say(f"beginning again: {error}")
