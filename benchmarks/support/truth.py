"""The finds of a crawl of the built-in site, from the site's truth alone: URLs, depths and answers.

Rules
- A link leads one step further than its page; the target of a redirect keeps the depth of what led there.
- Links and redirects are followed where `follows` says so; seeds always are. Only pages that answer 200 are read.
- What robots.txt forbids is no line of output, and nothing behind it is found.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from crawler.site.graph import PageKind
from crawler.site.truth import Site

Told = tuple[int | None, str | None, str | None]  # status, SHA-256, title


@dataclass(frozen=True, slots=True)
class Known:
    """One URL: what a line of output must tell of it, and whom it leads to."""

    told: Told
    links: tuple[str, ...]
    redirect_to: str | None


class Truth:
    """All URLs of a site that robots.txt allows, worked out once."""

    def __init__(self, site: Site) -> None:
        self.base_urls = site.base_urls
        self.known = dict(_all(site))

    @property
    def fronts(self) -> list[str]:
        """The front page of each host."""
        return [f"{base_url}/" for base_url in self.base_urls]

    def reached(
        self, seeds: Iterable[str], follows: Callable[[str], bool], max_depth: int | None = None
    ) -> dict[str, int]:
        """Every URL that a crawl from these seeds finds and may ask for, and its depth."""
        depths: dict[str, int] = {}
        level, depth = list(seeds), 0
        while level:
            for url in level:
                depths.setdefault(url, depth)
            for url in level:
                target = self.known[url].redirect_to
                if target in self.known and target not in depths and follows(target):
                    depths[target] = depth
                    level.append(target)  # of the same level: this loop comes to it
            depth += 1
            if max_depth is not None and depth > max_depth:
                break
            found = dict.fromkeys(link for url in level for link in self.known[url].links)
            level = [url for url in found if url in self.known and url not in depths and follows(url)]
        return depths


def _all(site: Site) -> Iterator[tuple[str, Known]]:
    for host, base_url in enumerate(site.base_urls):
        for path in site.paths(host):
            if not path.startswith("/private/"):
                url = base_url + path
                yield url, _known(site, host, path, url)


def _known(site: Site, host: int, path: str, url: str) -> Known:
    page = site.page(host, path)
    assert page is not None, url
    title = page.title if page.redirect_to is None else None
    is_read = page.status == 200 and page.kind is not PageKind.BINARY
    return Known(
        told=(page.status, page.sha256, title),
        links=tuple(dict.fromkeys(urljoin(url, link) for link in page.links)) if is_read else (),
        redirect_to=urljoin(url, page.redirect_to) if page.redirect_to else None,
    )
