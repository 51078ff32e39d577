"""MIME sniffing: the kind of a document, which decides how it is read (https://mimesniff.spec.whatwg.org/).

Rules
- The media type decides. The bytes decide only where it says nothing: absent, malformed or application/octet-stream,
  which some servers send for all names without an ending. Then at most SNIFFED bytes are read. Of text/plain the bytes
  decide only whether it is text (section 7.2).
- Feeds and sitemaps are known by their root element, under any media type of XML and, as in browsers, under text/html
  too; there also behind a notice that a script printed.
- A document sent as text/html is HTML, also a page that starts like XML: browsers do the same. The exception is a file
  that begins as an image, a film, a font, an archive or a program does, and has bytes that no text has: random bytes
  hold tags, and some would be links.
- A document that was listed as a sitemap is one if its bytes say so, under any media type: XML, a gzip file, or text
  that lists one URL per line.
Runs on: a worker process, or the loop of a crawl without workers.
"""

import re
from enum import Enum

from crawler.encoding import decode, detect
from crawler.encoding.transcode import decoded, encoding_of
from crawler.http.content_codings import looks_binary
from crawler.http.media_types import media_type
from crawler.parse.feed_and_sitemap_elements import ROOTS
from crawler.parse.xml_start import MAX_FRONT, is_behind_notice, start_of

SNIFFED = 1445  # the standard's "resource header"


class DocumentKind(Enum):
    """A kind of document, each of which has its own reader."""

    HTML = "html"
    XHTML = "xhtml"
    XML = "xml"
    GZIP = "gzip"
    CSS = "css"
    TEXT = "text"
    OTHER = "other"


_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_SILENT = frozenset(
    {"application/octet-stream", "unknown/unknown", "application/unknown", "*/*", "binary/octet-stream"}
)
_BYTES = frozenset({"application/octet-stream", "binary/octet-stream"})  # the silent ones that promise no text
_KINDS = {
    "application/xhtml+xml": DocumentKind.XHTML,
    "application/vnd.wap.xhtml+xml": DocumentKind.XHTML,
    "application/gzip": DocumentKind.GZIP,
    "application/x-gzip": DocumentKind.GZIP,
    "text/css": DocumentKind.CSS,
}
_XML = frozenset({"text/xml", "application/xml"})
_TEXT = frozenset({"application/json", "application/javascript", "application/ecmascript", "application/x-javascript"})


def kind_of(essence: str | None, body: bytes, *, is_sitemap: bool = False) -> DocumentKind:
    """Return the kind of a document of this media type."""
    if is_sitemap and (kind := sitemap_kind(body)):
        return kind
    if not essence or essence in _SILENT or not _MEDIA_TYPE.fullmatch(essence):
        return sniff(body)
    if essence in {"text/html", "text/plain"}:
        return _kind_of_html(body) if essence == "text/html" else _text_or_binary(body)
    if known := _KINDS.get(essence):
        return DocumentKind.OTHER if known is not DocumentKind.GZIP and _is_binary_file(body) else known
    if is_xml(essence):
        return DocumentKind.GZIP if body.startswith(GZIP_MAGIC) else DocumentKind.XML
    return (
        DocumentKind.TEXT
        if essence.startswith("text/") or essence in _TEXT or essence.endswith("+json")
        else DocumentKind.OTHER
    )


def is_xml(essence: str) -> bool:
    """Return whether a media type is one of XML (MIME Sniffing, 4.6)."""
    return essence in _XML or essence.endswith("+xml")


_FIRST_URL = re.compile(rb"(?:[\t\n\f\r ]++|#[^\r\n]*+)*+https?://", re.IGNORECASE)


def sitemap_kind(body: bytes) -> DocumentKind | None:
    """Return the kind of a sitemap by its bytes; None = its media type decides."""
    head = body[:MAX_FRONT]
    encoding = encoding_of(head)
    head = decoded(head, encoding).encode() if encoding else detect.unmarked(head)
    if _FIRST_URL.match(head):
        return DocumentKind.TEXT
    start = start_of(head.decode("latin-1"))
    if start.is_behind_junk:
        return DocumentKind.XML
    found = sniff(head[start.at :])
    return found if found in {DocumentKind.XML, DocumentKind.GZIP} else None


GZIP_MAGIC = b"\x1f\x8b\x08"
_COMPRESSED = (GZIP_MAGIC, b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
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
_BEGIN_OF_PAGE = re.compile(rb"[\t\n\f\r ]*+<(?:!doctype html|html|head)[\t\n\f\r >]", re.IGNORECASE)
_DECLARED = re.compile(rb"[\t\n\f\r ]*+<\?xml[\t\n\f\r ]")
_LISTING = re.compile(
    rb"(?:[\t\n\f\r ]++|<\?.*?\?>|<!--.*?-->|<!(?!--)[^>]*+>)*+<(?:[\w.-]++:)?+(?:"
    + b"|".join(sorted(name.encode() for name in ROOTS))
    + rb")[\t\n\f\r />]",
    re.DOTALL,
)


def _kind_of_html(body: bytes) -> DocumentKind:
    if _is_binary_file(body):
        return DocumentKind.OTHER
    head = body[:SNIFFED].removeprefix(b"\xef\xbb\xbf")
    if _LISTING.match(head) or (not _BEGIN_OF_PAGE.match(head) and is_behind_notice(head.decode("latin-1"))):
        return DocumentKind.XML
    return DocumentKind.HTML


def _is_binary_file(body: bytes) -> bool:
    """Return whether a body begins as a binary file does; text may begin with the same letters (MIME Sniffing, 7)."""
    head = body[:SNIFFED]
    return (head.startswith(_MAGIC) or _CONTAINER.match(head) is not None) and looks_binary(head)


def sniff(body: bytes) -> DocumentKind:
    """Return the kind of a document by its first bytes alone."""
    if body.startswith(GZIP_MAGIC):
        return DocumentKind.GZIP
    head = detect.unmarked(body[:SNIFFED])
    if _LISTING.match(head) or _DECLARED.match(head):
        return DocumentKind.XML
    if _PAGE.match(head):
        return DocumentKind.HTML
    return _text_or_binary(head)


def _text_or_binary(body: bytes) -> DocumentKind:
    head = detect.unmarked(body[:SNIFFED])
    return DocumentKind.OTHER if head.startswith(_MAGIC) or looks_binary(head) else DocumentKind.TEXT


_AS_MARKUP = frozenset(essence for essence, kind in _KINDS.items() if kind is DocumentKind.XHTML) | {"text/html"}
DOCUMENT_TYPES = _AS_MARKUP | {"text/css"}
"""The media types whose files are documents, or binary files that cannot be read."""


def is_unreadable(essence: str | None, body: bytes, *, assets: bool) -> bool:
    """Return whether a document of a markup type, or a style sheet where `assets` are wanted, is a binary file."""
    return (essence in _AS_MARKUP or (assets and essence == "text/css")) and _is_binary_file(body)


def is_compressed(content_type: str | None, body: bytes, *, is_sitemap: bool = False) -> bool:
    """Return whether bytes under an unknown coding are binary where their media type promises text.

    Media types that promise no text are never compressed in this sense: their files are binary anyway.
    """
    essence, label = media_type(content_type)
    expected = kind_of(essence, b"")
    if essence in _BYTES or expected in {DocumentKind.OTHER, DocumentKind.GZIP}:
        return False
    head = body[:SNIFFED]
    if not looks_binary(decode.utf_8(head, detect.of_html(head, label))):
        return False
    if head.startswith(GZIP_MAGIC):
        return not (is_sitemap or expected is DocumentKind.XML)  # the reader opens these gzip files
    return head.startswith(_COMPRESSED) or not (head.startswith(_MAGIC) or _CONTAINER.match(head))
