"""The same site by other tools: wget2, spider-rs, Scrapy and Crawlee, beside `crawler crawl`. Robots are off for all.

wget2 comes from Debian; the others have folders of their own in the user's cache (own_home.py), with pinned versions.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.debian import install
from benchmarks.support.own_home import from_npm, from_pypi
from benchmarks.support.programs import available

SCRAPY = "2.19.0"
_CRAWLEE = "1.11.0"
_SPIDER_RS = "0.0.157"  # the last one for which npm has the compiled part for Linux; its wrapper is at 0.0.163

_SPIDER = """
from urllib.parse import urlsplit

import scrapy
from scrapy.http import HtmlResponse
from scrapy.linkextractors import LinkExtractor


class Site(scrapy.Spider):
    name = "site"
    custom_settings = {
        "CONCURRENT_REQUESTS": 256, "CONCURRENT_REQUESTS_PER_DOMAIN": 256, "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False, "COOKIES_ENABLED": False, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False,
    }

    def __init__(self, start, **kwargs):
        super().__init__(**kwargs)
        self.start_urls = [start]
        self.links = LinkExtractor(
            allow_domains=[urlsplit(start).netloc],
            tags=["a", "area", "frame", "iframe"],
            attrs=["href", "src"],
            deny_extensions=[],
        )

    def parse(self, response):
        if isinstance(response, HtmlResponse):
            yield {"url": response.url, "status": response.status, "title": response.css("title::text").get()}
            yield from response.follow_all(self.links.extract_links(response))
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A crawler of sites.

    Attributes:
        settings: the words about it in the report.
        command: makes what is run, from a URL and an empty folder.
        unsynced: what it keeps in its folder without having it synced; empty = nothing.
    """

    name: str
    settings: str
    command: Callable[[str, Path], list[str]]
    unsynced: str = ""


def ready(names: list[str]) -> list[Tool]:
    """These tools, without those that cannot be had; of each of them a line says why."""
    return available(names, _MAKERS)


def _crawler() -> Tool | str:
    return Tool(
        "crawler",
        "its defaults (256 in flight, a process per core reads), robots off; keeps a line per page, with digest and"
        " title, safe on disk; no bodies",
        lambda url, folder: [
            *(sys.executable, "-m", "crawler", "crawl", url, "-o", str(folder / "run")),
            *("--no-robots", "--quiet", "--json"),
        ],
    )


def _wget2() -> Tool | str:
    install({"wget2": shutil.which("wget2") is not None})
    if shutil.which("wget2") is None:
        return "on Debian: apt-get install wget2"
    told = ["--no-config", "--recursive", "--level=inf", "--no-parent", "--robots=off", "--quiet", "--tries=1"]
    return Tool(
        "wget2",
        "5 threads (its default), robots off; fetches images, styles and scripts too; keeps every file, no digests",
        lambda url, folder: ["wget2", *told, f"--directory-prefix={folder / 'files'}", url],
        unsynced="files",
    )


def _spider_rs() -> Tool | str:
    packages = (f"@spider-rs/spider-rs{part}@{_SPIDER_RS}" for part in ("", "-linux-x64-gnu"))
    module = from_npm(f"spider-rs-{_SPIDER_RS}", "@spider-rs/spider-rs", *packages)
    if isinstance(module, str):
        return module
    script = Path(__file__).with_name("spider_rs_site.cjs")
    return Tool(
        "spider-rs",
        f"@spider-rs/spider-rs {_SPIDER_RS} (Rust, in node), its defaults (no delay, no limit), robots off; keeps the"
        " URLs of pages in memory, no bodies",
        lambda url, _folder: ["node", str(script), str(module), url],
    )


def _scrapy() -> Tool | str:
    program = installed_scrapy()
    if isinstance(program, str):
        return program

    def command(url: str, folder: Path) -> list[str]:
        (folder / "spider.py").write_text(_SPIDER, "utf-8")
        return [str(program), "runspider", "spider.py", "-a", f"start={url}", "-o", "pages.jsonl"]

    return Tool(
        "scrapy",
        f"Scrapy {SCRAPY}, one spider with a LinkExtractor, 256 in flight (16 by default), no delay, robots off; keeps"
        " URL, status and title of each page",
        command,
    )


def installed_scrapy() -> Path | str:
    """Return Scrapy's program; a text = why it cannot be had."""
    return from_pypi(f"scrapy-{SCRAPY}", "scrapy", f"scrapy=={SCRAPY}")


def _crawlee() -> Tool | str:
    python = from_pypi(f"crawlee-{_CRAWLEE}", "python", f"crawlee[parsel]=={_CRAWLEE}")
    if isinstance(python, str):
        return python
    script = Path(__file__).with_name("crawlee_site.py")
    return Tool(
        "crawlee",
        f"Crawlee for Python {_CRAWLEE}, its ParselCrawler, 64 in flight, no delay, robots off; requests in memory,"
        " keeps nothing",
        lambda url, _folder: [str(python), str(script), url],
    )


_MAKERS: dict[str, Callable[[], Tool | str]] = {
    "crawler": _crawler,
    "wget2": _wget2,
    "spider-rs": _spider_rs,
    "scrapy": _scrapy,
    "crawlee": _crawlee,
}
TOOLS = tuple(_MAKERS)
