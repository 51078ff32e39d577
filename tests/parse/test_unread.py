"""Nothing that was not read, or only in part, ends as `ok`: over all reasons, all parsers and every place of damage."""

import gzip
from collections.abc import Iterator

import pytest

from crawler.core.config import ScopeConfig
from crawler.core.messages import Request, Response
from crawler.core.reasons import UNREAD, Reason
from crawler.core.records import VisitContext
from crawler.core.urls import parse
from crawler.core.visits import Page, State, Visit
from crawler.engine.outcomes import Judge
from crawler.parse.follow import follow
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import PageReader, Task
from crawler.report.why.phrases import SKIPPED
from crawler.report.why.phrases import UNREAD as WORDS
from crawler.site.codings import PACKERS
from support.ways import a_request

READ = {Reason.OK, Reason.REDIRECT, Reason.HTTP_STATUS}
TASK = Task(max_decoded=10**6, follow=follow(ScopeConfig(), obey=True))
URLS = [f"http://h/{name}" for name in ("one", "two", "three")]
BODIES = {
    "text/html": "<!DOCTYPE html><title>t</title>" + "".join(f"<a href={url}>x</a>" for url in URLS),
    "application/xhtml+xml": "<html xmlns='http://www.w3.org/1999/xhtml'><body>"
    + "".join(f"<a href='{url}'>x</a>" for url in URLS)
    + "</body></html>",
    "application/rss+xml": "<rss><channel>"
    + "".join(f"<item><link>{url}</link></item>" for url in URLS)
    + "</channel></rss>",
    "application/atom+xml": "<feed xmlns='http://www.w3.org/2005/Atom'>"
    + "".join(f"<entry><link href='{url}'/></entry>" for url in URLS)
    + "</feed>",
    "application/xml": "<?xml version='1.0'?><urlset>"
    + "".join(f"<url><loc>{url}</loc></url>" for url in URLS)
    + "</urlset>",
    "text/xml": "<sitemapindex>" + "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in URLS) + "</sitemapindex>",
}


def answer(body: bytes, content_type: str, *headers: tuple[bytes, bytes], sitemap: bool = False) -> Response:
    """A good answer with this body."""
    request = a_request("http://h/", sitemap=sitemap)
    return Response(
        request=request, status=200, headers=((b"Content-Type", content_type.encode()), *headers), body=body
    )


def judged(response: Response) -> Visit:
    """Return the visit that the answer makes."""
    visit = Judge(0).response(response, PageReader(TASK).read_response(response), VisitContext(now=0.0))
    assert isinstance(visit, Visit)
    return visit


def lacks(visit: Visit) -> bool:
    """Return whether it ended as if nothing were missing although a link is."""
    return visit.reason not in UNREAD and [find.url.href for find in visit.finds] != URLS


def cuts(body: bytes) -> Iterator[bytes]:
    """It, cut at each place."""
    return (body[:at] for at in range(len(body)))


def test_a_reason_is_of_one_kind() -> None:
    """A final response was read, or not in full, and nothing between; what was not read has words of its own."""
    assert UNREAD.isdisjoint(READ)
    assert set(WORDS) == UNREAD
    assert UNREAD.isdisjoint(SKIPPED)


@pytest.mark.parametrize("problem", [None, *Reason])
@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("status", [200, 206, 300, 404])
def test_no_problem_is_judged_away(problem: Reason | None, is_cut: bool, status: int) -> None:
    """A parser's problem is the reason of the line, and only a page without problems is `ok`."""
    response = Response(request=Request(url=parse("http://h/")), status=status, cut=is_cut)

    visit = Judge(0).response(response, Page(size=0, sha256="", problem=problem), VisitContext(now=0.0))

    assert isinstance(visit, Visit)
    if problem is None and not is_cut:
        assert visit.reason is (Reason.OK if status < 300 else Reason.HTTP_STATUS)
    else:
        assert visit.reason in {problem, Reason.BODY_LIMIT}
    assert visit.state is (State.FAILED if visit.reason in FAILING else State.DONE)


FAILING = {Reason.RETRY_STATUS, Reason.REDIRECT_LOOP, Reason.BAD_REDIRECT}


@pytest.mark.parametrize("content_type", BODIES)
def test_a_whole_document_is_read(content_type: str) -> None:
    """So that the tests below mean something."""
    visit = judged(answer(BODIES[content_type].encode(), content_type, sitemap=content_type == "text/xml"))

    assert (visit.reason, lacks(visit)) == (Reason.OK, False)


@pytest.mark.parametrize("content_type", [kind for kind in BODIES if kind.endswith("xml") and "xhtml" not in kind])
@pytest.mark.parametrize("is_listed", [False, True])
def test_xml_that_is_cut_anywhere_says_so(content_type: str, is_listed: bool) -> None:
    """XML knows its end, so each byte that is missing is noticed."""
    for body in cuts(BODIES[content_type].encode()):
        assert judged(answer(body, content_type, sitemap=is_listed)).reason in UNREAD, body


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("content_type", BODIES)
def test_a_packed_document_that_is_cut_anywhere_says_so(content_type: str, coding: str) -> None:
    """Or all of it is there, and only the trailer is missing."""
    packed = PACKERS[coding](BODIES[content_type].encode())
    is_listed = content_type == "text/xml"

    for body in list(cuts(packed))[1:]:
        visit = judged(answer(body, content_type, (b"Content-Encoding", coding.encode()), sitemap=is_listed))
        assert not lacks(visit), body


@pytest.mark.parametrize("coding", PACKERS)
def test_a_packed_document_with_a_flipped_byte_says_so_or_is_whole(coding: str) -> None:
    """Of codings with a checksum: what comes out wrong is noticed."""
    packed = PACKERS[coding](BODIES["text/xml"].encode())

    for at in range(len(packed)):
        body = packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1 :]
        visit = judged(answer(body, "text/xml", (b"Content-Encoding", coding.encode()), sitemap=True))
        assert not lacks(visit) or coding in {"br", "zstd"}, at


@pytest.mark.parametrize("content_type", [kind for kind in BODIES if kind.endswith("xml") and "xhtml" not in kind])
def test_a_gzip_file_that_is_cut_anywhere_says_so(content_type: str) -> None:
    """A `sitemap.xml.gz` is read as far as it goes, and says how it ends."""
    for body in list(cuts(gzip.compress(BODIES[content_type].encode(), mtime=0)))[1:]:
        visit = judged(answer(body, "application/gzip", sitemap=True))
        assert not lacks(visit), body


@pytest.mark.parametrize(
    ("error", "reason"), [(MemoryError(), Reason.PARSE_MEMORY), (ValueError("x"), Reason.PARSE_CRASH)]
)
async def test_a_parser_that_fails_says_so(error: Exception, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document is kept and counted as unread."""

    def fail(*_: object) -> Page:
        raise error

    monkeypatch.setattr(PageReader, "read_decoded", fail)

    page = await InlineParser(TASK).parse(answer(BODIES["text/html"].encode(), "text/html"))

    assert page.problem is reason
    assert reason in UNREAD
