"""The robots.txt and the sitemaps of a site.

Rules
- A sitemap lists every numbered page of its host that answers 200: no redirect, no missing and no private page.
- A host with more than PART pages has a sitemap index at `/sitemap.xml`; its parts are made on demand.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterable
from html import escape

from crawler.site.answers import PageTruth
from crawler.site.graph import NOT_LISTED, Graph, PageKind

PRIVATE = "/private/"
PART = 2_000
_PART_PATH = re.compile(r"/sitemap-(\d{5})\.xml")
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def robots(graph: Graph, host: int) -> PageTruth:
    """Return the robots.txt of one host (RFC 9309); without private pages it allows everything."""
    plan = graph.plan
    delay = plan.crawl_delays[host] if host < len(plan.crawl_delays) else 0
    lines = [
        "User-agent: *",
        f"Disallow: {PRIVATE if plan.private else ''}",
        *([f"Crawl-delay: {delay:g}"] if delay else []),
        "",
        f"Sitemap: {graph.base_urls[host]}/sitemap.xml",
    ]
    return _listing(graph, host, "/robots.txt", PageKind.ROBOTS, "text/plain", lines)


def sitemap(graph: Graph, host: int, path: str) -> PageTruth | None:
    """Return a sitemap or a sitemap index; None = there is none at this path."""
    parts = -(-graph.plan.pages // PART)
    if path == "/sitemap.xml":
        if parts == 1:
            return _sitemap_part(graph, host, path, 0)
        urls = [f"{graph.base_urls[host]}/sitemap-{part:05}.xml" for part in range(1, parts + 1)]
        return _listing(graph, host, path, PageKind.SITEMAP, "application/xml", _xml("sitemapindex", "sitemap", urls))
    match = _PART_PATH.fullmatch(path)
    if match and parts > 1 and 1 <= int(match[1]) <= parts:
        return _sitemap_part(graph, host, path, int(match[1]) - 1)
    return None


def _sitemap_part(graph: Graph, host: int, path: str, part: int) -> PageTruth:
    indices = range(part * PART, min(part * PART + PART, graph.plan.pages))
    base = graph.base_urls[host]
    urls = [base + graph.path(host, index) for index in indices if graph.kind(host, index) not in NOT_LISTED]
    return _listing(graph, host, path, PageKind.SITEMAP, "application/xml", _xml("urlset", "url", urls))


def _xml(root: str, item: str, urls: Iterable[str]) -> list[str]:
    return [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<{root} xmlns="{_NAMESPACE}">',
        *(f"<{item}><loc>{escape(url)}</loc></{item}>" for url in urls),
        f"</{root}>",
    ]


def _listing(graph: Graph, host: int, path: str, kind: PageKind, content_type: str, lines: list[str]) -> PageTruth:
    body = ("\n".join(lines) + "\n").encode()
    return PageTruth(
        path=path,
        kind=kind,
        headers=(("Content-Type", content_type),),
        body=body,
        decoded=body,
        delay=graph.delay(host, path),
        charset="utf-8",
    )
