"""The page that a response becomes, decoded and read."""

import gzip
import hashlib
from copy import deepcopy

import pytest
from msgspec.structs import replace

from crawler.core.config import ScopeConfig
from crawler.core.discovery import Way
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.parse.decoding import job_of
from crawler.parse.document import Wants
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task, is_document
from support.pages import CRAWL, HTML, answer, found, read
from support.ways import a_find


def test_a_page_tells_its_title_links_and_finds() -> None:
    """Links are counted as different URLs; those that are followed become finds one step deeper."""
    page = read(answer())

    assert (page.title, page.links, page.charset, page.problem) == ("A page", 4, "utf-8", None)
    assert found(page) == {"/b": None, "/c": Reason.NOFOLLOW, "/a": None}
    assert {find.way.depth for find in page.finds} == {4}
    assert page.sha256 == hashlib.sha256(HTML).hexdigest()


@pytest.mark.parametrize(
    ("response", "links", "finds"),
    [
        (answer(gzip.compress(HTML), Content_Encoding="gzip"), 4, 3),
        (answer(status=404), 4, 0),  # an error page has a title and a menu, and leads nowhere
        (answer(status=301, Location="/x"), None, 0),  # a redirect is no page
        (answer(status=302), 4, 3),  # a redirect status without a target is one (Fetch standard, "location URL")
        (answer(status=307, Location=""), 4, 3),
        (answer(status=300, Location="/x"), 4, 3),  # a choice for people (RFC 9110, 15.4.1)
        (answer(gzip.compress(HTML), status=303, Content_Encoding="gzip"), 4, 3),
        (answer(content_type="image/png"), None, 0),
        (answer(b"%PDF-1.7\0", content_type=""), None, 0),
        (answer(b"<!doctype html><a href=x>", content_type=""), 1, 1),  # nobody says what it is, but it shows
        (answer(b"plain <a href=x>", content_type="text/plain"), None, 0),
        (answer(b"<rss><channel><item><link>/i</link></item></channel></rss>", content_type="text/xml"), 1, 1),
        (answer(Content_Encoding="gzip"), 4, 3),  # a lie
        (answer(Content_Encoding="utf-8"), 4, 3),  # no coding at all
        (answer(gzip.compress(HTML)[:9], Content_Encoding="gzip"), None, 0),  # nothing of it is there
    ],
)
def test_what_is_read_and_what_is_followed(response: Response, links: int | None, finds: int) -> None:
    """Documents are read whatever their coding; only those of a successful response are followed."""
    page = read(response)

    assert (page.links, len(page.finds)) == (links, finds)


@pytest.mark.parametrize(
    ("header", "closed"),
    [
        ("nofollow", True),
        ("noindex, NoFollow", True),
        ("none", True),
        ("noindex", False),
        ("crawler: nofollow", True),
        ("otherbot: nofollow", False),
        ("otherbot: noindex, nofollow", False),
        ("otherbot: noindex, crawler: nofollow", True),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, nofollow", True),
        ("unavailable_after: Friday, 25-Jun-10 15:00:00 PST, nofollow", True),
    ],
)
def test_x_robots_tag_is_heard(header: str, closed: bool) -> None:
    """The header's directives hold for all links; those for another robot do not."""
    page = read(answer(X_Robots_Tag=header))

    assert (found(page)["/b"] is Reason.NOFOLLOW) == closed
    assert len(page.finds) == 3


@pytest.mark.parametrize(
    ("response", "robots"),
    [
        (answer(), None),
        (answer(X_Robots_Tag="index, follow, otherbot: noindex"), None),
        (answer(X_Robots_Tag="NoIndex, max-snippet: 3, crawler: noarchive"), ("noarchive", "noindex")),
        (answer(b"<meta name=robots content=noindex,none>", X_Robots_Tag="none"), ("noindex", "none")),
        (answer(b"<meta name=Crawler content=noindex><meta name=otherbot content=none>"), ("noindex",)),
        (answer(b"%PDF-1.7\0", content_type="application/pdf", X_Robots_Tag="noindex"), ("noindex",)),
        (answer(status=301, X_Robots_Tag="noindex"), ("noindex",)),
        (answer(b"<meta name=robots content=noindex>", status=404), ("noindex",)),
        (answer(b"damaged", Content_Encoding="gzip", X_Robots_Tag="nosnippet"), ("nosnippet",)),
    ],
)  # fmt: skip
def test_what_a_page_forbids_robots_is_recorded(response: Response, robots: tuple[str, ...] | None) -> None:
    """In the header and in the document, sorted, as far as it concerns us; it is recorded and nothing more."""
    page = read(response)

    assert page.robots == robots


def test_what_is_recorded_is_bounded() -> None:
    """The record is bounded for any number of directives that a page makes up."""
    made_up = b"".join(b"<meta name=robots content=no%d>" % number for number in range(10_000))

    assert read(answer(made_up + b"<meta name=robots content=noindex>")).robots == ("noindex",)


def test_each_x_robots_tag_begins_anew() -> None:
    """The name in one header does not hold for the next."""
    tags = ((b"X-Robots-Tag", b"googlebot: noindex"), (b"X-Robots-Tag", b"nofollow"))
    response = answer(HTML)

    page = read(replace(response, headers=(*response.headers, *tags)))

    assert page.robots == ("nofollow",)
    assert set(found(page).values()) <= {Reason.NOFOLLOW}


def test_robots_may_be_left_unheard() -> None:
    """A crawl that ignores robots.txt ignores nofollow, too."""
    page = read(answer(X_Robots_Tag="nofollow"), Task(max_decoded=10**6, follow=follow(ScopeConfig(), obey=False)))

    assert set(found(page).values()) == {None}


def test_assets_are_followed_when_wanted() -> None:
    """`--assets` adds everything that a page points at."""
    task = replace(CRAWL, follow=follow(ScopeConfig(assets=True), obey=True))

    assert "/i.png" in found(read(answer(), task))


def test_style_sheets_are_followed_when_wanted() -> None:
    """They are documents then; else they are text, which nobody reads."""
    task = replace(CRAWL, follow=follow(ScopeConfig(assets=True), obey=True), wants=Wants(assets=True))
    sheet = answer(b"@import 'b.css';a{b:url(i.png)}", content_type="text/css")

    assert is_document(job_of(sheet))
    assert found(read(sheet, task)) == {"/b.css": None, "/i.png": None}
    assert (read(sheet).links, found(read(sheet))) == (None, {})


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        (ScopeConfig(max_depth=3), Reason.DEPTH_LIMIT),
        (ScopeConfig(max_depth=4), None),
        (ScopeConfig(exclude=("/b",)), Reason.EXCLUDED),
        (ScopeConfig(include=("/z",)), Reason.NOT_INCLUDED),
    ],
)
def test_a_refusal_comes_with_its_find(config: ScopeConfig, refusal: Reason | None) -> None:
    """Each link is judged where it is read."""
    assert found(read(answer(), replace(CRAWL, follow=follow(config, obey=True))))["/b"] is refusal


def test_a_refresh_is_a_redirect() -> None:
    """It keeps the depth and costs a hop; from a seed it leads to a seed, and elsewhere it is foreign."""
    body = b"<meta http-equiv=refresh content='0; url=http://other/x'>"
    response = answer(body)
    seed = replace(response, request=replace(response.request, way=Way(depth=3, seed=True, hops=2)))

    target = parse("http://other/x")
    assert tuple(read(seed).finds) == (a_find(target, depth=3, hops=3, chain=1, seed=True, foreign=True),)
    late = replace(response, request=replace(response.request, way=Way(hops=10, chain=10)))
    assert found(read(late)) == {"/x": Reason.HOP_LIMIT}


def test_content_is_kept_only_when_wanted() -> None:
    """Sinks that write bodies get the decoded bytes."""
    response = answer(gzip.compress(HTML), Content_Encoding="gzip")

    assert read(response).content is None
    assert read(response, replace(CRAWL, keep=True)).content == HTML


def test_pages_and_tasks_travel() -> None:
    """Jobs and pages are the same on the other side of a pipe (copied as pickle would)."""
    task = replace(CRAWL, wants=Wants(text=True), follow=follow(ScopeConfig(exclude=("x",)), obey=True))
    page = PageReader(deepcopy(task)).read(deepcopy(job_of(answer())))

    assert deepcopy(page) == page


def test_only_what_may_be_a_document_travels() -> None:
    """Pictures and redirects stay; what is coded cannot be looked at yet, so it goes."""
    assert is_document(job_of(answer()))
    assert is_document(job_of(answer(content_type="image/png", Content_Encoding="br")))
    assert not is_document(job_of(answer(content_type="image/png")))
    assert not is_document(job_of(answer(status=302, Location="/x")))
    assert is_document(job_of(answer(status=302)))
