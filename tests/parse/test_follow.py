"""The finds of listed sitemaps, and of text that is one."""

import gzip

import pytest
from msgspec.structs import replace

from crawler.core.config import ScopeConfig
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.parse.decoding import job_of
from crawler.parse.follow import follow, follow_lists
from crawler.parse.page_reader import Task, is_document
from support.pages import CRAWL, HTML, answer, read
from support.ways import a_find, a_request

LISTED = a_request("http://h/a", sitemap=True, hops=2, depth=1)
FETCH = Task(max_decoded=10**6, agent="crawler", follow=follow_lists(obey=True))
INDEX = b"<sitemapindex><sitemap><loc>http://h/s</loc><lastmod>2024-05-01</lastmod></sitemap></sitemapindex>"
PAGES = b"<urlset><url><loc>http://h/p</loc><lastmod>2024-05-01</lastmod></url></urlset>"
FEED = b"<rss><channel><link>/</link><item><link>/i</link></item></channel></rss>"


def listed(body: bytes, *, content_type: str = "text/xml", request: Request = LISTED) -> Response:
    """The answer to a sitemap that was listed."""
    return replace(answer(body, content_type=content_type), request=request)


@pytest.mark.parametrize("task", [CRAWL, FETCH])
def test_what_a_sitemap_lists_is_as_near_as_itself(task: Task) -> None:
    """And as a link: no seed, not named, with its date."""
    (find,) = read(listed(PAGES), task).finds

    assert find == a_find("http://h/p", depth=1, lastmod="2024-05-01")


@pytest.mark.parametrize("task", [CRAWL, FETCH])
def test_a_sitemap_in_an_index_is_one_hop_further(task: Task) -> None:
    """It is a sitemap, too."""
    (find,) = read(listed(INDEX), task).finds

    assert find == a_find("http://h/s", depth=1, hops=3, sitemap=True, lastmod="2024-05-01")


def test_indexes_of_indexes_come_to_an_end() -> None:
    """The last hop that is followed is the fifth."""
    pages = [
        read(listed(INDEX, request=a_request("http://h/a", sitemap=True, hops=hops, depth=1)), FETCH) for hops in (4, 5)
    ]

    assert [[find.refusal for find in page.finds] for page in pages] == [[None], [Reason.SITEMAP_LIMIT]]


def test_a_list_follows_nothing_but_its_sitemaps() -> None:
    """No page's links, no feed's own page, and no sitemap that was not listed as one."""
    html = listed(HTML, content_type="text/html")

    unheeded = answer(), html, answer(PAGES, content_type="text/xml")
    assert [len(read(response, FETCH).finds) for response in unheeded] == [0, 0, 0]
    assert [find.url.href for find in read(listed(FEED), FETCH).finds] == ["http://h/i"]


def test_a_crawl_follows_a_page_that_was_listed_as_a_sitemap() -> None:
    """Some robots.txt name the front page."""
    assert [find.way.depth for find in read(listed(HTML, content_type="text/html")).finds] == [2, 2, 2]
    assert {find.url.href: find.way.depth for find in read(listed(FEED)).finds} == {"http://h/": 2, "http://h/i": 1}


def test_patterns_judge_the_pages_of_a_sitemap_and_not_its_sitemaps() -> None:
    """--include is about pages; --exclude keeps from sitemaps, too."""
    task = replace(CRAWL, follow=follow(ScopeConfig(include=("x",), exclude=("y",)), obey=True))
    index = INDEX.replace(b"</sitemapindex>", b"<sitemap><loc>http://h/y</loc></sitemap></sitemapindex>")

    assert [find.refusal for find in read(listed(index), task).finds] == [None, Reason.EXCLUDED]
    assert [find.refusal for find in read(listed(PAGES), task).finds] == [Reason.NOT_INCLUDED]


@pytest.mark.parametrize("header", ["nofollow", "none"])
def test_a_sitemap_may_ask_not_to_be_followed(header: str) -> None:
    """Any document may ask so, a sitemap too."""
    response = replace(answer(PAGES, content_type="text/xml", X_Robots_Tag=header), request=LISTED)

    assert [find.refusal for find in read(response, FETCH).finds] == [Reason.NOFOLLOW]


def test_text_is_read_as_a_sitemap_and_goes_to_a_worker() -> None:
    """Its media type does not matter."""
    response = listed(b"http://h/a\nhttp://h/b", content_type="image/png")

    assert is_document(job_of(response))
    assert [find.url.href for find in read(response, FETCH).finds] == ["http://h/a", "http://h/b"]


def test_a_sitemap_that_is_cut_says_so() -> None:
    """Beyond 50 MiB it is `decoded_limit`, beyond 50,000 entries `link_limit`; what comes before is followed."""
    bomb = gzip.compress(PAGES.removesuffix(b"</urlset>") + b" " * (60 * 1024 * 1024), 1)
    long = b"".join(b"http://h/%d\n" % at for at in range(60_000))
    cut = [read(listed(body), FETCH) for body in (bomb, long)]

    assert [(page.problem, len(page.finds)) for page in cut] == [
        (Reason.DECODED_LIMIT, 1),
        (Reason.LINK_LIMIT, 50_000),
    ]


BROKEN = b"<urlset><url><loc>http://h/a?x&y</loc></url></urlset>"


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (answer(BROKEN, content_type="text/xml"), Reason.XML_ERROR),
        (answer(b"", content_type="text/xml"), Reason.XML_ERROR),
        (answer(b"", content_type="text/html"), None),  # an empty page has nothing that could be missing
        (answer(BROKEN, content_type="text/xml", status=404), None),  # nothing of an error page is followed
        (listed(BROKEN), Reason.XML_ERROR),
        (listed(HTML, content_type="text/html"), Reason.NOT_A_SITEMAP),
        (listed(b"{}", content_type="application/json"), Reason.NOT_A_SITEMAP),
        (listed(b"\x89PNG\r\n\x1a\n\0", content_type="image/png"), Reason.NOT_A_SITEMAP),
        (listed(b""), Reason.NOT_A_SITEMAP),
        (replace(listed(HTML), status=404), Reason.NOT_A_SITEMAP),
        (replace(listed(b"", content_type="image/png"), status=404), Reason.NOT_A_SITEMAP),
        (replace(listed(PAGES), status=410), Reason.NOT_A_SITEMAP),  # nothing of an error page is followed
        (replace(listed(b""), status=304), Reason.NOT_A_SITEMAP),
        (replace(listed(b""), status=204), Reason.NOT_A_SITEMAP),
        (replace(listed(b""), status=301), Reason.NOT_A_SITEMAP),
        (replace(listed(b""), status=301, headers=((b"Location", b"/map"),)), None),
    ],
)
def test_what_was_not_read_in_full_says_so(response: Response, problem: Reason | None) -> None:
    """So it never ends as `ok`, and the summary counts it as unread."""
    page = read(response, FETCH)

    assert page.problem is problem
    assert problem is None or problem.is_unread


def test_whatever_was_listed_as_a_sitemap_goes_to_a_worker() -> None:
    """There it is seen that it is none."""
    assert is_document(job_of(listed(b"\x89PNG\r\n\x1a\n\0", content_type="image/png")))
