"""What kind of document these bytes are, and what it tells.

Rules
- The media type decides (MIME Sniffing standard, https://mimesniff.spec.whatwg.org/), and the bytes decide only where
  it says nothing: absent, malformed or application/octet-stream, which some servers send for all names without an
  ending. Then at most SNIFFED bytes are looked at. Of text/plain they decide only whether it is text (section 7.2).
- Feeds and sitemaps are known by their root element, under any media type of XML and, as in browsers, text/html too.
- What is sent as text/html is read as HTML, also a page that starts like XML: browsers do the same. Only what starts
  as images, films, fonts, archives and programs do is none: random bytes have tags in them, and some would be links.
- A gzip file (`sitemap.xml.gz`) is opened only to look for XML, up to the size that the sitemap protocol allows.
- What was listed as a sitemap is one if its bytes say so, under any media type: XML, a gzip file, or text that lists
  one URL per line. If it is none, the reading says so.
- What cannot be read, or only in part, has a problem; only an empty page of HTML is all that there is.
- No bytes make reading fail. How long it may take, and how much memory, is bounded by whoever runs it.
Runs on: a worker process.
"""

import re
from contextlib import suppress
from dataclasses import replace
from enum import Enum

from crawler.core import charset, encodings
from crawler.core.decode import DecodeProblem, decode_steps, looks_binary
from crawler.core.labels import named
from crawler.core.media_types import media_type
from crawler.core.reasons import Reason
from crawler.core.transcode import decoded, encoding_of
from crawler.parse import feeds, html, listing
from crawler.parse.front import MAX_FRONT, start_of
from crawler.parse.reading import Content, Document, Reading, Wants
from crawler.parse.references import References, TooManyLinks
from crawler.parse.styles import read_sheet

SNIFFED = 1445  # the standard's "resource header"
MAX_UNPACKED = 50 * 1024 * 1024  # https://www.sitemaps.org/protocol.html
MAX_TITLE = 1000
MAX_TEXT = 1_000_000

_LINKS_ONLY = Wants()
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_REPLACEMENT = "\ufffd".encode()


class Form(Enum):
    """How a document is to be read."""

    HTML = "html"
    XHTML = "xhtml"
    XML = "xml"
    GZIP = "gzip"
    CSS = "css"
    TEXT = "text"
    OTHER = "other"


def read(document: Document, wants: Wants = _LINKS_ONLY, *, agent: str = "", form: Form | None = None) -> Reading:
    """Read a document; `agent` is the product token by which a page may address this robot alone.

    `form` is what `form_of` says of it, for who has asked already.

    Raises:
        UsageError: a selector is none (`check_selector` says so beforehand).
        MemoryError: the document needs more than this process may have.
    """
    essence, label = media_type(document.content_type)
    form = form or form_of(essence, document.body, is_sitemap=document.sitemap)
    reading = _read(document, label, wants, agent, form)
    if document.sitemap and not reading.is_listing and reading.problem in {None, Reason.XML_ERROR}:
        return replace(reading, problem=Reason.NOT_A_SITEMAP)
    return reading


def _read(document: Document, label: str | None, wants: Wants, agent: str, form: Form) -> Reading:
    if form is Form.GZIP:
        return _read_gzip(document, label, wants, agent)
    if form is Form.XML:
        return _read_xml(document, label, wants, agent)
    if form in {Form.HTML, Form.XHTML}:
        return _read_html(document, label, wants, agent, is_xhtml=form is Form.XHTML)
    if form is Form.CSS and wants.assets:
        return _read_css(document, label, wants)
    return _read_text(document, label, wants) if form in {Form.TEXT, Form.CSS} else Reading()


_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_SILENT = frozenset(
    {"application/octet-stream", "unknown/unknown", "application/unknown", "*/*", "binary/octet-stream"}
)
_BYTES = frozenset({"application/octet-stream", "binary/octet-stream"})  # of those, what says that it is no text
_FORMS = {
    "application/xhtml+xml": Form.XHTML,
    "application/vnd.wap.xhtml+xml": Form.XHTML,
    "application/gzip": Form.GZIP,
    "application/x-gzip": Form.GZIP,
    "text/css": Form.CSS,
}
_XML = frozenset({"text/xml", "application/xml"})
_TEXT = frozenset({"application/json", "application/javascript", "application/ecmascript", "application/x-javascript"})


def form_of(essence: str | None, body: bytes, *, is_sitemap: bool = False) -> Form:
    """How a document of this media type is to be read."""
    return (_form_of_sitemap(body) if is_sitemap else None) or _form_of(essence, body)


def _form_of(essence: str | None, body: bytes) -> Form:
    if not essence or essence in _SILENT or not _MEDIA_TYPE.fullmatch(essence):
        return sniff(body)
    if essence in {"text/html", "text/plain"}:
        return _form_of_html(body) if essence == "text/html" else _text_or_binary(body)
    if form := _FORMS.get(essence):
        return form
    if _is_xml(essence):
        return Form.GZIP if body.startswith(_GZIP_MAGIC) else Form.XML
    return Form.TEXT if essence.startswith("text/") or essence in _TEXT or essence.endswith("+json") else Form.OTHER


def _is_xml(essence: str) -> bool:
    return essence in _XML or essence.endswith("+xml")


_FIRST_URL = re.compile(rb"(?:[\t\n\f\r ]++|#[^\r\n]*+)*+https?://", re.IGNORECASE)


def _form_of_sitemap(body: bytes) -> Form | None:
    """How a sitemap is to be read whatever its media type; None = that decides."""
    head = body[:MAX_FRONT]
    encoding = encoding_of(head)
    head = decoded(head, encoding).encode() if encoding else charset.unmarked(head)
    if _FIRST_URL.match(head):
        return Form.TEXT
    start = start_of(head.decode("latin-1"))
    if start.is_behind_junk:
        return Form.XML
    found = sniff(head[start.at :])
    return found if found in {Form.XML, Form.GZIP} else None


_GZIP_MAGIC = b"\x1f\x8b\x08"
_COMPRESSED = (_GZIP_MAGIC, b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_MAGIC = (  # MIME Sniffing, 6 and 7.1, and the archives and programs of today
    *(b"%PDF-", b"%!PS-Adobe-", b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"\0\0\1\0"),
    *(b"OggS\0", b"ID3\2", b"ID3\3", b"ID3\4", b"\x1aE\xdf\xa3", b"MThd\0", b"fLaC\0", b"\xff\xfb", b"FLV\1"),
    *(b"wOFF", b"wOF2", b"OTTO\0", b"\0\1\0\0", b"ttcf\0"),
    *(*_COMPRESSED, b"PK\3\4", b"Rar!\x1a", b"7z\xbc\xaf"),
    *(b"\x7fELF", b"MZ\x90\0", b"\xca\xfe\xba\xbe", b"\0asm"),
)
_CONTAINER = re.compile(rb"\0\0[\0-\2].ftyp|RIFF....(?:WEBP|AVI |WAVE)", re.DOTALL)
_PAGE = re.compile(
    rb"[\t\n\f\r ]*+<"
    rb"(?:!--|(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\t\n\f\r >])",
    re.IGNORECASE,
)
_DECLARED = re.compile(rb"[\t\n\f\r ]*+<\?xml[\t\n\f\r ]")
_LISTING = re.compile(
    rb"(?:[\t\n\f\r ]++|<\?.*?\?>|<!--.*?-->|<!(?!--)[^>]*+>)*+<(?:[\w.-]++:)?+(?:"
    + b"|".join(sorted(name.encode() for name in feeds.KNOWN))
    + rb")[\t\n\f\r />]",
    re.DOTALL,
)


def _form_of_html(body: bytes) -> Form:
    head = body[:SNIFFED]
    if head.startswith(_MAGIC) or _CONTAINER.match(head):
        return Form.OTHER
    return Form.XML if _LISTING.match(head.removeprefix(b"\xef\xbb\xbf")) else Form.HTML


def sniff(body: bytes) -> Form:
    """How a document is to be read, by its first bytes alone."""
    if body.startswith(_GZIP_MAGIC):
        return Form.GZIP
    head = charset.unmarked(body[:SNIFFED])
    if _LISTING.match(head) or _DECLARED.match(head):
        return Form.XML
    if _PAGE.match(head):
        return Form.HTML
    return _text_or_binary(head)


def _text_or_binary(body: bytes) -> Form:
    head = charset.unmarked(body[:SNIFFED])
    return Form.OTHER if head.startswith(_MAGIC) or looks_binary(head) else Form.TEXT


def is_packed(content_type: str | None, body: bytes, *, is_sitemap: bool = False) -> bool:
    """Return whether these bytes, under a coding that could not be removed, are not the text that they should be.

    Other files are binary anyway, and so is what is sent as bytes and nothing more.
    """
    essence, label = media_type(content_type)
    expected = form_of(essence, b"")
    if essence in _BYTES or expected in {Form.OTHER, Form.GZIP}:
        return False
    head = body[:SNIFFED]
    if not looks_binary(encodings.utf_8(head, charset.of_html(head, label))):
        return False
    if head.startswith(_GZIP_MAGIC):
        return not (is_sitemap or expected is Form.XML)  # which are opened
    return head.startswith(_COMPRESSED) or not (head.startswith(_MAGIC) or _CONTAINER.match(head))


def _read_gzip(document: Document, label: str | None, wants: Wants, agent: str) -> Reading:
    """A gzip file in which there is XML, or a sitemap; nothing of any other."""
    body, problem = _unpacked(document.body)
    unpacked = replace(document, body=body)
    form = (_form_of_sitemap(body) if document.sitemap else None) or sniff(body)
    if form is Form.XML:
        reading = _read_xml(unpacked, label, wants, agent)
        return replace(reading, problem=problem or reading.problem)
    if document.sitemap:
        return replace(_read_text(unpacked, label, wants) if form is Form.TEXT else Reading(), problem=problem)
    is_missed = _is_xml(media_type(document.content_type)[0] or "")
    return Reading(problem=problem or Reason.XML_ERROR) if is_missed else Reading()


def _unpacked(body: bytes) -> tuple[bytes, Reason | None]:
    """As much of a gzip file as is sound, and allowed; and why it is not all."""
    pieces = []
    try:
        for piece in decode_steps(body, ["gzip"], MAX_UNPACKED):
            pieces.append(piece)  # noqa: PERF402 - what came before a problem must stay
    except DecodeProblem as problem:
        return b"".join(pieces), problem.reason
    return b"".join(pieces), None


def _read_xml(document: Document, label: str | None, wants: Wants, agent: str) -> Reading:
    body = document.body
    at = 0 if body.startswith((b"<?xml", *_MARKS)) else start_of(body[:MAX_FRONT].decode("latin-1")).at
    encoding = charset.of_xml(body[at : at + MAX_FRONT], label)
    text = encodings.text(body, encoding)
    start = start_of(text)
    is_damaged = "\ufffd" in text and (encoding != encodings.UTF_8 or text.count("\ufffd") != body.count(_REPLACEMENT))
    found = feeds.read(text[start.at :] if start.at else text, document.url, is_damaged=is_damaged)
    if found.root == "html":
        return _read_html(document, label, wants, agent, is_xhtml=True)
    problem = Reason.XML_ERROR if found.is_broken or start.is_behind_junk else None
    if found.root not in feeds.KNOWN:
        return Reading(charset=encoding, problem=problem)
    reading = _reading(encoding, found.references, Content(title=found.title))
    return replace(reading, is_listing=True, problem=problem)


def _read_html(document: Document, label: str | None, wants: Wants, agent: str, *, is_xhtml: bool) -> Reading:
    encoding = (charset.of_xml if is_xhtml else charset.of_html)(document.body, label)
    references = References(document.url, encoding)
    markup = encodings.utf_8(document.body, encoding)
    content = html.read(html.from_xhtml(markup) if is_xhtml else markup, references, wants, agent)
    return _reading(encoding, references, content)


_SHEET_CHARSET = re.compile(rb'@charset "([^"]{1,100}+)";')


def _read_css(document: Document, label: str | None, wants: Wants) -> Reading:
    """A style sheet, in the encoding that CSS Syntax 3, 3.2 finds; its URLs are in UTF-8 whatever that is."""
    declared = _SHEET_CHARSET.match(document.body)
    told = named(declared[1].decode("latin-1")) if declared and not named(label) else None
    reading = _read_text(document, "utf-8" if told in {"utf-16le", "utf-16be"} else told or label, wants)
    references = References(document.url)
    with suppress(TooManyLinks):
        read_sheet(encodings.text(document.body, reading.charset or encodings.UTF_8), references)
    content = Content(text=reading.text, data_cut=reading.data_cut)
    return _reading(reading.charset or encodings.UTF_8, references, content)


def _read_text(document: Document, label: str | None, wants: Wants) -> Reading:
    body = document.body
    encoding = charset.of_text(body, label)
    text = encodings.text(body[: 4 * MAX_TEXT + 4], encoding) if wants.text else None
    content = Content(text=text and text[:MAX_TEXT], data_cut=text is not None and len(text) > MAX_TEXT)
    if not document.sitemap:
        return Reading(charset=encoding, text=content.text, data_cut=content.data_cut)
    references = References(document.url)
    references.base = None  # only whole URLs are listed
    unicode = encoding_of(body[:SNIFFED])  # also without a mark, as in any list
    listing.read(decoded(body, unicode) if unicode else encodings.text(body, encoding), references)
    return replace(_reading(encoding, references, content), is_listing=bool(references.links))


def _reading(encoding: str, references: References, content: Content) -> Reading:
    return Reading(
        charset=encoding,
        title=_title(content.title),
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


def _title(text: str | None) -> str | None:
    """A title as it is shown: no white space but single spaces, and not endless; None = nothing is left."""
    return " ".join((text or "")[: 10 * MAX_TITLE].split())[:MAX_TITLE].rstrip() or None
