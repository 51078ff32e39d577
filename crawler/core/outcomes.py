"""What a response or an error means for its URL: finished, with a line of output, or another try later.

Rules
- Any final response is *done*, 404 too; *failed* had no usable response, also a retry status after its last retry.
- A redirect is a result: its target enters the frontier with its source's depth and one hop more.
- A try that our own pause broke does not count.
Runs on: anywhere (pure). Jitter and the wall clock come in as arguments.
"""

from dataclasses import dataclass, replace

from crawler.core import records
from crawler.core.errors import FetchError, UrlError
from crawler.core.models import Find, Page, Request, Response, Retry, State, Timing, Visit
from crawler.core.reasons import Reason
from crawler.core.retry import RETRY_STATUSES, delay, retry_after
from crawler.core.urls import Url, parse

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides with `retries` further tries per URL."""

    retries: int

    def response(self, request: Request, response: Response, page: Page, *, now: float, jitter: float) -> Visit | Retry:
        """What a response means; `now` is the wall clock, `jitter` in [0, 1)."""
        if response.status in RETRY_STATUSES:
            if request.attempts < self.retries:
                asked = retry_after(response.header("retry-after"), now)
                return _again(request, Reason.RETRY_STATUS, now + delay(request.attempts, jitter, asked))
            return _finished(request, response, page, Reason.RETRY_STATUS, now)
        if response.status in REDIRECTS and (location := response.header("location")):
            return _redirected(request, response, page, location, now)
        if page.problem or response.cut:
            return _finished(request, response, page, page.problem or Reason.BODY_LIMIT, now)
        return _finished(request, response, page, Reason.OK if response.status < 300 else Reason.HTTP_STATUS, now)

    def error(self, request: Request, error: FetchError, *, now: float, jitter: float, timing: Timing) -> Visit | Retry:
        """What a failed try means."""
        if not error.counted:
            return Retry(request=request, reason=error.reason, not_before=now + delay(0, jitter, None))
        if error.reason.is_transient and request.attempts < self.retries:
            return _again(request, error.reason, now + delay(request.attempts, jitter, None))
        record = records.unanswered(request, error.reason, at=now, attempts=request.attempts + 1, timing=timing)
        return Visit(request=request, state=State.FAILED, reason=error.reason, record=record)


def denied(request: Request) -> Visit:
    """The URL that robots.txt keeps us from."""
    return Visit(request=request, state=State.SKIPPED, reason=Reason.ROBOTS_DENIED)


def suspect(request: Request, now: float) -> Visit:
    """The URL during which the process died again and again."""
    record = records.unanswered(request, Reason.SUSPECT, at=now, attempts=request.attempts, timing=Timing())
    return Visit(request=request, state=State.FAILED, reason=Reason.SUSPECT, record=record)


def _again(request: Request, reason: Reason, not_before: float) -> Retry:
    return Retry(request=replace(request, attempts=request.attempts + 1), reason=reason, not_before=not_before)


_FAILED = frozenset({Reason.RETRY_STATUS, Reason.REDIRECT_LOOP, Reason.REDIRECT_LIMIT, Reason.BAD_REDIRECT})


def _finished(
    request: Request, response: Response, page: Page, reason: Reason, now: float, target: Url | None = None
) -> Visit:
    state = State.FAILED if reason in _FAILED else State.DONE
    to = target.href if target else None
    finds: tuple[Find, ...] = ()
    if target and state is State.DONE:
        finds = (Find(url=target, depth=request.depth, hops=request.hops + 1, seed=request.seed),)
    return Visit(
        request=request,
        state=state,
        reason=reason,
        record=records.answered(response, page, reason, state=state, at=now, redirect_to=to),
        finds=finds,
        latency=response.timing.total,
    )


def _redirected(request: Request, response: Response, page: Page, location: str, now: float) -> Visit:
    try:
        target = parse(_as_utf8(location), request.url)
    except UrlError:
        return _finished(request, response, page, Reason.BAD_REDIRECT, now)
    reason = Reason.REDIRECT
    if target == request.url:
        reason = Reason.REDIRECT_LOOP
    elif request.hops >= MAX_REDIRECTS:
        reason = Reason.REDIRECT_LIMIT
    return _finished(request, response, page, reason, now, target)


def _as_utf8(value: str) -> str:
    """Header text as servers mean it: UTF-8 where it is that, latin-1 otherwise."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value
