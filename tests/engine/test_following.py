"""Crawls of the built-in site, judged by its truth: every URL ends as the site says it must."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from crawler.core.config import configure
from crawler.downloader.fetcher import HttpFetcher
from crawler.engine.crawl import Ending
from crawler.runtime.clock import SystemClock
from crawler.site.graph import PageKind
from crawler.site.plan import Shares, SitePlan
from crawler.site.server import SiteServer
from crawler.site.truth import Site
from support.crawls import crawl, records

CALM = Shares(redirects=0.1, missing=0.1, duplicates=0.1, codings=0.1, charsets=0.2, binary=0.1)
PLAN = SitePlan(pages=150, hosts=3, largest=3000, shares=CALM)


async def follow(folder: Path, seeds: list[str], **options: Any) -> Ending:
    """Crawl from these paths of the site, over real sockets."""
    config = configure({"allow-net": ["127.0.0.0/8"]}).fetch
    async with HttpFetcher(config, clock=SystemClock()) as fetcher:
        return await crawl(folder, seeds, fetcher, command="crawl", **{"robots": True, **options})


def outcomes(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return the status, digest, title and depth that the output has for each URL."""
    found = {str(line["url"]): line for line in records(folder)}
    assert len(found) == len(records(folder)), "a URL has two lines"
    return {url: (line["status"], line["sha256"], line["title"], line["depth"]) for url, line in found.items()}


def truth(site: Site, hosts: list[int], depths: dict[str, int]) -> dict[str, tuple[object, ...]]:
    """Return the expected output for each URL of these hosts that is at one of the depths."""
    wanted: dict[str, tuple[object, ...]] = {}
    for host in hosts:
        for path in site.paths(host):
            page, url = site.page(host, path), site.base_urls[host] + path
            assert page is not None
            if not path.startswith("/private/") and url in depths:
                title = page.title if page.redirect_to is None else None
                wanted[url] = (page.status, page.sha256, title, depths[url])
    return wanted


def depths_from(site: Site, seeds: list[str], hosts: list[int]) -> dict[str, int]:
    """The least number of links from a seed to each URL of these hosts, by walking over the truth."""
    depths: dict[str, int] = {}
    level = [(seed, 0) for seed in seeds]
    bases = [site.base_urls[host] for host in hosts]
    while level:
        found = []
        for url, depth in level:
            host = next((number for number, base in enumerate(site.base_urls) if url.startswith(base + "/")), None)
            if url in depths or host not in hosts or url[len(bases[0]) :].startswith("/private/"):
                continue
            depths[url] = depth
            page = site.page(host, url[len(site.base_urls[host]) :])
            assert page is not None, url
            if page.redirect_to:
                level.append((urljoin(url, page.redirect_to), depth))
            elif page.status == 200 and page.kind is not PageKind.BINARY:
                found += [(urljoin(url, link), depth + 1) for link in page.links]
        level = found
    return depths


@pytest.mark.parametrize("concurrency", [1, 64])
async def test_a_crawl_finds_exactly_the_site(tmp_path: Path, concurrency: int) -> None:
    """Every page of the seeds' host is fetched once, with the right bytes, title and depth, and no other host is."""
    async with SiteServer(Site(PLAN)) as server:
        site, seed = server.site, server.base_urls[0] + "/"

        ending = await follow(tmp_path, [seed], concurrency=concurrency, max_depth=99)

        wanted = truth(site, [0], depths_from(site, [seed], [0]))
        assert outcomes(tmp_path) == wanted
        assert ending.totals.skipped.keys() == {"out_of_scope", "robots_denied"}
        asked = Counter(hit.target for hit in server.log if hit.host == 0)
        assert {hit.host for hit in server.log} == {0}
        assert set(asked.values()) == {1}


async def test_all_hosts_are_found_without_a_scope(tmp_path: Path) -> None:
    """`--scope all` follows links to every host."""
    async with SiteServer(Site(PLAN)) as server:
        seed = server.base_urls[0] + "/"

        await follow(tmp_path, [seed], scope="all", max_depth=99)

        assert set(outcomes(tmp_path)) == set(depths_from(server.site, [seed], [0, 1, 2]))


async def test_files_hold_what_their_lines_say(tmp_path: Path) -> None:
    """`--save files` writes each successful page as a file, below the run's folder, with the digest of its line."""
    async with SiteServer(Site(PLAN)) as server:
        await follow(tmp_path, [server.base_urls[0] + "/"], save="jsonl,files")

    lines = [line for line in records(tmp_path) if 200 <= int(str(line["status"])) < 300]
    names = {str(line["file"]) for line in lines}
    assert len(names) == len(lines) > 50
    for line in lines:
        content = (tmp_path / str(line["file"])).read_bytes()
        assert hashlib.sha256(content).hexdigest() == line["sha256"]
    assert {str(path.relative_to(tmp_path)) for path in (tmp_path / "files").rglob("*") if path.is_file()} == names
