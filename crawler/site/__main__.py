"""The built-in site as a process of its own, for benchmarks and tests: `python -m crawler.site --pages 1000`.

Rules
- One line of JSON, `{"urls": [...], "pid": ...}`, says that it is ready.
- A pipe on standard input is a leash: the server ends, in order, when it closes, so it never outlives who started it.
  A signal ends it in order, too.
Runs on: loop, its own process.
"""

import argparse
import asyncio
import json
import os
import stat
import sys
from functools import partial
from pathlib import Path

from crawler.runtime.loop import Stop, raise_open_files, run
from crawler.site.plan import SitePlan
from crawler.site.server import SiteServer
from crawler.site.truth import Site


def main() -> None:
    """Serve until the leash is let go, or a signal asks to end."""
    options = _options()
    raise_open_files()
    run(partial(_serve, _plan(options), options.port, options.log))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m crawler.site", description="Serve the built-in site on loopback.")
    parser.add_argument("--pages", type=int, default=1000, help="pages of each host")
    parser.add_argument("--hosts", type=int, default=1, help="virtual hosts, each at an address of its own")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another site")
    parser.add_argument("--log", type=Path, help="append each request to this file, as a line of JSON")
    parser.add_argument("--plain", action="store_true", help="only pages that answer 200")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> SitePlan:
    make = SitePlan.plain if options.plain else SitePlan
    return make(pages=options.pages, hosts=options.hosts, seed=options.seed, latency=options.latency)


async def _serve(plan: SitePlan, port: int, log_path: Path | None, stop: Stop) -> None:
    async with SiteServer(Site(plan), port=port, log_path=log_path) as server:
        await _hold_leash(stop)
        sys.stdout.write(json.dumps({"urls": server.base_urls, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        await stop.wait_draining()


async def _hold_leash(stop: Stop) -> None:
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        await asyncio.get_running_loop().connect_read_pipe(partial(_Leash, stop), sys.stdin)


class _Leash(asyncio.Protocol):
    """Standard input, of which only the end matters."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.request_drain()


if __name__ == "__main__":
    main()
