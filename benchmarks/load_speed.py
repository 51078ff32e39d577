"""The cost of `crawler load`: the same nginx under it, wrk, hey, autocannon, locust and a bare aiohttp loop.

Run with: python benchmarks/load_speed.py [--rounds N] [--seconds N] [--tools crawler,wrk]
One core for the client, another for nginx; 1 KB, keep-alive, 64 connections. In each round every tool runs once, one
after the other. A tool has two seconds to start; then, for the rest of its time, nginx's own counter says how many
requests it got and /proc what the client's processes cost. The table has the medians; each ratio is the median of the
rounds' own ratios, since what else the machine does meets neighbours alike.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import install
from benchmarks.support.loaders import Loader, ready
from benchmarks.support.pinned import CLIENT_CORE, counting_nginx, cpu_seconds, received
from benchmarks.support.programs import nginx_program
from benchmarks.support.tables import Claim, show, verdict

START = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one tool."""

    rate: float
    cpu: float  # microseconds per request
    busy: float  # share of its core


def main() -> int:
    """Run all rounds; the exit code is 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--tools", default="crawler,crawler-targets,wrk,hey,autocannon,locust,aiohttp")
    options = parser.parse_args()
    install({"nginx-light": nginx_program() is not None})
    if nginx_program() is None:
        print("nginx is missing; on Debian: apt-get install nginx-light", file=sys.stderr)
        return 2
    loaders = ready(options.tools.split(","))
    runs: dict[str, list[Figures]] = {loader.name: [] for loader in loaders}
    with tempfile.TemporaryDirectory(prefix="crawler-load-speed-") as scratch, counting_nginx(Path(scratch)) as url:
        for _ in range(options.rounds):
            for loader in loaders:
                runs[loader.name].append(_measure(loader, url, options.seconds, Path(scratch)))
    _show(loaders, runs)
    return verdict("load_speed: what is claimed", _claims(runs))


def _measure(loader: Loader, url: str, seconds: int, folder: Path) -> Figures:
    """Start a tool on its core, and look at it while it runs."""
    command = ["taskset", "-c", CLIENT_CORE, *loader.command(url, seconds, folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as child:
        time.sleep(START)
        began, requests, cpu = time.monotonic(), received(url), cpu_seconds(child.pid)
        time.sleep(seconds - START - 0.5)
        took = time.monotonic() - began
        requests, cpu = received(url) - requests, cpu_seconds(child.pid) - cpu
    return Figures(requests / took, cpu * 1e6 / max(1, requests), cpu / took)


def _show(loaders: list[Loader], runs: dict[str, list[Figures]]) -> None:
    rows = []
    for loader in loaders:
        mine = runs[loader.name]
        rate = f"{median(one.rate for one in mine):,.0f}"
        spread = f"{min(one.rate for one in mine):,.0f} - {max(one.rate for one in mine):,.0f}"
        cpu = f"{median(one.cpu for one in mine):.1f}"
        busy = f"{median(one.busy for one in mine) * 100:.0f} %"
        rows.append((loader.name, rate, spread, cpu, busy, loader.what))
    head = ("tool", "requests/s", "least - most", "CPU us/request", "core used", "")
    show(f"load_speed: medians of {len(next(iter(runs.values())))} interleaved runs", head, rows)


def _claims(runs: dict[str, list[Figures]]) -> list[Claim]:
    claims = []
    wanted = (("wrk", 0.8), ("hey", 1.0), ("autocannon", 1.0), ("locust", 5.0), ("aiohttp", 5.0))
    for name, least in wanted:
        if name in runs and "crawler" in runs:
            pairs = zip(runs["crawler"], runs[name], strict=True)
            ratio = median(ours.rate / max(1.0, theirs.rate) for ours, theirs in pairs)
            claims.append(Claim(f"requests/s beside {name}", f">= {least} x", f"{ratio:.2f} x", ratio >= least))
    if "crawler-targets" in runs and "crawler" in runs:
        pairs = list(zip(runs["crawler-targets"], runs["crawler"], strict=True))
        ratio = median(many.rate / max(1.0, one.rate) for many, one in pairs)
        claims.append(Claim("requests/s with 10,000 targets", ">= 0.9 x", f"{ratio:.2f} x", ratio >= 0.9))
        ratio = median(many.cpu / one.cpu for many, one in pairs)
        claims.append(Claim("CPU per request with 10,000 targets", "<= 1.1 x", f"{ratio:.2f} x", ratio <= 1.1))
    if "wrk" in runs and "crawler" in runs:
        ratio = median(ours.cpu / theirs.cpu for ours, theirs in zip(runs["crawler"], runs["wrk"], strict=True))
        claims.append(Claim("CPU per request beside wrk", "<= 1.5 x", f"{ratio:.2f} x", ratio <= 1.5))
    return claims


if __name__ == "__main__":
    sys.exit(main())
