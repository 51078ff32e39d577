"""Documents of every kind, and the cost of the worst of them."""

import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.reasons import Reason
from crawler.core.urls import parse as url
from crawler.core.visits import BadLink
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read
from crawler.parse.links import LISTED, NAVIGATION, LinkKind
from crawler.parse.references import MAX_LINKS
from support.reading import reading as reading_of

EVERYTHING = Wants(text=True, selectors=(("links", "a::attr(href)"), ("texts", "p ::text")))


def reading(body: bytes, content_type: str | None = "text/html", wants: Wants = EVERYTHING) -> Reading:
    """Return the reading of such a document."""
    return reading_of(body, content_type, wants, at="http://h/d/")


def travelled(fact: object) -> object:
    """The fact as another process has it."""
    return pickle.loads(pickle.dumps(fact))  # noqa: S301, TID251 - that it can be done is the point


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


@pytest.mark.parametrize(
    ("content_type", "body", "charset", "text"),
    [
        ("text/plain; charset=latin1", b"\xe4", "windows-1252", "\u00e4"),
        ("text/plain", b"\xe4 ", "windows-1252", "\u00e4 "),
        ("application/json", "\u00e4".encode(), "utf-8", "\u00e4"),
        ("image/png", PNG, None, None),
        ("text/xml", b"<x>a</x>", "utf-8", None),
    ],
)
def test_what_is_no_page_has_no_links(content_type: str, body: bytes, charset: str | None, text: str | None) -> None:
    """It is not that it has none: it cannot have any."""
    assert reading(body, content_type) == Reading(charset=charset, text=text)


def test_bad_references_are_counted_and_the_first_are_shown() -> None:
    """Schemes that are not fetched are counted apart: they are no mistake."""
    told = reading(
        b"<a href='http://a b/'><a href='http://a b/#x'><a href=mailto:a@b><a href='javascript:x'><a href=//h:25>"
        + b"<a href='/%s'><a href='data:,%s'>" % (b"x" * 9000, b"x" * 9000)
        + b"".join(b"<a href='http://[%d'>" % at for at in range(100))
    )

    assert (told.links, told.bad_links, told.ignored_links, len(told.bad_examples)) == ((), 103, 3, 100)
    assert told.bad_examples[:3] == (
        BadLink(text="http://a b/", reason=Reason.NOT_A_URL),
        BadLink(text="//h:25", reason=Reason.BLOCKED_PORT),
        BadLink(text="/" + "x" * 199, reason=Reason.URL_TOO_LONG),
    )


def test_relative_references_under_a_base_that_is_not_fetched_are_bad() -> None:
    """They lead nowhere, and are not taken for the page's own neighbours."""
    told = reading(b"<base href='file:///C:/'><a href=x><a href=mailto:y>")

    assert (told.links, [bad.reason for bad in told.bad_examples], told.ignored_links) == ((), [Reason.RELATIVE_URL], 1)


DEEP = 20_000

MONSTERS: list[tuple[Callable[[], bytes], int | None]] = [
    (lambda: b"<p>" + b"x" * 60_000_000, 0),
    (lambda: b"<a href='" + b"x" * 60_000_000 + b"'>", 0),
    (lambda: b"<title>" + b"x " * 5_000_000, 0),
    (lambda: b"\0" * 10_000_000, 0),
    (lambda: random.Random(1).randbytes(5_000_000), None),  # noqa: S311 - the same each time
    (lambda: b"<" * 5_000_000, 0),
    (lambda: b"<!--" * 5_000_000, 0),
    (lambda: b"&amp;" * 5_000_000, 0),
    (lambda: b"<div>" * DEEP + b"<a href=x>", 1),
    (lambda: b"<span>" * 1_000_000 + b"<a href=x>", 1),
    (lambda: b"<template>" * 100_000 + b"<a href=x>", 0),
    (lambda: b"<p><template shadowrootmode=open>" * 100_000 + b"<a href=x>", 1),
    (lambda: b"<svg>" + b"<base href=x>" * 100_000 + b"<g><a href=x>", 1),
    (lambda: b"<table>" * 100_000 + b"<a href=x>", 1),
    (lambda: b"<svg><foreignObject>" * 100_000 + b"<a href=x>", 1),
    (lambda: b"<form action=x>" * 100_000, 1),
    (lambda: b"<form><button formaction=x>" * 100_000, 1),
    (lambda: b"<form>" + b"<div>" * 10_000 + b"<button formaction=x></button>" * 10_000, 0),  # its form is too far
    (lambda: b"<form id=f></form>" + b"<button form=f formaction=x></button>" * 100_000, 1),
    (lambda: b"<iframe srcdoc='<a href=x>'></iframe>" * 20_000, 1),
    (lambda: b"<iframe srcdoc='" + b"<a href=x>" * 500_000 + b"'></iframe>", 1),
    (lambda: b"<img srcset='" + b"a (" * 1_000_000 + b"'>", 0),
    (lambda: b"".join(b"<b id=%d>" % at for at in range(2000)) + b"<p><a href=x>" * 10, 1),
    (lambda: b"<a " + b" ".join(b"a%d=1" % at for at in range(10_000)) + b" href=x>", 1),
    (lambda: b"<a href=x " + b"a=1 " * 1_000_000 + b">", 1),
    (lambda: b"<img srcset='" + b"a, " * 5_000_000 + b"'>", 1),
    (lambda: b"<meta http-equiv=refresh content='" + b"1" * 5_000_000 + b"x'>", 0),
    (lambda: b"<meta name=robots content='" + b"a," * 5_000_000 + b"'>", 0),
    (lambda: b"<a href=x></a>" * 1_000_000, 1),
]


@pytest.mark.parametrize(("body", "count"), MONSTERS)
def test_a_monstrous_page_is_read_like_any_other(body: Callable[[], bytes], count: int | None) -> None:
    """A page may be of any size, depth or malformation."""
    told = reading(body(), wants=Wants())

    assert told.links is not None
    assert count is None or len(told.links) == count


def test_short_references_to_a_long_base_are_bounded_too() -> None:
    """Ten thousand links of a few bytes each would be URLs of eighty megabytes: the first ones are kept."""
    page = b"<base href='/" + b"x" * 8000 + b"/'>" + b"".join(b"<a href=%d>" % number for number in range(10_000))

    told = reading(page, wants=Wants())

    assert told.links_cut
    assert 15_900_000 < sum(len(link.url.href) for link in told.links or ()) < 16_100_000


def test_of_five_million_links_the_first_are_kept() -> None:
    """The page says so, and what it tells robots at its very end is heard."""
    body = b"".join(b"<area/href=%x>" % at for at in range(5_000_000)) + b"<meta name=robots content=nofollow>"

    told = reading(body, wants=Wants())

    assert (len(told.links or ()), told.links_cut, told.robots) == (MAX_LINKS, True, frozenset({"nofollow"}))
    assert [link.url.target for link in (told.links or ())[:3]] == ["/d/0", "/d/1", "/d/2"]


def test_bad_links_without_end_are_bounded_too() -> None:
    """Each different one is remembered, so that it is counted once."""
    told = reading(b"".join(b"<a/href=//[%x>" % at for at in range(MAX_LINKS + 1)), wants=Wants())

    assert (told.links, told.bad_links, told.links_cut) == ((), MAX_LINKS, True)


def test_documents_in_documents_are_bounded() -> None:
    """Ten deep, and ten thousand of a page; what is left out is said."""
    page = "<a href=end>"
    for at in range(12):
        page = f"<a href={at}><iframe srcdoc='{escape(page, quote=True)}'></iframe>"

    nested, many = reading(page.encode()), reading(b"<iframe srcdoc='<a href=x>'></iframe>" * 10_001)

    assert [link.url.target for link in nested.links or ()] == [f"/d/{at}" for at in range(11, 0, -1)]
    assert (nested.links_cut, many.links_cut) == (True, True)
    assert not reading(b"<iframe srcdoc='<a href=x>'></iframe>" * 10_000).links_cut


def test_a_srcset_of_too_many_candidates_says_so() -> None:
    """The first thousand are links, and so is what stands behind."""
    told = reading(b"<img srcset='%s'><a href=y>" % b", ".join(b"%d %dw" % (at, at + 1) for at in range(1001)))

    assert (len(told.links or ()), told.links_cut) == (1001, True)


TEXT = Wants(text=True)


def test_text_that_is_too_long_says_so() -> None:
    """The first million characters are kept."""
    cut = reading(b"<b>" + b"x" * 1_000_001, wants=TEXT), reading(b"x" * 1_000_001, "text/plain", TEXT)
    whole = reading(b"<b>" + b"x" * 1_000_000, wants=TEXT), reading(b"x" * 1_000_000, "text/plain", TEXT)

    assert [(len(told.text or ""), told.data_cut) for told in cut] == [(1_000_000, True)] * 2
    assert [(len(told.text or ""), told.data_cut) for told in whole] == [(1_000_000, False)] * 2


@pytest.mark.parametrize(
    ("body", "is_cut"),
    [
        (b"<i>x" * 10_000, False),
        (b"<i></i>" * 10_001, True),
        (b"<i>" + b"x" * 100_000, False),
        (b"<i>" + b"x" * 100_001, True),
    ],
    ids=["as many as are taken", "one value more", "as long as is taken", "one character more"],
)
def test_data_that_is_cut_says_so(body: bytes, is_cut: bool) -> None:
    """In number and in length."""
    assert (
        reading(body, wants=Wants(selectors=(("texts", "i::text"),) if b"x" in body else (("texts", "i"),))).data_cut
        == is_cut
    )


NARROW = """
import resource
from crawler.core.urls import parse
from crawler.parse.document_reader import Document, read
body = b"<a href=x></a>" * 1_000_000
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 50_000_000, mapped + 50_000_000))
try:
    read(Document(url=parse("http://h/"), body=body, content_type="text/html"))
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's address space")
def test_a_page_whose_tree_does_not_fit_is_out_of_memory() -> None:
    """So that whoever runs it knows the reason."""
    assert subprocess.check_output([sys.executable, "-c", NARROW], text=True) == "MemoryError\n"


@given(
    st.binary(max_size=500),
    st.sampled_from([None, "text/html", "text/xml", "application/xhtml+xml", "application/gzip"]),
)
def test_any_bytes_are_read_and_always_alike(body: bytes, content_type: str | None) -> None:
    """Nothing raises, and the same bytes tell the same."""
    told = reading(body, content_type)

    assert told == reading(body, content_type)
    assert travelled(told) == told


PIECES = [
    *(
        "<a href=",
        "<base href=",
        "<img srcset=",
        "<link rel=alternate href=",
        "<svg>",
        "<template>",
        "<title>",
        "<table>",
    ),
    *("<rss>", "<item><link>", "</link>", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml ?>", ">", "/>", "'", '"'),
    *("http://h/", "//", "#", "?", ":", "%", "[", "\\", "\0", "\ud7ff", "x", " ", ",", "2x", "&amp;", "&#xD800;", "@"),
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
    st.sampled_from(["text/html", "text/xml", "application/xhtml+xml"]),
)
def test_any_markup_is_read_and_every_link_is_a_url(markup: str, content_type: str) -> None:
    """Each link can be asked for: its URL is the only spelling of itself."""
    told = reading(markup.encode(), content_type)

    assert all(url(link.url.href) == link.url for link in told.links or ())
    assert len(set(told.links or ())) == len(told.links or ())


def test_what_goes_in_and_out_travels() -> None:
    """Between processes, with nothing lost."""
    document = Document(
        url=url("http://h/"), body=b"<a href=x rel=nofollow><a href='//[x'><title>t", content_type="text/html"
    )
    told = read(document, EVERYTHING)

    assert travelled((document, EVERYTHING, told)) == (document, EVERYTHING, told)


def test_a_kind_is_followed_for_one_reason_at_most() -> None:
    """A kind is followed as a page or as an entry of a list, and never as both."""
    assert not NAVIGATION & LISTED
    assert "a" in NAVIGATION
    assert {"a", "img"} & set(LinkKind) == {"a", "img"}  # a kind is found by its value, too


LIGHT = """
import sys
import crawler.parse.document_reader, crawler.runtime.malloc
print(sorted({"aiohttp", "asyncio", "ssl", "socket", "multiprocessing", "uvloop"} & set(sys.modules)))
"""


def test_a_worker_stays_light() -> None:
    """Readers of documents import nothing of the fetchers."""
    assert subprocess.check_output([sys.executable, "-c", LIGHT], text=True) == "[]\n"


FAULTS = """
import resource
from crawler.core.urls import parse
from crawler.parse.document import Document, Wants
from crawler.parse.document_reader import read
from crawler.runtime.malloc import keep_warm
# Of several sizes: whether one alone makes faults depends on what happens to lie behind it in the heap.
bodies = [b"<p><a href=x>y</a>" * paragraphs for paragraphs in (2000, 3000, 4000, 6000)]
documents = [Document(url=parse("http://h/"), body=body, content_type="text/html") for body in bodies]
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for document in documents * 4:
        read(document, Wants(text=True))  # a tree takes most memory
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
cold = faults()
keep_warm()
faults()
print(cold, faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep memory in their own ways")
def test_a_prepared_worker_keeps_its_memory_warm() -> None:
    """One page's memory is the next one's, without a detour through the kernel."""
    cold, warm = map(int, subprocess.check_output([sys.executable, "-c", FAULTS], text=True).split())

    assert warm * 10 < cold
