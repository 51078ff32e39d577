"""The entries of sitemaps and feeds: only URLs that somebody wrote, whole, one in each place; the rest is told."""

import gzip

import pytest

from crawler.core.config import ScopeConfig
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse as url
from crawler.core.visits import Page
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task
from support.reading import paths, reading
from support.ways import a_request

BROKEN = Reason.XML_ERROR
TASK = Task(max_decoded=10**8, follow=follow(ScopeConfig(), obey=True))
S = "http://www.sitemaps.org/schemas/sitemap/0.9"


def page(body: bytes | str, content_type: str = "text/plain", *, status: int = 200, sitemap: bool = True) -> Page:
    """Return the page of an answer to a sitemap that was listed."""
    content = body.encode() if isinstance(body, str) else body
    request = a_request(url("http://h/d/map"), sitemap=sitemap)
    headers = ((b"Content-Type", content_type.encode()),)
    return PageReader(TASK).read_response(Response(request=request, status=status, headers=headers, body=content))


E_ACUTE = "http://h/\u00e9\n"


@pytest.mark.parametrize(
    ("body", "content_type", "found", "bad"),
    [
        (E_ACUTE.encode(), "text/plain", ["/%C3%A9"], 0),
        (E_ACUTE.encode() + b"http://h/\xe9\nhttp://h/a", "text/plain", ["/%C3%A9", "/a"], 1),
        (gzip.compress(E_ACUTE.encode() * 9 + b"http://h/\xe9\n", mtime=0), "application/gzip", ["/%C3%A9"], 1),
        (E_ACUTE.encode() + b"http://h/\x80\n", None, ["/%C3%A9"], 1),
        (
            E_ACUTE.encode("latin-1") + b"http://h/a\n",
            "text/plain; charset=iso-8859-1",
            ["/%C3%A9", "/a"],
            0,
        ),  # a header
        (E_ACUTE.encode("utf-16"), "text/plain", ["/%C3%A9"], 0),  # a mark
        (E_ACUTE.encode("utf-16-be"), "text/plain", ["/%C3%A9"], 0),  # zero bytes
        (("\ufeff" + E_ACUTE).encode(), "text/plain; charset=latin1", ["/%C3%A9"], 0),
    ],
)
def test_a_text_sitemap_is_utf_8(body: bytes, content_type: str | None, found: list[str], bad: int) -> None:
    """Unless something says that it is not (sitemaps.org: "must use UTF-8"); a line that is none is a bad link."""
    told = reading(body, content_type, sitemap=True)

    assert (paths(told), told.bad_links) == (found, bad)


def test_of_30_000_lines_one_that_is_no_utf_8_harms_no_other() -> None:
    """It is the only bad one, wherever it stands."""
    lines = [f"http://h/{at}/\u00e9".encode() for at in range(30_000)]
    lines[20_000] = b"http://h/\xe9"

    told = reading(b"\n".join(lines), "text/plain", sitemap=True)

    assert (len(told.links or ()), told.bad_links) == (29_999, 1)
    assert all(path.endswith("/%C3%A9") for path in paths(told) or ())


LETTERS = ["\u00e9", "\u00df", "\u65e5", "\U0001f600"]


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("front", ["", "\n ", "<?xml version='1.0'?>", "<!-- \u65e5\u672c -->"])
@pytest.mark.parametrize("sitemap", [False, True])
def test_xml_in_utf_16_without_a_mark_is_read_as_what_it_is(
    letter: str, encoding: str, front: str, *, sitemap: bool
) -> None:
    """XML 1.0, appendix F: its first `<` tells."""
    right = url(f"http://h/{letter}").href.removeprefix("http://h")
    listings = [f"<urlset><url><loc>http://h/{letter}</loc></url></urlset>"]
    listings += [f"<rss><channel><item><link>/{letter}</link></item></channel></rss>"]

    for listing in listings:
        told = reading((front + listing).encode(encoding), sitemap=sitemap)
        assert (paths(told), told.problem) == ([right], None)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-32"])
@pytest.mark.parametrize("label", ["; charset=utf-8", ""])
def test_expat_never_sees_a_zero_byte(encoding: str, label: str) -> None:
    """By it, it would take U+FFFD for two other characters; what is not read says so."""
    body = "<urlset><url><loc>http://h/\u00e9</loc></url></urlset>".encode(encoding)

    told = reading(body, f"application/xml{label}")

    assert told.problem is BROKEN or (paths(told), told.problem) == (["/%C3%A9"], None)
    assert not set(paths(told) or ()) - {"/%C3%A9"}


PARTED = [
    "http://h/b\tnote",
    "http://h/b\thttp://h/c",
    "http://h/b http://h/c",
    "http://h/b, http://h/c",
    "http://h/b\u00a0http://h/c",
    "http://h/b\u2028http://h/c",
    "http://h/b\u3000x",
]


@pytest.mark.parametrize(
    "written", [*PARTED, "http://h/b note", "http://h/b\x0bc", "http://h/b\x7fc", "http://h/b\x85c"]
)
def test_two_urls_in_one_line_of_a_text_are_none(written: str) -> None:
    """A browser would drop the tab and join them; nobody wrote that."""
    told = page(f"http://h/a\n{written}\n")

    assert ([find.url.target for find in told.finds], told.problem) == (["/a"], Reason.BAD_ENTRIES)


@pytest.mark.parametrize("written", [*PARTED, "http://h/b\nhttp://h/c", "http://h/b\r\nc", "http://h/b&#9;c"])
@pytest.mark.parametrize(
    "listing",
    [
        "<urlset><url><loc>http://h/a</loc></url><url><loc>{}</loc></url></urlset>",
        "<sitemapindex><sitemap><loc>http://h/a</loc></sitemap><sitemap><loc>{}</loc></sitemap></sitemapindex>",
        "<rss><item><link>/a</link></item><item><link>{}</link></item></rss>",
        "<rss><item><link>/a</link></item><item><guid>{}</guid></item></rss>",
    ],
)
def test_two_urls_in_one_element_are_none(listing: str, written: str) -> None:
    """In sitemaps and feeds alike."""
    told = reading(listing.format(written))

    assert (paths(told), told.bad_links) == (["/a"], 1)


@pytest.mark.parametrize("written", ["http://h/b&#9;c", "http://h/b\nhttp://h/c", "http://h/b&#xA0;c"])
def test_two_urls_in_one_attribute_are_none(written: str) -> None:
    """A line end there is a space (XML 1.0, 3.3.3)."""
    told = reading(f"<feed><entry><link href='/a'/></entry><entry><link href='{written}'/></entry></feed>")

    assert (paths(told), told.bad_links) == (["/a"], 1)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("  http://h/b\n ", "/b"),
        ("/my file", "/my%20file"),  # URL standard: in feeds, as in pages
        ("/\u0645\u06cc\u200c\u0634\u0648\u062f", "/%D9%85%DB%8C%E2%80%8C%D8%B4%D9%88%D8%AF"),
    ],
)
def test_what_parts_no_url_stays(written: str, found: str) -> None:
    """White space around it, a single space, and the joiners of some languages."""
    assert paths(reading(f"<rss><item><link>{written}</link></item></rss>")) == [found]


@pytest.mark.parametrize(
    "written",
    [
        "www.example.com/a",
        "/a",
        "a",
        "TODO",
        "{{ url }}",
        "\u200bhttp://h/z",
        "//h/a",
        "http:/h/a",
        "http:a",
        "?a",
    ],
)
def test_an_entry_of_a_sitemap_is_a_whole_url(written: str) -> None:
    """sitemaps.org: "This URL must begin with the protocol"; nothing is made of one that does not."""
    told = page(f"<urlset><url><loc>http://h/x</loc></url><url><loc>{written}</loc></url></urlset>", "text/xml")

    assert ([find.url.target for find in told.finds], told.problem) == (["/x"], Reason.BAD_ENTRIES)
    assert told.error == f"1 of its entries is no URL, such as '{written}'"


@pytest.mark.parametrize("written", ["http://h/<b>b</b>", "<b>http://h/1</b>", "<a href='x'>http://h/1</a>", "x<b/>"])
@pytest.mark.parametrize(
    "listing", ["<urlset><url><loc>{}</loc></url></urlset>", "<rss><item><link>{}</link></item></rss>"]
)
def test_a_url_in_an_element_inside_is_a_bad_one(listing: str, written: str) -> None:
    """And not left out without a word."""
    told = reading(listing.format(written))

    assert (paths(told), told.bad_links) == ([], 1)


def test_a_mark_between_files_that_were_put_together_is_no_part_of_a_url() -> None:
    """Each of them may begin with one."""
    told = page("\ufeffhttp://h/a\n\ufeffhttp://h/b\n\ufeff\n\ufeff# note\n")

    assert ([find.url.target for find in told.finds], told.problem) == (["/a", "/b"], None)


def test_what_of_a_listed_sitemap_is_no_url_is_told() -> None:
    """The number, and an example, safe to show."""
    told = page('http://h/a\nhttp://[x\x1b/\n"http://h/c"\n- http://h/d\n')

    assert ([find.url.target for find in told.finds], told.problem) == (["/a"], Reason.BAD_ENTRIES)
    assert told.error == r"3 of its entries are no URL, such as 'http://[x\u001b/'"


def test_an_entry_of_another_scheme_is_told() -> None:
    """It was listed, and is not fetched."""
    told = page("http://h/a\nftp://h/b\n")

    assert (told.problem, told.error) == (Reason.BAD_ENTRIES, "1 of its entries has a scheme that is not fetched")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("words", Reason.NOT_A_SITEMAP),
        ("<urlset><url><loc>http://h/a</loc></url><url><loc>/b</loc></url>", BROKEN),
        ("http://h/a\nb\n" + "".join(f"http://h/{at}\n" for at in range(50_000)), Reason.LINK_LIMIT),
    ],
)
def test_any_other_problem_goes_before_bad_entries(body: str, problem: Reason) -> None:
    """It says that more is missing."""
    assert page(body).problem is problem


def test_bad_links_of_what_was_not_listed_are_no_reason() -> None:
    """They are for --check to tell."""
    assert page("<urlset><url><loc>/b</loc></url></urlset>", "text/xml", sitemap=False).problem is None


@pytest.mark.parametrize(
    "body",
    [
        "<urlset><URL><LOC>http://h/a</LOC></URL></urlset>",
        "<sitemapindex><url><loc>http://h/a</loc></url></sitemapindex>",
        "<urlset><sitemap><loc>http://h/a</loc></sitemap></urlset>",
        "<urlset><loc>http://h/a</loc></urlset>",
        "<urlset><url><LOC>http://h/a</LOC></url></urlset>",
        "<urlset><url><loc>http://h/b</loc></url><url><LOC>http://h/a</LOC></url></urlset>",
        "<urlset><url><loc>http://h/b</loc></url><sitemap><loc>http://h/a</loc></sitemap></urlset>",
        "<urlset><url><loc>  </loc></url></urlset>",
        "<rss><channel><ITEM><link>/a</link></ITEM></channel></rss>",
        "<rss><channel><link>/</link><entry><link href='/a'/></entry></channel></rss>",
        "<feed><Entry><link href='/a'/></Entry></feed>",
        "<feed><entry><LINK href='/a'/></entry></feed>",
    ],
)
def test_a_known_root_with_other_elements_says_so(body: str) -> None:
    """The schema of sitemaps, RSS 2.0 and RFC 4287 know none of them."""
    assert reading(body).problem is BROKEN


@pytest.mark.parametrize(
    "body",
    [
        "<urlset/>",
        "<sitemapindex></sitemapindex>",
        "<rss><channel><title>t</title><image><url>/x</url></image></channel></rss>",
        "<feed><title>t</title></feed>",
    ],
)
def test_a_listing_may_be_empty(body: str) -> None:
    """Nothing is missing then."""
    assert (paths(reading(body)), reading(body).problem) == ([], None)


@pytest.mark.parametrize(
    "body",
    [
        f"<urlset xmlns='{S}' xmlns:s='{S}'><s:url><s:loc>http://h/a</s:loc></s:url></urlset>",
        f"<s:urlset xmlns='{S}' xmlns:s='{S}'><url><loc>http://h/a</loc></url></s:urlset>",
        f"<s:urlset xmlns:t='{S}' xmlns:s='{S}'><t:url><s:loc>http://h/a</s:loc></t:url></s:urlset>",
    ],
)
def test_two_prefixes_of_one_namespace_are_the_same(body: str) -> None:
    """Namespaces in XML 1.0, 3; that of images stays another one."""
    images = "<i:image xmlns:i='I'><i:loc>http://h/i</i:loc></i:image>"

    assert (paths(reading(body)), reading(body).problem) == (["/a"], None)
    assert paths(reading(body.replace("loc></", f"loc>{images}</", 1))) == ["/a"]


def test_a_base_that_the_document_type_gives_is_not_known() -> None:
    """XML 1.0, 3.3.2: it would count, and is not read; so relative references are bad ones."""
    subset = "<!DOCTYPE feed [<!ATTLIST feed xml:base CDATA 'http://other/'>]>"
    told = reading(f"{subset}<feed><entry><link href='a'/></entry><entry><link href='http://h/b'/></entry></feed>")

    assert (paths(told), told.bad_links, told.problem) == (["/b"], 1, BROKEN)
