"""Kills: a real server that outlives everything, a real crawler in a group of its own, and the sums afterwards."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from crawler.site.log import Hit, read_log
from crawler.site.plan import SitePlan
from crawler.site.truth import Site

_PATIENCE = 600.0  # seconds for a life that nobody ends


@dataclass(frozen=True, slots=True)
class RunningSite:
    """A built-in site in another process, and its truth."""

    site: Site
    log: Path

    def hits(self) -> list[Hit]:
        """Every request that the server has written down."""
        return read_log(self.log)


@contextmanager
def site_process(plan: SitePlan, log: Path) -> Iterator[RunningSite]:
    """Serve a plain site until the block ends; the server dies with this process."""
    command = [sys.executable, "-m", "crawler", "serve", "--parent-pipe", "--port", "0", "--plain", "--log", str(log)]
    for name in ("pages", "hosts", "latency", "seed"):
        command += [f"--{name}", str(getattr(plan, name))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        ready = json.loads(server.stdout.readline())
        yield RunningSite(Site(plan, ready["urls"]), log)
        server.stdin.close()
        server.wait(10)


@dataclass(slots=True)
class Life:
    """One life of a crawler: when it began and ended, and whether it ended by itself."""

    began: float
    ended: float = 0.0
    code: int = 0


@dataclass(slots=True)
class Account:
    """The account of a killed and resumed run."""

    kills: int = 0
    lost: int = 0
    twice: int = 0
    wrong: int = 0
    parked: int = 0
    orphans: int = 0
    refetched: list[int] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, doubled, wrong, parked or left behind."""
        return not (self.lost or self.twice or self.wrong or self.parked or self.orphans)

    def __str__(self) -> str:
        most = max(self.refetched, default=0)
        return (
            f"kills {self.kills}: lost {self.lost}, twice {self.twice}, wrong bytes {self.wrong}, parked {self.parked},"
            f" orphans {self.orphans}, most fetched again after one kill {most}"
        )


def killed_run(
    running: RunningSite,
    folder: Path,
    *,
    concurrency: int,
    kills: int,
    longest: float,
    seed: int,
    crawl: bool = False,
) -> tuple[Account, int]:
    """Get every page, killed up to `kills` times at random moments; the account and the audit's exit code.

    A list is fetched, and the whole process group killed; or with `crawl` the links from the front pages are followed,
    and the main process alone is killed: its workers have to notice.
    """
    chance = random.Random(seed)  # noqa: S311 - a seed repeats a failure
    urls = [url for url in running.site.urls() if "/private/" not in url]
    listed = folder.with_suffix(".txt")
    seeds = [f"{base_url}/" for base_url in running.site.base_urls] if crawl else urls
    listed.write_text("".join(f"{url}\n" for url in seeds), "utf-8")
    command = ["crawl" if crawl else "fetch", str(listed), "-o", str(folder), "--concurrency", str(concurrency)]
    began = time.monotonic()
    lives: list[Life] = []
    account = Account()
    while not lives or lives[-1].code != 0:
        fatal = chance.uniform(0.05, longest) if account.kills < kills else None
        arguments = ["resume", str(folder)] if (folder / "config.toml").exists() else _fresh(folder, command)
        life, orphans = _live([*arguments, "--quiet"], fatal, alone=crawl)
        lives.append(life)
        account.orphans += orphans
        account.kills += life.code == -signal.SIGKILL
        if life.code not in {0, -signal.SIGKILL}:
            raise AssertionError(f"exit {life.code}: {arguments}")
    _compare(running.site, urls, folder, account)
    hits = [hit for hit in running.hits() if hit.started >= began and not hit.target.startswith("/robots.txt")]
    account.refetched = _refetched(hits, lives)
    audit = subprocess.run([sys.executable, "-m", "crawler", "verify", str(folder)], check=False, capture_output=True)
    return account, audit.returncode


def _fresh(folder: Path, command: list[str]) -> list[str]:
    if folder.exists():  # killed before the run could be resumed: nothing was promised yet
        for file in folder.iterdir():
            file.unlink()
    return command


def _live(arguments: list[str], fatal: float | None, *, alone: bool) -> tuple[Life, int]:
    life = Life(time.monotonic())
    command = [sys.executable, "-m", "crawler", *arguments]
    with subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL) as process:
        try:
            life.code = process.wait(fatal if fatal is not None else _PATIENCE)
        except subprocess.TimeoutExpired:
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
            life.code = process.wait()
            if fatal is None:
                raise
    life.ended = time.monotonic()
    orphans = _alive_after(process.pid, seconds=2.0)
    with suppress(ProcessLookupError):  # there should be none; if there are, they are counted
        os.killpg(process.pid, signal.SIGKILL)
    return life, orphans


def _alive_after(group: int, seconds: float) -> int:
    """Processes of the group that are still there after at most so long."""
    until = time.monotonic() + seconds
    while (alive := sum(1 for _ in _members(group))) and time.monotonic() < until:
        time.sleep(0.02)  # another process's death sends us no event
    return alive


def _members(group: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, pgrp = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()[:3]
                if int(pgrp) == group and state != "Z":
                    yield int(entry.name)


def _compare(site: Site, urls: list[str], folder: Path, account: Account) -> None:
    truth = dict(digests(site))
    lines = Counter[str]()
    for raw in (folder / "pages.jsonl").read_bytes().splitlines():
        record = json.loads(raw)
        lines[record["url"]] += 1
        account.parked += record["reason"] == "suspect"
        account.wrong += record["sha256"] != truth.get(record["url"])
    account.lost = sum(1 for url in urls if not lines[url])
    account.twice = sum(1 for n in lines.values() if n > 1)


def digests(site: Site) -> Iterator[tuple[str, str]]:
    """Every URL of a site and the digest of its body."""
    for host, base in enumerate(site.base_urls):
        for path in site.paths(host):
            page = site.page(host, path)
            assert page is not None
            yield base + path, page.sha256


def _refetched(hits: list[Hit], lives: list[Life]) -> list[int]:
    """For each life, how many of its requests had been answered in an earlier one."""
    seen: set[tuple[int, str]] = set()
    found = []
    for life in lives:
        mine = {(hit.host, hit.target) for hit in hits if life.began <= hit.started <= life.ended}
        found.append(len(mine & seen))
        seen |= mine
    return found
