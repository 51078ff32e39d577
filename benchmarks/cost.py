"""The cost of a page, step by step: CPU microseconds, of this checkout and, beside it, of another one.

Run with: python benchmarks/cost.py [--root DIR] [--before CHECKOUT] [--rounds N] [--only alone|crawl|list|start ...]
- Steps alone, each in a process of its own (support/cost_*.py): a worker reads documents of the folder; the fetcher
  fetches 1 KB and 26 KB; the storage thread stores a crawl of the folder; a body travels to a worker and back.
- A whole crawl of the folder behind nginx, and a whole list of 1 KB pages: CPU per page of the event loop (the main
  thread), the storage thread, the other threads and the workers, and of all processes as the kernel accounts them.
  Start-up is in it: it counts less, the more pages there are.
- Start-up: `python -c pass`, `crawler --help`, and a crawl of one page.
With `--before` every figure is taken from both checkouts in turn, in changing order (ABBA), each with its own .venv. A
ratio is the median of the rounds' own ratios, since what else the machine does meets neighbours alike. A step that a
checkout cannot run has a dash. Nothing is claimed: a change comes with this table.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import DOCUMENTATION, prepare_nginx
from benchmarks.support.lean_site import lean_site, write_list
from benchmarks.support.measured import measured
from benchmarks.support.programs import nginx
from benchmarks.support.tables import show

SUPPORT = Path(__file__).with_name("support")
PARTS = ("alone", "crawl", "list", "start")
START = "/index.html"
BODY = 26 * 1024
ALONE = "alone, us each"
FIGURES = ("loop", "storage thread", "other threads", "workers", "all processes")


@dataclass(frozen=True, slots=True)
class Side:
    """One checkout, and its figures by row: one for each round; none where it could not be measured."""

    name: str
    python: Path
    figures: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Sites:
    """The servers of all runs, and the sizes of the jobs."""

    root: Path
    base_url: str
    lean_url: str
    listed: Path
    options: argparse.Namespace


Measure = Callable[[Path, Path], Mapping[str, float]]  # from a Python and an empty folder to the figures by row


def main() -> int:
    """Measure all rounds and print the table."""
    options = _options()
    prepare_nginx(options.root)
    sides = [Side("now", Path(sys.executable))]
    if options.before:
        sides.append(Side("before", options.before.resolve() / ".venv" / "bin" / "python"))
    for side in sides:
        if not side.python.exists():
            print(f"{side.python} is missing: make .venv in that checkout, with `make setup`", file=sys.stderr)
            return 2
    with tempfile.TemporaryDirectory(prefix="crawler-cost-") as name, _sites(Path(name), options) as sites:
        steps = _steps(sites)
        for number in range(options.rounds):
            for at, step in enumerate(steps):
                for side in sides if (number + at) % 2 == 0 else sides[::-1]:
                    _measure(step, side, Path(name))
    _show(sides, options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, default=DOCUMENTATION, help="the folder to crawl")
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another checkout, with a .venv of its own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--documents", type=int, default=300, help="to be read by a worker alone")
    parser.add_argument("--pages", type=int, default=2000, help="to be stored by the storage thread alone")
    parser.add_argument("--urls", type=int, default=20_000, help="of the list, and for the fetcher and the trips alone")
    return parser.parse_args()


@contextmanager
def _sites(folder: Path, options: argparse.Namespace) -> Iterator[Sites]:
    (folder / "site").mkdir()
    (folder / "lean").mkdir()
    root, listed = options.root.resolve(), folder / "urls.txt"
    with nginx(root, folder / "site") as base_url, lean_site(folder / "lean") as lean_urls:
        write_list(listed, lean_urls, options.urls)
        yield Sites(root, base_url, lean_urls[0], listed, options)


def _measure(step: Measure, side: Side, scratch: Path) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for row, value in step(side.python, Path(folder)).items():
            side.figures[row].append(value)


# --- what is measured ---------------------------------------------------------------------------------------------


def _steps(sites: Sites) -> list[Measure]:
    told, root, urls = sites.options, str(sites.root), str(sites.options.urls)
    crawl = ("crawl", sites.base_url + START, "--no-robots")
    one = ("-m", "crawler", "crawl", f"{sites.lean_url}/1k/0", "-o", "run", "--quiet")
    trips = {"main": "a trip of 26 KB to a worker: main process", "workers": "a trip of 26 KB to a worker: the worker"}
    alone = [
        _alone("a worker reads a document", "cost_reading.py", root, str(told.documents)),
        _alone("the fetcher fetches 1 KB", "cost_fetching.py", f"{sites.lean_url}/1k/0", urls),
        _alone("the fetcher fetches 26 KB", "cost_fetching.py", f"{sites.lean_url}/26k/0", urls),
        _alone("the storage thread stores a page", "cost_storing.py", root, START, str(told.pages)),
        _alone(trips, "cost_handing_over.py", urls, str(BODY)),
    ]
    start = [
        partial(_started, "python -c pass", ("-c", "pass")),
        partial(_started, "crawler --help", ("-m", "crawler", "--help")),
        partial(_started, "crawler crawl, one page", one),
    ]
    parts: dict[str, list[Measure]] = {
        "alone": alone,
        "crawl": [partial(_whole, "crawl", crawl)],
        "list": [partial(_whole, "list", ("fetch", str(sites.listed)))],
        "start": start,
    }
    return [step for part in told.only for step in parts[part]]


def _alone(rows: str | Mapping[str, str], script: str, *arguments: str) -> Measure:
    """Return the measuring of one step in a process of its own; `rows` names the rows of what the script tells."""
    names = {"us": rows} if isinstance(rows, str) else rows

    def measure(python: Path, folder: Path) -> dict[str, float]:
        command = [str(python), str(SUPPORT / script), *arguments]
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            print(
                f"{' '.join(command)}: {(done.stderr.strip().splitlines() or ['no word'])[-1][:200]}", file=sys.stderr
            )
            return {}
        told = json.loads(done.stdout.splitlines()[-1])
        return {f"{ALONE}: {row}": told[name] for name, row in names.items()}

    return measure


def _whole(what: str, arguments: tuple[str, ...], python: Path, folder: Path) -> dict[str, float]:
    """Run a crawl or a list to its end, with the CPU time of its threads."""
    report = folder / "threads.json"
    command = [str(python), str(SUPPORT / "cost_threads.py"), str(report), *arguments, "-o", "run", "--quiet"]
    cost = measured(command, folder)
    if cost.code not in {0, 1}:
        sys.exit(f"exit {cost.code}: {' '.join(command)}: {cost.said}")
    pages = (folder / "run" / "pages.jsonl").read_bytes().count(b"\n")
    told = json.loads(report.read_text("utf-8"))
    storage = told["threads"].get("storage", 0.0)
    parts = (told["main"], storage, told["process"] - told["main"] - storage, told["children"], cost.cpu)
    return {
        f"{what}: pages": pages,
        **{f"{what}, us per page: {row}": part * 1e6 / pages for row, part in zip(FIGURES, parts, strict=True)},
        f"{what}: CPU s": cost.cpu,
        f"{what}: wall s": cost.seconds,
        f"{what}: peak MiB": cost.peak_mb,
    }


def _started(what: str, arguments: tuple[str, ...], python: Path, folder: Path) -> dict[str, float]:
    """Run a command that does next to nothing."""
    cost = measured([str(python), *arguments], folder)
    if cost.code:
        sys.exit(f"exit {cost.code}: {python} {' '.join(arguments)}: {cost.said}")
    return {f"{what}: CPU ms": cost.cpu * 1e3, f"{what}: wall ms": cost.seconds * 1e3}


# --- the table ----------------------------------------------------------------------------------------------------


def _show(sides: list[Side], options: argparse.Namespace) -> None:
    rows = dict.fromkeys(row for side in sides for row in side.figures)
    head = ("step", *(side.name for side in reversed(sides)), *(["now / before"] if len(sides) > 1 else []), "")
    table = []
    for row in rows:
        shown = [_shown(side.figures.get(row, [])) for side in reversed(sides)]
        ratio = [_ratio(*(side.figures.get(row, []) for side in sides))] if len(sides) > 1 else []
        table.append((row, *shown, *ratio, ""))
    show(f"cost: {options.root}, medians of {options.rounds} rounds", head, table)


def _shown(figures: list[float]) -> str:
    return f"{median(figures):,.1f}" if figures else "-"


def _ratio(now: list[float], before: list[float]) -> str:
    """Return the median of the rounds' own ratios."""
    ratios = [mine / theirs for mine, theirs in zip(now, before, strict=False) if theirs]
    return f"{median(ratios):.2f}" if ratios else "-"


if __name__ == "__main__":
    sys.exit(main())
