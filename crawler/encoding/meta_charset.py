"""The encoding that a document declares inside: `<meta charset>`, or the XML declaration.

Rules
- The first 1024 bytes are prescanned (HTML, "prescan a byte stream to determine its encoding").
- A `<meta>` of the page itself has the last word, wherever it stands (HTML 13.2.3.4, "changing the encoding while
  parsing"). A `<meta>` within a comment, a script, a style, a title or an attribute does not count. The page is
  searched only where the prescan found nothing, or found something that may be no `<meta>` of the page.
- A page that could be read as ASCII so far is not in UTF-16, whatever it declares.
- The time is proportional to the number of bytes, also for hostile ones.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from html import unescape

from crawler.encoding.decode import UTF_8, UTF_16
from crawler.encoding.labels import named

PRESCANNED = 1024
MAX_METAS = 10_000  # that are read: more are hostile

_XML_IN_UTF_16 = ((b"<\0?\0x\0", "utf-16le"), (b"\0<\0?\0x", "utf-16be"))
_TEXT = (b"style", b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes")  # hold text and no tags
# Markup in front of the result of the prescan that may hide it from a parser, or declare an encoding to a parser alone.
_DOUBTS = (*(b"<" + name for name in (*_TEXT, b"script")), b"<plaintext", b"--!>", b"charset")
# As most pages begin: what is in front of the declaration hides nothing, to the prescan and to a parser.
_PLAIN_START = re.compile(
    rb"""(?: [\t\n\f\r ]++ | <!doctype[^>]*+> | <html(?:[ ][a-z:-]++="[^"]*+")*+> | <head> | <title>[^<]*+</title>
    | <(?:meta(?:[ ](?:name|property|content)="[^"]*+")++ | link(?:[ ][a-z-]++="[^"]*+")++)[ ]?/?> )*+
    <meta[ ](?:charset="|http-equiv="content-type"[ ]content="text/html;[ ]?charset=)([a-z0-9_-]++)"[ ]?/?>""",
    re.IGNORECASE | re.VERBOSE,
)


def of_markup(body: bytes) -> str | None:
    """Return the encoding that an HTML document declares; None = it declares none."""
    start = _PLAIN_START.match(body, 0, PRESCANNED)
    if start and (encoding := _as_declared(named(start[1].decode("ascii").lower()))):
        return encoding
    if encoding := _of_utf_16(body):
        return encoding
    head = body[:PRESCANNED]
    found, at = _of_meta(head)
    if found:
        before = head[:at].lower()
        return (any(doubt in before for doubt in _DOUBTS) and _of_page(body)) or found
    # A tag may be left that the prescan did not see whole, or saw and did not take.
    is_left = b"charset" in head.lower() or _ANY_META.search(body, max(head.rfind(b"<"), 0))
    return (is_left and b"charset" in body.lower() and _of_page(body)) or _of_xml_declaration(head)


def of_xml_declaration(body: bytes) -> str | None:
    """Return the encoding of `<?xml ... encoding="x"?>` (HTML, "get an XML encoding"); None = it declares none."""
    return _of_utf_16(body) or _of_xml_declaration(body[:PRESCANNED])


def _of_utf_16(body: bytes) -> str | None:
    return next((encoding for start, encoding in _XML_IN_UTF_16 if body.startswith(start)), None)


_XML_DECLARATION = re.compile(rb"<\?xml([^>]*)>")
_XML_ENCODING = re.compile(rb"""encoding[\0- ]*+=[\0- ]*+(?:"([^\0- "]*+)"|'([^\0- ']*+)')""")


def _of_xml_declaration(head: bytes) -> str | None:
    declaration = _XML_DECLARATION.match(head)
    at = declaration[1].find(b"encoding") if declaration else -1
    found = _XML_ENCODING.match(declaration[1], at) if declaration and at >= 0 else None
    return _as_declared(named((found[1] or found[2] or b"").decode("latin-1"))) if found else None


def _as_declared(encoding: str | None) -> str | None:
    if encoding in UTF_16:
        return UTF_8
    return "windows-1252" if encoding == "x-user-defined" else encoding


_ANY_META = re.compile(rb"<meta", re.IGNORECASE)
_META = re.compile(rb"<meta(?=[\t\n\f\r /])", re.IGNORECASE)
_TAG = re.compile(rb"</?[a-z][^\t\n\f\r >]*+", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*+
    (?: > | (?P<name> [^\t\n\f\r />] [^\t\n\f\r />=]*+ )
            (?: [\t\n\f\r ]*+ = [\t\n\f\r ]*+
                (?: "(?P<double>[^"]*+)(?:"|\Z) | '(?P<single>[^']*+)(?:'|\Z) | (?P<bare>[^\t\n\f\r >]*+) ) )? )?""",
    re.VERBOSE,
)
_REST_OF_TAG = re.compile(
    rb"""(?: [\t\n\f\r /]*+ [^\t\n\f\r />] [^\t\n\f\r />=]*+
             (?: [\t\n\f\r ]*+ = [\t\n\f\r ]*+ (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^\t\n\f\r >]*+ ) )?+ )*+
    [\t\n\f\r /]*+ >""",
    re.VERBOSE,
)


def _of_meta(head: bytes) -> tuple[str | None, int]:
    """Return the encoding of the first `<meta>` that declares one, and its place; None if the bytes end before."""
    at = head.find(b"<") if b"<meta" in head.lower() else -1
    while at >= 0:
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2)  # the dashes of `<!-->` count
        elif _META.match(head, at):
            attributes, end = _attributes(head, at + len(b"<meta"))
            label = attributes.get("charset") if "charset" in attributes else _of_pragma(attributes)
            if end >= 0 and (encoding := _as_declared(named(label))):
                return encoding, at
        elif tag := _TAG.match(head, at):
            rest = _REST_OF_TAG.match(head, tag.end())
            end = rest.end() if rest else -1
        elif head[at + 1 : at + 2] in {b"!", b"/", b"?"}:
            end = head.find(b">", at)
        else:
            end = at + 1
        at = head.find(b"<", end) if end >= 0 else -1
    return None, -1


def _attributes(head: bytes, at: int) -> tuple[dict[str, str], int]:
    """Return a tag's attributes in lower case, the first of each name, and its end; -1 = not within these bytes."""
    found: dict[str, str] = {}
    while (match := _ATTRIBUTE.match(head, at)) and match.end() < len(head):
        if match["name"] is None:
            return found, match.end()
        value = match["double"] or match["single"] or match["bare"] or b""
        found.setdefault(match["name"].lower().decode("latin-1"), value.lower().decode("latin-1"))
        at = match.end()
    is_closed = match is not None and match["name"] is None and head.endswith(b">")
    return found, len(head) if is_closed else -1


_CHARSET = re.compile(
    r"""charset[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:"([^"]*+)"|'([^']*+)'|(?!["'])([^\t\n\f\r ;]*+))?""", re.IGNORECASE
)


def _of_pragma(attributes: Mapping[str, str]) -> str | None:
    """Return the label in `text/html; charset=x` (HTML, "extracting a character encoding from a meta element")."""
    if attributes.get("http-equiv") != "content-type":
        return None
    found = _CHARSET.search(attributes.get("content", ""))
    return found and (found[1] or found[2] or found[3])


_IN_TAG = rb"(?:[^=>]++|=[\t\n\f\r ]*+(?:\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))?)*+"
_ENDS = rb"(?=[\t\n\f\r />])"


_ESCAPED = (
    rb"<!--(?:-*+>|(?:[^<-]++|-(?!->)|<script%b(?:[^<-]++|-(?!->)|<(?!/script%b))*+(?:</script)?|<(?!/?script%b))*+(?:-->)?)"
    % (_ENDS, _ENDS, _ENDS)
)  # a script may hold, as a comment, a whole script and its end tag (HTML, "script data double escaped state")
_SCRIPT = rb"<script%b%b>(?:[^<]++|<(?!/script%b|!--)|%b)*+(?:</script|\Z)" % (_ENDS, _IN_TAG, _ENDS, _ESCAPED)


@lru_cache
def _meta_of_page() -> re.Pattern[bytes]:
    """Return the pattern of all up to the next `<meta>`; each part ends, at the page's end at the latest."""
    return re.compile(
        rb"(?:[^<]++|<!--(?:-?>|.*?(?:--!?>|\Z))|"
        + _SCRIPT
        + b"|"
        + b"|".join(rb"<%b%b%b>.*?(?:</%b%b|\Z)" % (name, _ENDS, _IN_TAG, name, _ENDS) for name in _TEXT)
        + rb"|<plaintext%b.*+|<(?!meta%b)(?:/?+[a-z]%b|[!/?][^>]*+)?+)*+<meta%b" % (_ENDS, _ENDS, _IN_TAG, _ENDS),
        re.IGNORECASE | re.DOTALL,
    )


def _of_page(body: bytes) -> str | None:
    """Return the encoding of the first `<meta>` of the page that declares one, as a parser without scripts finds it."""
    pattern, at = _meta_of_page(), 0
    for _ in range(MAX_METAS):
        meta = pattern.match(body, at)
        attributes, at = _attributes(body, meta.end()) if meta else ({}, -1)
        if at < 0:
            return None
        values = {name: unescape(value) for name, value in attributes.items()}
        if encoding := named(values.get("charset")) or named(_of_pragma(values)):
            return _as_declared(encoding)
    return None
