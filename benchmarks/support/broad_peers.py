"""Other tools that fetch a list: a bare aiohttp script, Scrapy, curl and wget2, each as its documents advise.

Of names they ask the farm's name server, where this process may give them a resolv.conf of their own (as root, in a
mount namespace); otherwise their lists are without the hosts that are names.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.broad_plan import Host, Ports
from benchmarks.support.broad_runs import Command, crawler
from benchmarks.support.debian import install
from benchmarks.support.farm import name_server_port
from benchmarks.support.programs import available
from benchmarks.support.rivals import SCRAPY, installed_scrapy

# https://docs.scrapy.org/en/latest/topics/broad-crawls.html: its settings, without those that concern what it says.
_SPIDER = """
from pathlib import Path

import scrapy


class Broad(scrapy.Spider):
    name = "broad"
    custom_settings = {
        "SCHEDULER_PRIORITY_QUEUE": "scrapy.pqueues.DownloaderAwarePriorityQueue",
        "CONCURRENT_REQUESTS": 256, "REACTOR_THREADPOOL_MAXSIZE": 20, "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False, "DOWNLOAD_TIMEOUT": 15, "REDIRECT_ENABLED": False, "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": OBEYS, "LOG_LEVEL": "CRITICAL", "TELNETCONSOLE_ENABLED": False,
    }

    def __init__(self, source, **kwargs):
        super().__init__(**kwargs)
        self.start_urls = Path(source).read_text().split()

    def parse(self, response):
        yield {"url": response.url, "status": response.status, "title": response.css("title::text").get()}
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A fetcher of lists; `command` is run in an empty folder, `settings` is said of it."""

    name: str
    settings: str
    command: Command


def ready(names: list[str]) -> list[Tool]:
    """Return these tools, without those that cannot be had; of each of them a line says why."""
    return available(names, _MAKERS)


def askable(hosts: Sequence[Host]) -> Sequence[Host]:
    """Return those hosts that other tools can be asked for: where they cannot be told of a name server, no names."""
    can_be_told = name_server_port() == 53 and shutil.which("unshare") is not None
    if can_be_told and not subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        return hosts
    return [host for host in hosts if not host.name]


def with_names(command: Command) -> Command:
    """Return the same command, asking the farm's name server for names."""

    def wrapped(source: Path, folder: Path, ports: Ports) -> list[str]:
        told = folder / "resolv.conf"
        told.write_text(f"nameserver {ports.names.rpartition(':')[0]}\n", "utf-8")
        step = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        plain = command(source, folder, ports)
        if ".farm.test" not in source.read_text("utf-8"):
            return plain
        return ["unshare", "--mount", "sh", "-c", step, str(told), *plain]

    return wrapped


def _crawler() -> Tool | str:
    return Tool(
        "crawler",
        "its defaults (256 in flight, robots.txt of each host first, three further tries); a line per URL, on disk",
        crawler("fetch", "--quiet"),
    )


def _ten_lines(slots: int) -> Callable[[], Tool | str]:
    script = Path(__file__).with_name("ten_lines.py")
    return lambda: Tool(
        f"aiohttp-{slots}",
        f"a semaphore of {slots:,}, connect 10 s, total 60 s; one try, no robots.txt, keeps nothing",
        with_names(lambda source, _folder, _ports: [sys.executable, str(script), str(source), str(slots)]),
    )


def _scrapy(*, robots: bool) -> Callable[[], Tool | str]:
    def made() -> Tool | str:
        program = installed_scrapy()
        if isinstance(program, str):
            return program

        def command(source: Path, folder: Path, _ports: Ports) -> list[str]:
            (folder / "spider.py").write_text(_SPIDER.replace("OBEYS", str(robots)), "utf-8")
            return [str(program), "runspider", "spider.py", "-a", f"source={source}", "-o", "pages.jsonl"]

        return Tool(
            "scrapy-robots" if robots else "scrapy",
            f"Scrapy {SCRAPY} with the settings of its page on broad crawls, 256 in flight, 15 s a download, one"
            f" try; robots {'on' if robots else 'off'}; keeps URL, status and title",
            with_names(command),
        )

    return made


def _curl() -> Tool | str:
    install({"curl": shutil.which("curl") is not None})
    if shutil.which("curl") is None:
        return "on Debian: apt-get install curl"

    def command(source: Path, folder: Path, _ports: Ports) -> list[str]:
        told = folder / "curl.txt"
        lines = (f'url = "{url}"\noutput = "/dev/null"\n' for url in source.read_text("utf-8").split())
        told.write_text("".join(lines), "utf-8")
        limits = ["--connect-timeout", "10", "--max-time", "60"]
        return ["curl", "--silent", "--parallel", "--parallel-max", "256", *limits, "--config", str(told)]

    return Tool(
        "curl",
        "--parallel --parallel-max 256, connect 10 s, total 60 s; one try, no robots.txt, keeps nothing",
        with_names(command),
    )


def _wget2() -> Tool | str:
    install({"wget2": shutil.which("wget2") is not None})
    if shutil.which("wget2") is None:
        return "on Debian: apt-get install wget2"
    told = ["--no-config", "--max-threads=256", "--tries=1", "--connect-timeout=10", "--dns-timeout=10"]
    told += ["--read-timeout=20", "--quiet", "--output-document=/dev/null"]
    return Tool(
        "wget2",
        "256 threads, connect 10 s, names 10 s, silence 20 s; one try, no robots.txt (it is no recursive run)",
        with_names(lambda source, _folder, _ports: ["wget2", *told, f"--input-file={source}"]),
    )


_MAKERS: dict[str, Callable[[], Tool | str]] = {
    "crawler": _crawler,
    "aiohttp-256": _ten_lines(256),
    "aiohttp-5000": _ten_lines(5000),
    "scrapy": _scrapy(robots=False),
    "scrapy-robots": _scrapy(robots=True),
    "curl": _curl,
    "wget2": _wget2,
}
TOOLS = tuple(_MAKERS)
