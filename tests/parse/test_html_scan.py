"""A page read without a tree says the same as the tree of lexbor; `Wants(text=True)` always reads the tree."""

import random
import re

import pytest
from msgspec.structs import replace

from crawler.parse import html_scan
from crawler.parse.document import Document, Reading, Wants
from crawler.parse.document_reader import read
from support.ways import a_request

URL = a_request("http://h/d/p.html").url
DOCUMENTS = 4000
FRAGMENTS = [
    "<a href=1>", "<a href='2'>", '<a href="3">x</a>', "<A HREF=4>", "<a/href=5>", "<a href = 6 >", "<a href>",
    '<a href="">', "<a href=>", "<a href=7/>", "<a href=a=b>", "<a href==c>", "<a href=8 href=9>", "<a =x href=10>",
    '<a class="x" href="11" title="<a href=12>">', "<a title='a > b' href=13>", '<a href="14"class="y">',
    "<a\fhref=15>", '<a href="a\nb\tc">', '<a href="\r\n16 ">', '<a href="17" rel="me nofollow">',
    "<a rel=nofollow href=18>", "</a>", '<a href="http://other/&amp;&lt;x">', '<a href="?a=1&copy=2&copy;&copy&reg">',
    "<a href='&#x80;&#0;&#1114112;&#55296'>", '<a href="mailto:x">', '<a href="http://[">', '<a href="#part">',
    '<a xlink:href="19">', "<a name=x>", '<a \'x"=y href=20>', '<a href="21" rel="x" href="22">', "<ahref=23>",
    "<a.b href=24>", '<a ="x" href="25>">', '<a b="1"="c>">', "<area href=26>",
    '<a href="&notit;&notin;&AMP&ampx;&#65x;&#xZ;&;&">', "<a href=27\u00a0x>", '<a href="ü?ü">', '<a href=x"y>',
    "<!-->", "<!--->", "<!-- <a href=30> -->", "<!-- --!>", "<!--", "-->", "<!x <a href=31>>", "<?y <a href=32>?>",
    "</ <a href=33>>", "</>", "<>", "< a href=34>", "<", "a > b", "<![CDATA[ <a href=35> ]]>", "<!doctype html>",
    '<!DOCTYPE x "><a href=36>">', "<!-", "<script>", "</script>", "<script src=37>", "<script>'<a href=38>'</script>",
    "<script><!--<script></script>-->", "<style>", "<style><a href=39></style>", "</style>",
    "<textarea><a href=40></textarea>", "<textarea>", "</textarea >", "<iframe src=41>",
    "<iframe src=42><a href=43></iframe>", "<title>T &amp; &copy T</title>", "<title>", "</title>",
    "<TITLE>\n<a href=44></TITLE\n>", "<noscript><a href=45></noscript>", "<noscript>", "</noscript>",
    "<noscript><meta http-equiv=refresh content='1;url=46'></noscript>", "<base href=/b/>", "<base href='/c/'>",
    "<base target=x>", "<meta name=robots content='noindex, nofollow'>", "<meta name=BOT content=none>",
    "<meta http-equiv=Refresh content='0; url=47'>", "<link rel=canonical href=48>",
    "<link rel='alternate feed' href=49 imagesrcset='50 1x, 51'>", "<table>", "<tr>", "<td>", "</table>", "</td>",
    "<caption>", "<colgroup>", "<col>", "<table><a href=52><tr><td><a href=53>", "<thead>", "<form action=54>",
    "</form>", "<form action=55 method=POST>", "<form><form action=56>", "<input type=image src=57>",
    "<input type=submit>", "<button formaction=58>", "<button>", "</button>", "<select>", "</select>", "<option>",
    "<select><option value=1>x<option>y</select>", "<select><option><a href=59></select>", "<optgroup label='>'>",
    "<img src=60 srcset='61 1x, 62 2x'>", "<image src=63>", "<video src=64 poster=65>", "<svg>", "</svg>",
    "<svg><path d='M0'/></svg>", "<svg><a href=66></a></svg>", "<svg><title>S</title></svg>", "<svg/>",
    "<svg><g><title>x</svg>", "<svg><style>a > b</style><circle></svg>", "<svg><style><a href=67></style></svg>",
    "<svg><image href=68 /></svg>", "<svg><script>", "<svg viewBox=/>", "<math>", "</math>", "<template>",
    "</template>", "<template><a href=69></template>", "<template shadowrootmode=open><a href=70></template>",
    "<frameset>", "<frame src=71>", "<noframes>", "</noframes>", "<noembed><a href=72></noembed>", "<xmp>", "</xmp>",
    "<plaintext>", "<object data=73>", "<p>", "</p>", "</br>", "<br/>", "<b>", "</b>", "<i>", '<div class="a">',
    "</div>", "<div title='<a href=74>'>", '<div title="a>b">', "<div =", "<html>", "</html>", "<head>", "</head>",
    "<body>", "</body>", "<li>", "<ul>", "<dl><dt>", "<h1 id='x'>", "<nobr>", "<track src=75>", "<embed src=76>",
    "text", " ", "\n", "\r", "\0", "é", "&amp;", "&", '"', "'", "=", "/>", '<span a="b" c=\'d\' e=f g>',
    "<span x='>'>", "</span a='>'>", "</p <a href=77>>", "<a hr", '<a href="78', "<iframe srcdoc='<a href=79>'>",
    "<source srcset=80>", "<audio src=81>", "<x-y href=82>", '<p/><a href="83" />', '<p="><a href=84>">',
]  # fmt: skip


def document(body: bytes, content_type: str = "text/html; charset=utf-8") -> Document:
    """Return a page at http://h/d/p.html."""
    return Document(url=URL, body=body, content_type=content_type)


def of_tree(page: Document) -> Reading:
    """Return the reading of a tree, as if nothing but links were wanted."""
    return replace(read(page, Wants(text=True), agent="bot"), text=None, data_cut=False)


def without_order(reading: Reading) -> Reading:
    """Return the reading with its links and examples sorted: a tree moves content between the cells of a table."""
    links = tuple(sorted(reading.links or (), key=repr))
    return replace(reading, links=links, bad_examples=tuple(sorted(reading.bad_examples, key=repr)))


def assert_same(page: Document) -> None:
    """Compare both readings of a page."""
    scanned, parsed = read(page, agent="bot"), of_tree(page)
    if b"<table" in page.body:
        scanned, parsed = without_order(scanned), without_order(parsed)
    assert scanned == parsed, page.body


def is_scanned(body: bytes) -> bool:
    """Return whether this page is read without a tree."""
    try:
        html_scan.scan(body)
    except html_scan.NeedsTree:
        return False
    return True


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_a_scan_reads_each_oddity_as_a_tree_does(fragment: str) -> None:
    """In front of a link, behind one and in a head, with and without an end, each fragment has the tree's meaning."""
    for around in (
        "{}<a href=/z>z</a>",
        "<a href=/y>{}</a><a href=/z>",
        "<head>{}<title>t</title><body><p>",
        "<table><tr>{}",
    ):
        assert_same(document(around.format(fragment).encode()))


@pytest.mark.parametrize("seed", range(8))
def test_a_scan_reads_mixed_oddities_as_a_tree_does(seed: int) -> None:
    """Documents of two to twelve fragments have the meaning of their trees, and a fair part of them is scanned."""
    chance = random.Random(seed)  # noqa: S311 - the same each time
    count = 0
    for _ in range(DOCUMENTS // 8):
        body = "".join(chance.choices(FRAGMENTS, k=chance.randint(2, 12))).encode()
        count += is_scanned(body)
        assert_same(document(body))

    assert count > DOCUMENTS // 8 // 20


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252", "utf-16", "shift_jis", "utf-8"])
def test_a_scan_reads_other_encodings_as_a_tree_does(encoding: str) -> None:
    """The page is in UTF-8 by then, and a reference's query keeps the page's own encoding."""
    body = '<title>\u00b6 t</title><a href="\u00b6?\u00b6">x</a><a href=y\u00b6>'.encode(encoding)

    assert_same(document(body, f"text/html; charset={encoding}"))
    assert_same(document(body, "text/html"))


@pytest.mark.parametrize("odd", [b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xc0\xaf"])
def test_a_scan_reads_bytes_that_are_no_characters_as_a_tree_does(odd: bytes) -> None:
    """Invalid UTF-8 in a link, a title or a name is what decoding makes of it."""
    assert_same(
        document(odd + b"<a href=a" + odd + b"b><title>" + odd + b"</title><a " + odd + b"=x href='" + odd + b"'>")
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<a href=x>" * 120_000 + b"<meta name=robots content=none>",
        b"".join(b"<a href=%d>" % at for at in range(110_000)) + b"<a href=z><meta name=robots content=noindex>",
        b"<base href='http://h/" + b"b" * 8_000 + b"/'>" + b"".join(b"<a href=%d>" % at for at in range(3_000)),
    ],
    ids=["copies", "too many", "too long"],
)
def test_a_scan_keeps_the_limits_of_a_document(body: bytes) -> None:
    """Beyond the limit of links, both take the same links, and read the directives all the same."""
    assert_same(document(body))


@pytest.mark.parametrize("agent", ["bot", "Description", "og:title", "robots"])
@pytest.mark.parametrize("name", ["description", "robots", "bot", "og:title", "http-equiv"])
def test_a_robot_may_have_the_name_of_a_description(agent: str, name: str) -> None:
    """A page whose robot is called like a description is read with the tree."""
    page = document(f'<meta name="{name}" content="nofollow"><a href="x">'.encode())

    told = read(page, agent=agent).robots

    assert told == read(page, Wants(text=True), agent=agent).robots
    assert told == ({"nofollow"} if name in {"robots", agent.lower()} else set())


USUAL = [
    b"<!DOCTYPE html><html lang=en><title>T</title><link rel=stylesheet href=s.css><script src=x.js></script><p>",
    b"<form action=/s><select name=q><option value=1 selected>One</option></select><input type=submit></form><form>",
    b"<svg viewBox='0 0 1 1'><title>Menu</title><g><path d='M0 0'/></g></svg><a class=x href='/a?b=1&amp;c=2'>&copy; A",
    b"<body><!-- a comment --><noscript><img src=i.png></noscript><textarea><a href=no></textarea><iframe src=f>",
]


@pytest.mark.parametrize("body", USUAL)
def test_a_usual_page_needs_no_tree(body: bytes) -> None:
    """Forms, lists of choices and drawings of a menu are usual; the tree reads what is not."""
    assert is_scanned(body)


UNUSUAL = {
    b'<a b="': "an unusual tag",
    b"<template><a href=x></template>": "<template>",
    b"<svg><a href=x></svg>": "<svg>",
    b"<select><a href=x></select>": "<select>",
    b"<form action=a><form action=b>": "<form> in <form>",
    b"<title>a</title><title>b</title>": "several <title>",
    b"<base href=a><base href=b>": "several <base>",
    b"<button formaction=a>": "formaction or srcdoc",
    b"<script><!--<script></script>": "<script>",
    b"a\0b": "NUL",
}


@pytest.mark.parametrize(("body", "reason"), UNUSUAL.items())
def test_an_unusual_page_needs_a_tree(body: bytes, reason: str) -> None:
    """The reason is named."""
    with pytest.raises(html_scan.NeedsTree, match=re.escape(reason)):
        html_scan.scan(body)
