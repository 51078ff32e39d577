"""One virtual user: its cookies, its chance, and how far it has come.

Rules
- A user's random numbers follow from the seed and its number, so they are the same for any number of processes.
- A request carries one Cookie header (RFC 6265, 5.4): the jar's cookies follow those that the request was given.
Runs on: the loop that loads. Time comes in as `now`, wall clock, seconds.
"""

import random
import re
from collections.abc import Iterable

from crawler.core.urls import Url
from crawler.http.cookie_store import CookieStore

NO_HOST = -1

_HEAD_END = b"\r\n\r\n"
_COOKIE = re.compile(rb"\r\ncookie:[^\r]*", re.IGNORECASE)


class User:
    """One virtual user.

    Attributes:
        number: counted over all processes, from 0.
        chance: its random numbers.
        logged_in: requests of the log-in that were sent.
        step: requests that were sent after it.
        is_present: it takes part now.
        is_idle: it has no request under way and does not think.
        asked_host: the number of the host that has its request; NO_HOST = none is under way.
    """

    __slots__ = ("asked_host", "chance", "cookies", "is_idle", "is_present", "logged_in", "number", "step")

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self.chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - chance that has to come again
        self.cookies = CookieStore()
        self.logged_in = 0
        self.step = 0
        self.is_present = False
        self.is_idle = True
        self.asked_host = NO_HOST

    def __repr__(self) -> str:
        return f"<User {self.number}, step {self.step}, {'present' if self.is_present else 'absent'}>"

    def thinks(self, low: int, high: int) -> int:
        """Return the nanoseconds until the next request, uniform from `low` to `high`."""
        return low if high <= low else self.chance.randint(low, high)

    def take_cookies(self, url: Url, values: Iterable[bytes], now: float) -> None:
        """Keep the cookies of an answer's Set-Cookie headers."""
        self.cookies.take(url, values, now)

    def with_cookies(self, data: bytes, url: Url, now: float) -> bytes:
        """Return the bytes of a request to `url` with the user's cookies."""
        header = self.cookies.header(url, now).encode("utf-8", "surrogateescape")
        if not header:
            return data
        end = data.index(_HEAD_END)
        if own := _COOKIE.search(data, 0, end + 2):
            return b"%b; %b%b" % (data[: own.end()], header, data[own.end() :])
        return b"%b\r\nCookie: %b%b" % (data[:end], header, data[end:])
