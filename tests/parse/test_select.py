"""CSS selectors as Scrapy's users know them, and the text that a reader sees."""

import pytest

from crawler.core.errors import UsageError
from crawler.core.urls import parse as url
from crawler.parse.document import Document, Wants
from crawler.parse.document_reader import read
from crawler.parse.select import MAX_TEXT, MAX_VALUES, check_selector

PAGE = """<!doctype html><title>t</title>
<h1> Big <em>news</em> today </h1>
<ul><li><a href="/a" class=x>one</a><li><a href>two</a><li><a name=z> </a></ul>
<div>out<div>in</div></div>
"""


def select(css: str, html: str = PAGE) -> object:
    """Return the results of a selector."""
    document = Document(url=url("http://h/"), body=html.encode(), content_type="text/html; charset=utf-8")
    return (read(document, Wants(selectors=(("it", css),))).data or {})["it"]


@pytest.mark.parametrize(
    ("css", "values"),
    [
        ("h1", ["Big news today"]),  # its text, stripped
        ("h1::text", [" Big ", " today "]),  # its own text nodes
        ("h1 ::text", [" Big ", "news", " today "]),  # and those inside
        ("div ::text", ["out", "in"]),  # each once, though the inner one is in two
        ("a::attr(href)", ["/a", ""]),  # where they have it
        ("a::attr( href )", ["/a", ""]),
        ("a.x::attr(class)", ["x"]),
        ("a", ["one", "two", ""]),
        ("li:nth-child(2) > a, h1 em", ["news", "two"]),  # in document order
        ("title::text", ["t"]),
        ("em ::text", ["news"]),
        ("nothing", []),
        ("a:has(b)", []),
    ],
)
def test_a_selector_gives_texts(css: str, values: list[str]) -> None:
    """With ::text and ::attr(name) as in Scrapy."""
    assert select(css) == values


def test_a_pseudo_element_alone_is_of_every_element() -> None:
    """Scrapy does the same."""
    assert select("::attr(href)") == ["/a", ""]


@pytest.mark.parametrize(
    "css",
    ["", "a[", "a,,b", ">a", "a::nosuch", "a::text b", "a::attr()", "::attr(x), a", "a:nosuch", "\ud800", "p::before"],
)
def test_a_bad_selector_is_told_before_it_is_used(css: str) -> None:
    """The one who wrote it hears of it, and no page does."""
    with pytest.raises(UsageError, match="no CSS selector"):
        check_selector(css)


def test_what_a_selector_gives_is_bounded() -> None:
    """Nested matches, each with the text of all others, are not squared."""
    values = select("p", "<p>" * (MAX_VALUES + 10))

    assert isinstance(values, list)
    assert len(values) == MAX_VALUES


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b", "a\nb"),
        ("<p> a \n b\u00a0c </p>", "a b c"),
        ("a<br>b<hr>c", "a\nb\nc"),
        ("a<b>b</b>c <i>d</i>", "abc d"),  # inline
        ("<div>a</div>b<div>c</div>", "a\nb\nc"),
        ("<span><div>a</div></span>b", "a\nb"),
        ("<table><tr><td>a<td>b<tr><th>c<th>d</table>", "a b\nc d"),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "a\nb\nc"),
        ("<head><title>t</title><style>s</style></head><body>a", "a"),
        ("a<script>b</script><style>c</style><template>d</template><noscript>e</noscript>f", "af"),
        ("<iframe>a</iframe><object>b</object><video>c</video><svg><text>d</text></svg>", "d"),
        ("<!-- a -->b", "b"),
        ("<p hidden>a</p>b<p hidden=''><b>c</b></p>", "b"),
        ("<textarea>a</textarea>", "a"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("a\0b", "ab"),
        ("", ""),
        ("<p>" * 3, ""),
        ("<b>" * 100_000 + "a" + "<p>b", "a\nb"),  # however deep
        ("x" * (MAX_TEXT + 10), "x" * MAX_TEXT),
        (("x" * 999 + "<b>") * 2000, "x" * MAX_TEXT),
    ],
)
def test_the_text_is_what_a_reader_sees(html: str, text: str) -> None:
    """One line for each block."""
    document = Document(url=url("http://h/"), body=html.encode(), content_type="text/html; charset=utf-8")

    assert read(document, Wants(text=True)).text == text


def test_nothing_is_selected_that_nobody_wants() -> None:
    """Text and data cost time."""
    told = read(Document(url=url("http://h/"), body=PAGE.encode(), content_type="text/html"))

    assert (told.text, told.data) == (None, None)
