"""The references of a page's styles and SVG drawings, which only a crawl with assets reads.

Rules
- `<style>`, `style=` and the attributes of SVG that are styles (SVG 2, 6.6) are read as CSS (`css.py`).
- A drawing loads scripts by their `href` (SVG 2, 16.3), `<image>` and `<feImage>`, and `<use>` from another file
  (SVG 2, 5.5 and 12.3).
- `background=` is an image (HTML, 15.3.3 and 15.3.8).
Runs on: a worker process.
"""

from collections.abc import Iterable

from selectolax.lexbor import LexborNode

from crawler.parse.attributes import SPACE
from crawler.parse.css import Reference, sheet_references, style_references
from crawler.parse.html_elements import MAX_CLIMB, Attributes, PageElements
from crawler.parse.links import LinkKind
from crawler.parse.references import References
from crawler.parse.tags import number, numbers

_STYLE = number("style")
_SCRIPT = number("script")
_SVG = number("svg")
_BORDERS = numbers("svg foreignobject body")
_IMAGES = numbers("image feimage")
_WITH_BACKGROUND = numbers("body table thead tbody tfoot tr td th")
_UNKNOWN = 100_000  # tags that lexbor does not know have larger numbers
_STYLED = (
    "style",
    "fill",
    "stroke",
    "filter",
    "mask",
    "clip-path",
    "cursor",
    "marker-start",
    "marker-mid",
    "marker-end",
)


def read_sheet(css: str, references: References) -> None:
    """Add the references of a style sheet.

    Raises:
        TooManyLinks: there is one too many.
    """
    _add(sheet_references(css), references)


def read_styles(page: PageElements, node: LexborNode, attributes: Attributes) -> None:
    """Add the references of an element's styles, and those of an element of a drawing.

    Raises:
        TooManyLinks: there is one too many.
    """
    tag = node.tag_id
    if tag == _STYLE and (attributes.get("type") or "text/css").lower() == "text/css":
        read_sheet(node.text(), page.references)
    elif tag in _IMAGES or (tag > _UNKNOWN and node.tag == "use"):
        _add_source(page, attributes.get("href", attributes.get("xlink:href")), LinkKind.IMG)
    elif tag == _SCRIPT:
        href = attributes.get("href") if "href" in attributes and is_drawn(node) else None
        _add_source(page, href or attributes.get("xlink:href"), LinkKind.SCRIPT)
    elif tag in _WITH_BACKGROUND:
        _add_source(page, attributes.get("background"), LinkKind.IMG)
    for name in _STYLED if attributes else ():
        if (value := attributes.get(name)) and "(" in value:
            _add(style_references(value), page.references)


def is_drawn(node: LexborNode) -> bool:
    """Return whether an element belongs to a drawing, and not to HTML inside one."""
    around = node.parent
    for _ in range(MAX_CLIMB):
        if around is None or around.tag_id in _BORDERS:
            break
        around = around.parent
    return around is not None and around.tag_id == _SVG


def _add_source(page: PageElements, source: str | None, kind: LinkKind) -> None:
    if source and source.strip(SPACE)[:1] not in {"", "#"}:
        page.references.add(source, kind)


def _add(found: Iterable[Reference], references: References) -> None:
    for reference in found:
        references.add(reference.url, LinkKind.STYLESHEET if reference.is_import else LinkKind.STYLE)
