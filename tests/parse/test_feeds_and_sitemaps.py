"""Feeds and sitemaps, sound and broken."""

import gzip
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from crawler.core.reasons import Reason
from crawler.parse.links import LinkKind
from support.reading import links, reading

zipped = partial(gzip.compress, mtime=0)  # the same bytes every time: they name tests
ATOM = "<feed xmlns='http://www.w3.org/2005/Atom'>"
SITEMAP = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"


LISTINGS: list[tuple[str, list[str] | None]] = [
    # RSS
    ("<rss><channel><link>http://h/</link><item><link> /a\n</link></item></channel></rss>", ["home /", "item /a"]),
    ("<rss><channel><item><link><![CDATA[/b?x&y]]></link></item></channel></rss>", ["item /b?x&y"]),
    ("<rss><channel><item><link>/a?b&amp;c</link></item></channel></rss>", ["item /a?b&c"]),
    ("<rss><channel><item><guid>http://h/a</guid></item></channel></rss>", ["item /a"]),
    ("<rss><channel><item><guid>abc-123</guid></item></channel></rss>", []),  # an identifier
    ("<rss><channel><item><link/></item></channel></rss>", []),
    ("<rss><channel><item><enclosure url='/a.mp3'/></item></channel></rss>", ["enclosure /a.mp3"]),
    ("<rss><channel><item><media:content url='/a.jpg'/></item></channel></rss>", ["enclosure /a.jpg"]),  # not declared
    (
        "<rss><channel><atom:link rel='self' href='?1'/><atom:link rel='next' href='?2'/></channel></rss>",
        ["feed /d/map?2"],
    ),
    ("<rss><channel><image><link>/x</link><url>/y</url></image></channel></rss>", []),
    ("<rss><channel><item><description>&lt;a href=x&gt;</description></item></channel></rss>", []),
    (
        "<rdf:RDF xmlns:rdf='x'><channel><link>/</link></channel><item rdf:about='/z'><link>/a</link></item></rdf:RDF>",
        ["home /", "item /a"],  # RSS 1.0 and 0.9 have their items beside the channel
    ),
    # Atom
    (ATOM + "<link href='/'/><entry><link href='a'/></entry></feed>", ["home /", "item /d/a"]),
    (ATOM + "<entry><link rel='alternate' href='a'/><link rel='edit' href='b'/></entry></feed>", ["item /d/a"]),
    (
        ATOM + "<entry><link rel='enclosure' href='a'/><content src='b'/></entry></feed>",
        ["enclosure /d/a", "item /d/b"],
    ),
    (ATOM + "<link rel='next' href='?2'/><link rel='self' href='?1'/></feed>", ["feed /d/map?2"]),
    (
        "<feed xml:base='http://o/x/'><entry xml:base='y/'><link href='z'/></entry><link href='z'/></feed>",
        ["item http://o/x/y/z", "home http://o/x/z"],
    ),
    ("<feed xml:base='mailto:x'><link href='z'/></feed>", ["home /d/z"]),
    ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:link href='z'/></a:feed>", ["home /d/z"]),
    # sitemaps
    (SITEMAP + "<url><loc>http://h/a</loc><lastmod>2024</lastmod></url></urlset>", ["loc /a"]),
    (SITEMAP + "<url><loc>\n http://h/a?b&amp;c \n</loc></url></urlset>", ["loc /a?b&c"]),
    (
        SITEMAP
        + "<url><loc>http://h/a</loc><xhtml:link rel='alternate' hreflang='de' href='http://h/b'/></url></urlset>",
        ["loc /a", "alternate /b"],
    ),
    (
        SITEMAP
        + "<url><loc>http://h/a</loc><image:image><image:loc>http://h/b</image:loc></image:image></url></urlset>",
        ["loc /a", "img /b"],
    ),
    (SITEMAP + "<url><video:video><video:loc>/b</video:loc></video:video></url></urlset>", []),
    ("<s:urlset xmlns:s='x'><s:url><s:loc>http://h/a</s:loc></s:url></s:urlset>", ["loc /a"]),
    ("<sitemapindex><sitemap><loc>http://h/a.xml.gz</loc></sitemap></sitemapindex>", ["sitemap /a.xml.gz"]),
    ("<urlset><loc>http://h/a</loc></urlset>", []),  # outside of an <url>
    ("<urlset><url><loc>http://h/a</loc></url><url><loc>http://h/a</loc></url></urlset>", ["loc /a"]),
    ("<urlset/>", []),
    (
        "<urlset>" + "<x>" * 300 + "</x>" * 300 + "<url><loc>http://h/a</loc></url></urlset>",
        [],
    ),  # nested deeper than is read
    # what is no link
    ("<rss><channel><item><guid isPermaLink='false'>http://h/?p=1</guid></item></channel></rss>", []),  # RSS 2.0
    ("<rss><channel><item><guid isPermaLink=' FALSE '>http://h/?p=1</guid></item></channel></rss>", []),
    ("<rss><channel><item><guid ispermalink='false'>http://h/?p=1</guid></item></channel></rss>", []),
    ("<rss><channel><item><guid isPermaLink='true'>http://h/a</guid></item></channel></rss>", ["item /a"]),
    (
        "<rss><item><guid isPermaLink='false'>http://h/1</guid></item><item><guid>http://h/2</guid></item></rss>",
        ["item /2"],
    ),
    ("<rss><channel><textInput><link>/x</link></textInput><cloud domain='o' path='/x'/></channel></rss>", []),
    ("<rss><channel><item><source url='/x'/><comments>/y</comments></item></channel></rss>", []),
    (ATOM + "<link rel='hub' href='/x'/><link rel='edit' href='/y'/><icon>/i</icon><id>http://h/z</id></feed>", []),
    # RFC 4287: the feed that an entry comes from is no entry (4.2.11); a registered relation has a URL too (4.2.7.2)
    (
        ATOM + "<entry><source><link href='/'/></source><link href='a'/></entry></feed>",
        ["home /", "item /d/a"],
    ),
    (
        ATOM + "<entry><link rel='http://www.iana.org/assignments/relation/alternate' href='a'/></entry></feed>",
        ["item /d/a"],
    ),
    # other XML
    ("<svg xmlns='http://www.w3.org/2000/svg'><a href='x'/></svg>", ["a /d/x"]),
    ("<opensearch><link href='x'/></opensearch>", None),
    ("", None),
    ("no XML", None),
]


@pytest.mark.parametrize(("body", "expected"), LISTINGS)
def test_a_listing_points_at_what_it_lists(body: str, expected: list[str] | None) -> None:
    """The root element says what it is."""
    assert links(reading(body)) == expected


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<rss><channel><title> a\n b </title><item><title>c</title></item></channel></rss>", "a b"),
        ("<rss><channel><item><title>c</title></item></channel></rss>", None),
        ("<feed><title>a &amp; b</title></feed>", "a & b"),
        ("<urlset><title>a</title></urlset>", None),
        ("<rss><channel><title>" + "x" * 10**6 + "</title></channel></rss>", "x" * 1000),
    ],
)
def test_a_feed_has_a_title(body: str, title: str | None) -> None:
    """The channel's, not an item's."""
    assert reading(body).title == title


RSS_X = "<rss><channel><title>{}</title><item><link>/x</link></item></channel></rss>"
LAUGHS = (
    "<!DOCTYPE rss [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY {name} '{f'&{before};' * 10}'>" for before, name in zip("abcdefghi", "bcdefghij", strict=True))
    + "]><rss><channel><title>&j;</title><item><link>/x</link></item></channel></rss>"
)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (LAUGHS, "\ufffd"),
        (
            f"<!DOCTYPE rss [<!ENTITY a '{'x' * 100_000}'>]>" + RSS_X.format("&a;" * 10_000),
            "\ufffd" * 1000,
        ),
        (
            "<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + RSS_X.format("&x;"),
            "\ufffd",
        ),
        (
            "<!DOCTYPE rss [<!ENTITY % x SYSTEM 'http://127.0.0.1:1/'>%x;]>" + RSS_X.format("t"),
            "t",
        ),
    ],
    ids=["billion laughs", "quadratic blow-up", "external entity", "external parameter entity"],
)
def test_a_document_that_declares_an_entity_is_read_without_it(body: str, title: str) -> None:
    """So nothing unfolds, nothing outside is fetched, and the document counts as one that was not read in full."""
    told = reading(body)

    assert (told.title, links(told), told.problem) == (title, ["item /x"], Reason.XML_ERROR)


@pytest.mark.parametrize(
    "body",
    [
        "<!DOCTYPE rss PUBLIC '-//Netscape//DTD RSS 0.91//EN' 'http://my.netscape.com/rss-0.91.dtd'>",
        "<!DOCTYPE rss SYSTEM 'file:///etc/passwd'>",
    ],
)
def test_an_external_dtd_is_left_where_it_is(body: str) -> None:
    """Old feeds name one; they are read without it, and names of HTML mean what they mean there."""
    told = reading(body + "<rss><channel><title>a&nbsp;b</title><item><link>/x</link></item></channel></rss>")

    assert (told.title, links(told), told.problem) == ("a b", ["item /x"], None)


@pytest.mark.parametrize(
    "body",
    [
        lambda: b"<rss>" * 2_000_000,
        lambda: b"<rss><channel><item><link>" + b"x" * 20_000_000,
        lambda: b"<rss a='" + b"x" * 20_000_000,
        lambda: b"<rss><!--" + b"x" * 20_000_000,
        lambda: b"<rss><channel>" + b"<item><link>/x</link></item>" * 200_000,
        lambda: b"<rss " + b" ".join(b"a%d='1'" % at for at in range(100_000)) + b">",
    ],
    ids=["deep", "long text", "long attribute", "long comment", "many items", "many attributes"],
)
def test_a_monstrous_feed_is_read_like_any_other(body: Callable[[], bytes]) -> None:
    """A path of names, one text and the references are kept."""
    assert len(reading(body()).links or ()) <= 1


LATIN = b"<?xml version='1.0' encoding='latin1'?><urlset><url><loc>http://h/\xe4?\xe4</loc></url></urlset>"
SMALL = "<urlset><url><loc>http://h/a</loc></url></urlset>"


@pytest.mark.parametrize(
    ("body", "content_type", "charset", "expected"),
    [
        (SMALL, "text/xml", "utf-8", ["loc /a"]),
        (SMALL, "application/rss+xml", "utf-8", ["loc /a"]),  # the media type does not say which
        (SMALL, "text/html", "utf-8", ["loc /a"]),  # as browsers do with feeds
        ("<?xml version='1.0'?><!-- x --><!DOCTYPE x>" + SMALL, "text/html", "utf-8", ["loc /a"]),
        (SMALL, "text/plain", "utf-8", None),  # text, as it says
        (SMALL, None, "utf-8", ["loc /a"]),
        (zipped(SMALL.encode()), "application/gzip", "utf-8", ["loc /a"]),
        (zipped(SMALL.encode()), "application/x-gzip", "utf-8", ["loc /a"]),
        (zipped(SMALL.encode()), "application/octet-stream", "utf-8", ["loc /a"]),
        (zipped(SMALL.encode()), "text/xml", "utf-8", ["loc /a"]),
        (zipped(SMALL.encode()), None, "utf-8", ["loc /a"]),
        (zipped(SMALL.encode())[:-10], "application/gzip", "utf-8", ["loc /a"]),  # cut short
        (zipped(b"<!doctype html><a href=x>"), "application/gzip", None, None),
        (zipped(b"text"), "application/gzip", None, None),
        (b"no gzip", "application/gzip", None, None),
        (SMALL, "image/png", None, None),
        (SMALL.encode("utf-16"), "application/xml", "utf-16le", ["loc /a"]),
        (b"\xef\xbb\xbf" + SMALL.encode(), "application/xml", "utf-8", ["loc /a"]),
        (LATIN, "text/xml", "windows-1252", ["loc /%C3%A4?%C3%A4"]),  # in XML every URL is in UTF-8
        (b"<?xml version='1.0' encoding='utf-16'?>" + SMALL.encode(), "text/xml", "utf-8", ["loc /a"]),  # it lies
        (
            b"<urlset><url><loc>http://h/\xe4</loc></url></urlset>",
            "text/xml",
            "utf-8",
            [],
        ),  # nobody wrote what it would be
    ],
)
def test_listings_are_known_by_their_root(
    body: bytes | str, content_type: str | None, charset: str | None, expected: list[str] | None
) -> None:
    """Under any media type that can be XML, and zipped."""
    told = reading(body, content_type)

    assert (told.charset, links(told)) == (charset, expected)


def test_a_gzip_bomb_is_unpacked_up_to_its_limit() -> None:
    """The part that was decompressed by then is read."""
    bomb = zipped(SMALL.removesuffix("</urlset>").encode() + b" " * (60 * 1024 * 1024), 1)

    assert links(reading(bomb, "application/gzip")) == ["loc /a"]


DATED = "<lastmod>2024-05-01T12:00:00+02:00</lastmod>"
RSS = "<rss><channel>{}</channel></rss>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (SITEMAP + f"<url><loc>http://h/a</loc>{DATED}</url></urlset>", {"/a": "2024-05-01T10:00:00Z"}),
        (SITEMAP + f"<url>{DATED}<loc>http://h/a</loc></url></urlset>", {"/a": "2024-05-01T10:00:00Z"}),
        (SITEMAP + f"<url><loc>http://h/a</loc>{DATED}</url><url><loc>http://h/b</loc></url></urlset>", {"/b": None}),
        (SITEMAP + f"<url>{DATED}</url><url><loc>http://h/b</loc></url></urlset>", {"/b": None}),
        (
            SITEMAP + f"<url><loc>http://h/a</loc></url><url><loc>http://h/a</loc>{DATED}</url></urlset>",
            {"/a": "2024-05-01T10:00:00Z"},
        ),
        (SITEMAP + "<url><loc>http://h/a</loc><lastmod>soon</lastmod></url></urlset>", {"/a": None}),
        (
            SITEMAP
            + f"<url><loc>http://h/a</loc>{DATED}<image:image><image:loc>http://h/b</image:loc></image:image></url></urlset>",
            {"/b": None},  # the page was changed then, who knows about its image
        ),
        (
            f"<sitemapindex><sitemap><loc>http://h/s</loc>{DATED}</sitemap></sitemapindex>",
            {"/s": "2024-05-01T10:00:00Z"},
        ),
        (
            RSS.format("<link>/</link><item><link>/a</link><pubDate>Wed, 01 May 2024 12:00:00 GMT</pubDate></item>"),
            {"/": None, "/a": "2024-05-01T12:00:00Z"},
        ),
        (RSS.format("<pubDate>1 May 2024 12:00 GMT</pubDate><item><link>/a</link></item>"), {"/a": None}),
        (
            "<rdf:RDF xmlns:rdf='x'><item><dc:date>2024-05-01</dc:date><link>/a</link></item></rdf:RDF>",
            {"/a": "2024-05-01"},
        ),
        (ATOM + "<entry><link href='/a'/><published>2024-05-01</published></entry></feed>", {"/a": "2024-05-01"}),
        (
            ATOM
            + "<entry><updated>2024-05-02</updated><link href='/a'/><published>2024-05-01</published></entry></feed>",
            {"/a": "2024-05-02"},
        ),
        (ATOM + "<updated>2024-05-02</updated><entry><link href='/a'/></entry></feed>", {"/a": None}),
    ],
)
def test_a_date_belongs_to_its_own_entry(body: str, expected: dict[str, str | None]) -> None:
    """Before or behind the URL; what stands outside of an entry dates none."""
    found = {link.url.href.removeprefix("http://h"): link.lastmod for link in reading(body).links or ()}

    assert found.items() >= expected.items()


@pytest.mark.parametrize(
    ("root", "entry"),
    [
        ("urlset", "<url><loc>http://h/{}</loc></url>"),
        ("sitemapindex", "<sitemap><loc>http://h/{}</loc></sitemap>"),
        ("rss", "<channel><item><link>/{}</link></item></channel>"),
        ("feed", "<entry><link href='/{}'/></entry>"),
    ],
)
def test_of_a_long_listing_the_first_50_000_entries_are_read(root: str, entry: str) -> None:
    """More are cut, and that is said."""
    told = reading(f"<{root}>" + "".join(entry.format(at) for at in range(60_000)) + f"</{root}>")

    assert (len(told.links or ()), told.links_cut) == (50_000, True)


sitemap = partial(reading, sitemap=True)


TEXT = "http://h/a\nhttp://h/b\n"


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (TEXT, "text/plain", ["loc /a", "loc /b"]),
        (TEXT, "text/html; charset=utf-8", ["loc /a", "loc /b"]),
        (TEXT, "application/x-unknown", ["loc /a", "loc /b"]),
        (TEXT, None, ["loc /a", "loc /b"]),
        ("\ufeff" + TEXT, "text/plain", ["loc /a", "loc /b"]),
        (TEXT.encode("utf-16"), "text/plain", ["loc /a", "loc /b"]),
        ("# ours\r\n\r\n http://h/a \r\nhttp://h/b", "text/plain", ["loc /a", "loc /b"]),
        ("http://h/a\rhttp://h/b", "text/plain", ["loc /a", "loc /b"]),
        ("http://h/a\n/relative\nwords\nmailto:x@h\nhttp://h/b", "text/plain", ["loc /a", "loc /b"]),
        ("HTTP://h/a", "text/plain", ["loc /a"]),
        ("Nothing is here.", "text/plain", []),
        (zipped(TEXT.encode()), "application/gzip", ["loc /a", "loc /b"]),
        (zipped(TEXT.encode()), "text/html", ["loc /a", "loc /b"]),
        (zipped(SMALL.encode()), "image/png", ["loc /a"]),
        (zipped(SMALL.encode()), "text/html", ["loc /a"]),
        (SMALL, "application/gzip", ["loc /a"]),  # named .xml.gz, and sent with the content coding gzip
        (SMALL, "image/png", ["loc /a"]),
        (zipped(zipped(SMALL.encode())), "application/gzip", None),
        (zipped(b"<!doctype html><a href=x>"), "application/gzip", None),
        ("<!doctype html><a href=/x>x</a>", "text/html", ["a /x"]),  # no sitemap at all
        (LAUGHS, "text/xml", ["item /x"]),
        (TEXT.encode() + b"http://h/\xe9\n", "text/plain; charset=utf-8", ["loc /a", "loc /b"]),
        ("# ours\n" + TEXT, "text/html", ["loc /a", "loc /b"]),
    ],
)
def test_a_listed_sitemap_is_known_by_its_bytes(
    body: bytes | str, content_type: str | None, expected: list[str] | None
) -> None:
    """Also text, which lists whole URLs only, and under any media type."""
    assert links(sitemap(body, content_type)) == expected


def test_text_is_a_sitemap_only_where_one_was_listed() -> None:
    """Elsewhere nobody looks for URLs in text."""
    assert links(reading(TEXT, "text/plain")) is None


def test_translations_take_no_entry_s_place() -> None:
    """Of a site in many languages every entry is read, and that some of its translations are not is said."""
    translations = [
        "".join(f"<link href='http://h/{language}/{at}'/>" for language in range(9)) for at in range(20_000)
    ]
    entries = "".join(f"<url><loc>http://h/{at}</loc>{others}</url>" for at, others in enumerate(translations))

    told = reading(f"<urlset>{entries}</urlset>")

    kinds = Counter(link.kind for link in told.links or ())
    assert (kinds[LinkKind.LOC], kinds.total(), told.links_cut) == (20_000, 65_000, True)


def test_of_a_long_text_the_first_50_000_urls_are_read() -> None:
    """More are cut, and that is said."""
    told = sitemap("".join(f"http://h/{at}\n" for at in range(60_000)), "text/plain")

    assert (len(told.links or ()), told.links_cut) == (50_000, True)


@pytest.mark.parametrize("start", [b"", SMALL.removesuffix("</urlset>").encode(), TEXT.encode()])
def test_a_listed_gzip_bomb_says_what_it_is(start: bytes) -> None:
    """Entries before the limit are read, and the reason tells that there are more."""
    bomb = zipped(start + b" " * (60 * 1024 * 1024), 1)

    told = sitemap(bomb, "application/gzip")

    assert told.problem is Reason.DECODED_LIMIT
    assert bool(told.links) == bool(start)
