"""core.outcomes: what a response or an error means for its URL."""

import pytest

from crawler.core.config import ScopeConfig
from crawler.core.errors import FetchError
from crawler.core.merging import MOST_HOPS
from crawler.core.messages import Request, Response, Timing
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext
from crawler.core.scope import LinkJudge
from crawler.core.visits import Page, Retry, State, Visit
from crawler.engine.outcomes import Judge, denied, suspect
from crawler.http.retry import RETRY_STATUSES
from support.ways import a_find, a_request

NOW = 1_700_000_000.0
URL = "http://h:8000/a/b?c"
JUDGE = Judge(retries=3)
PAGE = Page(size=3, sha256="0" * 64)


def ask(**fields: object) -> Request:
    """The request of these tests."""
    return a_request(URL, **{"id": 1, **fields})


def judged(
    status: int, *, page: Page = PAGE, cut: bool = False, jitter: float = 0.5, **fields: object
) -> Visit | Retry:
    """Return the outcome of a response with this status for a request with these fields."""
    response = Response(request=ask(**fields), status=status, cut=cut, timing=Timing(total=0.25))
    return JUDGE.response(response, page, VisitContext(now=NOW, jitter=jitter))


def visited(outcome: Visit | Retry) -> Visit:
    """The outcome, which ends the URL."""
    assert isinstance(outcome, Visit)
    return outcome


def retried(outcome: Visit | Retry) -> Retry:
    """The outcome, which is another try."""
    assert isinstance(outcome, Retry)
    return outcome


def redirected(location: bytes, status: int = 301, **fields: object) -> Visit:
    """Return the outcome of a redirect to this Location."""
    response = Response(request=ask(**fields), status=status, headers=((b"Location", location),))
    return visited(JUDGE.response(response, PAGE, VisitContext(now=NOW, jitter=0.5)))


def failed(reason: Reason, *, counted: bool = True, **fields: object) -> Visit | Retry:
    """Return the outcome of an error."""
    error = FetchError(reason, "it went wrong", counted=counted)
    return JUDGE.error(ask(**fields), error, VisitContext(now=NOW, jitter=0.5, total=2.0))


FINAL = [
    (200, Reason.OK),  # a page
    (204, Reason.OK),  # nothing to say
    (206, Reason.OK),  # a part that nobody asked for, if it does not say which
    (300, Reason.HTTP_STATUS),  # a choice, not a redirect
    (304, Reason.HTTP_STATUS),  # without a condition it means nothing
    (401, Reason.HTTP_STATUS),  # a password is wanted
    (403, Reason.HTTP_STATUS),  # not for us
    (404, Reason.HTTP_STATUS),  # gone
    (410, Reason.HTTP_STATUS),  # gone for good
    (418, Reason.HTTP_STATUS),  # no status that we know
    (501, Reason.HTTP_STATUS),  # a server error that no second try mends
    (505, Reason.HTTP_STATUS),  # another one
    (999, Reason.HTTP_STATUS),  # invented by the server
]


@pytest.mark.parametrize(("status", "reason"), FINAL)
def test_any_final_response_is_done(status: int, reason: Reason) -> None:
    """404 is an answer: the URL is done at the first try, and its line says so."""
    visit = visited(judged(status))

    assert (visit.state, visit.reason, tuple(visit.finds), visit.latency) == (State.DONE, reason, (), 0.25)
    assert visit.record is not None
    assert (visit.record.status, visit.record.reason, visit.record.outcome) == (status, reason, "done")
    assert (visit.record.attempts, visit.record.bytes) == (1, 3)


@pytest.mark.parametrize("status", sorted(RETRY_STATUSES))
def test_a_busy_server_is_asked_again_until_the_last_retry(status: int) -> None:
    """Three retries after the first try, each counted, then the URL has failed with the status in its line."""
    for attempts in range(3):
        retry = retried(judged(status, attempts=attempts))

        assert (retry.reason, retry.request.attempts) == (Reason.RETRY_STATUS, attempts + 1)
        assert retry.not_before == NOW + 0.5 * 2**attempts

    visit = visited(judged(status, attempts=3))
    assert (visit.state, visit.reason) == (State.FAILED, Reason.RETRY_STATUS)
    assert visit.record is not None
    assert (visit.record.status, visit.record.outcome, visit.record.attempts) == (status, "failed", 4)


def test_without_retries_a_busy_server_has_failed() -> None:
    """`--retries 0` takes the first answer."""
    response = Response(request=ask(), status=503)

    visit = visited(Judge(retries=0).response(response, PAGE, VisitContext(now=NOW, jitter=0.5)))

    assert visit.state is State.FAILED


@pytest.mark.parametrize(
    ("value", "wait"),
    [(b"30", 30.0), (b"0", 0.5), (b"999999", 3600.0), (b"soon", 0.5), (b"Tue, 14 Nov 2023 22:14:20 GMT", 60.0)],
)
def test_the_server_may_ask_for_a_longer_wait(value: bytes, wait: float) -> None:
    """Retry-After lengthens the back-off, never shortens it, and is cut to an hour."""
    response = Response(request=ask(), status=503, headers=((b"retry-after", value),))

    retry = retried(JUDGE.response(response, PAGE, VisitContext(now=NOW, jitter=0.5)))

    assert retry.not_before == NOW + wait


def test_a_header_ends_with_its_last_byte() -> None:
    """Only space and tab surround a value (RFC 9110, 5.6.3); latin-1 knows more that would be cut off UTF-8."""
    response = Response(request=ask(), status=200, headers=((b"X", b" \t/citt\xc3\xa0 \t"), (b"x", b"\xc3\x85")))

    assert list(response.header_values("x")) == ["/citt\xc3\xa0", "\xc3\x85"]


@pytest.mark.parametrize(
    ("page", "cut", "reason"),
    [
        (PAGE, True, Reason.BODY_LIMIT),
        (Page(size=3, sha256="", problem=Reason.DECODE_ERROR), False, Reason.DECODE_ERROR),
        (Page(size=3, sha256="", problem=Reason.DECODED_LIMIT), True, Reason.DECODED_LIMIT),
        (Page(size=3, sha256="", problem=Reason.XML_ERROR), True, Reason.BODY_LIMIT),  # it is not whole, of course
        (Page(size=3, sha256="", problem=Reason.XML_ERROR), False, Reason.XML_ERROR),
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_body_that_is_not_whole_is_done_and_says_so(page: Page, cut: bool, reason: Reason, status: int) -> None:
    """A body that was cut or cannot be decoded is kept, with the reason instead of the status's."""
    visit = visited(judged(status, page=page, cut=cut))

    assert (visit.state, visit.reason) == (State.DONE, reason)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"http://other/x", "http://other/x"),
        (b"x", "http://h:8000/a/x"),  # relative to the page
        (b"/x", "http://h:8000/x"),
        (b"?d", "http://h:8000/a/b?d"),
        (b"//other/x", "http://other/x"),  # the same scheme
        (b" /x\t", "http://h:8000/x"),  # white space around it
        (b"/x#part", "http://h:8000/x"),  # a fragment is not sent
        ("/größe".encode(), "http://h:8000/gr%C3%B6%C3%9Fe"),  # bare UTF-8, as many servers send it
        ("/größe".encode("latin-1"), "http://h:8000/gr%F6%DFe"),  # other octets stay what they are
        (b"/gr%F6%DFe", "http://h:8000/gr%F6%DFe"),  # encoded bytes stay as they are
        (b"http://me:secret@other/x", "http://other/x"),  # a password is never followed
        (b"http://OTHER:80/x/../y", "http://other/y"),  # canonical like every URL
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_result_with_a_find(location: bytes, target: str, status: int) -> None:
    """The source is done; its target has the same depth, one hop more, and is a seed if the source was one.

    At another origin it is foreign: the user's credentials do not go where somebody else sends them.
    """
    visit = redirected(location, status, depth=2, hops=1, seed=True, named=True)

    assert (visit.state, visit.reason) == (State.DONE, Reason.REDIRECT)
    assert visit.finds == (a_find(target, depth=2, hops=2, chain=1, seed=True, foreign="other" in target),)
    assert visit.record is not None
    assert visit.record.redirect_to == target
    assert "secret" not in repr(visit)


@pytest.mark.parametrize(
    ("location", "foreign"),
    [(b"/x", False), (b"https://h:8000/x", True), (b"http://h:8001/x", True), (b"http://h.:8000/x", True)],
)
def test_what_is_foreign(location: bytes, foreign: bool) -> None:
    """Scheme, host and port make an origin; what a foreign URL redirects to is foreign too, wherever it leads."""
    assert next(iter(redirected(location).finds)).way.foreign is foreign
    assert next(iter(redirected(location, foreign=True).finds)).way.foreign


def test_where_a_sitemap_redirects_there_is_a_sitemap() -> None:
    """No --include has to match the target."""
    judge = Judge(retries=0, links=LinkJudge(ScopeConfig(include=("x",))))
    response = Response(request=ask(sitemap=True), status=301, headers=((b"Location", b"/s"),))

    (find,) = visited(judge.response(response, PAGE, VisitContext(now=NOW))).finds

    assert (find.way.sitemap, find.refusal) == (True, None)


def test_the_target_of_a_redirect_is_judged_unless_it_is_a_seed() -> None:
    """`--exclude` holds for where a link's redirect leads, too; what the user listed leads wherever it leads."""
    judge = Judge(3, LinkJudge(ScopeConfig(exclude=("/secret/",))))

    def refusal(*, seed: bool, location: bytes) -> Reason | None:
        response = Response(request=a_request(URL, seed=seed), status=302, headers=((b"Location", location),))
        visit = judge.response(response, Page(size=0, sha256=""), VisitContext(now=0.0))
        assert isinstance(visit, Visit)
        return next(iter(visit.finds)).refusal

    assert refusal(seed=False, location=b"/secret/x") is Reason.EXCLUDED
    assert refusal(seed=False, location=b"/public/x") is None
    assert refusal(seed=True, location=b"/secret/x") is None


@pytest.mark.parametrize("location", [b"", b"#top", b"b?c", URL.encode(), b"http://x:y@h:8000/a/b?c#z"])
def test_a_redirect_to_itself_is_a_loop(location: bytes) -> None:
    """A page that sends to itself would send for ever; an empty Location says nothing at all."""
    visit = redirected(location)

    expected = (State.FAILED, Reason.REDIRECT_LOOP) if location else (State.DONE, Reason.HTTP_STATUS)
    assert (visit.state, visit.reason, tuple(visit.finds)) == (*expected, ())


@pytest.mark.parametrize(
    "location",
    [b"ftp://other/x", b"javascript:alert(1)", b"http://", b"http://h:99999/", b"http://h:22/", b"/" + b"x" * 9000],
)
def test_a_redirect_to_nowhere_has_failed(location: bytes) -> None:
    """A Location that is no URL we fetch leaves no usable answer."""
    visit = redirected(location)

    assert (visit.state, visit.reason, tuple(visit.finds)) == (State.FAILED, Reason.BAD_REDIRECT, ())
    assert visit.record is not None
    assert visit.record.redirect_to is None


def test_a_chain_of_redirects_ends() -> None:
    """Ten hops in a row are followed; where the eleventh leads is refused, and no seed."""
    nearly = redirected(b"/x", seed=True, hops=MOST_HOPS - 1, chain=MOST_HOPS - 1)
    visit = redirected(b"/x", seed=True, hops=MOST_HOPS, chain=MOST_HOPS)

    assert [(find.way.hops, find.way.seed, find.refusal) for find in nearly.finds] == [(10, True, None)]
    assert (visit.state, visit.reason) == (State.DONE, Reason.REDIRECT)
    assert [(find.way.seed, find.refusal) for find in visit.finds] == [(False, Reason.HOP_LIMIT)]
    assert visit.record is not None
    assert visit.record.redirect_to == "http://h:8000/x"


def test_a_link_stays_a_link_through_redirects() -> None:
    """The target of a link's redirect is no seed."""
    assert not next(iter(redirected(b"/x", seed=False).finds)).way.seed


TRANSIENT = [reason for reason in Reason if reason.is_transient and reason is not Reason.RETRY_STATUS]
FINAL_ERRORS = [
    *(Reason.DNS_NOT_FOUND, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME, Reason.TLS_UNTRUSTED, Reason.PROTOCOL_ERROR),
    *(Reason.HEADER_LIMIT, Reason.BLOCKED_ADDRESS),
]


@pytest.mark.parametrize("reason", TRANSIENT)
def test_what_may_pass_is_tried_again(reason: Reason) -> None:
    """A transient failure has three more tries, then its line says what the last one met."""
    retry = retried(failed(reason, attempts=2))
    visit = visited(failed(reason, attempts=3))

    assert (retry.request.attempts, retry.reason, retry.not_before) == (3, reason, NOW + 2)
    assert (visit.state, visit.reason, visit.latency) == (State.FAILED, reason, None)
    assert visit.record is not None
    assert (visit.record.attempts, visit.record.status, visit.record.timing["total"]) == (4, None, 2000.0)


@pytest.mark.parametrize("reason", FINAL_ERRORS)
def test_what_will_not_pass_fails_at_once(reason: Reason) -> None:
    """No second try mends a name that does not exist or a certificate that expired."""
    visit = visited(failed(reason))

    assert (visit.state, visit.reason) == (State.FAILED, reason)


@pytest.mark.parametrize("attempts", [0, 3])
def test_a_try_that_our_own_pause_broke_does_not_count(attempts: int) -> None:
    """Even after the last retry the URL is asked again, with as many tries left as before."""
    retry = retried(failed(Reason.IDLE_TIMEOUT, counted=False, attempts=attempts))

    assert retry.request.attempts == attempts
    assert NOW <= retry.not_before <= NOW + 1


def test_what_robots_txt_forbids_is_skipped_without_a_line() -> None:
    """It was never requested, so it is no page."""
    assert denied(ask()) == Visit(request=ask(), state=State.SKIPPED, reason=Reason.ROBOTS_DENIED)


def test_a_suspect_is_given_up_with_a_line() -> None:
    """The URL during which the process died again and again has failed, and says why."""
    visit = suspect(ask(attempts=2), NOW)

    assert (visit.state, visit.reason) == (State.FAILED, Reason.SUSPECT)
    assert visit.record is not None
    assert (visit.record.reason, visit.record.attempts) == ("suspect", 2)


@pytest.mark.parametrize(
    ("content_range", "reason"),
    [
        (b"bytes 0-99/100", Reason.OK),
        (b"Bytes 0-0/1", Reason.OK),
        (b"bytes 0-99/5000", Reason.PARTIAL_CONTENT),
        (b"bytes 1-99/100", Reason.PARTIAL_CONTENT),
        (b"bytes 0-99/*", Reason.PARTIAL_CONTENT),
        (b"nonsense", Reason.PARTIAL_CONTENT),
    ],
)
def test_a_part_is_no_whole_page(content_range: bytes, reason: Reason) -> None:
    """A 206 that nobody asked for says how much it lacks (RFC 9110, 14.4); what is all there is whole."""
    response = Response(request=ask(), status=206, headers=((b"Content-Range", content_range),), body=b"x")

    visit = Judge(0).response(response, Page(size=1, sha256=""), VisitContext(now=0.0))

    assert isinstance(visit, Visit)
    assert visit.reason is reason
