"""The answers of a site's numbered and private pages.

Rules
- Every document but a duplicate is unique, at least by its title.
- A duplicate repeats, byte for byte, the decoded document of a page above it.
Runs on: anywhere (pure).
"""

import hashlib
from dataclasses import dataclass, replace

from crawler.site.answers import PageTruth, Trouble
from crawler.site.codings import ALPHABETS, PACKERS, UTF_8, Alphabet
from crawler.site.graph import Graph, PageKind
from crawler.site.listings import PRIVATE
from crawler.site.plan import draw
from crawler.site.prose import TOPICS, Anchor, html, paragraphs, spelled
from crawler.site.redirects import LOOP


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A document before it becomes bytes; its anchors hold targets, not yet hrefs."""

    path: str
    title: str
    lead: str
    anchors: tuple[Anchor, ...]
    text: str = ""
    alphabet: Alphabet = UTF_8


def answer(graph: Graph, host: int, index: int) -> PageTruth:
    """Return the answer of a numbered page that is no redirect."""
    makers = {PageKind.MISSING: _missing, PageKind.BINARY: _binary, PageKind.DUPLICATE: _duplicate}
    return makers.get(graph.kind(host, index), _document)(graph, host, index)


def private_paths(graph: Graph) -> list[str]:
    """Return the paths of each host that robots.txt forbids."""
    return [f"{PRIVATE}{number:06}.html" for number in range(1, graph.plan.private + 1)]


def private(graph: Graph, host: int, path: str) -> PageTruth | None:
    """Return the answer of a path that robots.txt forbids; None = there is no such page."""
    others = private_paths(graph)
    if path not in others:
        return None
    anchors = tuple(Anchor(href=target, text=target) for target in ("/", *others) if target != path)
    title = f"Private page {path}{_on(graph, host)}"
    return _published(graph, host, _Draft(path=path, title=title, lead="Robots stay out.", anchors=anchors))


def _document(graph: Graph, host: int, index: int) -> PageTruth:
    """Return a document, with the delay, coding or errors of its kind."""
    kind, path = graph.kind(host, index), graph.path(host, index)
    dice = draw(graph.plan.seed, host, index, "document")
    alphabet = ALPHABETS[dice % len(ALPHABETS)] if kind is PageKind.CHARSET else UTF_8
    anchors = [
        Anchor(href=graph.seen_from(host, other, neighbour), text=_title(graph, other, neighbour))
        for other, neighbour in graph.neighbours(host, index)
    ]
    if index == 0:
        anchors += [Anchor(href=forbidden, text="Private: robots stay out") for forbidden in private_paths(graph)]
        anchors += [Anchor(href=turn, text="A redirect without end") for turn in LOOP if graph.plan.loops]
    draft = _Draft(
        path=path,
        title=f"{alphabet.sample} {_title(graph, host, index)}".lstrip(),
        lead=f"This is {path}, {graph.depth(index)} links from the start.",
        anchors=tuple(anchors),
        text=paragraphs(graph.plan.seed, host, index, largest=graph.plan.largest),
        alphabet=alphabet,
    )
    page, dice = replace(_published(graph, host, draft), kind=kind), dice // 64
    match kind:
        case PageKind.SLOW:
            return replace(page, delay=page.delay + graph.plan.slow_seconds)
        case PageKind.CODED:
            coding = list(PACKERS)[dice % len(PACKERS)]
            headers = (*page.headers, ("Content-Encoding", coding), ("Vary", "Accept-Encoding"))
            return replace(page, coding=coding, headers=headers, body=PACKERS[coding](page.decoded))
        case PageKind.RETRY:
            return replace(page, trouble=Trouble(times=1 + dice % 2, status=(429, 503)[dice // 2 % 2], retry_after=1))
        case PageKind.FLAKY:
            return replace(page, trouble=Trouble(times=1, status=(500, 502)[dice % 2]))
    return page


def _missing(graph: Graph, host: int, index: int) -> PageTruth:
    path = graph.path(host, index)
    anchors = (Anchor(href="/", text="Home"),)
    draft = _Draft(path=path, title=f"Not found{_on(graph, host)}", lead=f"There is no {path}.", anchors=anchors)
    return replace(_published(graph, host, draft), kind=PageKind.MISSING, status=404)


def _binary(graph: Graph, host: int, index: int) -> PageTruth:
    path, dice = graph.path(host, index), draw(graph.plan.seed, host, index, "binary")
    body = hashlib.shake_128(b"%d" % dice).digest(1 + dice % max(graph.plan.largest, 1))
    headers = (("Content-Type", "application/octet-stream"),)
    return PageTruth(
        path=path, kind=PageKind.BINARY, headers=headers, body=body, decoded=body, delay=graph.delay(host, path)
    )


def _duplicate(graph: Graph, host: int, index: int) -> PageTruth:
    path, original = graph.path(host, index), answer(graph, host, graph.page_above(host, index))
    return replace(
        original,
        path=path,
        kind=PageKind.DUPLICATE,
        headers=tuple((name, value) for name, value in original.headers if name == "Content-Type"),
        body=original.decoded,
        delay=graph.delay(host, path),
        coding=None,
        trouble=None,
    )


def _published(graph: Graph, host: int, draft: _Draft) -> PageTruth:
    alphabet, base_url = draft.alphabet, graph.base_urls[host]
    dice = draw(graph.plan.seed, host, draft.path, "spelling")
    hrefs = [
        spelled(anchor.href, dice + turn, base_url, in_letters=alphabet is UTF_8)
        for turn, anchor in enumerate(draft.anchors)
    ]
    document = html(
        title=draft.title,
        lead=draft.lead,
        anchors=[replace(anchor, href=href) for anchor, href in zip(draft.anchors, hrefs, strict=True)],
        text=draft.text,
        charset=alphabet.label if alphabet.in_meta else None,
    )
    body = alphabet.encode(document)
    return PageTruth(
        path=draft.path,
        kind=PageKind.PAGE,
        headers=(("Content-Type", alphabet.content_type),),
        body=body,
        decoded=body,
        links=tuple(anchor.href for anchor in draft.anchors),
        delay=graph.delay(host, draft.path),
        title=draft.title,
        charset=alphabet.label,
    )


def _title(graph: Graph, host: int, index: int) -> str:
    topic = TOPICS[(7 * index + host) % len(TOPICS)]
    return (f"{topic}, page {index}" if index else "The built-in site") + _on(graph, host)


def _on(graph: Graph, host: int) -> str:
    return f" on host {host}" if graph.plan.hosts > 1 else ""
