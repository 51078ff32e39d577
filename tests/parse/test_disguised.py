"""Documents that are sent as something else, or behind the message of a script: read, or with a reason."""

import bz2
import gzip
import lzma
import time

import pytest

from crawler.core.config import ScopeConfig
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse as url
from crawler.core.visits import Page
from crawler.parse.decoding import job_of
from crawler.parse.document import Wants
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task, is_document
from support.reading import paths, reading

BROKEN = Reason.XML_ERROR
TASK = Task(max_decoded=10**8, follow=follow(ScopeConfig(), obey=True))
MAP = "<urlset><url><loc>http://h/a</loc></url></urlset>"
FEED = "<rss version='2.0'><channel><item><link>/a</link></item></channel></rss>"
PHP = "<br />\n<b>Warning</b>:  x in <b>/srv/map.php</b> on line <b>3</b><br />\n"
XML = "<?xml version='1.0'?>"
HTML = b"<!doctype html><title>t</title><a href=/x>x</a>"


def page(body: bytes, content_type: str, *, status: int = 200, assets: bool = False) -> Page:
    """Return the page of an answer."""
    headers = ((b"Content-Type", content_type.encode()),)
    task = Task(max_decoded=10**8, follow=TASK.follow, wants=Wants(assets=assets))
    answer = Response(request=Request(url=url("http://h/")), status=status, headers=headers, body=body)
    return PageReader(task).read_response(answer)


@pytest.mark.parametrize("listing", [MAP, FEED, XML + MAP])
@pytest.mark.parametrize(
    "front",
    [
        XML + PHP,
        PHP + XML,
        XML + "\nWarning: x\n",
        '<meta charset="utf-8">',
        '<img src="x">',
        "<sup>1</sup>",
        "<main>x</main>",
        "<label>x</label>",
        "<code>x</code>",
        "<dl><dt>x</dt></dl>",
        XML + "<details>x</details>",
    ],
)
def test_a_listing_is_found_behind_any_element(front: str, listing: str) -> None:
    """A document with two roots is not well-formed (XML 1.0, 2.1), and says so."""
    told = reading(front + listing)

    assert (paths(told), told.problem) == (["/a"], BROKEN)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<foo><bar></foo>", BROKEN),
        ("<foo/><bar/>", BROKEN),
        ("<foo a=1/>", BROKEN),
        ("<foo>a & b</foo>", BROKEN),
        ("<foo>&nbsp;</foo>", BROKEN),
        (b"<foo>\xe9</foo>", BROKEN),
        ("<foo>\0</foo>", BROKEN),
        ("<a>" * 20_000 + "</a>" * 20_000, BROKEN),  # deeper than is looked at
        ("<!-- " + MAP, BROKEN),  # what is commented out is none
        ("<foo><bar/></foo>", None),
        (f"<response>{FEED}</response>", None),  # another one's format
        (f"<soap><![CDATA[{MAP}]]></soap>", None),
        ("<!DOCTYPE foo SYSTEM 'x'><foo>&nbsp;</foo>", None),  # which may declare it
        ("<foo>" + "<bar/>" * 20_000 + "</foo>", None),
    ],
)
def test_xml_of_another_kind_that_is_not_well_formed_says_so(body: bytes | str, problem: Reason | None) -> None:
    """Nothing of it is read; whether something is missing cannot be known."""
    told = reading(body)

    assert (told.links, told.problem) == (None, problem)


@pytest.mark.parametrize(
    "front", [PHP, XML + PHP, "Notice: x\n", "<!-- x -->\n" + PHP, "<table><tr><td>x</td></tr></table>"]
)
@pytest.mark.parametrize("listing", [MAP, FEED, XML + MAP, "<!DOCTYPE rss SYSTEM 'x'>" + FEED])
def test_a_listing_behind_a_notice_is_one_under_text_html_too(front: str, listing: str) -> None:
    """The type that PHP sends once a notice was printed."""
    told = reading(front + listing, "text/html")

    assert (paths(told), told.problem, told.is_listing) == (["/a"], BROKEN, True)


@pytest.mark.parametrize(
    "front",
    [
        "<html>",
        "<p>x</p><script>",
        "<form>",
        "<img src=x>",
        "<title>",
        "<h1>x</h1>",
        "<!-- ",
        "<div>",
    ],
)
def test_a_page_that_speaks_of_a_listing_stays_a_page(front: str) -> None:
    """HTML has begun before, or the root is within a comment."""
    told = reading(front + FEED + "--></script></title><a href=/x>", "text/html")

    assert not told.is_listing


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"])
def test_a_page_that_is_a_packed_file_says_so(pack: object, content_type: str) -> None:
    """It has links, and none is read."""
    told = page(pack(HTML), content_type)  # type: ignore[operator]

    assert (told.problem, told.links) == (Reason.DECODE_ERROR, None)


@pytest.mark.parametrize(
    "body",
    [b"\x89PNG\r\n\x1a\n\0\0\0", b"%PDF-1.4\n\0\1", b"PK\3\4\0\0", b"\xff\xd8\xff\xe0\0\x10JFIF", b"wOFF\0\1\0\0"],
)
def test_a_page_that_is_another_file_says_so(body: bytes) -> None:
    """By its first bytes and binary ones behind them; of an error page nothing is missing."""
    assert page(body, "text/html").problem is Reason.DECODE_ERROR
    assert page(body, "text/html", status=404).problem is None
    assert page(body, "image/png").problem is None
    assert page(body, "").problem is None


@pytest.mark.parametrize("content_type", ["text/html", "application/xhtml+xml", "text/css"])
def test_what_is_no_page_goes_to_a_worker_if_it_should_be_one(content_type: str) -> None:
    """There it is said; a picture that is sent as one stays on the loop."""
    body = gzip.compress(HTML, mtime=0)
    request = Request(url=url("http://h/"))
    sent = [
        Response(request=request, status=200, headers=((b"Content-Type", t),), body=body)
        for t in (content_type.encode(), b"image/png")
    ]

    assert [is_document(job_of(response)) for response in sent] == [True, False]


def test_a_style_sheet_that_is_packed_says_so_where_it_would_be_read() -> None:
    """With assets, that is."""
    packed = gzip.compress(b"a{background:url(/x)}", mtime=0)

    assert page(packed, "text/css", assets=True).problem is Reason.DECODE_ERROR
    assert page(packed, "text/css").problem is None


@pytest.mark.parametrize(
    "letters", [b"GIF89a", b"wOFF", b"BZh", b"%PDF-", b"OTTO", b"ttcf", b"\xff\xfb", b"MZ", b"RIFF"]
)
def test_text_that_begins_with_the_letters_of_a_file_is_a_page(letters: bytes) -> None:
    """MIME Sniffing, 7: what is sent as text/html is never sniffed for images, fonts and archives."""
    told = page(letters + b" is a format <a href=/x>", "text/html")

    assert (told.problem, [find.url.target for find in told.finds]) == (None, ["/x"])


@pytest.mark.parametrize("label", ["iso-2022-kr", "hz-gb-2312", "iso-2022-cn", "csiso2022kr"])
@pytest.mark.parametrize(
    ("body", "content_type"), [(HTML, "text/html"), (MAP.encode(), "text/xml"), (HTML, "application/xhtml+xml")]
)
def test_a_document_in_an_encoding_that_is_not_decoded_says_so(body: bytes, content_type: str, label: str) -> None:
    """Encoding standard, 14.1, "replacement": it is one U+FFFD, and an empty one is empty."""
    assert page(body, f"{content_type}; charset={label}").problem is Reason.DECODE_ERROR
    assert page(b"", f"text/html; charset={label}").problem is None


PARTS = ["<b>", "<br", "<?", "<!--", "<a>", "x", "<!", "</", "<feed", "<:", "<a:", "<xmlns", "&", "<b a='"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("content_type", ["application/xml", "text/html", "image/svg+xml"])
def test_hostile_fronts_cost_one_pass(part: str, content_type: str) -> None:
    """Nothing goes back: were it to, this would take minutes."""
    started = time.process_time()
    reading("<foo>" + part * (1_000_000 // len(part)), content_type)
    reading(part * (1_000_000 // len(part)), content_type)

    assert time.process_time() - started < 20
