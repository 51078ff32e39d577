"""Lines without a scheme in whole crawls: https is asked, and http where no server answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.scheme_guesses import NO_ANSWER
from crawler.testing import FakeFetcher
from support import virtual
from support.crawls import crawl, records
from support.frontiers import audited

PAGE = (200, b"<title>here</title>")


def silent(reason: Reason = Reason.CONNECT_REFUSED) -> FakeFetcher:
    """Hosts that answer over http alone."""
    return answering(over_https=lambda _: FetchError(reason, "no server"))


def answering(over_https: Callable[[Request], Response | FetchError]) -> FakeFetcher:
    """Hosts that answer every URL over http, and over https as told."""

    def answer(request: Request) -> Response | FetchError:
        if request.url.scheme == "https":
            return over_https(request)
        body = b"" if request.url.target == "/robots.txt" else PAGE[1]
        return Response(request=request, status=200, body=body, headers=((b"Content-Type", b"text/html"),))

    return FakeFetcher(default=answer)


def had(folder: Path) -> dict[str, str]:
    """The reason in each line of output, by URL."""
    return {str(record["url"]): str(record["reason"]) for record in records(folder)}


def problems(folder: Path) -> list[str]:
    """Return the findings of an audit."""
    with audited(folder / "frontier.sqlite") as audit:
        return list(audit.problems())


@pytest.mark.parametrize("robots", [False, True])
@pytest.mark.parametrize("reason", sorted(NO_ANSWER))
async def test_http_is_asked_where_no_server_answers_over_https(
    tmp_path: Path, reason: Reason, *, robots: bool
) -> None:
    """The first failure decides, be it of robots.txt; every line is accounted for, and so is each URL."""
    fetcher = silent(reason)

    ending = await crawl(tmp_path, ["a.example.com/x", "b.example.com:8080"], fetcher, robots=robots)

    assert had(tmp_path) == {"http://a.example.com/x": "ok", "http://b.example.com:8080/": "ok"}
    assert [(record["referrer"], record["depth"]) for record in records(tmp_path)] == [(None, 0)] * 2
    assert sum(url.startswith("https://") for url in fetcher.asked) == 2
    totals = ending.totals
    assert (totals.done, totals.failed, totals.pending, totals.discovered) == (2, 0, 0, 4)
    assert totals.skipped == {"http_instead": 2}
    assert (totals.lines, totals.readings) == ({"read": 2, "url": 2}, {"guessed": 2})
    assert problems(tmp_path) == []


@pytest.mark.parametrize("robots", [False, True])
async def test_what_answers_over_https_is_never_asked_over_http(tmp_path: Path, *, robots: bool) -> None:
    """Any answer counts."""
    fetcher = FakeFetcher({"https://example.com/gone": (404, b"")}, PAGE)

    await crawl(tmp_path, ["example.com", "//example.com/gone"], fetcher, robots=robots)

    assert had(tmp_path) == {"https://example.com/": "ok", "https://example.com/gone": "http_status"}
    assert not any(url.startswith("http://") for url in fetcher.asked)


@pytest.mark.parametrize(
    "reason",
    [
        *(Reason.DNS_NOT_FOUND, Reason.TLS_EXPIRED, Reason.TLS_HOSTNAME, Reason.TLS_UNTRUSTED),
        *(Reason.BLOCKED_ADDRESS, Reason.PROTOCOL_ERROR, Reason.TOTAL_TIMEOUT, Reason.PROXY_FAILED),
    ],
)
async def test_any_other_failure_is_one(tmp_path: Path, reason: Reason) -> None:
    """A certificate that is not trusted is an answer, and a name that does not exist has no http either."""
    fetcher = silent(reason)

    await crawl(tmp_path, ["example.com"], fetcher, retries=0)

    assert had(tmp_path) == {"https://example.com/": reason}
    assert not any(url.startswith("http://") for url in fetcher.asked)


@pytest.mark.parametrize("robots", [False, True])
async def test_a_dead_port_is_asked_for_few_of_many_lines(tmp_path: Path, *, robots: bool) -> None:
    """A port that gives no answer once is not asked a hundred times."""
    fetcher = silent()

    await crawl(tmp_path, [f"example.com/{n}" for n in range(100)], fetcher, robots=robots, per_host=2, delay=0)

    assert len(had(tmp_path)) == 100
    assert sum(url.startswith("https://") for url in fetcher.asked) <= 2
    assert problems(tmp_path) == []


@pytest.mark.parametrize("robots", [False, True])
def test_the_host_is_not_blamed_for_a_guess(tmp_path: Path, *, robots: bool) -> None:
    """Without TLS on its port it is asked over http at once: a host that fails would rest for half a second."""
    fetcher = silent(Reason.TLS_FAILED)

    virtual.crawl(tmp_path, ["127.0.0.1:8080/a"], fetcher, robots=robots)

    assert had(tmp_path) == {"http://127.0.0.1:8080/a": "ok"}
    assert fetcher.moments[-1] - fetcher.moments[0] < 0.4


async def test_an_origin_that_has_answered_is_no_guess_any_more(tmp_path: Path) -> None:
    """Its robots.txt came over https, so a page that does not is tried again, and fails."""

    def lost(request: Request) -> Response | FetchError:
        if request.url.target == "/robots.txt":
            return Response(request=request, status=404)
        return FetchError(Reason.CONNECTION_LOST, "gone")

    fetcher = answering(over_https=lost)

    await crawl(tmp_path, ["example.com"], fetcher, robots=True, retries=2)

    assert had(tmp_path) == {"https://example.com/": "connection_lost"}
    assert fetcher.times()["https://example.com/"] == 3


@pytest.mark.parametrize("lines", [["example.com", "https://example.com/"], ["https://example.com/", "example.com"]])
async def test_a_line_with_https_is_tried_like_any_other(tmp_path: Path, lines: list[str]) -> None:
    """The line with https fails after its tries, first or second, and the other has http asked."""
    fetcher = silent()

    ending = await crawl(tmp_path, lines, fetcher, retries=2)

    assert had(tmp_path) == {"https://example.com/": "connect_refused", "http://example.com/": "ok"}
    assert fetcher.times()["https://example.com/"] == 3
    assert ending.totals.lines == {"read": 2, "url": 1, "duplicate": 1}
    assert problems(tmp_path) == []


async def test_a_line_with_http_is_the_same_url(tmp_path: Path) -> None:
    """Each line is accounted for once, wherever the guess leads."""
    ending = await crawl(tmp_path, ["http://example.com/", "example.com", "EXAMPLE.com/"], silent())

    assert had(tmp_path) == {"http://example.com/": "ok"}
    assert ending.totals.lines == {"read": 3, "url": 2, "duplicate": 1}
    assert problems(tmp_path) == []


@pytest.mark.parametrize("way", ["link", "redirect"])
async def test_what_leads_to_https_by_name_has_it_tried(tmp_path: Path, way: str) -> None:
    """A page over http that leads to https, where no server answers, does not end as if nothing were missing."""

    def answer(request: Request) -> Response | FetchError:
        if request.url.scheme == "https":
            return FetchError(Reason.CONNECT_REFUSED, "no server")
        if way == "redirect":
            return Response(request=request, status=301, headers=((b"Location", b"https://example.com/"),))
        body = b"<a href='https://example.com/'>"
        return Response(request=request, status=200, body=body, headers=((b"Content-Type", b"text/html"),))

    ending = await crawl(tmp_path, ["example.com"], FakeFetcher(default=answer), command="crawl", retries=1)

    assert had(tmp_path) == {
        "http://example.com/": "redirect" if way == "redirect" else "ok",
        "https://example.com/": "connect_refused",
    }
    assert (ending.totals.failed, ending.totals.skipped) == (1, {})
    assert problems(tmp_path) == []


@pytest.mark.parametrize("scope", ["host", "domain", "prefix"])
async def test_the_http_origin_is_in_scope(tmp_path: Path, scope: str) -> None:
    """Links are followed from it as from any seed, on a port of its own too."""

    def answer(request: Request) -> Response | FetchError:
        if request.url.scheme == "https":
            return FetchError(Reason.TLS_FAILED, "no TLS")
        body = b"<a href='deep'><a href='http://elsewhere.example.org/'>"
        return Response(request=request, status=200, body=body, headers=((b"Content-Type", b"text/html"),))

    lines = ["example.com/docs/", "example.net:8080/docs/"]

    await crawl(tmp_path, lines, FakeFetcher(default=answer), command="crawl", scope=scope)

    assert set(had(tmp_path)) == {
        *("http://example.com/docs/", "http://example.com/docs/deep"),
        *("http://example.net:8080/docs/", "http://example.net:8080/docs/deep"),
    }


async def test_a_sitemap_without_a_scheme_is_read_over_http(tmp_path: Path) -> None:
    """It stays a sitemap."""
    listed = b"http://example.com/a\n"
    fetcher = silent()
    fetcher.answers = {"http://example.com/s.txt": (200, listed)}

    await crawl(tmp_path, ["Sitemap: example.com/s.txt"], fetcher)

    assert set(had(tmp_path)) == {"http://example.com/s.txt", "http://example.com/a"}


async def test_a_budget_counts_what_was_had(tmp_path: Path) -> None:
    """A guess that led to http has no line of output, and takes no page."""
    ending = await crawl(tmp_path, [f"{name}.example.com" for name in "abcd"], silent(), max_pages=2)

    assert len(had(tmp_path)) == 2
    assert ending.stopped_by == "--max-pages 2"
    assert problems(tmp_path) == []
    ending = await crawl(tmp_path, [], silent(), max_pages=9)
    assert len(had(tmp_path)) == 4
    assert ending.totals.pending == 0
