"""The elements of an HTML page that matter to its links, title and directives, found without building a tree.

Rules
- A page is scanned as the tokenizer of HTML (13.2.5) reads it: comments, scripts and other raw text hide tags, and of
  an attribute that is written twice the first counts.
- The scan is exact or refuses (`NeedsTree`). It refuses where an element's meaning depends on those around it:
  templates, frame sets, drawings that hold links, buttons with an action of their own, forms in forms, several titles
  or bases. So it does with tags that it cannot read, such as one with a quote that is not closed.
- The order is that of the source. A tree differs in one case: it moves content between the cells of a table before it.
Strategy: one regular expression that covers every `<` of the page, and reports only the tags that may matter. The
pages of a site repeat their tags, so what a tag says is remembered.
Runs on: a worker process.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from html.entities import html5
from itertools import pairwise
from typing import Final, NamedTuple

from crawler.encoding import decode
from crawler.parse.html_elements import READERS, Attributes, TagReader

MOST: Final = 4096  # tags that are remembered
MOST_BYTES: Final = 300  # of a tag that is remembered


class NeedsTree(Exception):
    """A page that only a tree can tell the meaning of; the text names the reason."""


class Tag(NamedTuple):
    """A tag that may matter.

    Attributes:
        read_tag: the reader of its element; None = the scan itself reads it.
        content: the raw text of a title.
    """

    name: str
    read_tag: TagReader | None
    attributes: Attributes
    content: str = ""


class Scan(NamedTuple):
    """The elements of a page.

    Attributes:
        title: the text of its title; None = it has none.
        base: the `href` of its `<base>`; None = none has one.
        tags: the distinct tags that may matter, in the order of the source; for plain `<a>`s in a row, the list of
            their `href`s, without fragments.
    """

    title: str | None
    base: str | None
    tags: list[Tag | list[str]]


def scan(html: bytes) -> Scan:
    """Return the elements of a page in UTF-8.

    Raises:
        NeedsTree: a tree may say something else.
    """
    if b"\0" in html:
        raise NeedsTree("NUL")
    found = _TAGS.findall(html)
    tags: list[Tag | list[str]] = []
    hrefs: list[str] | None = None
    single: dict[str, Tag] = {}
    forms = 0
    for href, written, unknown in dict.fromkeys(found):
        if href:
            if hrefs is None:
                tags.append(hrefs := [])
            hrefs.append("" if href == _PAGE_ITSELF else href.decode("utf-8", "replace"))
        elif written and (tag := (_remembered if len(written) <= MOST_BYTES else _read_tag)(written)):
            tags.append(tag)
            hrefs = None
            forms += tag.name == "form"
            if tag.read_tag is None and single.setdefault(tag.name, tag) is not tag:
                raise NeedsTree(f"several <{tag.name}>")
        elif unknown:
            raise NeedsTree("an unusual tag")
    if forms > 1 and _has_nested_forms([written for _, written, _ in found]):
        raise NeedsTree("<form> in <form>")
    title, base = single.get("title"), single.get("base")
    return Scan(title and title.content, base and base.attributes.get("href"), tags)


def _but(excluded: str) -> str:
    """Return the class of all bytes but these. Python's `re` takes twice as long for one that begins with `^`."""
    edges = [-1, *sorted(map(ord, excluded)), 256]
    runs = ((low + 1, high - 1) for low, high in pairwise(edges) if high - low > 1)
    return "[" + "".join(rf"\x{first:02x}-\x{last:02x}" for first, last in runs) + "]"


_W = "\t\n\f\r "
_VALUE = rf"[{_W}]*+=[{_W}]*+(?:\"([^\"]*+)\"|'([^']*+)'|([^{_W}>\"'][^{_W}>]*+)|(?=>))"
_ATTRIBUTE = rf"([^{_W}/>=]++)(?:{_VALUE})?+[{_W}/]*+"
_UNGROUPED = re.sub(r"\((?!\?)", "(?:", _ATTRIBUTE)
_UNQUOTED = _but(">\"'")
_PLAIN = _but(">\"'=")
_QUOTED = rf"{_PLAIN}*+(?:(?<![{_W}/\"])=\"[^\"]*+\"{_PLAIN}*+)*+>"  # most tags, in half the time
_ATTRIBUTES = rf"(?:{_QUOTED}|[{_W}/]*+(?:{_UNGROUPED})*+>)"
_IN_NAME = _but(_W + "/>")
_NAME = rf"[a-zA-Z]{_IN_NAME}*+"
_COMMENT = r"--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>)?+)"
_RAW = ("script", "style", "title", "textarea", "iframe")
DESCRIPTIVE: Final = r"description|keywords|author|generator|viewport|theme-color|dc\.[a-z.]++|(?:og|twitter):[a-z:]++"
"""The pattern of names of `<meta>` that address no robot: a robot with one of these names needs the tree."""
# Tags that say nothing; others that say nothing cost more, and that is all. First in their usual spelling.
_USUAL = (
    r"/[a-eg-z][a-z0-9]*+>"
    rf"|meta (?:name|property)=\"(?:{DESCRIPTIVE})\" content=\"[^\"]*+\" ?+/?+>"
    r"|(?:[cdghkqruw][a-z0-9]*+|span|p|li|em|td|tr|br|strong|section)(?:>| (?:class|id)=\"[^\"]*+\">)"
)
_FREQUENT = (
    rf"(?:[cCdDgGhHkKqQrRuUwW]{_IN_NAME}*+|(?:p|li|span|strong|small|section|td|tr|th|table|tbody|thead|b|br|em|i|nav"
    rf"|main|footer|article)(?=[{_W}/>])){_QUOTED}"
)
_DRAWN = (
    "circle clippath defs ellipse g image line lineargradient marker mask path pattern polygon polyline radialgradient"
    " rect stop symbol text tspan use"
)
_CHOICES = "option optgroup hr"


def _raw_text(name: str) -> str:
    end = rf"/(?i:{name})[{_W}/>]"
    return rf"[{name[0]}{name[0].upper()}](?i:{name[1:]})(?=[{_W}/>]){_ATTRIBUTES}(?:[^<]++|<(?!{end}))*+"


def _whole(name: str, inner: str, texts: str) -> str:
    """Return the pattern of an element without meaning, of text, `inner` elements and `texts` with text."""
    elements = rf"/?(?i:{inner.replace(' ', '|')})(?=[{_W}/>]){_ATTRIBUTES}"
    with_text = rf"(?:{texts})(?=[{_W}>])[^<>\"']*+>[^<]*+</(?:{texts})>"
    content = rf"(?:[^<]++|<(?:{elements}|{with_text}|!{_COMMENT}))*+"
    return rf"(?i:{name})(?=[{_W}>]){_ATTRIBUTES}(?<!/>){content}</(?i:{name})>"


def _between() -> str:
    """Return the pattern of all that is no tag of interest: text, end tags, comments and what says nothing."""
    end = rf"/(?:(?!(?i:form)[{_W}/>])[a-zA-Z]{_UNQUOTED}*+>|[^a-zA-Z>][^>]*+>|>)"
    whole = rf"{_whole('svg', _DRAWN, 'title|desc|style')}|{_whole('select', _CHOICES, 'option')}"
    other = rf"\?[^>]*+>|{whole}|(?![a-zA-Z!/?])"
    return rf"[^<]*+(?:<(?:{_USUAL}|{end}|{_FREQUENT}|!(?:{_COMMENT}|(?!--)[^>]*+>)|{other})[^<]*+)*+"


_FORM_END = rf"/(?i:form)[{_W}]*+>"
# Most tags of interest: nothing else of them is read. Of a reference that is a fragment alone, `#` is left.
_PAGE_ITSELF = b"#"
_OTHER = r'[a-gi-qs-z][a-z-]*+="[^"]*+"'  # no `href` and no `rel`
_HREF = r"""([!$%'-\xff]++|#)(?:"|#[^"]*+"|(?<=#)[^"]*+")"""  # without white space and references to characters
_PLAIN_ANCHOR = (
    rf'a (?:href="|class="[^"]*+" href="|(?:{_OTHER} )++href="){_HREF}(?:>| title="[^"]*+">|(?: {_OTHER})++>)'
)
_ANY = rf"({'|'.join(map(_raw_text, _RAW))}|{_NAME}{_ATTRIBUTES}|{_FORM_END})"
# A `<` that fits nothing matches together with all behind it: the time stays linear. Groups come last, since `re`
# saves those that have matched with each step of a repetition.
_TAGS = re.compile(rf"{_between()}(?:<(?:{_PLAIN_ANCHOR}|{_ANY})|(<)[\x00-\xff]*+|\Z)".encode("latin-1"))
_TAG = re.compile(rf"({_NAME}){_ATTRIBUTES}".encode())
_EACH_ATTRIBUTE = re.compile(_ATTRIBUTE.encode())

_UNCLEAR = frozenset(
    {"frame", "frameset", "image", "math", "noembed", "noframes", "plaintext", "select", "svg", "template", "xmp"}
)
_UNCLEAR_ATTRIBUTES = frozenset({"formaction", "srcdoc"})


def _has_nested_forms(all_written: list[bytes]) -> bool:
    """Return whether a form begins in another one; a tree leaves it out."""
    is_open = False
    for found in filter(None, map(_FORM_TAG.match, all_written)):
        if is_open and not found[1]:
            return True
        is_open = not found[1]
    return False


_FORM_TAG = re.compile(rb"(/?)form[\t\n\f\r />]", re.IGNORECASE)


def _read_tag(written: bytes) -> Tag | None:
    """Read a tag with the raw text behind it; None = it says nothing.

    Raises:
        NeedsTree: a tree may say something else.
    """
    if written.startswith(b"/"):
        return None
    found = _TAG.match(written)
    if found is None:
        raise NeedsTree("an unusual tag")
    name = found[1].decode("utf-8", "replace").lower()
    if name in _UNCLEAR or (name == "script" and _is_nested(written)):
        raise NeedsTree(f"<{name}>")
    if name not in READERS and name != "base":
        return None
    attributes: dict[str, str | None] = {}
    for key, *values in _EACH_ATTRIBUTE.findall(written, found.end(1), found.end()):
        attributes.setdefault(key.lower().decode("utf-8", "replace"), _decoded(b"".join(values), _in_attribute))
    if not _UNCLEAR_ATTRIBUTES.isdisjoint(attributes):
        raise NeedsTree("formaction or srcdoc")
    if name == "base":
        return Tag(name, None, attributes) if "href" in attributes else None
    if name == "title":
        return Tag(name, None, attributes, _decoded(written[found.end() :], _in_text))
    return Tag(name, READERS[name], attributes)


def _is_nested(script: bytes) -> bool:
    """Return whether a script may hold another in a comment, so that its first end tag does not end it."""
    comment = script.find(b"<!--")
    return comment >= 0 and b"<script" in script[comment:].lower()


_remembered = lru_cache(maxsize=MOST)(_read_tag)


def _decoded(written: bytes, named: Callable[[str, str], str]) -> str:
    """Return a value or a text with its line ends made one (HTML, 13.2.3.5), and its character references replaced."""
    text = written.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "&" not in text:
        return text
    return _REFERENCE.sub(lambda found: named(found[3], found[4] or "") if found[3] else _numbered(found), text)


_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]++)|([0-9]++));?+|([a-zA-Z][a-zA-Z0-9]*+)([;=])?+)")
_LONGEST_OPEN = 6  # characters of a name that needs no semicolon


def _in_attribute(name: str, mark: str) -> str:
    """Return a named reference in an attribute: without a semicolon, `=` or a letter behind it makes it plain text."""
    value = html5.get(name + ";") if mark == ";" else None if mark else html5.get(name)
    return f"&{name}{mark}" if value is None else value


def _in_text(name: str, mark: str) -> str:
    """Return a named reference in a text, where the longest name counts (HTML, 13.2.5.73)."""
    if mark == ";" and (value := html5.get(name + ";")):
        return value
    ends = range(min(len(name), _LONGEST_OPEN), 1, -1)
    return next((html5[name[:end]] + name[end:] + mark for end in ends if name[:end] in html5), f"&{name}{mark}")


def _numbered(found: re.Match[str]) -> str:
    """Return the character of a numeric reference (HTML, 13.2.5.80)."""
    digits = (found[1] or found[2]).lstrip("0")
    code = int(digits or "0", 16 if found[1] else 10) if len(digits) <= 8 else 0
    if 0x80 <= code <= 0x9F:
        return decode.text(bytes([code]), "windows-1252")
    return chr(code) if 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
