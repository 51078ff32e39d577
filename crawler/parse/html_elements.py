"""The references of each element of HTML: `href`, `src`, `srcset`, forms, frames and `<meta>`.

Rules
- Elements are told apart by lexbor's number of their tag.
- An empty `href` of `<a>` and `<area>` is the page itself; an empty source is no reference (HTML).
- Only ASCII white space separates and surrounds values.
Runs on: a worker process.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler.parse.attributes import SPACE, TooManyCandidates, candidates, directives, has_token, refresh, words
from crawler.parse.links import LinkKind
from crawler.parse.references import References
from crawler.parse.tags import number

MAX_CLIMB: Final = 100  # ancestors of a button among which its form is searched
MAX_REMEMBERED: Final = 100  # characters: pages write few different relations, and a long one may be hostile

Attributes = Mapping[str, str | None]


class PageElements(msgspec.Struct):
    """The facts of a page that a walk over its elements collects.

    Attributes:
        tree: None = the page was scanned (`html_scan.py`), so it has no `formaction`.
        robot_names: the names by which directives for robots may address this robot.
        is_whole: it is the document itself, not one inside (`srcdoc`).
        documents: the markup of the documents inside.
        forms: the attributes of the forms that have an id; None = they were not needed yet.
        first_title: the first element of this name, which may be a drawing's.
    """

    tree: LexborHTMLParser | None
    references: References
    robot_names: frozenset[str]
    is_whole: bool = True
    robots: set[str] = msgspec.field(default_factory=set)
    documents: list[str] = msgspec.field(default_factory=list)
    forms: dict[str, Attributes] | None = None
    first_title: LexborNode | None = None


TagReader = Callable[[PageElements, LexborNode | None, Attributes], None]


def _read_anchor(kind: LinkKind) -> TagReader:
    def read_tag(page: PageElements, _node: LexborNode | None, attributes: Attributes) -> None:
        name = "href" if "href" in attributes else "xlink:href"  # SVG 2: href, and xlink:href if it is absent
        if name in attributes:
            nofollow = has_token(attributes["rel"] or "", "nofollow") if "rel" in attributes else False
            page.references.add(attributes[name] or "", kind, nofollow=nofollow)

    return read_tag


def _read_sources(*sources: tuple[str, LinkKind]) -> TagReader:
    def read_tag(page: PageElements, _node: LexborNode | None, attributes: Attributes) -> None:
        for name, kind in sources:
            if value := attributes.get(name):
                _add_source(page, value, kind)

    return read_tag


def _add_source(page: PageElements, value: str, kind: LinkKind) -> None:
    if kind is LinkKind.SRCSET:
        try:
            for url in candidates(value):
                page.references.add(url, kind)
        except TooManyCandidates:
            page.references.are_cut = True
    elif value.strip(SPACE):
        page.references.add(value, kind)


_RELATIONS = {
    "stylesheet": LinkKind.STYLESHEET,
    "canonical": LinkKind.CANONICAL,
    "next": LinkKind.NEXT,
    "prev": LinkKind.PREV,
    "previous": LinkKind.PREV,
    "icon": LinkKind.ICON,
    "apple-touch-icon": LinkKind.ICON,
    "apple-touch-icon-precomposed": LinkKind.ICON,
    "mask-icon": LinkKind.ICON,
    "manifest": LinkKind.MANIFEST,
    "preload": LinkKind.PRELOAD,
    "modulepreload": LinkKind.PRELOAD,
    "prefetch": LinkKind.PRELOAD,
    "prerender": LinkKind.PRELOAD,
    "feed": LinkKind.FEED,
    "alternate": LinkKind.ALTERNATE,
}
_FEEDS = frozenset({"application/rss+xml", "application/atom+xml"})
_HOSTS_ONLY = frozenset({"preconnect", "dns-prefetch"})  # they name a host, not a resource


def _read_link(page: PageElements, _node: LexborNode | None, attributes: Attributes) -> None:
    if href := attributes.get("href"):
        rel, media_type = attributes.get("rel") or "", attributes.get("type") or ""
        is_short = len(rel) + len(media_type) <= MAX_REMEMBERED
        if kind := (_known_kind if is_short else _kind_of)(rel, media_type):
            _add_source(page, href, kind)
    if candidates := attributes.get("imagesrcset"):
        _add_source(page, candidates, LinkKind.SRCSET)


def _kind_of(rel: str, media_type: str) -> LinkKind | None:
    """Return the kind of a `<link>`; None = it names a host alone."""
    relations = words(rel.lower())
    kind = next((kind for name, kind in _RELATIONS.items() if name in relations), LinkKind.LINK)
    if kind is LinkKind.ALTERNATE and media_type.strip(SPACE).lower() in _FEEDS:
        return LinkKind.FEED
    return kind if kind is not LinkKind.LINK or _HOSTS_ONLY.isdisjoint(relations) else None


_known_kind = lru_cache(maxsize=256)(_kind_of)


def _read_button(page: PageElements, node: LexborNode | None, attributes: Attributes) -> None:
    """Read a button with an action of its own; without a form it sends nothing (HTML, 4.10.19.6)."""
    action = attributes.get("formaction")
    if not action or (attributes.get("type") or "submit").lower() in {"reset", "button"}:
        return
    form = _form_of(page, node, attributes)
    if form is not None:
        _add_action(page, action, attributes.get("formmethod", form.get("method")), form)


def _add_action(page: PageElements, action: str | None, method: str | None, form: Attributes) -> None:
    if action and (method or "").lower() not in {"post", "dialog"}:
        page.references.add(action, LinkKind.FORM, nofollow=has_token(form.get("rel") or "", "nofollow"))


def _form_of(page: PageElements, node: LexborNode | None, attributes: Attributes) -> Attributes | None:
    """Return the form that an element names, or else the one that it is in; None = it has no form."""
    if "form" in attributes:
        if page.forms is None:
            forms = page.tree.css("form[id]") if page.tree else []
            page.forms = {form.attributes["id"] or "": form.attributes for form in reversed(forms)}
        return page.forms.get(attributes["form"] or "")
    around = node
    for _ in range(MAX_CLIMB):
        around = around.parent if around else None
        if around is not None and around.tag_id == _FORM:
            return around.attributes
    return None


def _read_input(page: PageElements, node: LexborNode | None, attributes: Attributes) -> None:
    kind = (attributes.get("type") or "").lower()
    if kind == "image" and (source := attributes.get("src")):
        _add_source(page, source, LinkKind.IMG)
    if kind in {"image", "submit"}:
        _read_button(page, node, attributes)


def _read_iframe(page: PageElements, _node: LexborNode | None, attributes: Attributes) -> None:
    """Read the frame's document, or else its source (HTML, "process the iframe attributes")."""
    if "srcdoc" in attributes:
        page.documents.append(attributes["srcdoc"] or "")
    elif source := attributes.get("src"):
        _add_source(page, source, LinkKind.IFRAME)


def _read_meta(page: PageElements, _node: LexborNode | None, attributes: Attributes) -> None:
    read_directives(page, attributes)
    content = attributes.get("content")
    if content and (attributes.get("http-equiv") or "").lower() == "refresh" and (url := refresh(content)):
        page.references.add(url, LinkKind.REFRESH if page.is_whole else LinkKind.IFRAME)


def read_directives(page: PageElements, attributes: Attributes) -> None:
    """Read the directives of a `<meta>` that addresses this robot."""
    if (attributes.get("name") or "").strip().lower() in page.robot_names:
        page.robots |= directives(attributes.get("content") or "")


def _read_title(page: PageElements, node: LexborNode | None, _attributes: Attributes) -> None:
    if page.first_title is None:
        page.first_title = node


_FORM = number("form")
META = number("meta")
READERS: Mapping[str, TagReader] = {
    "meta": _read_meta,
    "a": _read_anchor(LinkKind.A),
    "area": _read_anchor(LinkKind.AREA),
    "link": _read_link,
    "img": _read_sources(("src", LinkKind.IMG), ("srcset", LinkKind.SRCSET)),
    "source": _read_sources(("src", LinkKind.SOURCE), ("srcset", LinkKind.SRCSET)),
    "iframe": _read_iframe,
    "frame": _read_sources(("src", LinkKind.FRAME)),
    "form": lambda page, _, form: _add_action(page, form.get("action"), form.get("method"), form),
    "button": _read_button,
    "object": _read_sources(("data", LinkKind.OBJECT)),
    "embed": _read_sources(("src", LinkKind.EMBED)),
    "audio": _read_sources(("src", LinkKind.AUDIO)),
    "video": _read_sources(("src", LinkKind.VIDEO), ("poster", LinkKind.POSTER)),
    "track": _read_sources(("src", LinkKind.TRACK)),
    "script": _read_sources(("src", LinkKind.SCRIPT)),
    "input": _read_input,
    "title": _read_title,
}
TAGS: Mapping[int, TagReader] = {number(name): read_tag for name, read_tag in READERS.items()}
