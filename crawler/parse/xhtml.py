"""The translation of XHTML and SVG to markup that an HTML parser reads alike.

Rules
- XHTML differs where HTML has raw text: in HTML `<script src="x"/>` swallows the page up to the next `</script>`, a
  `<template/>` hides what follows, and a CDATA section is a comment that ends at the first `>`.
- Elements belong to HTML and SVG by their namespace: a prefix that is bound to it is removed.
- No entity that the document declares is expanded. U+FFFD stands for each, and the document counts as damaged.
- An HTML parser reads the rest of XHTML alike, and too many pages of this type are not well-formed for an XML parser.
Runs on: anywhere (pure).
"""

import re
from html import unescape
from itertools import islice

from crawler.parse.xml_start import MAX_FRONT

MAX_SHEETS = 100

_UNKNOWN = "\ufffd".encode()
_PLAINTEXT = re.compile(rb"<(/?+)plaintext(?=[\t\n\r />])", re.IGNORECASE)
_BOUND = re.compile(
    rb"xmlns:([\w.-]{1,100}+)[\t\n\r ]*+=[\t\n\r ]*+[\"']http://www\.w3\.org/(?:1999/xhtml|2000/svg)[\"']"
)
_ENTITY = re.compile(rb"<!ENTITY[\t\n\r ]++([^\t\n\r %\"'<>&;]++)")
_REFERENCE = re.compile(
    rb"(?P<namespace>xmlns[^\t\n\r =<>&\"']{0,100}+[\t\n\r ]*+=[\t\n\r ]*+[\"'])?+&(?P<name>[^\t\n\r <>&;\"']++);"
)
_SHEET_OR_ROOT = re.compile(
    rb"<!--.*?(?:-->|\Z)|<\?xml-stylesheet(?P<sheet>[\t\n\r ][^>]*+)>|(?P<root><[A-Za-z])", re.DOTALL
)
_HREF = re.compile(rb"[\t\n\r ]href[\t\n\r ]*+=[\t\n\r ]*+(?:\"([^\"<]*+)\"|'([^'<]*+)')")
_EMPTY = re.compile(
    rb"<(script|style|title|textarea|iframe|noframes|noembed|xmp|template|select|form)(?=[\t\n\r /])"
    rb"(?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+(?<=/)>"
)
_MARKUP = re.compile(
    rb"<!--(?:-?>|.*?(?:--!?>|\Z))"
    rb"|<\?[^>]*+"
    rb"|<[a-zA-Z](?:[^=>]++|=[\t\n\f\r ]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))?)*+"
    rb"|<!\[CDATA\[(?P<section>.*?)(?:\]\]>|\Z)",
    re.DOTALL,
)  # each part that begins also ends, at the end of the page if nowhere else: no byte is read twice


def as_html(xhtml: bytes) -> tuple[bytes, bool]:
    """Return a document in UTF-8 as HTML, and whether it uses entities that it declares itself."""
    html = xhtml
    if prefixes := set(_BOUND.findall(xhtml, 0, MAX_FRONT)):
        names = b"|".join(re.escape(prefix) for prefix in sorted(prefixes))
        html = re.sub(rb"<(/?+)(?:%b):" % names, rb"<\1", xhtml)
    html = _EMPTY.sub(rb"\g<0></\1>", html)
    if b"plaintext" in html:
        html = _PLAINTEXT.sub(rb"<\1span", html)  # in XML, <plaintext> hides nothing
    if b"<![CDATA[" in html:
        html = _MARKUP.sub(_escaped, html)
    return _without_entities(html) if b"<!ENTITY" in html[:MAX_FRONT] else (html, False)


def sheets(xhtml: bytes) -> list[str]:
    """Return the style sheets that a document names in front of its root (Associating Style Sheets with XML, 4)."""
    found = []
    for part in islice(_SHEET_OR_ROOT.finditer(xhtml, 0, MAX_FRONT), MAX_SHEETS):
        if part["root"]:
            break
        if part["sheet"] and (href := _HREF.search(part["sheet"])):
            found.append(unescape((href[1] or href[2] or b"").decode("utf-8", "replace")))
    return [href for href in found if href]


def _without_entities(html: bytes) -> tuple[bytes, bool]:
    declared = set(_ENTITY.findall(html, 0, MAX_FRONT))
    is_used = False

    def lost(reference: re.Match[bytes]) -> bytes:
        nonlocal is_used
        if reference["namespace"] or reference["name"] not in declared:
            return reference[0]
        is_used = True
        return _UNKNOWN

    return _REFERENCE.sub(lost, html), is_used


def _escaped(markup: re.Match[bytes]) -> bytes:
    """Return a CDATA section as text; comments and tags hold none (XML, 2.7)."""
    section = markup["section"]
    return markup[0] if section is None else section.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
