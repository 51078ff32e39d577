"""The delay before a retry: exponential backoff with full jitter, or the Retry-After of the server.

Rules
- Jitter spreads the retries of clients that failed together.
- Retry-After wins where it is longer; more than an hour is cut to an hour. Under a `RetryPolicy` of a user it is not
  cut: an answer that asks for more than the policy waits is the result.
- Numbers are read by bounded patterns: a header of 5000 digits is no number.
Runs on: anywhere (pure); `now` is wall-clock seconds since 1970, `jitter` a random number in [0, 1).
"""

import math
import re
from collections.abc import Collection, Iterable
from datetime import UTC
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from crawler.core.errors import FetchError, UsageError

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_RETRY_AFTER = 3600.0

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})  # idempotent (RFC 9110, 9.2.2)
_METHOD = re.compile(r"[A-Z]{1,32}")
_BASE = 1.0
_CAP = 60.0
_SECONDS = re.compile(r"[0-9]{1,10}")
_LONGEST_DATE = 40  # "Wednesday, 09-Nov-94 08:49:37 GMT" has 33 characters (RFC 9110, 5.6.7)


def backoff(attempt: int, jitter: float, *, base: float = _BASE, cap: float = _CAP) -> float:
    """Return the seconds to wait after `attempt` + 1 failed tries: up to base, 2 base, 4 base, ... cap."""
    return jitter * min(cap, base * 2.0 ** min(attempt, 62))


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3), at most an hour; None = it is unreadable."""
    asked = _asked(value, now)
    return None if asked is None else min(asked, MAX_RETRY_AFTER)


def _asked(value: str | None, now: float) -> float | None:
    """Return the seconds that Retry-After asks for, however many; None = it is unreadable."""
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not text or len(text) > _LONGEST_DATE:
        return None
    # Few answers have a date here, and importing the package of e-mail takes 3 ms of every start.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(moment.timestamp() - now, 0.0)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def delay(attempt: int, jitter: float, retry_after: float | None = None) -> float:
    """Return the seconds until the next try: the backoff, or the server's Retry-After if that is longer."""
    return max(backoff(attempt, jitter), retry_after or 0.0)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The failures after which a request is sent again, and the pause before.

    Attributes:
        tries: further tries after the first.
        statuses: of answers that ask for a further try.
        methods: of requests that are sent again. The others may do their work twice, so POST is not among them.
        backoff: the longest pause before the first further try, in seconds; each later one may be twice as long.
        max_backoff: its limit, in seconds.
        respect_retry_after: wait as long as the Retry-After of the answer asks, if that is longer.
        max_retry_after: the longest Retry-After that is waited for, in seconds; beyond it the answer is the result.
        errors: try again after an error that may pass, such as a lost connection.
    """

    tries: int = 3
    statuses: Collection[int] = RETRY_STATUSES
    methods: Collection[str] = _REPEATABLE
    backoff: float = _BASE
    max_backoff: float = _CAP
    respect_retry_after: bool = True
    max_retry_after: float = 60.0
    errors: bool = True

    def __post_init__(self) -> None:
        if not _is_whole(self.tries) or self.tries < 0:
            raise _expected("tries", "a whole number, 0 or more", self.tries)
        statuses = _collected("statuses", self.statuses, "{503}")
        if not all(_is_whole(status) and 100 <= status <= 599 for status in statuses):
            raise _expected("statuses", "whole numbers from 100 to 599, such as {429, 503}", self.statuses)
        methods = _collected("methods", self.methods, '{"GET"}')
        if not all(isinstance(method, str) and _METHOD.fullmatch(method.upper()) for method in methods):
            raise _expected("methods", 'names of methods, such as {"GET", "POST"}', self.methods)
        for name in ("backoff", "max_backoff", "max_retry_after"):
            if not _is_seconds(seconds := getattr(self, name)):
                raise _expected(name, "seconds, 0 or more", seconds)
        for name in ("respect_retry_after", "errors"):
            if not isinstance(flag := getattr(self, name), bool):
                raise _expected(name, "True or False", flag)
        force_setattr(self, "statuses", frozenset(statuses))
        force_setattr(self, "methods", frozenset(method.upper() for method in methods))

    def pause(
        self, attempt: int, method: str, outcome: int | FetchError, asked: str | None, *, now: float, jitter: float
    ) -> float | None:
        """Return the seconds until the next try; None = the outcome, a status or an error, is the result.

        `attempt` counts the tries before the one that ended so; `asked` is the value of Retry-After.
        """
        if attempt >= self.tries or method not in self.methods:
            return None
        pause = backoff(attempt, jitter, base=self.backoff, cap=self.max_backoff)
        if isinstance(outcome, FetchError):
            return pause if self.errors and outcome.reason.is_transient else None
        if outcome not in self.statuses:
            return None
        seconds = (_asked(asked, now) or 0.0) if self.respect_retry_after else 0.0
        return None if seconds > self.max_retry_after else max(pause, seconds)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _collected(name: str, value: object, example: str) -> list[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise UsageError(f"RetryPolicy: {name} must be a set, not {type(value).__name__}: write {example}")
    return list(value)


def _expected(name: str, wanted: str, value: object) -> UsageError:
    return UsageError(f"RetryPolicy: {name}: expected {wanted}, got {repr(value)[:80]}")
