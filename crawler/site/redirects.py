"""The redirects of a site: chains of one to three hops to a page, one loop, one redirect to itself.

Runs on: anywhere (pure).
"""

import re

from crawler.site.answers import PageTruth
from crawler.site.graph import Graph, PageKind
from crawler.site.plan import draw

TO_ITSELF = "/redirect/self"
LOOP = {TO_ITSELF: TO_ITSELF, "/redirect/loop/1": "/redirect/loop/2", "/redirect/loop/2": "/redirect/loop/1"}
_HOP = re.compile(r"(/redirect/\d+)(?:/([23]))?")
_STATUSES = (301, 302, 303, 307, 308)


def chain(graph: Graph, host: int, index: int) -> tuple[str, ...]:
    """Return the paths of one redirect chain, from the linked page to the last."""
    first = graph.path(host, index)
    hops = 1 + draw(graph.plan.seed, host, index, "hops") % 3
    return (first, *(f"{first}/{hop}" for hop in range(2, hops + 1)), graph.path(host, graph.page_above(host, index)))


def find(graph: Graph, host: int, path: str) -> int | None:
    """Return the index of the redirect whose chain holds this path; None = no chain does."""
    match = _HOP.fullmatch(path)
    index = graph.find(host, match[1]) if match else None
    return index if index is not None and path in chain(graph, host, index)[:-1] else None


def answer(graph: Graph, host: int, path: str) -> PageTruth | None:
    """Return the answer of a path below `/redirect/`; None = there is no such redirect."""
    if graph.plan.loops and path in LOOP:
        target = LOOP[path]
    elif (index := find(graph, host, path)) is not None:
        hops = chain(graph, host, index)
        target = hops[hops.index(path) + 1]
    else:
        return None
    dice = draw(graph.plan.seed, host, path, "redirect")
    location = graph.base_urls[host] + target if dice % 2 else target
    body = f"This has moved to {target}\n".encode()
    return PageTruth(
        path=path,
        kind=PageKind.REDIRECT,
        status=_STATUSES[dice // 2 % len(_STATUSES)],
        headers=(("Content-Type", "text/plain; charset=utf-8"), ("Location", location)),
        body=body,
        decoded=body,
        redirect_to=target,
        delay=graph.delay(host, path),
        charset="utf-8",
    )
