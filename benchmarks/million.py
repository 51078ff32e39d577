"""A list of a million URLs: how fast is it imported, does memory stay flat, and does an interrupted import lose a line?

Run with: python benchmarks/million.py [--urls N] [--hosts N] [--kills N] [--seed N]
The URLs are on ports of loopback where nobody listens, and `--rate 0.1` lets one be asked for in ten seconds: what is
measured is the import alone. One import in a thousand lines is a duplicate, one blank, one a comment and one no URL.
First the list is imported in one go, and stopped with Ctrl-C (SIGINT) once it is in. Then again, killed with `kill -9`
at random points and resumed each time. Both must end with exactly one row per URL and every line accounted for: counted
in the frontier by SQL, in `rejected.jsonl`, and by `crawler verify`. The main process tells its resident memory itself.
"""

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.programs import audit
from benchmarks.support.tables import Claim, at_most, exactly, figure, verdict
from benchmarks.support.watched import SECONDS, Moment, watched
from crawler.report.summary import Summary

ODD = 1000  # one line in so many is of each odd kind
GROWTH_MB = 80.0  # the frontier's page cache fills up to 64 MiB, however long the list is; nothing else may grow
QUIET = ["--rate", "0.1", "--no-robots", "--retries", "0"]


def main() -> int:
    """Import twice; the exit code is 0 when no line was lost and memory stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--urls", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="another seed kills at other points")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crawler-million-") as name, socket.socket() as closed:
        closed.bind(("", 0))  # bound but not listening: the port is refused to callers and kept from others
        listed = Path(name) / "urls.txt"
        _write(listed, _List(options.urls, options.hosts, closed.getsockname()[1]))
        return _whole(options.urls, listed) | _interrupted(options, listed)


@dataclass(frozen=True, slots=True)
class _List:
    """The lines of the list."""

    urls: int
    hosts: int
    port: int

    def __iter__(self) -> Iterator[str]:
        for number in range(self.urls):
            yield self._url(number)
            if number % ODD == 0:
                yield from (self._url(number), "", "# a comment", f"no url {number}")

    def _url(self, number: int) -> str:
        host = number % self.hosts
        return f"http://127.1.{host // 250}.{host % 250 + 1}:{self.port}/{number}/a-page-of-this-host"


def _write(path: Path, lines: _List) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _whole(urls: int, listed: Path) -> int:
    folder = listed.with_name("whole")
    moments, summary = _import("fetch", str(listed), "-o", str(folder), *QUIET, until=urls)
    end = next(moment for moment in moments if moment.discovered == urls)
    start = next(moment for moment in moments if moment.discovered)
    middle = next(moment for moment in moments if moment.discovered >= urls / 2)
    claims = [
        *_complete(urls, folder, summary),
        figure("seconds until all were committed", end.seconds),
        figure("URLs per second", round(urls / end.seconds)),
        figure("resident memory at the start, MiB", start.rss_mb),
        figure("resident memory in the middle, MiB", middle.rss_mb),
        figure("resident memory at the end, MiB", end.rss_mb),
        at_most("growth from start to end, MiB (64 are page cache)", GROWTH_MB, end.rss_mb - start.rss_mb),
        figure("worst lag of the event loop, ms", end.worst_lag * 1000),
    ]
    return verdict(f"million: {urls:,} URLs imported in one go", claims)


def _interrupted(options: argparse.Namespace, listed: Path) -> int:
    chance = random.Random(options.seed)
    folder = listed.with_name("interrupted")
    command = ["fetch", str(listed), "-o", str(folder), *QUIET]
    began = time.monotonic()
    killed_at = []
    for share in sorted(chance.uniform(0.02, 0.98) for _ in range(options.kills)):
        killed_at.append(_kill(*command, at=round(share * options.urls), after=chance.uniform(0, SECONDS)))
        command = ["resume", str(folder)]
    _, summary = _import(*command, until=options.urls)
    seconds = time.monotonic() - began
    claims = [
        figure("killed with so many URLs in", " ".join(f"{n:,}" for n in killed_at)),
        *_complete(options.urls, folder, summary),
        figure("seconds, all lives", seconds),
    ]
    return verdict(f"million: the same, killed {options.kills} times and resumed", claims)


def _import(*command: str, until: int) -> tuple[list[Moment], Summary]:
    """Run until so many URLs are in, then end it in order."""
    with watched(*command) as program:
        summary = program.stop_at(until)
        return program.moments, summary


def _kill(*command: str, at: int, after: float) -> int:
    """Kill the program's process group a moment after so many URLs are in; gives how many it had told of."""
    with watched(*command) as program:
        for moment in program.follow():
            if moment.discovered >= at:
                time.sleep(after)  # so that no kill is in step with the telling
                os.killpg(program.process.pid, signal.SIGKILL)
                return moment.discovered
        sys.exit("\n".join(["the crawler ended before it could be killed:", *program.notes]))


def _complete(urls: int, folder: Path, summary: Summary) -> list[Claim]:
    odd = -(-urls // ODD)
    lines = {"read": urls + 4 * odd, "url": urls, "duplicate": odd, "blank": odd, "comment": odd}
    with closing(sqlite3.connect(folder / "frontier.sqlite")) as db:  # nobody works on it any more
        rows = db.execute("SELECT count(*), count(DISTINCT url) FROM url").fetchone()
    rejected = [json.loads(line)["line"] for line in (folder / "rejected.jsonl").read_bytes().splitlines()]
    return [
        exactly("rows in the frontier", urls, rows[0]),
        exactly("different URLs among them", urls, rows[1]),
        *(exactly(f"lines: {name}", n, summary.lines.get(name, 0)) for name, n in lines.items()),
        exactly("lines: no URL", odd, summary.lines["read"] - sum(summary.lines.get(name, 0) for name in [*lines][1:])),
        exactly("lines of rejected.jsonl", 2 * odd, len(rejected)),
        exactly("different lines of the list in it", 2 * odd, len(set(rejected))),
        exactly("exit code of verify", 0, audit(folder)),
    ]


if __name__ == "__main__":
    sys.exit(main())
