"""The reader of one document, of any kind: HTML, XHTML, feed, sitemap, style sheet or text.

Rules
- The media type chooses the reader, and the bytes do where it says nothing (`sniffing.py`).
- A gzip file (`sitemap.xml.gz`) is opened only to look for XML, up to the size that the sitemap protocol allows.
- XML with an unknown root that is not well-formed is searched for a known root: a script's message may be in front.
- A document that was listed as a sitemap and is none has the problem NOT_A_SITEMAP.
- A document that cannot be read, or only in part, has a problem.
- No bytes make reading fail. The caller bounds its time and memory.
Runs on: a worker process.
"""

import re
from contextlib import suppress

from msgspec.structs import replace

from crawler.core.reasons import Reason
from crawler.encoding import decode, detect
from crawler.encoding.labels import named
from crawler.encoding.transcode import decoded, encoding_of
from crawler.http.body_buffer import BodyBuffer
from crawler.http.content_codings import DecodeProblem, decode_steps
from crawler.http.media_types import media_type
from crawler.parse import feeds_and_sitemaps, html, text_sitemap, xhtml
from crawler.parse.document import Content, Document, Reading, Wants
from crawler.parse.feed_and_sitemap_elements import ROOTS
from crawler.parse.links import LinkKind
from crawler.parse.references import DamagedReferences, References, TooManyLinks
from crawler.parse.select import MAX_TEXT
from crawler.parse.sniffing import SNIFFED, DocumentKind, is_xml, kind_of, sitemap_kind, sniff
from crawler.parse.styles import read_sheet
from crawler.parse.wellformed import is_well_formed
from crawler.parse.xml_start import MAX_FRONT, known_root, start_of

MAX_UNPACKED = 50 * 1024 * 1024  # https://www.sitemaps.org/protocol.html
MAX_TITLE = 1000

_LINKS_ONLY = Wants()
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_REPLACEMENT = "\ufffd".encode()


def read(
    document: Document, wants: Wants = _LINKS_ONLY, *, agent: str = "", kind: DocumentKind | None = None
) -> Reading:
    """Read a document; `agent` is the product token by which a page may address this robot alone.

    `kind`: the result of `kind_of`, if the caller has it already.

    Raises:
        UsageError: a selector is invalid; call `check_selector` before.
        MemoryError: the document needs more than this process may have.
    """
    essence, label = media_type(document.content_type)
    kind = kind or kind_of(essence, document.body, is_sitemap=document.sitemap)
    reading = _read(document, label, wants, agent, kind)
    if reading.charset == decode.REPLACEMENT and document.body:
        return replace(reading, problem=Reason.DECODE_ERROR)
    if document.sitemap and not reading.is_listing and reading.problem in {None, Reason.XML_ERROR}:
        return replace(reading, problem=Reason.NOT_A_SITEMAP)
    return reading


def _read(document: Document, label: str | None, wants: Wants, agent: str, kind: DocumentKind) -> Reading:
    if kind is DocumentKind.GZIP:
        return _read_gzip(document, label, wants, agent)
    if kind is DocumentKind.XML:
        return _read_xml(document, label, wants, agent)
    if kind in {DocumentKind.HTML, DocumentKind.XHTML}:
        return _read_html(document, label, wants, agent, is_xhtml=kind is DocumentKind.XHTML)
    if kind is DocumentKind.CSS and wants.assets:
        return _read_css(document, label, wants)
    return _read_text(document, label, wants) if kind in {DocumentKind.TEXT, DocumentKind.CSS} else Reading()


def _read_gzip(document: Document, label: str | None, wants: Wants, agent: str) -> Reading:
    """Read a gzip file that holds XML, or a sitemap; of any other file nothing is read."""
    unpacked, problem = BodyBuffer(), None
    try:
        for piece in decode_steps(document.body, ["gzip"], MAX_UNPACKED):
            unpacked.add(piece)
    except DecodeProblem as damage:
        problem = damage.reason
    body = unpacked.whole()
    document = replace(document, body=body)
    kind = (sitemap_kind(body) if document.sitemap else None) or sniff(body)
    if kind is DocumentKind.XML:
        reading = _read_xml(document, label, wants, agent)
        return replace(reading, problem=problem or reading.problem)
    if document.sitemap:
        return replace(_read_text(document, label, wants) if kind is DocumentKind.TEXT else Reading(), problem=problem)
    is_missed = is_xml(media_type(document.content_type)[0] or "")
    return Reading(problem=problem or Reason.XML_ERROR) if is_missed else Reading()


def _read_xml(document: Document, label: str | None, wants: Wants, agent: str) -> Reading:
    body = document.body
    is_plain = body.startswith((b"<?xml", *_MARKS)) or detect.of_zero_bytes(body)
    at = 0 if is_plain else start_of(body[:MAX_FRONT].decode("latin-1")).at
    encoding = detect.of_xml(body[at : at + MAX_FRONT], label)
    text = decode.text(body, encoding)
    start = start_of(text)
    is_damaged = "\ufffd" in text and (encoding != decode.UTF_8 or text.count("\ufffd") != body.count(_REPLACEMENT))
    found = feeds_and_sitemaps.read(text[start.at :] if start.at else text, document.url, is_damaged=is_damaged)
    if found.root == "html":
        return _read_html(document, label, wants, agent, is_xhtml=True)
    is_broken = start.is_behind_junk
    if found.root not in ROOTS:
        is_broken = is_broken or is_damaged or not is_well_formed(text[start.at :])
        if found.root == "svg":
            drawing = _read_html(document, label, wants, agent, is_xhtml=True)
            return replace(drawing, problem=drawing.problem or (Reason.XML_ERROR if is_broken else None))
        root = known_root(text, start.at) if is_broken and found.root else None
        if root is None:
            return Reading(charset=encoding, problem=Reason.XML_ERROR if is_broken else None)
        found = feeds_and_sitemaps.read(text[root:], document.url, is_damaged=is_damaged)
    reading = _reading(encoding, found.references, Content(title=found.title))
    return replace(reading, is_listing=True, problem=Reason.XML_ERROR if is_broken or found.is_broken else None)


def _read_html(document: Document, label: str | None, wants: Wants, agent: str, *, is_xhtml: bool) -> Reading:
    encoding = (detect.of_xml if is_xhtml else detect.of_html)(document.body, label)
    markup, is_lossy = decode.utf_8(document.body, encoding), False
    if is_xhtml:
        markup, is_lossy = xhtml.as_html(markup)
    references = (DamagedReferences if is_lossy else References)(document.url, encoding)
    if is_xhtml and wants.assets:
        for sheet in xhtml.sheets(markup):
            references.add(sheet, LinkKind.STYLESHEET)
    content = html.read(markup, references, wants, agent)
    reading = _reading(encoding, references, content)
    return replace(reading, problem=Reason.XML_ERROR) if is_lossy else reading


_SHEET_CHARSET = re.compile(rb'@charset "([^"]{1,100}+)";')


def _read_css(document: Document, label: str | None, wants: Wants) -> Reading:
    """Read a style sheet in the encoding that CSS Syntax 3, 3.2 finds; its URLs are in UTF-8 in any case."""
    declared = _SHEET_CHARSET.match(document.body)
    told = named(declared[1].decode("latin-1")) if declared and not named(label) else None
    reading = _read_text(document, "utf-8" if told in {"utf-16le", "utf-16be"} else told or label, wants)
    references = References(document.url)
    with suppress(TooManyLinks):
        read_sheet(decode.text(document.body, reading.charset or decode.UTF_8), references)
    content = Content(text=reading.text, data_cut=reading.data_cut)
    return _reading(reading.charset or decode.UTF_8, references, content)


def _read_text(document: Document, label: str | None, wants: Wants) -> Reading:
    body = document.body
    encoding = (detect.of_list if document.sitemap else detect.of_text)(body, label)
    text = decode.text(body[: 4 * MAX_TEXT + 4], encoding) if wants.text else None
    content = Content(text=text and text[:MAX_TEXT], data_cut=text is not None and len(text) > MAX_TEXT)
    if not document.sitemap:
        return Reading(charset=encoding, text=content.text, data_cut=content.data_cut)
    references = References(None)  # only whole URLs are listed
    unicode = encoding_of(body[:SNIFFED])  # also without a mark, as in any list
    text_sitemap.read(decoded(body, unicode) if unicode else decode.text(body, encoding), references)
    return replace(_reading(encoding, references, content), is_listing=bool(references.links))


def _reading(encoding: str, references: References, content: Content) -> Reading:
    title = " ".join((content.title or "")[: 10 * MAX_TITLE].split())[:MAX_TITLE].rstrip()
    return Reading(
        charset=encoding,
        title=title or None,
        links=references.links,
        links_cut=references.are_cut,
        bad_links=references.bad,
        bad_examples=tuple(references.examples),
        ignored_links=references.ignored,
        robots=content.robots,
        text=content.text,
        data=content.data,
        data_cut=content.data_cut,
    )
