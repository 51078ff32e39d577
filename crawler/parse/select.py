"""The parts of a page that a user selects: by CSS selector, and the visible text.

Rules
- As in Scrapy, `css` gives the texts of the elements that match, `css::text` their own text nodes, `css ::text` those
  of all their descendants too, and `css::attr(name)` an attribute where they have it.
- Selectors are checked before a crawl starts, so no page can make one fail.
- The results of a page are bounded: values per selector, characters per value and of all values, characters of text.
- Text is visible as far as the markup tells: scripts, styles, fallbacks and `hidden` elements are not. CSS is not read.
Runs on: a worker process; `check_selector` anywhere.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from crawler.core.errors import UsageError
from crawler.parse.tags import TEXT, numbers

MAX_VALUES = 10_000
MAX_VALUE = 100_000
MAX_SELECTED = 1_000_000
MAX_TEXT = 1_000_000
_VALUE = 4  # characters that a value takes in JSON besides its own

_PSEUDO_ELEMENT = re.compile(r"(?P<inside>\s*)::(?:text|attr\(\s*(?P<attribute>[^\s()]+)\s*\))\Z")
_INVISIBLE = numbers("head script style noscript template iframe noembed noframes object audio video canvas datalist")
_BREAK = "\0"  # no text of a page holds one: the parser drops or replaces it
_EDGES = dict.fromkeys(
    numbers(
        "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption "
        "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol optgroup option "
        "p pre search section select summary table tr ul xmp"
    ),
    _BREAK,
) | dict.fromkeys(numbers("td th"), " ")


def check_selector(css: str) -> None:
    """Check a selector before it is used.

    Raises:
        UsageError: the selector is invalid; the message says what may be written.
    """
    _compiled(css)


class Selected(NamedTuple):
    """The results of selectors, by their names; `are_cut` = all together they give more than is taken."""

    data: dict[str, list[str]]
    are_cut: bool


def select(tree: LexborHTMLParser, selectors: Sequence[tuple[str, str]]) -> Selected:
    """Return the results of each selector, in document order."""
    data: dict[str, list[str]] = {name: [] for name, _ in selectors}
    room, are_cut = MAX_SELECTED, False
    for name, css in selectors:
        values = iter(_compiled(css).values(tree))
        for value in islice(values, MAX_VALUES):
            room -= len(value[:MAX_VALUE]) + _VALUE
            if room < 0:
                return Selected(data, are_cut=True)
            are_cut |= len(value) > MAX_VALUE
            data[name].append(value[:MAX_VALUE])
        are_cut |= next(values, None) is not None
    return Selected(data, are_cut=are_cut)


class VisibleText(NamedTuple):
    """The visible text; `is_cut` = there is more of it than is taken."""

    text: str
    is_cut: bool


def visible_text(tree: LexborHTMLParser) -> VisibleText:
    """Return the visible text, one line for each block, white space collapsed."""
    root = tree.root
    if root is None:
        return VisibleText("", is_cut=False)
    hidden = {node.mem_id for node in root.css("[hidden]")}
    pieces: list[str] = []  # texts, and an edge where a block or a cell starts or ends
    room = MAX_TEXT
    node: LexborNode | None = root
    while node is not None and room >= 0:
        inside = None
        if (tag := node.tag_id) == TEXT:
            text = node.text_content or ""
            pieces.append(text[:room])
            room -= len(text)
        elif tag not in _INVISIBLE and node.mem_id not in hidden:
            pieces.append(_EDGES.get(tag, ""))
            inside = node.first_child
        node = inside or _after(node, root, pieces)
    lines = (" ".join(block.split()) for block in "".join(pieces).split(_BREAK))
    return VisibleText("\n".join(filter(None, lines)), is_cut=room < 0)


class _Selector(msgspec.Struct, frozen=True):
    """A selector, and the part of a match that its pseudo-element selects."""

    css: str
    attribute: str | None = None
    own_text: bool = False
    inside: bool = False

    def values(self, tree: LexborHTMLParser) -> Iterable[str]:
        nodes = tree.css(self.css)
        if self.attribute is not None:
            name = self.attribute
            return (found[name] or "" for node in nodes if name in (found := node.attributes))
        if not self.own_text:
            return (node.text().strip() for node in nodes)
        if self.inside:
            return _texts_inside(nodes)
        children = (child for node in nodes for child in node.iter(include_text=True))
        return (child.text_content or "" for child in children if child.is_text_node)


@lru_cache
def _compiled(css: str) -> _Selector:
    pseudo = _PSEUDO_ELEMENT.search(css)
    plain = (css[: pseudo.start()] or "*") if pseudo else css
    try:
        LexborHTMLParser("").css(plain)
    except (SelectolaxError, UnicodeEncodeError):
        raise UsageError(
            f"{css!r} is no CSS selector: write one as in a style sheet; it may end with ::text or ::attr(name)"
        ) from None
    if pseudo is None:
        return _Selector(plain)
    return _Selector(plain, pseudo["attribute"], own_text=pseudo["attribute"] is None, inside=bool(pseudo["inside"]))


def _texts_inside(nodes: Iterable[LexborNode]) -> Iterator[str]:
    """Yield each text node once, though matches may stand inside each other."""
    met = set()
    for node in nodes:
        for inner in node.traverse(include_text=True):
            if inner.is_text_node and inner.mem_id not in met:
                met.add(inner.mem_id)
                yield inner.text_content or ""


def _after(node: LexborNode, root: LexborNode, pieces: list[str]) -> LexborNode | None:
    """Return the next sibling of a node, or of its nearest ancestor that has one; add the edges of all that end."""
    while True:
        pieces.append(_EDGES.get(node.tag_id, ""))
        if node.mem_id == root.mem_id:
            return None
        if beside := node.next:
            return beside
        node = node.parent or root
