"""The whole truth of a built-in site: what every address answers, byte for byte, before anybody asks.

Rules
- Everything follows from the plan and the base URLs; there is no state, so a test and the server know the same.
- An address is exactly what a request's target must be: another spelling of it is another address, and unknown.
- Nothing but `/` has to be known to find the rest: every path that `paths` names is reached by links and redirects.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Sequence

from crawler.site import documents, listings, redirects
from crawler.site.answers import PageTruth
from crawler.site.graph import Graph, PageKind
from crawler.site.plan import SitePlan


class Site:
    """One plan at its base URLs, one per virtual host; a server gives it those that it really has."""

    def __init__(self, plan: SitePlan, base_urls: Sequence[str] = ()) -> None:
        self.plan = plan
        self.base_urls = tuple(base_urls) or tuple(f"http://127.0.0.{1 + host}" for host in range(plan.hosts))
        self._graph = Graph(plan, self.base_urls)

    def at(self, base_urls: Sequence[str]) -> "Site":
        """The same site at other base URLs: its absolute links lead there."""
        return Site(self.plan, base_urls)

    def page(self, host: int, path: str) -> PageTruth | None:
        """What a host answers to a request target; None = 404, nothing leads there."""
        if path == "/robots.txt":
            return listings.robots(self._graph, host)
        if path.startswith("/sitemap"):
            return listings.sitemap(self._graph, host, path)
        if path.startswith(listings.PRIVATE):
            return documents.private(self._graph, host, path)
        if path.startswith("/redirect/"):
            return redirects.answer(self._graph, host, path)
        index = self._graph.find(host, path)
        return None if index is None else documents.answer(self._graph, host, index)

    def paths(self, host: int) -> Iterator[str]:
        """Every path of a host that links and redirects lead to, each once, in order of its number."""
        for index in range(self.plan.pages):
            yield self._graph.path(host, index)
            if self._graph.kind(host, index) is PageKind.REDIRECT:
                yield from redirects.chain(self._graph, host, index)[1:-1]
        yield from documents.private_paths(self._graph)
        yield from redirects.LOOP if self.plan.loops else ()

    def urls(self) -> Iterator[str]:
        """The URL of every path of every host."""
        for host, base_url in enumerate(self.base_urls):
            for path in self.paths(host):
                yield base_url + path

    def depth(self, host: int, path: str) -> int | None:
        """The least number of links from the host's own `/`, redirects not counted; None = no link leads there."""
        if path in documents.private_paths(self._graph) or (self.plan.loops and path in redirects.LOOP):
            return 1
        index = redirects.find(self._graph, host, path)
        if index is None:
            index = self._graph.find(host, path)
        return None if index is None else self._graph.depth(index)
