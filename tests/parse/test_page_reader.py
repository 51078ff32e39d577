"""parse.reader: a response becomes a page, sealed and read."""

import gzip
import hashlib
import os
import sys
from asyncio import CancelledError
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from crawler.core.config import ScopeConfig
from crawler.core.errors import UsageError
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.records import MAX_DATA
from crawler.core.text import error_line
from crawler.core.urls import parse
from crawler.core.visits import Page
from crawler.core.ways import Way
from crawler.parse.decoding import job_of
from crawler.parse.document import Wants
from crawler.parse.extract import PageSource, load
from crawler.parse.follow import follow, follow_lists
from crawler.parse.page_reader import PageReader, Task, is_document
from support.ways import a_find, a_request

HTML = b"<title> A  page </title><a href=/b>b</a><a href=/c rel=nofollow>c</a><img src=/i.png><a href='#top'>top</a>"
CRAWL = Task(max_decoded=10**6, agent="crawler", follow=follow(ScopeConfig(), obey=True))


def answer(body: bytes = HTML, *, status: int = 200, content_type: str = "text/html", **headers: str) -> Response:
    """A response of `http://h/a` with this body."""
    names = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = tuple((name.encode(), value.encode()) for name, value in names.items())
    return Response(request=a_request("http://h/a", depth=3), status=status, headers=lines, body=body)


def read(response: Response, task: Task = CRAWL) -> Page:
    """The page, without the time that it took."""
    return replace(PageReader(task).read(job_of(response)), seconds=0.0)


def given(page: Page) -> object:
    """The data of a page."""
    return None if page.data is None else msgspec.json.decode(page.data)


def nested(depth: int) -> object:
    """Lists in each other, in an object."""
    data: object = 1
    for _ in range(depth - 1):
        data = [data]
    return {"it": data}


class UntellableError(Exception):
    """An error whose text is an error."""

    def __str__(self) -> str:
        raise ValueError("no")


def raiser(error: type[BaseException]) -> Callable[[PageSource], object]:
    """A function that raises it."""

    def function(_page: PageSource) -> object:
        raise error

    return function


def found(page: Page) -> dict[str, Reason | None]:
    """The finds of a page by their path, with the refusal of each."""
    return {find.url.target: find.refusal for find in page.finds}


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
    """What the header says holds for all links; what is meant for another robot does not."""
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
    """However many directives a page makes up."""
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
    """Who does not obey robots.txt does not obey nofollow either."""
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


def test_selectors_text_and_a_function_give_data() -> None:
    """All that was asked for stands in `data`; a function's own keys win."""
    wants = Wants(text=True, selectors=(("first", "a::attr(href)"),))
    page = read(answer(), replace(CRAWL, wants=wants, extract="json:dumps"))

    assert page.problem is Reason.EXTRACT_ERROR  # json.dumps does not take a page
    assert page.error == "TypeError: Object of type PageSource is not JSON serializable"
    assert given(page) == {"first": ["/b", "/c", "#top"], "text": "bctop"}


@pytest.mark.parametrize(
    ("function", "data", "problem"),
    [
        (lambda page: {"title": page.title, "n": len(page.links)}, {"title": "A page", "n": 4}, None),
        (lambda page: page.css("a::text"), {"value": ["b", "c", "top"]}, None),
        (lambda _: None, None, None),
        (lambda _: {1, 2}, {"value": [1, 2]}, None),
        (lambda _: object(), None, Reason.EXTRACT_ERROR),
        (lambda _: "x" * (MAX_DATA + 1), None, Reason.DATA_LIMIT),
        (lambda _: nested(100), nested(100), None),
        *((lambda _, depth=depth: nested(depth), None, Reason.EXTRACT_ERROR) for depth in (101, 500, 900, 10_000)),
        (lambda _: msgspec.Raw(b"garbage"), None, Reason.EXTRACT_ERROR),
        (lambda _: "\ud800", None, Reason.EXTRACT_ERROR),
        (lambda _: 1 / 0, None, Reason.EXTRACT_ERROR),
        (lambda _: sys.exit(3), None, Reason.EXTRACT_ERROR),
        (raiser(KeyboardInterrupt), None, Reason.EXTRACT_ERROR),
        (raiser(GeneratorExit), None, Reason.EXTRACT_ERROR),
        (raiser(CancelledError), None, Reason.EXTRACT_ERROR),
        (raiser(StopIteration), None, Reason.EXTRACT_ERROR),
        (raiser(UntellableError), None, Reason.EXTRACT_ERROR),
    ],
)
def test_what_a_function_may_return(
    function: Callable[[PageSource], object], data: object, problem: Reason | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON, of bounded size; anything else costs the page its data and nothing more."""
    monkeypatch.setattr("builtins.extracting_function", function, raising=False)

    page = read(answer(), replace(CRAWL, extract="builtins:extracting_function"))

    assert (given(page), page.problem, page.title) == (data, problem, "A page")


def test_what_a_function_raised_is_told() -> None:
    """Its kind and text in one line, whatever the text holds, and though there may be none."""
    assert error_line(ValueError("no\nsuch\ud800thing")) == "ValueError: no\\u000asuch\\ud800thing"
    assert error_line(UntellableError()) == "UntellableError: its text cannot be had"
    assert error_line(SystemExit()) == "SystemExit"


def test_what_a_function_prints_is_no_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes to standard error, where nobody takes it for a line of the crawl's."""
    monkeypatch.setattr("builtins.extracting_function", lambda _: sys.stdout.write("hello"), raising=False)

    read(answer(), replace(CRAWL, extract="builtins:extracting_function"))

    assert capsys.readouterr() == ("", "hello")


def test_a_function_that_forks_comes_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy ends: it would go on as a second crawl."""
    monkeypatch.setattr("builtins.extracting_function", lambda _: {"copy": os.fork()}, raising=False)

    data = given(read(answer(), replace(CRAWL, extract="builtins:extracting_function")))

    assert isinstance(data, dict)
    assert os.waitpid(data["copy"], 0) == (data["copy"], 0)


def test_all_data_of_a_page_is_bounded() -> None:
    """Nested elements have their texts again and again: what comes first is kept, and the reason says so."""
    page = read(answer(b"<div>" * 500 + b"x" * 50_000), replace(CRAWL, wants=Wants(selectors=(("x", "div"),))))

    assert page.problem is Reason.DATA_LIMIT
    assert given(page) == {"x": ["x" * 50_000] * 19}
    assert page.weight == len(bytes(page.data or b""))


def test_data_that_is_too_long_as_json_is_not_kept() -> None:
    """Control characters take six bytes each; the line says how many it would be."""
    page = read(answer(b"<p>" + b"\x01" * 900_000), replace(CRAWL, wants=Wants(text=True)))

    assert (page.data, page.problem) == (None, Reason.DATA_LIMIT)
    assert page.error == f"its data takes 5400011 bytes as JSON, and {MAX_DATA} are taken"


@pytest.mark.parametrize(
    "wants",
    [
        Wants(text=True, selectors=(("text", "p"),)),
        Wants(selectors=(("a", "p"), ("b", "p"), ("a", "h1"))),
    ],
)
def test_two_parts_of_the_data_need_two_names(wants: Wants) -> None:
    """One would silently replace the other."""
    with pytest.raises(UsageError, match="would have the name"):
        PageReader(replace(CRAWL, wants=wants))


@pytest.mark.parametrize(
    "fault", ["def f(:", "1 / 0", "import sys; sys.exit(4)", "raise KeyError", "print('hi'); import nosuch"]
)
def test_a_module_that_fails_is_refused_at_the_start(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever happens while it is imported, it is told in one line; what it prints is no output."""
    (tmp_path / "faulty.py").write_text(fault)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(UsageError, match=r"'faulty:f' cannot be imported: \w+"):
        load("faulty:f")

    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["", "json", "json:", ":x", "json:nothing", "no_such_module:x", "json:__name__"])
def test_what_is_no_function_is_refused_at_the_start(name: str) -> None:
    """A typing error is told before anything is fetched."""
    with pytest.raises(UsageError, match="extract"):
        load(name)


def test_content_is_kept_only_when_wanted() -> None:
    """Sinks that write bodies get the decoded bytes."""
    response = answer(gzip.compress(HTML), Content_Encoding="gzip")

    assert read(response).content is None
    assert read(response, replace(CRAWL, keep=True)).content == HTML


def test_pages_and_tasks_travel() -> None:
    """What goes to a worker and what comes back is the same on the other side (copied as pickle would)."""
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
    pages = [read(listed(INDEX, request=replace(LISTED, way=Way(sitemap=True, hops=hops))), FETCH) for hops in (4, 5)]

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
    """As any document."""
    response = replace(answer(PAGES, content_type="text/xml", X_Robots_Tag=header), request=LISTED)

    assert [find.refusal for find in read(response, FETCH).finds] == [Reason.NOFOLLOW]


def test_text_is_read_as_a_sitemap_and_goes_to_a_worker() -> None:
    """Whatever its media type."""
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
