"""The step of the storage thread, alone: `python cost_storing.py FOLDER START PAGES` stores a crawl of a folder.

It prints a line of JSON: CPU microseconds for each page, and the number of pages. The pages are read from the files and
the links in them are those that a crawl stores; only leases and group commits, with their syncs, are on the clock. A
group has as many visits as a busy crawl's.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote

from crawler.build import policy_of
from crawler.core.config import RunConfig
from crawler.core.discovery import Way
from crawler.core.finds import Find
from crawler.core.leases_and_commits import SeedBatch, Wanted
from crawler.core.messages import Request, Response, Timing
from crawler.core.records import VisitContext
from crawler.core.scope import LinkJudge
from crawler.core.urls import parse
from crawler.core.visits import Retry, Visit
from crawler.engine.group_commit import GroupCommit
from crawler.engine.outcomes import Judge
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.parse.follow import follow
from crawler.parse.page_reader import PageReader, Task
from crawler.runtime.clock import SystemClock
from crawler.sinks.jsonl import JsonlSink

_BASE = "http://127.0.0.1:8000"
_GROUP = 32  # visits


class _Site:
    """The pages of the folder, read without a network."""

    def __init__(self, root: Path, config: RunConfig) -> None:
        self._root = root
        self._reader = PageReader(
            Task(max_decoded=config.fetch.max_decoded, agent="crawler", follow=follow(config.scope, obey=False))
        )
        self._judge = Judge(0, LinkJudge(config.scope))

    def visit(self, request: Request) -> Visit | Retry:
        """Return the visit of a page; a file that does not exist is a 404."""
        file = self._root / unquote(request.url.href.removeprefix(_BASE).partition("?")[0].lstrip("/"))
        is_there = file.is_file()
        response = Response(
            request=request,
            status=200 if is_there else 404,
            headers=((b"Content-Type", b"text/html"),),
            body=file.read_bytes() if is_there else b"",
            timing=Timing(first_byte=0.001, body=0.001, total=0.002),
        )
        return self._judge.response(response, self._reader.read_response(response), VisitContext(now=time.time()))


def _main(root: Path, start: str, pages: int) -> None:
    config = RunConfig()
    site = _Site(root, config)
    with tempfile.TemporaryDirectory(prefix="crawler-cost-") as name:
        folder = Path(name)
        board = MappedBoard(folder / "frontier.board", 4096)
        frontier = SqliteFrontier(
            folder / "frontier.sqlite", board, create=True, policy=policy_of(config, follows=True)
        )
        storage = GroupCommit(frontier, [JsonlSink(folder)], SystemClock(), lambda _: None)
        storage.open()
        seed = Find(url=parse(_BASE + start), way=Way(seed=True), named=True, line=1)
        storage.commit([SeedBatch(cursor=1, line=1, lines=1, finds=(seed,), last=True)])
        spent, stored = _stored(storage, site, seed, pages)
        storage.close()
    print(json.dumps({"us": spent * 1e6 / stored, "count": stored}))


def _stored(storage: GroupCommit, site: _Site, seed: Find, pages: int) -> tuple[float, int]:
    """Store the crawl up to so many pages; return the CPU seconds on the clock, and how many pages there were."""
    wanted = Wanted(new_hosts=1, new_share=_GROUP)
    spent, stored = 0.0, 0
    while stored < pages:
        began = time.thread_time()
        lease, _, _ = storage.lease(wanted, time.time())
        spent += time.thread_time() - began
        if not lease.requests:
            break
        visits = [site.visit(request) for request in lease.requests]
        began = time.thread_time()
        storage.commit(visits)
        spent += time.thread_time() - began
        stored += len(visits)
        wanted = Wanted(shares={seed.url.host_port: _GROUP})
    return spent, stored


if __name__ == "__main__":
    _main(Path(sys.argv[1]).resolve(), sys.argv[2], int(sys.argv[3]))
