"""The same site by other tools: wget2 and Scrapy, beside `crawler crawl`. None of them asks for robots.txt.

Scrapy is no dependency of the project: it has a virtual environment of its own in the user's cache folder, made when it
is first needed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.debian import install
from benchmarks.support.programs import available

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
    """A crawler of sites: `command(url, folder)` is what is run in an empty folder, `settings` is said of it."""

    name: str
    settings: str
    command: Callable[[str, Path], list[str]]


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
    )


def _scrapy() -> Tool | str:
    program, version = installed_scrapy()
    if program is None:
        return version

    def command(url: str, folder: Path) -> list[str]:
        (folder / "spider.py").write_text(_SPIDER, "utf-8")
        return [str(program), "runspider", "spider.py", "-a", f"start={url}", "-o", "pages.jsonl"]

    return Tool(
        "scrapy",
        f"Scrapy {version}, one spider with a LinkExtractor, 256 in flight (16 by default), no delay, robots off; keeps"
        " URL, status and title of each page",
        command,
    )


def installed_scrapy() -> tuple[Path | None, str]:
    """Scrapy's program and its version; None and the reason where it cannot be had."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crawler-benchmarks" / "scrapy"
    program = home / "bin" / "scrapy"
    if not program.exists() and (problem := _install_scrapy(home)):
        return None, problem
    told = subprocess.run([program, "version"], check=True, capture_output=True, text=True)
    return program, told.stdout.split()[-1]


def _install_scrapy(home: Path) -> str | None:
    """Make Scrapy's own environment; gives what went wrong."""
    for step in (
        [sys.executable, "-m", "venv", "--clear", str(home)],
        [home / "bin" / "pip", "-q", "install", "scrapy"],
    ):
        done = subprocess.run(step, check=False, capture_output=True, text=True)
        if done.returncode:
            return f"it cannot be installed in {home}: {(done.stderr.strip().splitlines() or ['no word'])[-1][:200]}"
    return None


_MAKERS: dict[str, Callable[[], Tool | str]] = {"crawler": _crawler, "wget2": _wget2, "scrapy": _scrapy}
TOOLS = tuple(_MAKERS)
