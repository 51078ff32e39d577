"""site.truth: the promises of a site, checked without a server."""

import gzip
import os
import re
import subprocess
import sys
import zlib
from collections import Counter, deque
from html.parser import HTMLParser
from urllib.parse import quote, urldefrag, urljoin, urlsplit, urlunsplit

import brotli
import pytest

from crawler.site.answers import PageTruth
from crawler.site.graph import PageKind
from crawler.site.plan import MIXED, Shares, SitePlan
from crawler.site.truth import Site
from support.site_pages import BARE_AMPERSAND, pages_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLANS = (
    SitePlan(pages=800, largest=2_000),
    SitePlan(pages=300, hosts=3, fanout=2, largest=0, seed=7),
    SitePlan(pages=200, fanout=500, largest=0),
    SitePlan(pages=1),
    SitePlan.plain(pages=100),
)


def of_kind(site: Site, kind: PageKind) -> list[PageTruth]:
    """The answers of one kind, of which there must be some."""
    pages = [page for page in pages_of(site) if page.kind is kind]
    assert pages
    return pages


def walked(site: Site) -> dict[tuple[int, str], int]:
    """Return the pages that links and redirects reach from every `/`, with the least number of links."""
    owners = {base: host for host, base in enumerate(site.base_urls)}
    depths = {(host, "/"): 0 for host in range(site.plan.hosts)}
    waiting = deque(depths)
    while waiting:
        host, path = waiting.popleft()
        page = site.page(host, path)
        assert page, path
        steps = [(target, 1) for target in page.links] + [(target, 0) for target in (page.redirect_to,) if target]
        for target, step in steps:
            url = urlsplit(urljoin(site.base_urls[host], target))
            place = (owners[f"http://{url.netloc}"], urlunsplit(("", "", url.path, url.query, "")))
            if place not in depths:
                depths[place] = depths[host, path] + step
                waiting.append(place)
    return depths


class Reader(HTMLParser):
    """A reader of HTML that shares nothing with the writer: hrefs and the title."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link."""
        self._in_title = tag == "title"
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]

    def handle_data(self, data: str) -> None:
        """Note the title."""
        if self._in_title:
            self.title += data
            self._in_title = False


def read(page: PageTruth) -> Reader:
    """A document as a browser reads it, once its charset is known."""
    assert page.charset
    by_mark = {"utf-8": "utf-8-sig", "utf-16le": "utf-16", "utf-16be": "utf-16"}
    reader = Reader()
    reader.feed(page.decoded.decode(by_mark.get(page.charset, page.charset)))
    return reader


@pytest.mark.parametrize("plan", PLANS)
def test_links_lead_everywhere_and_nowhere_else(plan: SitePlan) -> None:
    """Walking links and redirects from `/` finds exactly the promised paths, at exactly the promised depths."""
    site = Site(plan)

    depths = walked(site)

    promised = {(host, path): site.depth(host, path) for host in range(plan.hosts) for path in site.paths(host)}
    assert depths == promised
    assert len(promised) == len(list(site.urls())) == len(set(site.urls()))


def test_a_page_follows_from_the_plan_alone() -> None:
    """Another process, with other hash seeds and asking in another order, knows the same bytes."""
    plan = SitePlan(pages=60, hosts=2, largest=3_000)
    program = (
        "from crawler.site.truth import Site; from crawler.site.plan import SitePlan\n"
        "for path in reversed(list(Site(SitePlan(pages=60, hosts=2, largest=3_000)).paths(1))):\n"
        "    print(path, Site(SitePlan(pages=60, hosts=2, largest=3_000)).page(1, path).sha256)"
    )

    told = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, check=True
    ).stdout.decode()

    assert told.splitlines() == [f"{page.path} {page.sha256}" for page in reversed(pages_of(Site(plan), 1))]


def test_another_seed_is_another_site() -> None:
    """Two seeds share neither the index page nor the places of the special pages."""
    one, other = Site(SitePlan(seed=1)), Site(SitePlan(seed=2))

    assert pages_of(one)[0].sha256 != pages_of(other)[0].sha256
    assert list(one.paths(0)) != list(other.paths(0))


def test_the_links_told_are_the_links_written() -> None:
    """Reading a document's HTML and resolving its hrefs gives the links that the truth tells, in order."""
    site = Site(SitePlan(pages=500, hosts=2, largest=0))
    documents = [page for page in pages_of(site, 1) if page.title]

    for page in documents:
        here = site.base_urls[1] + page.path
        hrefs = [quote(href, safe=":/?#=&;,~()+%@") for href in read(page).hrefs if not href.startswith("mailto:")]
        urls = [urldefrag(urljoin(here, href)).url for href in hrefs]

        assert urls == [urljoin(here, link) for link in page.links]
        assert not BARE_AMPERSAND.search(page.decoded), "an ampersand in HTML is written &amp;"


def test_all_kinds_are_there_by_default() -> None:
    """A site of the default size shows every kind of page, about as often as its share says."""
    kinds = Counter(page.kind for page in pages_of(Site(SitePlan(pages=1000, largest=0))))

    assert set(kinds) == set(PageKind) - {PageKind.ROBOTS, PageKind.SITEMAP}
    assert 40 < kinds[PageKind.CODED] < 120
    assert MIXED.codings == 0.08


def test_a_plain_site_has_only_pages_that_answer() -> None:
    """Without specials every path answers 200 at once, with bytes of its own."""
    pages = pages_of(Site(SitePlan.plain(pages=500, latency=0.5)))

    assert len(pages) == 500
    assert {(page.kind, page.status, page.delay, page.trouble) for page in pages} == {(PageKind.PAGE, 200, 0.5, None)}
    assert len({page.sha256 for page in pages}) == 500


def test_only_duplicates_repeat() -> None:
    """Each duplicate has the bytes of another page; no two other documents are equal."""
    site = Site(SitePlan(pages=1000, largest=0))
    pages = [page for page in pages_of(site) if page.kind is not PageKind.REDIRECT]

    originals = Counter(page.sha256 for page in pages if page.kind is not PageKind.DUPLICATE)

    assert set(originals.values()) == {1}
    assert all(page.sha256 in originals and page.body == page.decoded for page in of_kind(site, PageKind.DUPLICATE))


def test_a_coded_page_unpacks_to_what_is_told() -> None:
    """Independent decoders turn the sent bytes into the decoded ones, for every coding."""
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress, "zstd": zstd.decompress}
    pages = of_kind(Site(SitePlan(pages=200, shares=Shares(codings=1.0))), PageKind.CODED)

    assert {page.coding for page in pages} == set(unpack)
    for page in pages:
        assert page.coding
        assert dict(page.headers)["Content-Encoding"] == page.coding
        assert unpack[page.coding](page.body) == page.decoded != page.body


def test_a_charset_is_declared_once_and_matters() -> None:
    """Header, meta or byte order mark: one of them declares it, and read that way the title is right."""
    pages = of_kind(Site(SitePlan(pages=300, largest=0, shares=Shares(charsets=1.0))), PageKind.CHARSET)

    declared = set()
    for page in pages:
        in_header = "charset=" in dict(page.headers)["Content-Type"]
        in_meta = b"<meta charset" in page.decoded
        by_mark = page.decoded.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        declared.add((page.charset, ("meta", "header", "mark")[in_header + 2 * by_mark]))
        assert in_header + in_meta + by_mark == 1
        assert read(page).title == page.title
        assert page.decoded.startswith({"utf-16le": b"\xff\xfe", "utf-16be": b"\xfe\xff"}.get(page.charset or "", b""))
    assert len(declared) == 9


def test_redirects_end_after_one_to_three_hops() -> None:
    """Every redirect leads on to a page that answers 200, all lengths occur, and only the loops never end."""
    site = Site(SitePlan(pages=600, largest=0, shares=Shares(redirects=0.5)))
    linked = {link for page in pages_of(site) for link in page.links}

    lengths = Counter(hops(site, page) for page in of_kind(site, PageKind.REDIRECT) if page.path in linked)

    assert lengths.pop(None) == 3
    assert set(lengths) == {1, 2, 3}


def hops(site: Site, page: PageTruth) -> int | None:
    """Redirects from this one to a page; None = there is no end."""
    for count in range(1, 10):
        assert page.redirect_to
        assert urljoin(site.base_urls[0], dict(page.headers)["Location"]) == site.base_urls[0] + page.redirect_to
        following = site.page(0, page.redirect_to)
        assert following
        if following.status == 200:
            return count
        page = following
    return None


def test_slow_and_troubled_pages_say_so() -> None:
    """Slow pages wait on top of the latency; troubled ones tell how often and with what they refuse."""
    site = Site(
        SitePlan(pages=400, latency=0.25, slow_seconds=2.0, shares=Shares(slow=0.3, retry_after=0.3, flaky=0.3))
    )

    assert {page.delay for page in of_kind(site, PageKind.SLOW)} == {2.25}
    busy = {(page.trouble.status, page.trouble.times) for page in of_kind(site, PageKind.RETRY) if page.trouble}
    assert busy == {(429, 1), (429, 2), (503, 1), (503, 2)}
    assert all(page.trouble and page.trouble.retry_after is None for page in of_kind(site, PageKind.FLAKY))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "//",
        "/index.html",
        "/p/000000.html",
        "/p/1.html",
        "/p/000999.html",
        "/p/000001.html?",
        "/p/99999999999999999999.html",
        "/private/000099.html",
        "/private/",
        "/redirect/loop/3",
        "/redirect/000001",
        "/sitemap-00001.xml",
        "/never/comment.html",
        "http://127.0.0.1/",
    ],
)
def test_another_spelling_is_unknown(path: str) -> None:
    """Any other spelling of a path is None."""
    site = Site(SitePlan(pages=100, shares=Shares()))

    assert site.page(0, path) is None
    assert site.depth(0, path) is None


def test_odd_paths_are_ready_for_the_wire() -> None:
    """Paths are ASCII without spaces, and among them are queries, upper case, escapes and encoded letters."""
    paths = list(Site(SitePlan(pages=400, odd_paths=1.0, shares=Shares())).paths(0))

    assert all(re.fullmatch(r"[!-~]+", path) for path in paths)
    for sign in ("?", "&", "/P/", "%20", "%2F", "%C3%A9", "%E6%97%A5", "~"):
        assert any(sign in path for path in paths), sign
