"""Charset sniffing: the encoding of a document by its byte order mark (BOM), Content-Type, `<meta charset>` or bytes.

Rules
- The order is the standard's: byte order mark, Content-Type, the document's own declaration
  (HTML 13.2.3.2, https://html.spec.whatwg.org/#determining-the-character-encoding), then the bytes.
- By its bytes, valid UTF-8 is UTF-8 (hardly any other text is valid by chance), XML must be UTF-8, and all else is
  windows-1252, the standard's default. A guess by letter frequencies would cost more than reading the page, be wrong on
  short pages, and save only text that browsers of another region show wrong as well: URLs are ASCII under nearly every
  encoding.
- A label is the charset of a Content-Type; a label that is not in the Encoding standard is ignored.
Runs on: anywhere (pure).
"""

import codecs
import re

from crawler.encoding.decode import UTF_8, UTF_16, utf_8
from crawler.encoding.labels import named
from crawler.encoding.meta_charset import of_markup, of_xml_declaration
from crawler.http.media_types import media_type

DEFAULT = "windows-1252"

_BOMS = ((codecs.BOM_UTF8, UTF_8), *((mark, encoding) for encoding, mark in UTF_16.items()))
_TAG_IN_UTF_16 = (
    ("utf-16le", re.compile(rb"(?:[\t\n\r ]\0)*+<\0[^\0]\0")),
    ("utf-16be", re.compile(rb"(?:\0[\t\n\r ])*+\0<\0[^\0]")),
)
_MAY_BE_HTML = frozenset({None, "text/html", "application/octet-stream", "unknown/unknown", "application/unknown"})


def of_html(body: bytes, label: str | None = None) -> str:
    """Return the encoding of an HTML document."""
    return marked(body) or named(label) or of_markup(body) or _of_bytes(body)


def of_xml(body: bytes, label: str | None = None) -> str:
    """Return the encoding of an XML document (RFC 7303, 3; XML 1.0, appendix F)."""
    return marked(body) or named(label) or of_zero_bytes(body) or of_xml_declaration(body) or UTF_8


def of_zero_bytes(body: bytes) -> str | None:
    """Return the UTF-16 of an XML document without a mark, by the bytes of its first `<`; None = it is in neither."""
    return next((encoding for encoding, start in _TAG_IN_UTF_16 if start.match(body)), None)


def of_list(body: bytes, label: str | None = None) -> str:
    """Return the encoding of a sitemap that is plain text, which must be UTF-8 (sitemaps.org)."""
    return marked(body) or named(label) or UTF_8


def of_text(body: bytes, label: str | None = None) -> str:
    """Return the encoding of any other text."""
    return marked(body) or named(label) or _of_bytes(body)


def of_response(content_type: str | None, body: bytes) -> str:
    """Return the encoding of the body of any response; `content_type` is the header as `media_type` takes it."""
    essence, label = media_type(content_type)
    if essence in _MAY_BE_HTML:
        return of_html(body, label)
    is_xml = essence in {"text/xml", "application/xml"} or (essence or "").endswith("+xml")
    return of_xml(body, label) if is_xml else of_text(body, label)


def unmarked(head: bytes) -> bytes:
    """Return the start of a document as it is, or, if it has a byte order mark, in UTF-8 without the mark."""
    encoding = marked(head)
    return utf_8(head, encoding) if encoding else head


def marked(body: bytes) -> str | None:
    """Return the encoding of a byte order mark; None = there is none."""
    return next((encoding for mark, encoding in _BOMS if body.startswith(mark)), None)


def _of_bytes(body: bytes) -> str:
    """Return UTF-8 if the document is valid as far as it goes: a document that was cut may end within a character."""
    try:
        if not body.isascii():
            codecs.utf_8_decode(body, "strict", False)  # noqa: FBT003 - C takes no names
    except UnicodeDecodeError:
        return DEFAULT
    return UTF_8
