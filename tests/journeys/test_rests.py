"""A server asks for a rest in the middle of a crawl, and the process is killed and resumed within it."""

import asyncio
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp import web

from crawler.runtime.tasks import background, every
from support.crawls import urls
from support.siteserver import HandMadeSite

REST = 4
PATHS = ("/0", "/busy", "/1", "/2", "/3")


class Busy:
    """A site of which one page first asks for a rest; it notes when each request arrived (wall clock)."""

    def __init__(self, site: HandMadeSite, *, as_date: bool) -> None:
        self.moments: list[float] = []
        self.until = 0.0
        self._as_date = as_date
        for path in PATHS:
            site.add_handler(path, self._answer)
        site.add_handler("/busy", self._refuse, times=1)

    async def _answer(self, _: web.BaseRequest) -> web.Response:
        self.moments.append(time.time())
        return web.Response(text="now")

    async def _refuse(self, _: web.BaseRequest) -> web.Response:
        self.until = float(int(time.time()) + REST) if self._as_date else time.time() + REST
        value = formatdate(self.until, usegmt=True) if self._as_date else str(REST)
        self.moments.clear()
        return web.Response(status=429, headers={"Retry-After": value})


async def start(*arguments: object) -> asyncio.subprocess.Process:
    """The program as a process of its own."""
    command = [sys.executable, "-m", "crawler", *map(str, arguments), "--quiet"]
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)


async def committed(folder: Path, word: bytes) -> None:
    """Wait until the frontier's log holds this word: nothing tells of it, so it is looked at again and again."""
    log, found = folder / "frontier.sqlite-wal", asyncio.Event()

    def look() -> None:
        if log.exists() and word in log.read_bytes():
            found.set()

    async with asyncio.timeout(20), background(every, 0.02, look):
        await found.wait()


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_a_rest_is_kept_through_a_kill_and_a_resume(tmp_path: Path, as_date: bool) -> None:
    """After 429 with Retry-After nothing is asked before its time, not by the next process either; then all is."""
    listed, run = tmp_path / "urls.txt", tmp_path / "run"
    async with HandMadeSite() as site:
        busy = Busy(site, as_date=as_date)
        listed.write_text("".join(f"{site.url(path)}\n" for path in PATHS), "utf-8")
        first = await start("fetch", listed, "-o", run, "--per-host", 1)
        await committed(run, b"retry-after")

        first.kill()
        await first.wait()
        code = await (await start("resume", run)).wait()

        expected = {site.url(path): 1 for path in PATHS}
    assert code == 0
    assert min(busy.moments) >= busy.until - 0.01
    assert urls(run) == expected
