"""A list of 100,000 small pages: how much of a bare aiohttp loop's rate is left, with everything written and synced?

Run with: python benchmarks/list_speed.py [--urls N] [--concurrency N] [--rounds N] [--hosts N]
The list is of 1 KB pages on a few hosts of an nginx on loopback, which sets no limit; the crawler has its defaults but
for `--concurrency` and robots.txt. Three clients take it in each round, in changing order (ABBA):
- fetch: `crawler fetch`, with a line for each URL on disk. It is compared as a whole command, start and end included.
- bare: so many tasks over one aiohttp.ClientSession on uvloop, which keep nothing (support/list_clients.py).
- stream: the library's `Fetcher.stream`, which keeps nothing either; compared from first request to last answer.
*Alone* is without the start of Python. Ratios are medians of the rounds' own ratios. CPU is of the client's processes:
where clients and server share two cores, nginx bounds the rate of the quickest client, and CPU is what a client costs.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.lean_site import lean_site, write_list
from benchmarks.support.measured import Cost, measured
from benchmarks.support.programs import audit, nginx_program
from benchmarks.support.tables import Claim, exactly, figure, show, verdict

CLIENTS = ("fetch", "bare", "stream")
LEAST_OF_BARE, LEAST_OF_SESSION = 0.45, 0.9
HEAD = ("client", "URLs/s", "alone", "CPU us per URL", "alone", "peak MiB", "")


@dataclass(frozen=True, slots=True)
class Taken:
    """One run of one client.

    Attributes:
        cost: of the whole command.
        seconds: of the fetching alone, and `cpu` likewise; None = they are not known apart.
        is_clean: `crawler verify` found nothing; True where there is nothing to verify.
    """

    answers: int
    cost: Cost
    seconds: float | None = None
    cpu: float | None = None
    is_clean: bool = True


def main() -> int:
    """Run all rounds; the exit code is 0 when nothing was lost and the ratios are as wanted."""
    options = _options()
    if nginx_program() is None:
        print("nginx is missing; on Debian: apt-get install nginx-light", file=sys.stderr)
        return 2
    runs: defaultdict[str, list[Taken]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="crawler-list-speed-") as name:
        scratch = Path(name)
        with lean_site(scratch, options.hosts) as base_urls:
            write_list(scratch / "urls.txt", base_urls, options.urls)
            for number in range(options.rounds):
                for client in CLIENTS if number % 2 == 0 else CLIENTS[::-1]:
                    with tempfile.TemporaryDirectory(dir=scratch) as folder:
                        runs[client].append(_run(client, scratch / "urls.txt", Path(folder), options.concurrency))
    title = f"list_speed: {options.urls:,} URLs of 1 KB, {options.concurrency} in flight"
    show(f"{title}; medians of {options.rounds} rounds", HEAD, [_row(client, runs[client]) for client in CLIENTS])
    return verdict(title, _claims(options.urls, runs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--urls", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=8)
    return parser.parse_args()


def _run(client: str, listed: Path, folder: Path, concurrency: int) -> Taken:
    if client == "fetch":
        return _fetched(listed, folder, concurrency)
    script = Path(__file__).with_name("support") / "list_clients.py"
    cost = measured([sys.executable, str(script), client, str(listed), str(concurrency)], folder)
    if cost.code:
        sys.exit(f"exit {cost.code}: {client}: {cost.said}")
    told = json.loads(cost.said)
    return Taken(told["answers"], cost, told["seconds"], told["cpu"])


def _fetched(listed: Path, folder: Path, concurrency: int) -> Taken:
    told = ["fetch", str(listed), "-o", "run", "--concurrency", str(concurrency), "--no-robots", "--quiet"]
    cost = measured([sys.executable, "-m", "crawler", *told], folder)
    if cost.code not in {0, 1}:
        sys.exit(f"exit {cost.code}: crawler {' '.join(told)}: {cost.said}")
    lines = (folder / "run" / "pages.jsonl").read_bytes().splitlines()
    answers = sum(json.loads(line)["status"] == 200 for line in lines)
    return Taken(answers, cost, is_clean=audit(folder / "run") == 0)


def _row(client: str, runs: list[Taken]) -> tuple[object, ...]:
    rate = median(run.answers / run.cost.seconds for run in runs)
    cpu = median(run.cost.cpu * 1e6 / run.answers for run in runs)
    alone = [run.answers / run.seconds for run in runs if run.seconds]
    cpu_alone = [run.cpu * 1e6 / run.answers for run in runs if run.cpu]
    shown = (f"{median(figures):,.0f}" if figures else "-" for figures in ([rate], alone, [cpu], cpu_alone))
    return client, *shown, median(run.cost.peak_mb for run in runs), ""


def _claims(urls: int, runs: dict[str, list[Taken]]) -> list[Claim]:
    fetch, bare, stream = (runs[client] for client in CLIENTS)
    whole = [(ours.cost, its.cost) for ours, its in zip(fetch, bare, strict=True)]
    alone = list(zip(stream, bare, strict=True))
    of_bare = median(its.seconds / ours.seconds for ours, its in whole)
    of_session = median((its.seconds or 0.0) / (ours.seconds or 1.0) for ours, its in alone)
    cpu, cpu_alone = (median(ours.cpu / its.cpu for ours, its in pairs) for pairs in (whole, alone))
    return [
        exactly("answers of each client, in each round", {urls}, {run.answers for own in runs.values() for run in own}),
        exactly("runs that verify finds clean", len(fetch), sum(run.is_clean for run in fetch)),
        Claim(
            "rate of fetch / bare, whole commands", f">= {LEAST_OF_BARE}", f"{of_bare:.2f}", of_bare >= LEAST_OF_BARE
        ),
        figure("CPU of fetch / bare", f"{cpu:.2f}"),
        Claim(
            "rate of stream / bare, alone",
            f">= {LEAST_OF_SESSION}",
            f"{of_session:.2f}",
            of_session >= LEAST_OF_SESSION,
        ),
        figure("CPU of stream / bare", f"{cpu_alone:.2f}"),
    ]


if __name__ == "__main__":
    sys.exit(main())
