"""One run over a broad list: a farm of its own, a command, and what the farm and the output tell of it."""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.support.broad_plan import FIRST_ADDRESS, Fate, Host, Ports, listed, live, pages_of
from benchmarks.support.farm import farm
from benchmarks.support.farm_log import Seen, seen
from benchmarks.support.measured import Cost, cpu_of_children, measured
from crawler.site.log import Hit, read_log

Command = Callable[[Path, Path, Ports], list[str]]  # from the list, the folder of the run, and the farm's ports
_SHOWN = 5
IsOver = Callable[[], bool]
_PAGE_ANSWERED = re.compile(rb'"target":"/\d*","status":200')


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The task of one run.

    Attributes:
        hosts: all of the farm.
        asked: those on the list.
        urls: of each host.
        crawl: the list holds the front page of each host, and the others are found by links.
        limit: seconds after which the command is killed.
    """

    hosts: Sequence[Host]
    asked: Sequence[Host]
    urls: int = 1
    crawl: bool = False
    limit: float

    @property
    def wanted(self) -> int:
        """Return how many pages of live hosts there are."""
        return sum(pages_of(host, self.urls) for host in live(self.asked))


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has ended, or was ended after its limit; `farm_cpu` = what serving it cost, in seconds."""

    job: Job
    folder: Path
    cost: Cost
    hits: list[Hit]
    seen: Seen
    farm_cpu: float

    @property
    def ended(self) -> str:
        """Return how it ended, in a word."""
        return "by itself" if self.cost.code in {0, 1} else f"with code {self.cost.code}"

    @property
    def tail(self) -> float:
        """Seconds from the last page of a live host to its end; inf = there was no page."""
        return self.cost.seconds - self.seen.last_page if self.seen.pages else inf

    def wrong(self) -> list[str]:
        """Return which hosts ended otherwise than the plan says, a line for each."""
        return wrong_fates(self.folder / "run", self.job)


def run(job: Job, folder: Path, command: Command, is_over: IsOver = lambda: False) -> Run:
    """Run a command over the list in a new folder; `is_over` is asked 20 times a second, and ends it with True."""
    folder.mkdir()
    log, before = folder / "requests.jsonl", cpu_of_children()
    with farm(job.hosts, job.urls, log) as ports:
        source = write_list(job, folder, ports)
        until = time.monotonic() + job.limit
        told = command(source, folder, ports)
        cost = measured(told, folder, is_over=lambda: time.monotonic() > until or is_over())
    hits, both = read_log(log), cpu_of_children() - before
    return Run(job, folder, cost, hits, seen(hits, job.hosts, job.wanted, cost.began), both - cost.cpu)


def write_list(job: Job, folder: Path, ports: Ports) -> Path:
    """Write the list of a job; give its path."""
    source = folder / "urls.txt"
    urls = listed(job.asked, ports, 1 if job.crawl else job.urls)
    source.write_text("".join(f"{url}\n" for url in urls), "utf-8")
    return source


def crawler(verb: str, *options: str) -> Command:
    """Return the command of a crawler with default options but for these; its output goes to `run` in the folder."""

    def command(source: Path, folder: Path, ports: Ports) -> list[str]:
        where = ["-o", str(folder / "run"), *(["--resolver", ports.names] if "farm.test" in source.read_text() else [])]
        return [sys.executable, "-m", "crawler", verb, str(source), *where, *options]

    return command


def pages_answered(log: Path, wanted: int) -> IsOver:
    """Return a question: has the farm answered so many pages?"""
    read = answered = 0

    def ask() -> bool:
        nonlocal read, answered
        if log.exists():
            with log.open("rb") as file:
                file.seek(read)
                lines = file.read()
            whole = lines.rfind(b"\n") + 1
            read += whole
            answered += len(_PAGE_ANSWERED.findall(lines, 0, whole))
        return answered >= wanted

    return ask


# --- what the output says -----------------------------------------------------------------------------------------


def wrong_fates(output: Path, job: Job) -> list[str]:
    """Return which URLs have more than one line, and which hosts ended otherwise than the plan says."""
    found: dict[int, Counter[Fate]] = {host.number: Counter() for host in job.asked}
    urls: Counter[str] = Counter()
    for url, fate in _lines(output / "pages.jsonl"):
        urls[url] += 1
        found.setdefault(number_of(url), Counter())[fate] += 1
    twice = [f"{times} lines of {url}" for url, times in urls.items() if times > 1]
    return twice + [
        f"{host.name or host.address} ({host.kind}, {host.seconds:.3g} s): {_told(found[host.number])}"
        for host in job.asked
        if found[host.number] != Counter({host.fate: _expected(host, job)})
    ]


def show_wrong(wrong: Sequence[str]) -> None:
    """Print the first of what ended wrong."""
    for line in wrong[:_SHOWN]:
        print(f"  wrong: {line}")
    if wrong:
        print(flush=True)


def number_of(url: str) -> int:
    """Return which host of the farm a URL is of."""
    host = urlsplit(url).hostname or ""
    if host.endswith(".farm.test"):
        return int(host.partition(".")[0][1:])
    return int(ip_address(host)) - FIRST_ADDRESS


def _expected(host: Host, job: Job) -> int:
    """Return how many lines a host must have: a crawl knows of one that never answers its front page alone."""
    return 1 if job.crawl and host.fate[0] != "done" else pages_of(host, job.urls)


def _told(fates: Counter[Fate]) -> str:
    return ", ".join(f"{n} {outcome} {reason}" for (outcome, reason), n in fates.items()) or "no line"


def _lines(path: Path) -> Iterable[tuple[str, Fate]]:
    if path.exists():
        for line in map(json.loads, path.read_bytes().splitlines()):
            yield line["url"], (line["outcome"], line["reason"])
