"""XML that is not what XML 1.0 asks for: what can be read safely is, the reading says so, and no URL is made up."""

import gzip
import time
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.reasons import Reason
from crawler.parse.loose_xml import LooseReader
from crawler.parse.xml_start import start_of
from support.reading import paths, reading

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
MAP = "<urlset><url><loc>http://h/a</loc></url><url><loc>{}</loc></url><url><loc>http://h/c</loc></url></urlset>"
SOUND = MAP.format("http://h/b")
BROKEN = Reason.XML_ERROR


NOTICE = "<br />\n<b>Notice</b>:  Undefined index: x in <b>/srv/map.php</b> on line <b>3</b><br />\n"

FRONTS = [
    # white space, marks and comments say nothing (XML 1.0, 2.8 allows them behind the declaration alone)
    ("", None),
    ("\n", None),
    (" \r\n\t", None),
    ("\ufeff", None),
    ("\ufeff\n\ufeff", None),
    ("\n\ufeff", None),
    ("<!-- made by hand -- at night -->\n", None),
    ("\n<!-- a --> <!-- b -->", None),
    ("\n" * 5000, None),
    # anything else is junk
    (NOTICE, BROKEN),
    ("\n" + NOTICE * 20, BROKEN),
    ("Warning: something in /srv/map.php on line 3\n", BROKEN),
    ("</div>", BROKEN),
    ("<div style='color:red'>a < b & c</div>", BROKEN),
    ("\0", BROKEN),
    ("\u200b", BROKEN),
    ("{}", BROKEN),
]


@pytest.mark.parametrize("declaration", [DECLARATION, ""], ids=["declared", "bare"])
@pytest.mark.parametrize(("front", "problem"), FRONTS)
def test_what_stands_in_front_of_a_document_does_not_hide_it(
    front: str, problem: Reason | None, declaration: str
) -> None:
    """It is cut off; if it is more than white space, marks and comments, the reading says so."""
    told = reading(front + declaration + SOUND)

    assert (paths(told), told.problem) == (["/a", "/b", "/c"], problem)


@pytest.mark.parametrize(
    ("body", "content_type", "problem"),
    [
        (("\n" + DECLARATION + SOUND).encode(), "text/html", None),
        ((NOTICE + DECLARATION + SOUND).encode(), "text/html", BROKEN),  # what PHP prints goes out as text/html
        ((NOTICE + SOUND).encode(), None, BROKEN),
        (("\ufeff\n" + DECLARATION + SOUND).encode(), "text/plain", None),
        (gzip.compress(("\n" + DECLARATION + SOUND).encode(), mtime=0), "application/gzip", None),
        (gzip.compress((NOTICE + SOUND).encode(), mtime=0), "application/octet-stream", BROKEN),
        (("\n<?xml version='1.0' encoding='utf-16'?>" + SOUND).encode("utf-16"), "text/xml", None),
        (gzip.compress(SOUND.encode(), mtime=0)[:-8], "text/xml", None),  # only the trailer is missing
    ],
)
def test_a_listed_sitemap_is_found_behind_its_front(body: bytes, content_type: str, problem: Reason | None) -> None:
    """Under any media type, zipped too."""
    told = reading(body, content_type, sitemap=True)

    assert (paths(told), told.problem) == (["/a", "/b", "/c"], problem)


def test_the_encoding_is_read_behind_a_front_too() -> None:
    """The declaration counts, though it does not stand where it must."""
    body = b"\n<?xml version='1.0' encoding='windows-1251'?>" + MAP.format("http://h/\u0434").encode("windows-1251")

    assert paths(reading(body)) == ["/a", "/%D0%B4", "/c"]


@pytest.mark.parametrize(
    "body",
    [
        "<soap><br /><rss><channel><item><link>/x</link></item></channel></rss></soap>",
        "<soap><![CDATA[<?xml version='1.0'?><urlset><url><loc>http://h/x</loc></url></urlset>]]></soap>",
        "<Error><Code>NoSuchKey</Code></Error>",
    ],
)
def test_a_document_of_another_kind_is_no_front(body: str) -> None:
    """It begins with an element of its own, whatever is inside."""
    told = reading(body)

    assert (told.links, told.problem) == (None, None)


SECONDS = [
    # the second of three URLs, as it is written; what is found of it; whether it is a bad link; the reading's problem
    ("http://h/b?x=1&amp;y=2", "/b?x=1&y=2", 0, None),
    ("http://h/b?x=1&y=2", "/b?x=1&y=2", 0, BROKEN),
    ("http://h/b?x=1&", "/b?x=1&", 0, BROKEN),
    ("http://h/b?&&&y", "/b?&&&y", 0, BROKEN),
    ("http://h/b?x=1&copy=2", "/b?x=1&copy=2", 0, BROKEN),  # without a semicolon it is no reference
    ("http://h/b?x=1&#=2", "/b?x=1&", 0, BROKEN),
    ("http://h/Meu-1&ordm;-Tico", "/Meu-1%C2%BA-Tico", 0, BROKEN),  # the sibling of the ordinal is in HTML's table
    ("http://h/b&nosuchname;", None, 1, BROKEN),
    ("http://h/b&#38;y", "/b&y", 0, None),
    ("http://h/b&#0;", None, 1, BROKEN),  # XML 1.0, 2.2: no such character
    ("http://h/b&#xD800;", None, 1, BROKEN),
    ("http://h/b&#x110000;", None, 1, BROKEN),
    (f"http://h/b&#{'9' * 5000};", None, 1, BROKEN),
    ("http://h/b&#0000000000000065;", "/bA", 0, None),
    ("http://h/b\x01", None, 1, BROKEN),
    ("http://h/b\x0c", None, 1, BROKEN),
    ("http://h/b\ufffe", None, 1, BROKEN),
    ("http://h/b\ufffd", "/b%EF%BF%BD", 0, None),  # somebody wrote exactly this
    ("http://h/b<x", None, 1, BROKEN),
    ("http://h/b</x>y", None, 1, BROKEN),
    ("http://h/<b>b</b>", None, 1, None),  # what stands in an element inside is no text of this one
    ("http://h/<b>b</b>y", None, 1, None),
    ("http://h/b<!-- c -->", "/b", 0, None),
    ("http://h/b<![CDATA[?x&y]]>", "/b?x&y", 0, None),
    ("http://h/b]]>", "/b]]%3E", 0, BROKEN),
]


@pytest.mark.parametrize(("written", "found", "bad", "problem"), SECONDS)
def test_of_three_urls_the_second_hides_no_other(
    written: str, found: str | None, bad: int, problem: Reason | None
) -> None:
    """XML 1.0; names of entities as in HTML, 13.5. What is not known in full is a bad link, and never asked for."""
    told = reading(MAP.format(written))

    wanted = ["/a", *([found] if found else []), "/c"]
    assert (paths(told), told.bad_links, told.problem) == (wanted, bad, problem)


BODIES: list[tuple[bytes | str, list[str] | None, Reason | None]] = [
    # bytes that are no characters
    (MAP.encode().replace(b"{}", b"http://h/\xe9"), ["/a", "/c"], BROKEN),
    (MAP.encode().replace(b"<url><loc>{}", b"\xff<url><loc>http://h/b"), ["/a", "/b", "/c"], BROKEN),
    # cut
    (SOUND[: SOUND.index("/c") + 1], ["/a", "/b"], BROKEN),
    (SOUND.removesuffix("</urlset>"), ["/a", "/b", "/c"], BROKEN),
    (SOUND[: SOUND.index("<loc>http://h/c") + 3], ["/a", "/b"], BROKEN),
    (SOUND + "<!-- never closed", ["/a", "/b", "/c"], BROKEN),
    # tags that do not match
    (SOUND.replace("b</loc>", "b"), ["/a", "/c"], BROKEN),
    (SOUND.replace("b</loc></url>", "b"), ["/a", "/c"], BROKEN),
    (SOUND.replace("</loc></url><url><loc>http://h/c", "</LOC></url><url><loc>http://h/c"), ["/a", "/c"], BROKEN),
    (SOUND.replace("<url><loc>http://h/b", "</x><url><loc>http://h/b"), ["/a", "/b", "/c"], BROKEN),
    (SOUND.replace("b</loc></url>", "b</loc>"), ["/a", "/b", "/c"], BROKEN),
    (SOUND + "\n" + DECLARATION + SOUND.replace("h/", "h/2/"), ["/a", "/b", "/c", "/2/a", "/2/b", "/2/c"], BROKEN),
    (SOUND + "<script src='/x'></script>", ["/a", "/b", "/c"], BROKEN),
    (SOUND + "trailing <<< garbage", ["/a", "/b", "/c"], BROKEN),
    # attributes
    ("<feed><entry><link href='/a&eacute;b'/></entry></feed>", ["/a%C3%A9b"], BROKEN),
    ("<feed><entry><link href='/a?x&y'/></entry></feed>", ["/a?x&y"], BROKEN),
    ("<feed><entry><link href=/a/></entry><entry><link href='/b'/></entry></feed>", ["/b"], BROKEN),
    ("<feed><entry><link href='/a' href='/b'/></entry></feed>", ["/a"], BROKEN),
    ("<feed><entry><link disabled href='/a'/></entry></feed>", ["/a"], BROKEN),
    ("<feed><entry><link title='a<b' href='/a'/></entry><entry><link href='/b'/></entry></feed>", ["/b"], BROKEN),
    ("<feed xml:base='/&x;/'><entry><link href='a'/><link href='http://h/b'/></entry></feed>", ["/b"], BROKEN),
    # entities in what is no URL cost nothing, if HTML has them
    ("<rss><channel><item><description>a&nbsp;b</description><link>/a</link></item></channel></rss>", ["/a"], None),
    ("<rss><channel><item><description>a&x;b</description><link>/a</link></item></channel></rss>", ["/a"], BROKEN),
    ("<rss><channel><item><description>a & b</description><link>/a</link></item></channel></rss>", ["/a"], BROKEN),
    # a document type
    ("<!DOCTYPE rss SYSTEM 'x'><rss><channel><item><link>/a</link></item></channel></rss>", ["/a"], None),
    ("<!DOCTYPE rss SYSTEM 'x'><rss><channel><item><link>/a</link></channel></rss>", ["/a"], BROKEN),
    ("<!DOCTYPE rss [<!ELEMENT rss ANY>]><rss><channel><item><link>/a</link></item></channel></rss>", ["/a"], None),
    (
        "<!DOCTYPE rss [<!ENTITY copy 'x'>]><rss><item><link>/&copy;</link><link>/b</link></item></rss>",
        ["/b"],
        BROKEN,
    ),
    ('<!DOCTYPE rss [<!ENTITY a "<rss><channel><item><link>/x</link></item></channel></rss>', None, BROKEN),
    # no root at all
    ("", None, BROKEN),
    ("no XML", None, BROKEN),
    ('{"error": 1}', None, BROKEN),
    ("<!-- only a comment -->", None, BROKEN),
    ("<?xml version='1.0'?>", None, BROKEN),
    (gzip.compress(b"no XML", mtime=0), None, BROKEN),
    (b"\x1f\x8b\x08", None, Reason.DECODE_ERROR),
    # another root, of which nothing is read
    ("<soap><a href='x'/>", None, BROKEN),
    # a drawing, which is read as in a page
    ("<svg><a href='http://h/x'/>", ["/x"], BROKEN),
    # as XHTML, which forgives
    (NOTICE + DECLARATION + "<html><a href='http://h/x'>x & y</a></html>", ["/x"], None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "found", "problem"), BODIES)
def test_broken_xml_is_read_on_and_says_that_it_is_broken(
    body: bytes | str, found: list[str] | None, problem: Reason | None
) -> None:
    """XML 1.0 forgives none of it; what is read here is what somebody wrote."""
    told = reading(body)

    assert (paths(told), told.problem) == (found, problem)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<!doctype html><title>404</title><a href=/x>", "text/html"),  # a soft 404
        ("<html><script>'<rss>'</script>", "text/html"),
        ("{}", "application/json"),
        ("<svg/>", "image/svg+xml"),
        ("", "text/xml"),
        ("", None),
        (" \n", "text/plain"),
        ("# nothing", "text/plain"),
        ("words\n/relative", "text/plain"),
        (b"\x89PNG\r\n\x1a\n\0", "image/png"),
        (gzip.compress(b"words", mtime=0), "application/gzip"),
        (gzip.compress(gzip.compress(SOUND.encode(), mtime=0), mtime=0), "application/gzip"),
    ],
)
def test_what_was_listed_as_a_sitemap_and_is_none_says_so(body: bytes | str, content_type: str | None) -> None:
    """Any text is read."""
    assert reading(body, content_type, sitemap=True).problem is Reason.NOT_A_SITEMAP
    assert reading(body, content_type).problem in {None, BROKEN}


@pytest.mark.parametrize("body", ["<urlset/>", "<rss><channel/></rss>", "http://h/a\nwords"])
def test_a_sitemap_may_be_empty(body: str) -> None:
    """Its root, or one URL, makes it one."""
    assert reading(body, sitemap=True).problem is None


def test_what_is_nested_too_deep_is_cut() -> None:
    """Nothing further is read, and that is said."""
    told = reading("<urlset>" + "<x>" * 300 + "</x>" * 300 + "<url><loc>http://h/a</loc></url></urlset>")

    assert (told.links, told.links_cut) == ((), True)


PARTS = [
    *("<", "<a ", "<a '", '<a "', "</", "</a>", "<a>", "<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<?xml ", "&"),
    *("<!DOCTYPE ", "<!DOCTYPE x [", "<!doctype [<!--", "'", '"', "]", "[", ">", "<br ", "<rss a='", "&#", "\0", "&a;"),
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("front", ["", "<!DOCTYPE rss [", "<rss>", "<rss><channel><item><link>"])
def test_a_megabyte_of_anything_is_read_in_one_pass(front: str, part: str) -> None:
    """No pattern goes back: were one to, this would take minutes."""
    size = 1_000_000 // len(part)

    started = time.process_time()
    reading(front + part * size)

    assert time.process_time() - started < 20


class Events:
    """Notes what a reader tells, texts joined."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.is_guessed = False
        self.told: list[object] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Note a start."""
        self._note_text()
        self.told.append((name, attributes))

    def end(self, name: str) -> None:
        """Note an end."""
        self._note_text()
        self.told.append(name)

    def _note_text(self) -> None:
        self.told.append("".join(self.text))
        self.text.clear()


def by_expat(xml: str) -> Events | None:
    """The events of a document that is well-formed; None = it is not."""
    events = Events()
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = events.start, events.end
    parser.CharacterDataHandler = events.text.append
    try:
        parser.Parse(xml, True)
    except expat.ExpatError:
        return None
    return events


MARKUP = [
    *("<a>", "</a>", "<b c='d'>", "</b>", "<e/>", "<e f=\"g'&lt;\" h='&#65;\ti'/>", "<!-- < -- -->", "<!-- x -->"),
    *("<![CDATA[<&]]>", "<?p q?>", "text", " ", "&amp;", "&#x10FFFF;", "&", "<", ">", "]]>", "&x;", "\u00e4", "'", '"'),
    *("\x01", "<a b=c>"),
]


@given(st.lists(st.sampled_from(MARKUP), max_size=12).map("".join))
def test_the_reader_that_forgives_tells_what_expat_tells(inside: str) -> None:
    """Of what is well-formed the same events, and that it is; of what is not, that it is not, wherever text is lost."""
    xml, events = f"<r>{inside}</r>", Events()
    loose = LooseReader(events)

    loose.read(xml)

    if strict := by_expat(xml):
        assert (events.told, loose.is_broken) == (strict.told, False)
    elif "]]>" not in inside and "--" not in inside:  # these two lose nothing
        assert loose.is_broken


@given(st.text())
def test_any_text_has_a_start(text: str) -> None:
    """Within it."""
    assert 0 <= start_of(text).at <= len(text)
