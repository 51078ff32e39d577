"""The ground truth of a built-in site: the answer of every address, byte for byte.

Rules
- All answers follow from the plan and the base URLs, without state: a test and the server compute the same.
- A request target must equal an address exactly: another spelling is another address, and unknown.
- `/` is enough to find the rest: links and redirects reach every path that `paths` yields.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Sequence

from crawler.site import documents, listings, redirects
from crawler.site.answers import PageTruth
from crawler.site.graph import Graph, PageKind
from crawler.site.plan import SitePlan


class Site:
    """A plan at its base URLs, one per virtual host; a server replaces them with its own."""

    def __init__(self, plan: SitePlan, base_urls: Sequence[str] = ()) -> None:
        self.plan = plan
        self.base_urls = tuple(base_urls) or tuple(f"http://127.0.0.{1 + host}" for host in range(plan.hosts))
        self._graph = Graph(plan, self.base_urls)

    def at(self, base_urls: Sequence[str]) -> "Site":
        """Return the same site at other base URLs; its absolute links lead there."""
        return Site(self.plan, base_urls)

    def page(self, host: int, path: str) -> PageTruth | None:
        """Return the answer of a host to a request target; None = 404, and no link leads there."""
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
        """Yield every path of a host that links and redirects reach, each once, in the order of the page numbers."""
        for index in range(self.plan.pages):
            yield self._graph.path(host, index)
            if self._graph.kind(host, index) is PageKind.REDIRECT:
                yield from redirects.chain(self._graph, host, index)[1:-1]
        yield from documents.private_paths(self._graph)
        yield from redirects.LOOP if self.plan.loops else ()

    def urls(self) -> Iterator[str]:
        """Yield the URL of every path of every host."""
        for host, base_url in enumerate(self.base_urls):
            for path in self.paths(host):
                yield base_url + path

    def depth(self, host: int, path: str) -> int | None:
        """Return the least number of links from the host's `/`, redirects not counted; None = no link leads there."""
        if path in documents.private_paths(self._graph) or (self.plan.loops and path in redirects.LOOP):
            return 1
        index = redirects.find(self._graph, host, path)
        if index is None:
            index = self._graph.find(host, path)
        return None if index is None else self._graph.depth(index)
