"""XHTML and drawings: what an HTML parser would take otherwise than XML does."""

import time

import pytest

from crawler.core.reasons import Reason
from crawler.parse.document import Reading, Wants
from crawler.parse.xhtml import as_html, sheets
from support.reading import links
from support.reading import reading as reading_of

SVG = "http://www.w3.org/2000/svg"
XHTML = "http://www.w3.org/1999/xhtml"


def reading(body: bytes | str, content_type: str = "application/xhtml+xml", *, assets: bool = False) -> Reading:
    """Return the reading of such a document."""
    return reading_of(body, content_type, Wants(assets=assets))


DRAWING = (
    f"<svg xmlns='{SVG}' xmlns:xlink='x'><style><![CDATA[a{{fill:url(/s.svg#x)}} b>c{{}}]]></style>"
    "<script href='/1.js'/><a href='x'><image href='/i.png'/></a><a xlink:href='/y'/>"
    "<use href='/u.svg#a'/><use href='#b'/></svg>"
)


@pytest.mark.parametrize("front", ["", "<?xml version='1.0' standalone='no'?>\n<!DOCTYPE svg PUBLIC '-//W3C' 'x'>\n"])
@pytest.mark.parametrize("content_type", ["image/svg+xml", "application/xml"])
def test_a_drawing_is_a_document(front: str, content_type: str) -> None:
    """SVG 2, 16.2: its links lead on; with assets, so does what it draws (5.5, 12.3) and runs."""
    plain, all_of_it = (reading(front + DRAWING, content_type, assets=assets) for assets in (False, True))

    assert [link for link in links(plain) or () if link.startswith("a ")] == ["a /d/x", "a /y"]
    found = ["a /d/x", "a /y", "img /i.png", "img /u.svg", "script /1.js", "style /s.svg"]
    assert (sorted(links(all_of_it) or ()), all_of_it.problem) == (found, None)


def test_a_drawing_in_utf_16_is_read() -> None:
    """It is read like any XML."""
    assert links(reading(f"<svg xmlns='{SVG}'><a href='x'/></svg>".encode("utf-16-le"), "image/svg+xml")) == ["a /d/x"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<svg><script href='/1.js'></script></svg>", ["script /1.js"]),
        ("<svg><script href='/1.js' xlink:href='/2.js'></script></svg>", ["script /1.js"]),  # SVG 2: href goes first
        ("<svg><g><script xlink:href='/2.js'></script></g></svg>", ["script /2.js"]),
        ("<script href='/1.js'></script>", []),
        ("<svg><foreignObject><p><script href='/1.js'></script></p></foreignObject></svg>", []),
    ],
)
def test_a_script_of_a_drawing_has_an_href(body: str, found: list[str]) -> None:
    """SVG 2, 16.3; that of HTML has none."""
    assert links(reading(body, "text/html", assets=True)) == found


@pytest.mark.parametrize(
    "element",
    [
        "<template id='t'/>",
        "<plaintext/>",
        "<plaintext>x</plaintext>",
        "<select/>",
        "<form/>",
        "<noembed/>",
        "<xmp a='/'/>",
    ],
)
def test_an_element_that_is_closed_at_once_hides_nothing(element: str) -> None:
    """XML 1.0, 3.1; to an HTML parser it stays open."""
    body = f"<html xmlns='{XHTML}'><body>{element}<form action='/f'></form><a href='/x'>x</a></body></html>"

    assert links(reading(body)) == ["form /f", "a /x"]


@pytest.mark.parametrize("content_type", ["application/xhtml+xml", "application/xml", "text/xml"])
@pytest.mark.parametrize("prefix", ["h", "html", "x-1.y"])
def test_elements_are_known_by_their_namespace(prefix: str, content_type: str) -> None:
    """Namespaces in XML 1.0, 4: the prefix is anybody's choice."""
    p = prefix
    body = f"<{p}:html xmlns:{p}='{XHTML}'><{p}:body><{p}:a href='x'>x</{p}:a><{p}:img src='/i'/></{p}:body></{p}:html>"

    assert links(reading(body, content_type)) == ["a /d/x", "img /i"]


def test_a_drawing_with_a_prefix_is_one() -> None:
    """Inkscape writes such."""
    body = f"<svg:svg xmlns:svg='{SVG}'><svg:a href='x'><svg:image href='/i'/></svg:a></svg:svg>"

    assert links(reading(body, "image/svg+xml", assets=True)) == ["a /d/x", "img /i"]


def test_the_prefix_of_another_namespace_stays() -> None:
    """Its elements are none of HTML."""
    assert links(reading(f"<html xmlns='{XHTML}' xmlns:o='urn:o'><o:a href='x'/></html>")) == []


@pytest.mark.parametrize(
    ("front", "found"),
    [
        ("<?xml-stylesheet href='/s.css'?>", ["stylesheet /s.css"]),
        ('<?xml version="1.0"?>\n<?xml-stylesheet type="text/css" href="s.css?a&amp;b"?>', ["stylesheet /d/s.css?a&b"]),
        ("<?xml-stylesheet href='/1'?><?xml-stylesheet href='/2'?>", ["stylesheet /1", "stylesheet /2"]),
        ("<!-- <?xml-stylesheet href='/1'?> -->", []),
        ("<?xml-stylesheet title='href'?>", []),
    ],
)
def test_an_instruction_names_a_style_sheet(front: str, found: list[str]) -> None:
    """Associating Style Sheets with XML documents, 4: in front of the root, and only with assets."""
    root = f"<html xmlns='{XHTML}'><body><?xml-stylesheet href='/no'?></body></html>"

    assert links(reading(front + root, assets=True)) == found
    assert links(reading(front + root)) == []


@pytest.mark.parametrize(
    ("subset", "body", "found", "problem"),
    [
        ("<!ENTITY foo '/x'>", "<a href='&foo;'>x</a><a href='/y'>y</a>", ["a /y"], Reason.XML_ERROR),
        ("<!ENTITY foo '/x'>", "<a href='http://h/&foo;/z'>x</a>", [], Reason.XML_ERROR),
        ("<!ENTITY nav \"<a href='/x'>x</a>\">", "&nav;<a href='/y'>y</a>", ["a /y"], Reason.XML_ERROR),
        ("<!ENTITY foo '/x'>", "<a href='/y?a&amp;b'>&nbsp;</a>", ["a /y?a&b"], None),
        ("<!ENTITY ns 'urn:x'>", "<g xmlns:i='&ns;'><a href='/y'>y</a></g>", ["a /y"], None),  # no link is lost
        ("<!ENTITY copy '/x'>", "<a href='&copy;'>x</a>", [], Reason.XML_ERROR),  # it has another meaning here
    ],
)
@pytest.mark.parametrize(("root", "content_type"), [("html", "application/xhtml+xml"), ("svg", "image/svg+xml")])
def test_what_a_declared_entity_stands_for_is_not_known(
    subset: str, body: str, found: list[str], problem: Reason | None, root: str, content_type: str
) -> None:
    """A URL of which it is a part is a bad one, and the document says that something is missing (XML 1.0, 4.4)."""
    told = reading(f"<!DOCTYPE {root} [{subset}]><{root}>{body}</{root}>", content_type)

    if root == "svg" and "&nbsp;" in body:
        problem = Reason.XML_ERROR  # of XML, HTML's names are none
    assert (links(told), told.problem) == (found, problem)


@pytest.mark.parametrize(
    "part",
    ["xmlns", "xmlns:a=", "&a", "&a;", "<!ENTITY a", "<plaintext", "<select ", "<form/>", "<?xml-stylesheet ", "<!--"],
)
def test_a_megabyte_of_anything_is_turned_in_one_pass(part: str) -> None:
    """No pattern goes back."""
    started = time.process_time()
    body = b"<!ENTITY a 'b'>" + part.encode() * (1_000_000 // len(part))
    as_html(body)
    sheets(body)

    assert time.process_time() - started < 1
