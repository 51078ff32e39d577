"""Judge of responses and errors: a URL is finished, with a line of output, or gets another try later.

Rules
- Any final response is *done*, 404 too. A URL without a usable response is *failed*; so is a retry status after the
  last retry.
- A redirect is a result: its target enters the frontier with its source's depth and one hop more (`core/merging.py`).
- A failure of this process (`FetchError.counted` False) costs no try.
Runs on: anywhere (pure). Jitter and the wall clock come in as arguments.
"""

import msgspec
from msgspec.structs import replace

from crawler.core import records
from crawler.core.errors import FetchError, UrlError
from crawler.core.finds import Find
from crawler.core.merging import hop
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.scheme_guesses import is_settled, over_http
from crawler.core.scope import LinkJudge
from crawler.core.visits import Page, Retry, State, Visit
from crawler.http.redirects import target
from crawler.http.retry import RETRY_STATUSES, delay, retry_after

_OF_A_CUT = frozenset({None, Reason.XML_ERROR, Reason.BAD_ENTRIES})  # the cut itself may cause these


class Judge(msgspec.Struct, frozen=True):
    """Decides with `retries` further tries per URL.

    Attributes:
        links: says which targets of redirects are refused; None = every one may be followed.
    """

    retries: int
    links: LinkJudge | None = None

    def response(self, response: Response, page: Page, turn: VisitContext) -> Visit | Retry:
        """Return the outcome of a response."""
        request = response.request
        if response.status in RETRY_STATUSES:
            if request.attempts < self.retries:
                asked = retry_after(response.header("retry-after"), turn.now)
                return _again(request, Reason.RETRY_STATUS, turn, asked)
            return _finished(response, page, Reason.RETRY_STATUS, turn)
        try:
            to = target(response)
        except UrlError:
            return _finished(response, page, Reason.BAD_REDIRECT, turn)
        if to is not None:
            reason = Reason.REDIRECT_LOOP if to == request.url else Reason.REDIRECT
            find = hop(request.url, request.way, to)
            if self.links and not find.way.seed:  # a refusal of its URL comes before a refusal of its path
                refusal = self.links.refusal(to, find.way.depth, is_sitemap=find.way.sitemap)
                find = msgspec.structs.replace(find, refusal=refusal or find.refusal)
            return _finished(response, page, reason, turn, find)
        return _finished(response, page, _of_page(response, page), turn)

    def error(self, request: Request, error: FetchError, turn: VisitContext) -> Visit | Retry:
        """Return the outcome of a failed try."""
        if error.counted and is_settled(request, error.reason):
            return http_instead(request, error.reason)
        if not error.counted:
            later = turn.now + delay(0, turn.jitter)
            return Retry(request=request, reason=error.reason, at=turn.now, not_before=later)
        if error.reason.is_transient and request.attempts < self.retries:
            return _again(request, error.reason, turn)
        return _failed(request, error.reason, turn, attempts=request.attempts + 1)


def _of_page(response: Response, page: Page) -> Reason:
    """Return the reason of a page: `ok` only if it was read in full."""
    if response.cut and page.problem in _OF_A_CUT:
        return Reason.BODY_LIMIT
    if page.problem is None and response.is_part:
        return Reason.PARTIAL_CONTENT
    return page.problem or (Reason.OK if response.status < 300 else Reason.HTTP_STATUS)


def denied(request: Request) -> Visit:
    """Skip the URL that robots.txt disallows."""
    return Visit(request=request, state=State.SKIPPED, reason=Reason.ROBOTS_DENIED)


def http_instead(request: Request, failure: Reason) -> Visit:
    """Skip the URL of a line without a scheme that no server answers over https, and find the one over http."""
    return Visit(request=request, state=State.SKIPPED, reason=Reason.HTTP_INSTEAD, finds=over_http(request, failure))


def given_up(request: Request, cause: Reason, now: float) -> Visit:
    """Fail the URL of a host that was given up, without asking for it."""
    if is_settled(request, cause):
        return http_instead(request, cause)
    return _failed(request, cause, VisitContext(now=now), attempts=request.attempts)


def suspect(request: Request, now: float) -> Visit:
    """Fail the URL during which the process died again and again."""
    return _failed(request, Reason.SUSPECT, VisitContext(now=now), attempts=request.attempts)


def _again(request: Request, reason: Reason, turn: VisitContext, asked: float | None = None) -> Retry:
    pause = delay(request.attempts, turn.jitter, asked)
    again = replace(request, attempts=request.attempts + 1)
    return Retry(request=again, reason=reason, at=turn.now, not_before=turn.now + pause)


def _failed(request: Request, reason: Reason, turn: VisitContext, *, attempts: int) -> Visit:
    record = records.unanswered(request, reason, turn, attempts=attempts)
    finds = over_http(request, reason)
    return Visit(request=request, state=State.FAILED, reason=reason, at=turn.now, record=record, finds=finds)


_FAILED = frozenset({Reason.RETRY_STATUS, Reason.REDIRECT_LOOP, Reason.BAD_REDIRECT})


def _finished(response: Response, page: Page, reason: Reason, turn: VisitContext, led: Find | None = None) -> Visit:
    request = response.request
    state = State.FAILED if reason in _FAILED else State.DONE
    leads_on = (led,) if led and state is State.DONE else ()  # a failed one leads nowhere
    record = records.answered(response, page, reason, turn, state=state, redirect_to=led.url if led else None)
    return Visit(
        request=request,
        state=state,
        reason=reason,
        at=turn.now,
        record=record,
        target=led.url if led else None,
        finds=leads_on or page.finds,  # what redirects is not read
        bad_links=page.bad_links,
        latency=response.timing.total,
        content=page.content,
        size=page.weight,
    )
