"""Which character encoding a document is in, and its text.

Rules
- The order is the standard's: byte order mark, Content-Type, what the document declares in its first 1024 bytes
  (HTML 13.2.3.2, https://html.spec.whatwg.org/#determining-the-character-encoding), then a look at the bytes.
- Only labels of the Encoding standard's table count (https://encoding.spec.whatwg.org/#names-and-labels); names are
  the standard's in lower case. So `latin1` is windows-1252, and `iso-2022-kr` decodes to nothing.
- The look at the bytes: valid UTF-8 is UTF-8 (hardly any other text is valid by chance), and XML must be UTF-8;
  everything else is windows-1252, the standard's default. Guessing further, by letter frequencies, would cost more
  than reading the page, be wrong on short pages, and save only text that every browser of another region shows wrong
  as well: URLs are ASCII under nearly every encoding.
- Decoding never fails: what is not valid becomes U+FFFD.
Runs on: anywhere (pure).
"""

import codecs
import re
from functools import lru_cache

import webencodings  # type: ignore[import-untyped] # it has no types

UTF_8 = "utf-8"
DEFAULT = "windows-1252"
PRESCANNED = 1024

_UTF_16 = frozenset({"utf-16le", "utf-16be"})
_BOMS = ((b"\xef\xbb\xbf", UTF_8), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
_XML_IN_UTF_16 = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))


def of_html(body: bytes, label: str | None = None) -> str:
    """The encoding of an HTML document; `label` is the charset of its Content-Type."""
    return _starting_with(_BOMS, body) or named(label) or prescan(body) or (UTF_8 if _is_utf_8(body) else DEFAULT)


def of_xml(body: bytes, label: str | None = None) -> str:
    """The encoding of an XML document (RFC 7303, 3)."""
    return _starting_with(_BOMS, body) or named(label) or _of_xml_declaration(body[:PRESCANNED]) or UTF_8


def of_text(body: bytes, label: str | None = None) -> str:
    """The encoding of any other text."""
    return _starting_with(_BOMS, body) or named(label) or (UTF_8 if _is_utf_8(body) else DEFAULT)


def named(label: str | None) -> str | None:
    """The encoding that a label stands for; None = no encoding has that label."""
    try:
        encoding = webencodings.lookup(label) if label else None
    except UnicodeEncodeError:  # a lone surrogate
        return None
    return encoding.name if encoding else None


def text(body: bytes, encoding: str) -> str:
    """The document's text, without a byte order mark."""
    if encoding == UTF_8:
        return body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    if encoding == "replacement":  # of encodings in which markup can be hidden from a filter
        return "\ufffd" if body else ""
    if encoding.startswith("windows-"):
        return codecs.charmap_decode(body, "replace", _table(encoding))[0]
    return _codec(encoding).decode(body, "replace")[0].removeprefix("\ufeff")


def utf_8(body: bytes, encoding: str) -> bytes:
    """The document in UTF-8, without a byte order mark. One that is in UTF-8 comes back as it is, invalid bytes too."""
    return body.removeprefix(codecs.BOM_UTF8) if encoding == UTF_8 else text(body, encoding).encode("utf-8", "replace")


def marked(head: bytes) -> bytes:
    """The start of a document in UTF-8 if a byte order mark says what it is in, without the mark; else as it is."""
    encoding = _starting_with(_BOMS, head)
    return utf_8(head, encoding) if encoding else head


def encode(characters: str, encoding: str) -> bytes:
    """Characters as a form on such a page would send them (URL standard, "percent-encode after encoding")."""
    name = UTF_8 if encoding in _UTF_16 or encoding == "replacement" else encoding
    return _codec(name).encode(characters, "xmlcharrefreplace")[0]


def prescan(body: bytes) -> str | None:
    """What an HTML document declares in its first 1024 bytes (HTML, "prescan a byte stream"); None = nothing."""
    head = body[:PRESCANNED]
    return _of_meta(head) or _of_xml_declaration(head)


_META = re.compile(rb"<meta(?=[\t\n\f\r /])", re.IGNORECASE)
_TAG = re.compile(rb"</?[a-z][^\t\n\f\r >]*+", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+
    (?: > | (?P<name> [^\t\n\f\r />] [^\t\n\f\r />=]*+ )
            (?: [\t\n\f\r ]*+ = [\t\n\f\r ]*+
                (?: "(?P<double>[^"]*+)(?:"|\Z) | '(?P<single>[^']*+)(?:'|\Z) | (?P<bare>[^\t\n\f\r >]*+) ) )? )?""",
    re.VERBOSE,
)
_CHARSET = re.compile(
    r"""charset[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|(?!["'])([^\t\n\f\r ;]*+))?""", re.IGNORECASE
)
_XML_DECLARATION = re.compile(rb"<\?xml([^>]*)>")
_XML_ENCODING = re.compile(rb"""encoding[\0- ]*+=[\0- ]*+(?:"([^\0- "]*+)"|'([^\0- ']*+)')""")


def _starting_with(marks: tuple[tuple[bytes, str], ...], body: bytes) -> str | None:
    return next((encoding for mark, encoding in marks if body.startswith(mark)), None)


def _is_utf_8(body: bytes) -> bool:
    """Valid as far as it goes: a document that was cut may end within a character."""
    try:
        return body.isascii() or bool(codecs.utf_8_decode(body, "strict", False))  # noqa: FBT003 - C takes no names
    except UnicodeDecodeError:
        return False


def _of_meta(head: bytes) -> str | None:
    """The first `<meta>` that declares an encoding; running out of bytes in the middle of anything is None."""
    at = head.find(b"<") if b"<meta" in head.lower() else -1
    while at >= 0:
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2)  # the dashes of `<!-->` count
        elif _META.match(head, at):
            attributes, end = _attributes(head, at + len(b"<meta"))
            if end >= 0 and (encoding := _declared(attributes)):
                return encoding
        elif tag := _TAG.match(head, at):
            end = _attributes(head, tag.end())[1]
        elif head[at + 1 : at + 2] in {b"!", b"/", b"?"}:
            end = head.find(b">", at)
        else:
            end = at + 1
        at = head.find(b"<", end) if end >= 0 else -1
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[str, str], int]:
    """A tag's attributes in lower case, the first of each name, and where it ends; -1 = not within these bytes."""
    found: dict[str, str] = {}
    while (match := _ATTRIBUTE.match(head, at)) and match.end() < len(head):
        if match["name"] is None:
            return found, match.end()
        value = match["double"] or match["single"] or match["bare"] or b""
        found.setdefault(match["name"].lower().decode("latin-1"), value.lower().decode("latin-1"))
        at = match.end()
    is_closed = match is not None and match["name"] is None and head.endswith(b">")
    return found, len(head) if is_closed else -1


def _declared(attributes: dict[str, str]) -> str | None:
    """What a `<meta>` declares; a document that could be prescanned is not in UTF-16, whatever it says."""
    label = attributes.get("charset")
    if label is None and attributes.get("http-equiv") == "content-type":
        label = _of_content(attributes.get("content", ""))
    return _as_declared(named(label))


def _of_content(content: str) -> str | None:
    """The label in `text/html; charset=x` (HTML, "extracting a character encoding from a meta element")."""
    found = _CHARSET.search(content)
    return found and (found[1] or found[2] or found[3])


def _of_xml_declaration(head: bytes) -> str | None:
    """What `<?xml ... encoding="x"?>` declares (HTML, "get an XML encoding")."""
    if encoding := _starting_with(_XML_IN_UTF_16, head):
        return encoding
    declaration = _XML_DECLARATION.match(head)
    found = declaration and _XML_ENCODING.search(declaration[1])
    return _as_declared(named((found[1] or found[2] or b"").decode("latin-1"))) if found else None


def _as_declared(encoding: str | None) -> str | None:
    if encoding in _UTF_16:
        return UTF_8
    return DEFAULT if encoding == "x-user-defined" else encoding


@lru_cache
def _codec(encoding: str) -> codecs.CodecInfo:
    found = webencodings.lookup("gb18030" if encoding == "gbk" else encoding)  # the standard decodes both alike
    return found.codec_info if found else codecs.lookup("cp1252")


@lru_cache
def _table(encoding: str) -> str:
    """256 characters: Python's, with control characters where Windows has none (and Python has U+FFFD)."""
    known = _codec(encoding).decode(bytes(range(256)), "replace")[0]
    return "".join(chr(at) if at < 0xA0 and known[at] == "\ufffd" else known[at] for at in range(256))
