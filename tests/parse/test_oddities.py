"""Oddities of real pages, read as a browser without scripts reads them."""

import pytest

from crawler.parse.document import Reading
from support.reading import links
from support.reading import reading as reading_of

PAGE = "http://h/d/p.html?q=1"
HTML = "text/html; charset=utf-8"


def reading(body: bytes | str, content_type: str | None = HTML) -> Reading:
    """Return the reading of such a document."""
    return reading_of(body, content_type, at=PAGE)


HREFS = [
    ("x", "/d/x"),
    ("  x\n", "/d/x"),  # white space around it
    ("\u00a0x", "/d/%C2%A0x"),  # but only ASCII white space
    ("a\tb\r\nc", "/d/abc"),  # tabs and line ends within, as wrapped by an editor
    ("a b", "/d/a%20b"),  # spaces within
    ("a b #c", "/d/a%20b%20"),  # a space before a fragment is part of the path
    ("x #", "/d/x%20"),
    ("/x", "/x"),
    ("//other/x", "http://other/x"),  # protocol-relative
    ("//h", "/"),
    ("\\\\other\\x", "http://other/x"),  # backslashes
    ("..\\x", "/x"),
    ("?a=b", "/d/p.html?a=b"),  # only a query
    ("?", "/d/p.html?"),
    ("#part", "/d/p.html?q=1"),  # only a fragment: the page itself
    ("", "/d/p.html?q=1"),
    (".", "/d/"),
    ("../../../x", "/x"),
    ("./x/../y", "/d/y"),
    ("x;v=1", "/d/x;v=1"),
    ("%7ex/%e4%E4%2f%25", "/d/%7ex/%e4%E4%2f%25"),  # percent-encoded bytes stay as they are written
    ("100%", "/d/100%"),
    ("%2e%2e/x", "/x"),  # dots in disguise
    ("http:x", "/d/x"),  # the scheme of the base and no slashes
    ("http:/x", "/x"),
    ("http:///other/x", "http://other/x"),
    ("HTTPS://Other:443/X", "https://other/X"),
    ("http://other:8080", "http://other:8080/"),
    ("http://user:secret@other/x", "http://other/x"),  # credentials are dropped
    ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),  # IDN
    ("http://\u2460\u2461\u2466.1/", "http://127.0.0.1/"),  # circled digits
    ("http://[::1]/x", "http://[::1]/x"),
    ("a&amp;b", "/d/a&b"),  # entities
    ("?a=1&copy=2", "/d/p.html?a=1&copy=2"),  # no entity, since = follows
    ("?a=1&copy;=2", "/d/p.html?a=1%C2%A9=2"),
    ("&#x2F;x", "/x"),
    ("x&#10;y", "/d/xy"),  # a line end as an entity is one
    ("&#xD800;", "/d/%EF%BF%BD"),  # a lone surrogate
    ("&#x110000;", "/d/%EF%BF%BD"),  # beyond Unicode
    ("&#0;", "/d/%EF%BF%BD"),
    ("&#128;", "/d/%E2%82%AC"),  # windows-1252 in disguise
    ("&notanentity;", "/d/&notanentity;"),
    ("a\0b", "/d/a%EF%BF%BDb"),  # a null byte within
    ("\x01x", "/d/x"),  # control characters in front
    ("x\x7f", "/d/x%7F"),
    ("a'b", "/d/a'b"),
    ("a<b>c", "/d/a%3Cb%3Ec"),
    ("a`{|}b", "/d/a%60%7B|%7Db"),
    ("x?'", "/d/x?%27"),
    ('x" id="y', "/d/x"),  # the attribute ends at the quote
    ("javascript:alert(1)", None),
    (" JavaScript:void(0)", None),
    ("java\nscript:alert(1)", None),
    ("mailto:a@b", None),
    ("tel:+123", None),
    ("data:text/html,<a href=x>", None),
    ("data:," + "x" * 9000, None),  # however long
    ("ftp://other/", None),
    ("about:blank", None),
    ("blob:http://h/1", None),
    ("http://", None),  # no host
    ("http://a b/", None),
    ("http://h:99999/", None),
    ("http://h:25/", None),  # a port that is never asked
    ("/" + "x" * 9000, None),  # too long
]


@pytest.mark.parametrize(("href", "expected"), HREFS)
def test_an_href_leads_where_a_browser_would_go(href: str, expected: str | None) -> None:
    """The value of the attribute, as it stands between double quotes."""
    told = reading(f'<a href="{href}">x</a>')

    assert links(told) == ([] if expected is None else [f"a {expected}"])


MARKUP: list[tuple[str, list[str]]] = [
    # attributes
    ("<a href=x/y>", ["a /d/x/y"]),  # unquoted
    ("<a href=x/>", ["a /d/x/"]),  # unquoted, the slash belongs to it
    ("<a href=x>y", ["a /d/x"]),  # never closed
    ("<A HREF='x'>", ["a /d/x"]),
    ("<a href = x>", ["a /d/x"]),
    ("<a\nhref\n=\n'x'>", ["a /d/x"]),
    ("<a/href=x>", ["a /d/x"]),
    ("<a title='>' href=x>", ["a /d/x"]),
    ("<a href=x href=y>", ["a /d/x"]),  # the first of two
    ("<a href>", ["a /d/p.html?q=1"]),  # empty: the page itself
    ("<a>", []),
    ("<a name=x>", []),
    ("<a href=x\x00y>", ["a /d/x%EF%BF%BDy"]),
    ("<a href='x", []),  # a tag that never ends is none
    ("<a href=x", []),
    ("<a href=x><a href=x><a href=x#y>", ["a /d/x"]),  # one place is one link
    ("<a href=x><area href=x>", ["a /d/x", "area /d/x"]),  # in two ways: two
    ("<a href=x><a href=x rel=nofollow>", ["a /d/x", "a /d/x nofollow"]),
    ("<a href=x rel='external NoFollow'>", ["a /d/x nofollow"]),
    ("<a href=x rel=nofollowed>", ["a /d/x"]),
    ("<a href=x rel>", ["a /d/x"]),
    ("<area href=x rel=nofollow>", ["area /d/x nofollow"]),
    ("<map><area href=x></map>", ["area /d/x"]),
    # what is no markup
    ("<!-- <a href=x> -->", []),
    ("<!-- > <a href=x> -->", []),
    ("<!--><a href=x>", ["a /d/x"]),  # the shortest comment
    ("<!--- --!><a href=x>", ["a /d/x"]),  # a comment can end so
    ("<!-- <a href=x>", []),  # a comment to the end
    ("<script>'<a href=x>'</script>", []),
    ("<script><!-- <script> </script> <a href=x> --></script>", []),  # a script within a comment within a script
    ("<style><a href=x></style>", []),
    ("<title><a href=x></title>", []),
    ("<textarea><a href=x></textarea>", []),
    ("<xmp><a href=x></xmp>", []),
    ("<iframe><a href=x></iframe>", []),
    ("<noembed><a href=x></noembed>", []),
    ("<plaintext><a href=x>", []),
    ("<template><a href=x></template>", []),  # inert
    ("<p><template shadowrootmode=open><a href=x></template><a href=y>", ["a /d/x", "a /d/y"]),  # a part of the page
    (
        "<p><template shadowrootmode=Closed><p><template shadowrootmode=open><a href=x></template><a href=y>",
        ["a /d/x", "a /d/y"],
    ),
    ("<p><template shadowrootmode=what><a href=x></template>", []),
    ("<template><p><template shadowrootmode=open><a href=x></template></template>", []),  # inert, with all in it
    ("<svg><template shadowrootmode=open><a href=x></template></svg>", ["a /d/x"]),  # no template, but an element
    ("<noscript><a href=x></noscript>", ["a /d/x"]),  # there are no scripts here
    ("<noscript><meta http-equiv=refresh content='0;url=x'></noscript>", ["refresh /d/x"]),
    ("<![CDATA[<a href=x>]]>", []),  # a comment, in HTML
    ("<svg><![CDATA[<a href=x>]]></svg>", []),  # text, in SVG
    ("<?php <a href=x> ?>", []),
    ("<a<b href=x>", []),  # a tag named a<b
    ("< a href=x>", []),
    ("</a href=x>", []),
    # elements in odd places
    ("<table><a href=x><tr><a href=y>", ["a /d/x", "a /d/y"]),
    ("<a href=x><div><a href=y></div>", ["a /d/x", "a /d/y"]),
    ("<select><option><a href=x></select>", ["a /d/x"]),
    ("<svg><a href=x></svg>", ["a /d/x"]),
    ("<svg><a xlink:href=x></svg>", ["a /d/x"]),
    ("<svg><a xlink:href=x href=y></svg>", ["a /d/y"]),
    ("<math><mi><a href=x></mi></math>", ["a /d/x"]),
    ("</html><a href=x>", ["a /d/x"]),  # after the end
    ("<head><a href=x></head>", ["a /d/x"]),
    ("<p><p><b><i></p><a href=x></b>", ["a /d/x"]),
    ("<image src=x>", ["img /d/x"]),  # browsers read it as <img>
    # base
    ("<base href=/b/><a href=x>", ["a /b/x"]),
    ("<a href=x><base href=/b/>", ["a /b/x"]),  # also for what stands before it
    ("<base href=/b/><base href=/c/><a href=x>", ["a /b/x"]),  # the first
    ("<base target=_top><base href=/b/><a href=x>", ["a /b/x"]),  # that has an href
    ("<base href><base href=/b/><a href=x>", ["a /d/x"]),  # an empty one is the page
    ("<base href=//other/b/><a href=x>", ["a http://other/b/x"]),
    ("<base href=/b/?q><a href=?x>", ["a /b/?x"]),
    ("<base href=/b/><a href=#y>", ["a /b/"]),  # a fragment is one of the base
    ("<base href='data:,x'><a href=x>", ["a /d/x"]),  # no base, says the standard
    ("<base href='javascript:x'><a href=x>", ["a /d/x"]),
    ("<base href='http://[bad'><a href=x>", ["a /d/x"]),
    ("<base href='ftp://other/'><a href=x><a href=http://h/y>", ["a /y"]),  # a base, and nothing fetchable under it
    ("<!-- <base href=/b/> --><a href=x>", ["a /d/x"]),
    ("<template><base href=/b/></template><a href=x>", ["a /d/x"]),
    ("<p><template shadowrootmode=open><base href=/b/></template><a href=x>", ["a /d/x"]),  # of the document alone
    ("<svg><base href=/s/></svg><base href=/b/><a href=x>", ["a /b/x"]),  # one of SVG is another element
    ("<svg><base href=/s/ /></svg><math><base href=/m/>y</math><a href=x>", ["a /d/x"]),
    ("<svg><foreignObject><base href=/b/></foreignObject></svg><a href=x>", ["a /b/x"]),  # HTML within SVG
    ("<base href='/" + "b" * 9000 + "/'><a href=x>", ["a /d/x"]),  # too long to be one
    ("x" * 5000 + "<base href=/b/><a href=x>", ["a /b/x"]),  # after 4 KB
    # link
    ("<link rel=canonical href=x>", ["canonical /d/x"]),
    ("<link rel=alternate hreflang=de href=x>", ["alternate /d/x"]),
    ("<link rel=alternate type=application/rss+xml href=x>", ["feed /d/x"]),
    ("<link rel=alternate type='Application/Atom+XML' href=x>", ["feed /d/x"]),
    ("<link rel='alternate stylesheet' href=x>", ["stylesheet /d/x"]),
    ("<link rel='Shortcut Icon' href=x>", ["icon /d/x"]),
    ("<link rel=apple-touch-icon href=x>", ["icon /d/x"]),
    ("<link rel=next href=x><link rel=prev href=y>", ["next /d/x", "prev /d/y"]),
    ("<link rel=preload as=image href=x imagesrcset='y 1x, z 2x'>", ["preload /d/x", "srcset /d/y", "srcset /d/z"]),
    ("<link rel=manifest href=x>", ["manifest /d/x"]),
    ("<link rel=license href=x><link href=y>", ["link /d/x", "link /d/y"]),
    ("<link rel=preconnect href=//other><link rel=dns-prefetch href=//other>", []),  # a host is no place
    ("<link rel=canonical href><link rel=canonical>", []),
    # pictures and films
    ("<img src=x>", ["img /d/x"]),
    ("<img src=''><img src=' '><img src>", []),  # an empty source is none
    ("<img src=x srcset='y 2x'>", ["img /d/x", "srcset /d/y"]),
    ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", []),
    ("<picture><source srcset='x, y 2x'><img src=z></picture>", ["srcset /d/x", "srcset /d/y", "img /d/z"]),
    ("<input type=IMAGE src=x><input type=text src=y><input src=z>", ["img /d/x"]),
    (
        "<video src=x poster=y><source src=z><track src=t></video>",
        ["video /d/x", "poster /d/y", "source /d/z", "track /d/t"],
    ),
    ("<audio src=x></audio>", ["audio /d/x"]),
    ("<object data=x><embed src=y></object>", ["object /d/x", "embed /d/y"]),
    ("<script src=x></script><script>y</script>", ["script /d/x"]),
    # frames and forms
    ("<iframe src=x></iframe><iframe src=about:blank></iframe>", ["iframe /d/x"]),
    ("<frameset><frame src=x><frame src=y></frameset>", ["frame /d/x", "frame /d/y"]),
    ("<form action=x>", ["form /d/x"]),
    ("<form action=x method=GET rel=nofollow>", ["form /d/x nofollow"]),
    ("<form action=x method=what>", ["form /d/x"]),  # GET, if it is none that is known
    ("<form action=x method=post><form action=y>", []),  # a form within a form is none
    ("<form action=x method=Dialog></form><form action></form><form></form>", []),
    ("<form action=x></form><form action=y></form>", ["form /d/x", "form /d/y"]),
    # buttons that send a form elsewhere (HTML, 4.10.19.6 and 4.10.22.3)
    ("<form><button formaction=x>", ["form /d/x"]),
    ("<form action=y><button formaction=x>", ["form /d/y", "form /d/x"]),
    ("<form><input type=submit formaction=x><input type=Image formaction=y>", ["form /d/x", "form /d/y"]),
    ("<form><button formaction=x type=what>", ["form /d/x"]),  # a submit button, if it is none that is known
    ("<form><button formaction=x type=button><button formaction=y type=RESET><input formaction=z>", []),
    ("<form method=post><button formaction=x>", []),
    ("<form method=post><button formaction=x formmethod=get>", ["form /d/x"]),
    ("<form><button formaction=x formmethod=Post><button formaction=x formmethod=dialog>", []),
    ("<form method=post><button formaction=x formmethod=what>", ["form /d/x"]),  # GET, if it is none that is known
    ("<form rel=nofollow><div><button formaction=x>", ["form /d/x nofollow"]),
    ("<button formaction=x>", []),  # it belongs to no form, and sends nothing
    ("<form id=f></form><button form=f formaction=x>", ["form /d/x"]),
    ("<form id=f method=post></form><form><button form=f formaction=x></form>", []),
    ("<form id=f></form><form id=f method=post></form><button form=f formaction=x>", ["form /d/x"]),  # the first
    ("<form><button form=g formaction=x><button form formaction=x></form>", []),
    ("<form><button formaction><button formaction=''></form>", []),
    ("<form><input type=image src=i formaction=x>", ["img /d/i", "form /d/x"]),
    # documents inside (HTML, "process the iframe attributes" and "fallback base URL")
    ("<iframe srcdoc='<a href=x>'></iframe><a href=y>", ["a /d/y", "a /d/x"]),
    ("<iframe srcdoc='<a href=x>' src=y></iframe>", ["a /d/x"]),  # the document stands in place of the source
    ("<iframe srcdoc src=y></iframe>", []),
    ("<base href=/b/><iframe srcdoc='<a href=x>'></iframe>", ["a /b/x"]),
    ("<iframe srcdoc='<base href=b/><a href=x>'></iframe><a href=x>", ["a /d/x", "a /d/b/x"]),
    ("<iframe srcdoc='<base href=/b/><a href=x>'></iframe><iframe srcdoc='<a href=x>'></iframe>", ["a /b/x", "a /d/x"]),
    ("<iframe srcdoc='<base href=data:,x><a href=x>'></iframe>", ["a /d/x"]),
    ("<iframe srcdoc='<img src=x><form action=y><iframe src=z>'></iframe>", ["img /d/x", "form /d/y", "iframe /d/z"]),
    (
        "<iframe srcdoc=\"<base href=/b/><iframe srcdoc='<a href=x>'></iframe>\"></iframe>",
        ["a /b/x"],
    ),
    ("<iframe srcdoc='&lt;a href=&quot;x&amp;amp;y&quot;>'></iframe>", ["a /d/x&y"]),  # escaped twice
    ("<iframe srcdoc='<meta http-equiv=refresh content=0;x>'></iframe>", ["iframe /d/x"]),  # the frame goes there
    ("<template><iframe srcdoc='<a href=x>'></iframe></template>", []),
    # only ASCII white space surrounds and separates
    ("<a href=x rel='a\u00a0nofollow'>", ["a /d/x"]),
    ("<a href=x rel='a\x0bnofollow'>", ["a /d/x"]),
    ("<a href=x rel='a\fnofollow'>", ["a /d/x nofollow"]),
    ("<link rel='icon\u00a0x' href=x>", ["link /d/x"]),
    ("<img src='\u00a0'>", ["img /d/%C2%A0"]),
    ("<img srcset='a\u00a02x'>", ["srcset /d/a%C2%A02x"]),
    # what only a crawl with assets looks for
    ("<svg><image href=x /><use href='y#z'/></svg><body background=z style='a:url(x)'><style>b{c:url(y)}</style>", []),
    # refresh
    ("<meta http-equiv=refresh content='5; url=x'>", ["refresh /d/x"]),
    ("<meta http-equiv=REFRESH content=0;URL=x>", ["refresh /d/x"]),
    ("<meta http-equiv=refresh content=5>", []),
    ("<meta http-equiv=refresh><meta content='0;url=x'>", []),
    ("<base href=/b/><meta http-equiv=refresh content='0;x'>", ["refresh /b/x"]),
]


@pytest.mark.parametrize(("markup", "expected"), MARKUP)
def test_markup_points_where_a_browser_sees_it_point(markup: str, expected: list[str]) -> None:
    """Each as the whole page."""
    assert links(reading(markup)) == expected


DOCUMENTS: list[tuple[bytes, str | None, str | None, list[str] | None]] = [
    # body, Content-Type, charset, links
    (b"", "text/html", "utf-8", []),
    (b"   \r\n", "text/html", "utf-8", []),
    (b"", None, "utf-8", None),
    (b"", "application/xhtml+xml", "utf-8", []),
    (b"", "text/xml", "utf-8", None),
    (b"\xff\xfe", "text/html", "utf-16le", []),  # nothing but a mark
    ("<a href='\u00e4'>".encode(), "text/html", "utf-8", ["a /d/%C3%A4"]),  # nothing is declared: it is valid
    (b"<a href='\xe4'>", "text/html", "windows-1252", ["a /d/%C3%A4"]),  # nothing is declared: it is not
    (b"<a href='\xe4'>", "text/html; charset=utf-8", "utf-8", ["a /d/%EF%BF%BD"]),  # declared, and not valid
    (b"<a href='\x80'>", "text/html; charset=latin1", "windows-1252", ["a /d/%E2%82%AC"]),  # the euro is in no latin-1
    (b"<a href='\x81'>", "text/html; charset=iso-8859-1", "windows-1252", ["a /d/%C2%81"]),  # a hole of windows-1252
    (b"<meta charset=utf-8><a href='\xe4'>", "text/html; charset=iso-8859-1", "windows-1252", ["a /d/%C3%A4"]),
    (b"<meta charset=windows-1251><a href='\xe4'>", "text/html", "windows-1251", ["a /d/%D0%B4"]),
    (b"<meta charset=koi8-r><a href='\xe4'>", "text/html; charset=nonsense", "koi8-r", ["a /d/%D0%94"]),
    (b"\xef\xbb\xbf<a href='\xc3\xa4'>", "text/html; charset=koi8-r", "utf-8", ["a /d/%C3%A4"]),  # the mark comes first
    (b"\xff\xfe" + "<a href='\u00e4'>".encode("utf-16le"), "text/html", "utf-16le", ["a /d/%C3%A4"]),
    (b"\xfe\xff" + "<a href='\u00e4'>".encode("utf-16be"), "text/html", "utf-16be", ["a /d/%C3%A4"]),
    ("<a href='\u00e4'>".encode("utf-16le"), "text/html; charset=utf-16", "utf-16le", ["a /d/%C3%A4"]),  # no mark
    ("<a href='\u00e4'>".encode("utf-16be"), "text/html; charset=utf-16be", "utf-16be", ["a /d/%C3%A4"]),
    ("<a href=x>".encode("utf-16le") + b"<", "text/html; charset=utf-16", "utf-16le", ["a /d/x"]),  # half a character
    (b"<meta charset=utf-16><a href='\xc3\xa4'>", "text/html", "utf-8", ["a /d/%C3%A4"]),  # it was read as ASCII
    (b"<a href=x>", "text/html; charset=iso-2022-kr", "replacement", []),  # markup may hide in it
    (
        b"<a href='?\xe4&\xe4=1#\xe4'>",
        "text/html",
        "windows-1252",
        ["a /d/p.html?%E4&%E4=1"],
    ),  # a query keeps its bytes
    (b"<a href='\xe4?\xe4'>", "text/html", "windows-1252", ["a /d/%C3%A4?%E4"]),  # and only a query
    (b"<a href='?&#9731;'>", "text/html; charset=latin1", "windows-1252", ["a /d/p.html?%26%239731%3B"]),  # as in forms
    (b"<a href='?\x83\x5c'>", "text/html; charset=shift_jis", "shift_jis", ["a /d/p.html?%83\\"]),
    (b"<?xml version='1.0' encoding='koi8-r'?><a href='\xe4'>", "text/html", "koi8-r", ["a /d/%D0%94"]),
    (b"<a href=x><script src='s'/><a href=y>", "text/html", "utf-8", ["a /d/x", "script /d/s"]),  # swallowed, in HTML
    (
        b"<html xmlns='http://www.w3.org/1999/xhtml'><script src='s' /><title/><a href='x'/></html>",
        "application/xhtml+xml",
        "utf-8",
        ["script /d/s", "a /d/x"],  # but not in XHTML
    ),
    (b"<p><![CDATA[ > <a href='x'> ]]><a href='y'/></p>", "application/xhtml+xml", "utf-8", ["a /d/y"]),
    (b"<p><![CDATA[ <!-- ]]><a href='x'/><!-- > --></p>", "application/xhtml+xml", "utf-8", ["a /d/x"]),
    (b"<p><!-- <![CDATA[ --><a href='x'/></p>", "application/xhtml+xml", "utf-8", ["a /d/x"]),  # none in a comment,
    (b"<p title = '\"<![CDATA[>'><a href='x'/></p>", "application/xhtml+xml", "utf-8", ["a /d/x"]),  # nor in a tag
    (b"<?xml version='1.0'?><?y <![CDATA[ ?><a href='x'/>", "application/xhtml+xml", "utf-8", ["a /d/x"]),
    (
        b"<!DOCTYPE html><html xmlns='x'><a href='x'/></html>",
        "application/xml",
        "utf-8",
        ["a /d/x"],
    ),  # the root says it
    (b"\0\0\0<a href=x>\0", "text/html", "utf-8", ["a /d/x"]),
    (b"<a href=x>" + bytes(range(256)) + b"<a href=y>", "text/html", "windows-1252", ["a /d/x", "a /d/y"]),
]


@pytest.mark.parametrize(("body", "content_type", "charset", "expected"), DOCUMENTS)
def test_bytes_are_read_in_the_encoding_that_a_browser_would_choose(
    body: bytes, content_type: str | None, charset: str | None, expected: list[str] | None
) -> None:
    """Byte order mark, header, meta, and what the bytes look like, in this order."""
    told = reading(body, content_type)

    assert (told.charset, links(told)) == (charset, expected)


TITLES = [
    ("<title>x</title>", "x"),
    ("<title>\n a \t b\u00a0c </title>", "a b c"),
    ("<title>a &amp; b &lt;i></title>", "a & b <i>"),
    ("<title>a</title><title>b</title>", "a"),
    ("<svg><title>a</title></svg><title>b</title>", "b"),  # a drawing's title is not the page's
    ("<svg><g><title>a</title></g></svg>", None),
    ("<title></title>", None),
    ("<title>", None),
    ("<p>", None),
    ("<title>a", "a"),  # to the end of the page
    ("<!--<title>a</title>-->", None),
    ("<body><title>a</title>", "a"),
    ("<title>" + "x" * 5000 + "</title>", "x" * 1000),
    ("<title>" + "x " * 5_000_000 + "</title>", ("x " * 500).strip()),
    ("<title>a\0b</title>", "a\ufffdb"),
]


@pytest.mark.parametrize(("markup", "title"), TITLES)
def test_the_title_is_one_bounded_line(markup: str, title: str | None) -> None:
    """White space is collapsed, and what is too long is cut."""
    assert reading(markup).title == title


ROBOTS = [
    ("<meta name=robots content='noindex, nofollow'>", {"noindex", "nofollow"}),
    ("<meta name=ROBOTS content=NONE>", {"none"}),
    ("<meta name=robots content='noindex nofollow'>", {"noindex", "nofollow"}),
    ("<meta name=robots content='max-snippet: 20, noindex'>", {"max-snippet: 20", "noindex"}),
    ("<meta name=robots content=noindex><meta name=robots content=nofollow>", {"noindex", "nofollow"}),
    ("<meta name=Crawler content=nofollow>", {"nofollow"}),  # this robot by name
    ("<meta name=otherbot content=nofollow>", set()),
    ("<body><meta name=robots content=nofollow>", {"nofollow"}),
    ("<!-- <meta name=robots content=nofollow> -->", set()),
    ("<meta name=robots>", set()),
    ("<meta name=robots content=',,'>", set()),
]


@pytest.mark.parametrize(("markup", "directives"), ROBOTS)
def test_a_page_tells_robots_what_to_do(markup: str, directives: set[str]) -> None:
    """All robots, or this one by its name."""
    assert reading(markup).robots == directives
