"""The reader of an HTML page: its links, title, text and directives.

Rules
- The page is read as a browser without scripts reads it: `<noscript>` counts, comments, scripts and the content of
  `<template>` do not, and of an attribute that is written twice the first counts.
- A template that declares a shadow root is part of the page: its references count, in document order.
- References are resolved against the first `<base href>` of HTML, wherever on the page it stands.
- A document inside (`<iframe srcdoc>`) is part of the page: its references come last. Its own `<base>` holds there
  alone, and a refresh in it is a source of that frame.
- Styles and drawings are searched only where they are wanted (`Wants.assets`).
Strategy: where only links, title and directives are wanted, the page is scanned without a tree (`html_scan.py`), a half
of the time; the tree reads what the scan refuses. One walk over the tree dispatches on lexbor's number of the tag and
takes all attributes of a tag at once: a third of what one CSS query with the same tags takes, and in document order.
Runs on: a worker process.
"""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from crawler.parse.document import Content, Wants
from crawler.parse.html_elements import META, TAGS, PageElements, TagReader, read_directives
from crawler.parse.html_scan import DESCRIPTIVE, NeedsTree, Scan, Tag, scan
from crawler.parse.references import References, TooManyLinks
from crawler.parse.select import select, visible_text
from crawler.parse.styles import read_styles
from crawler.parse.tags import number

MAX_INSIDE = 10  # levels of documents inside documents
MAX_DOCUMENTS = 10_000  # inside one page


def read(html: bytes, references: References, wants: Wants, agent: str = "") -> Content:
    """Read a page in UTF-8, and add its references to `references`.

    Raises:
        MemoryError: its tree does not fit into this process.
    """
    robot_names = frozenset({"robots", agent.lower()} - {""})
    if not (wants.text or wants.selectors or wants.assets or any(map(_DESCRIPTIVE.fullmatch, robot_names))):
        with suppress(NeedsTree):
            return _read_scan(scan(html), PageElements(None, references, robot_names))
    tree = parse_tree(html)
    page = PageElements(tree, references, robot_names)
    _read_tree(html, tree, page, wants)
    if page.documents:
        _read_documents(page, wants)
    selected = select(tree, wants.selectors) if wants.selectors else None
    text = visible_text(tree) if wants.text else None
    title = _title(page, tree)
    return Content(
        title=None if title is None else title.text(),
        robots=frozenset(page.robots),
        data=selected and selected.data,
        data_cut=(selected is not None and selected.are_cut) or (text is not None and text.is_cut),
        text=text and text.text,
    )


_DESCRIPTIVE = re.compile(DESCRIPTIVE)


def _read_scan(found: Scan, page: PageElements) -> Content:
    """Read a page that was scanned; after too many links, only the directives for robots."""
    if found.base is not None:
        page.references.set_base(found.base)
    try:
        for tag in found.tags:
            if isinstance(tag, list):
                page.references.add_anchors(tag)
            elif tag.read_tag:
                tag.read_tag(page, None, tag.attributes)
    except TooManyLinks:
        for tag in found.tags:
            if isinstance(tag, Tag) and tag.name == "meta":
                read_directives(page, tag.attributes)
    return Content(title=found.title, robots=frozenset(page.robots))


def _title(page: PageElements, tree: LexborHTMLParser) -> LexborNode | None:
    """Return the first title that is no drawing's; the first one in the head needs no search."""
    first = page.first_title
    is_in_head = first is not None and first.parent is not None and first.parent.tag_id == _HEAD
    return first if is_in_head else tree.css_first("title:not(svg *)")


def _read_documents(page: PageElements, wants: Wants) -> None:
    """Read the documents inside; each begins with the base of the one that it is in (HTML, "fallback base URL")."""
    waiting = deque((document, page.references.base, 1) for document in page.documents)
    for _ in range(MAX_DOCUMENTS):
        if not waiting:
            return
        document, base, depth = waiting.popleft()
        page.references.begin_at(base)
        html = document.encode("utf-8", "replace")
        tree = parse_tree(html)
        inside = PageElements(tree, page.references, frozenset(), is_whole=False)
        _read_tree(html, tree, inside, wants)
        if depth < MAX_INSIDE:
            waiting += ((inner, page.references.base, depth + 1) for inner in inside.documents)
        elif inside.documents:
            page.references.are_cut = True
    page.references.are_cut |= bool(waiting)


def parse_tree(html: bytes) -> LexborHTMLParser:
    """Return the tree of a page in UTF-8: the part of reading that is one call into C.

    Raises:
        MemoryError: it does not fit into this process.
    """
    try:
        return LexborHTMLParser(html)
    except SelectolaxError:  # lexbor takes any bytes, so only memory for the tree can be missing
        raise MemoryError("the page's tree does not fit into memory") from None


_BASE = re.compile(rb"<base[\t\n\f\r />]", re.IGNORECASE)  # without one, the tree need not be searched


def _base(tree: LexborHTMLParser) -> str | None:
    """Return the href of the first `<base>` of HTML that has one; None = no element has.

    An element of SVG or MathML with that name is serialised with an end tag; that of HTML is void and has none.
    """
    bases = tree.css("base[href]:empty")
    return next((base.attributes["href"] or "" for base in bases if not (base.html or "").endswith("</base>")), None)


def _read_tree(html: bytes, tree: LexborHTMLParser, page: PageElements, wants: Wants) -> None:
    """Read every tag that matters; after too many links, only the directives for robots."""
    if _BASE.search(html) and (base := _base(tree)) is not None:
        page.references.set_base(base)
    elements = _elements(tree.root, every=wants.assets) if tree.root else iter(())
    try:
        for element, read_tag in elements:
            attributes = element.attributes
            if read_tag:
                read_tag(page, element, attributes)
            if wants.assets:
                read_styles(page, element, attributes)
    except TooManyLinks:
        for element, _ in elements:
            if element.tag_id == META:
                read_directives(page, element.attributes)


def _elements(root: LexborNode, *, every: bool) -> Iterator[tuple[LexborNode, TagReader | None]]:
    """Yield the elements of the table, or every one, in document order, each with the reader of its tag.

    Those of a shadow root come behind the template that declares it.
    """
    trees = [root.traverse()]
    while trees:
        for node in trees[-1]:
            tag = node.tag_id
            read_tag = TAGS.get(tag)
            if read_tag or every:
                yield node, read_tag
            if tag == _TEMPLATE and (shadow := _shadow_root(node)):
                trees.append(shadow.traverse())
                break
        else:
            trees.pop()


def _shadow_root(template: LexborNode) -> LexborNode | None:
    """Return the shadow root that a template declares (HTML, 4.12.3); None = it is inert, or an element of SVG."""
    if (template.attributes.get("shadowrootmode") or "").lower() not in {"open", "closed"} or template.first_child:
        return None
    return next(iter(template.template_fragments()), None)


_TEMPLATE = number("template")
_HEAD = number("head")
