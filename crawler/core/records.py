"""The line of `pages.jsonl` that a request, its response and the page make.

Rules
- Every text is valid UTF-8: undecodable bytes of a server are replaced, never passed on.
- Times are milliseconds with three decimals; moments are RFC 3339 in UTC.
Runs on: anywhere (pure).
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from crawler.core.messages import Request, Response, Timing
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.core.visits import Page, Record, State

MAX_DATA = 4 * 1024 * 1024  # bytes, as JSON, of the data of a page
MAX_LINE = MAX_DATA + 1024 * 1024  # no line is longer: what else is in it is bounded by the lengths of URLs and headers
_OUTCOMES = {state: state.name.lower() for state in State}


class VisitContext(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's part of a visit: the wall clock at its end, chance in [0, 1), and seconds spent."""

    now: float
    jitter: float = 0.0
    queued: float | None = None
    total: float | None = None


def answered(
    response: Response, page: Page, reason: Reason, turn: VisitContext, *, state: State, redirect_to: Url | None = None
) -> Record:
    """Return the line of a URL that had a final response."""
    request = response.request
    return Record(
        url=request.url.href,
        outcome=_OUTCOMES[state],
        status=response.status,
        reason=reason,
        content_type=page.content_type,
        charset=page.charset,
        bytes=page.size,
        sha256=page.sha256,
        title=page.title,
        depth=request.way.depth,
        referrer=request.referrer,
        lastmod=request.way.lastmod,
        redirect_to=redirect_to.href if redirect_to else None,
        links=page.links,
        robots=page.robots,
        attempts=request.attempts + 1,
        fetched_at=moment(turn.now),
        timing=milliseconds(response.timing, queue=turn.queued, parse=page.seconds),
        data=page.data,
        error=page.error,
    )


def unanswered(request: Request, reason: Reason, turn: VisitContext, *, attempts: int) -> Record:
    """Return the line of a URL that had no usable response."""
    return Record(
        url=request.url.href,
        outcome=_OUTCOMES[State.FAILED],
        status=None,
        reason=reason,
        content_type=None,
        charset=None,
        bytes=None,
        sha256=None,
        title=None,
        depth=request.way.depth,
        referrer=request.referrer,
        lastmod=request.way.lastmod,
        redirect_to=None,
        links=None,
        robots=None,
        attempts=attempts,
        fetched_at=moment(turn.now),
        timing=milliseconds(Timing(total=turn.total), queue=turn.queued),
    )


def failed(record: Record, reason: Reason) -> Record:
    """Return the line of a URL that failed in spite of its response."""
    return replace(record, outcome=_OUTCOMES[State.FAILED], reason=reason)


def moment(at: float) -> str:
    """Return a wall-clock moment as RFC 3339 in UTC, to the millisecond."""
    second, micros = divmod(round(at * 1e6), 1_000_000)
    return f"{_second(second)}.{micros // 1000:03d}Z"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    """Return the moment without its fraction; hundreds of pages end in the same second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def milliseconds(timing: Timing, *, queue: float | None = None, parse: float | None = None) -> dict[str, float | None]:
    """Return the phases by name, in milliseconds; None = it did not happen."""
    return {
        "queue": _ms(queue),
        "dns": _ms(timing.dns),
        "connect": _ms(timing.connect),
        "tls": _ms(timing.tls),
        "first_byte": _ms(timing.first_byte),
        "body": _ms(timing.body),
        "parse": _ms(parse),
        "total": _ms(timing.total),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
