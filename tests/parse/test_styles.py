"""The files that style sheets, styles and drawings load: only a crawl with assets asks for it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.css import Reference, sheet_references, style_references
from crawler.parse.document import Reading, Wants
from support.reading import links
from support.reading import reading as reading_of


def reading(body: bytes | str, content_type: str = "text/html; charset=utf-8", *, assets: bool = True) -> Reading:
    """Return the reading of such a document."""
    return reading_of(body, content_type, Wants(assets=assets))


SHEETS = [
    ("", []),
    ("a { b: url(x) }", ["x"]),
    ("a{b:url( x )}", ["x"]),
    ("a{b:URL(x)}", ["x"]),
    ("a{b:url('x')}", ["x"]),
    ('a{b:url( "x y" )}', ["x y"]),
    ("a{b:url(x),url(y) no-repeat}", ["x", "y"]),
    ("a{b:src('x')}", ["x"]),
    ("a{--b:url(x)}", ["x"]),
    ("@font-face{src:local('F'),url(f.woff2) format('woff2'),url(f.ttf)}", ["f.woff2", "f.ttf"]),
    ("a{b:image-set('x' 1x type('image/png'), url(y) 2x)}", ["x", "y"]),
    ("a{b:-webkit-image-set(url(x) 1x)}", ["x"]),
    ("@media print{a{b:url(x)}}", ["x"]),
    ("<!-- a{b:url(x)} -->", ["x"]),  # those are nothing in CSS
    # comments
    ("/* url(x) */ a{b:url(y)}", ["y"]),
    ("a{b:url(/*x*/)}", ["/*x*/"]),  # no comment within an unquoted url
    ("/* url(x)", []),
    ("a/**/b{c:/*'*/url(x)/*'*/}", ["x"]),
    # strings
    ("a{content:'url(x)'}", []),
    ('a{content:"it\'s";b:url(x)}', ["x"]),
    ("a{content:'\\'';b:url(x)}", ["x"]),
    ("a{b:url('a\\\nb')}", ["ab"]),  # an escaped line end is none
    ("a{b:url('x\n)}c{d:url(y)}", ["y"]),  # a line end breaks a string
    ("a{b:url('x", ["x"]),  # the end of the sheet ends everything
    ("a{b:url(x", ["x"]),
    # escapes
    ("a{b:url(a\\)b)}", ["a)b"]),
    ("a{b:url(\\000041 b)}", ["Ab"]),
    ("a{b:url(\\41\\42)}", ["AB"]),
    ("a{b:url(x\\0)}", ["x\ufffd"]),
    ("a{b:\\75 rl(x)}", ["x"]),
    ("a{b:u\\72l('x')}", ["x"]),
    ("\\@import 'x';", []),
    # other functions and tokens
    ("a{b:my-url(x) url-x(x) 1url(x) #url(x)}", []),
    ("@url(x){}", []),
    ("a{b:xurl(x)}", []),
    ("a{b:attr(data-x url)}", []),
    # bad urls end at the next bracket
    ("a{b:url(x y);c:url(z)}", ["z"]),
    ("a{b:url(x'y);c:url(z)}", ["z"]),
    ("a{b:url(x(y);c:url(z)}", ["z"]),
    ("a{b:url(x\\\ny);c:url(z)}", ["z"]),
    ("a{b:url(x y\\)z);c:url(z)}", ["z"]),
    ("a{b:url('x' 'y')}", ["x"]),
    # no place of its own
    ("a{b:url(#x) url('#y') url() url('') url(' ')}", []),
    ("@namespace url(http://n/);@namespace s 'http://n/';a{b:url(x)}", ["x"]),
    ("@charset 'utf-8';", []),
    # other sheets
    ("@import 'x';", ["import x"]),
    ("@IMPORT url(x) screen;", ["import x"]),
    ("@import/**/url('x')layer(a) supports(b:c);a{d:url(y)}", ["import x", "y"]),
    ("@charset 'utf-8';@layer a;@import 'x';@import 'y';", ["import x", "import y"]),
    ("a{}@import 'x';", []),  # too late
    ("@media x{@import 'x';}", []),
    ("@import x 'y';", []),
    ("@import-x 'y';", []),
]


@pytest.mark.parametrize(("css", "expected"), SHEETS)
def test_a_style_sheet_loads_what_its_tokens_say(css: str, expected: list[str]) -> None:
    """CSS Syntax 3, 4.3; CSS Values 4, 4.5; CSS Cascade 5, 2."""
    assert [f"import {found}" if is_import else found for found, is_import in sheet_references(css)] == expected


def test_a_style_attribute_imports_nothing() -> None:
    """It is a list of declarations (CSS Style Attributes)."""
    assert list(style_references("@import 'x'; a:url(y)")) == [Reference("y")]


CSS = [
    *(
        "a",
        "\\",
        "\\61",
        "(",
        "url(",
        "url('",
        "'",
        '"',
        "'\n",
        "@",
        "/*",
        "/",
        "#",
        "url(x",
        "url(x)",
        "{",
        "-",
        "url(\\",
    ),
    *("\u00e9", "@import ", "a(", "image-set('x'", " ", "*/", ";", ")", "\0", "<!--", "url( "),
]


@pytest.mark.parametrize("part", CSS)
@pytest.mark.parametrize("front", ["", "a{b:url(", "a{b:url('", "/*", "@import "])
def test_a_megabyte_of_anything_is_read_in_one_pass(front: str, part: str) -> None:
    """No pattern goes back: were one to, this would take minutes."""
    started = time.process_time()

    for _ in sheet_references(front + part * (1_000_000 // len(part))):
        pass

    assert time.process_time() - started < 20


@given(st.lists(st.sampled_from(CSS), max_size=20).map("".join))
def test_any_text_is_a_style_sheet(css: str) -> None:
    """It has references or none, and each is something."""
    assert all(reference.url for reference in sheet_references(css))


DOCUMENTS: list[tuple[bytes | str, str, list[str] | None]] = [
    ("@import 'a.css';b{c:url(/d)}", "text/css", ["stylesheet /d/a.css", "style /d"]),
    ("a{b:url(x)}a{b:url(x)}", "text/css", ["style /d/x"]),
    ("a{b:url(data:image/png;base64,AAA=)}", "text/css", []),
    ("a{b:url('\u00e4?\u00e4')}".encode("cp1252"), "text/css; charset=latin1", ["style /d/%C3%A4?%C3%A4"]),
    (b'@charset "windows-1251";a{b:url(\xe4)}', "text/css", ["style /d/%D0%B4"]),  # CSS Syntax 3, 3.2
    (b'@charset "windows-1251";a{b:url(\xe4)}', "text/css; charset=latin1", ["style /d/%C3%A4"]),
    (b'@charset "utf-16";a{b:url(\xc3\xa4)}', "text/css", ["style /d/%C3%A4"]),
    ("\ufeffa{b:url(x)}".encode("utf-16"), "text/css", ["style /d/x"]),
    ("<style>@import 'x';a{b:url(y)}</style>", "text/html", ["stylesheet /d/x", "style /d/y"]),
    ("<style type=text/css>a{b:url(y)}</style><style type=text/less>a{b:url(x)}</style>", "text/html", ["style /d/y"]),
    ("<base href=/b/><style>a{b:url(y)}</style>", "text/html", ["style /b/y"]),
    ("<template><style>a{b:url(y)}</style></template>", "text/html", []),
    ("<p style='a:url(x)'><i style=\"b:url(&quot;y&quot;)\">", "text/html", ["style /d/x", "style /d/y"]),
    ("<a href=x style='a:url(y)'>", "text/html", ["a /d/x", "style /d/y"]),
    ("<p title='url(x)' style='color:red'>", "text/html", []),
    ("<svg><style>a{b:url(y)}</style></svg>", "text/html", ["style /d/y"]),
    ("<svg><image href=x /><image xlink:href=y /><image xlink:href=a href=z /></svg>", "text/html",
     ["img /d/x", "img /d/y", "img /d/z"]),
    ("<svg><filter><feImage href=x /></filter></svg>", "text/html", ["img /d/x"]),
    ("<svg><use href='x.svg#a'/><use xlink:href='y.svg#b'/><use href='#c'/></svg>", "text/html",
     ["img /d/x.svg", "img /d/y.svg"]),
    ("<svg><script xlink:href=x /></svg>", "text/html", ["script /d/x"]),
    ("<svg><rect fill='url(x.svg#a)' filter='url(#b)'/></svg>", "text/html", ["style /d/x.svg"]),
    ("<body background=x><table background=y><tr background=z><td background=a><th background=' '>", "text/html",
     ["img /d/x", "img /d/y", "img /d/z", "img /d/a"]),
    ("<div background=x>", "text/html", []),
    ("<iframe srcdoc='<p style=a:url(x)>'></iframe>", "text/html", ["style /d/x"]),
    ("<img src=x>", "text/html", ["img /d/x"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "content_type", "expected"), DOCUMENTS)
def test_what_a_page_is_shown_with_is_found(body: bytes | str, content_type: str, expected: list[str] | None) -> None:
    """HTML, 15.3; SVG 2, 5 and 6; a style sheet resolves against its own URL."""
    assert links(reading(body, content_type)) == expected


def test_an_ordinary_crawl_reads_no_style() -> None:
    """A style sheet is text to it, and can have no links."""
    assert links(reading("a{b:url(x)}", "text/css", assets=False)) is None
    assert links(reading("<body background=x style='a:url(y)'><style>a{b:url(z)}</style>", assets=False)) == []


def test_of_a_sheet_with_too_many_references_the_first_are_kept() -> None:
    """And that is said."""
    told = reading("".join(f"url({at})" for at in range(100_001)), "text/css")

    assert (len(told.links or ()), told.links_cut) == (100_000, True)
