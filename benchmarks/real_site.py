"""Real sites by their links: does `crawler crawl` find exactly their pages, and how long do other tools take?

Run with: python benchmarks/real_site.py [--root DIR ...] [--tools crawler,wget2,spider-rs,scrapy,crawlee] [--rounds N]
                                         [--frontier [DSN]] [--workers 1,2,4]
Debian's `python3.11-doc` (or any folder with an index.html; `--root` may be repeated) behind an nginx of our own on
loopback. The tools crawl it from index.html, one after the other, in several rounds, each in a new folder; the order
rotates. The HTML pages that are in the crawler's output must be those that an independent walk over the files
(html.parser, support/walk.py) reaches: none missing, extra or twice, and each with its file's SHA-256. What each tool
asked for is read in nginx's log, so one witness judges all; of the others nothing is claimed. What each was told is
printed with the figures. A tool that leaves files behind without a sync has a second row, which counts `sync -f` of
them after its end; the disk is synced before each run. Ratios are medians of the rounds' own ratios. `--frontier` adds
crawls in a database, a private one by default, that so many workers share: the lines of all their folders together are
judged in the same way, and the faults in the database are counted.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import DOCUMENTATION, prepare_nginx
from benchmarks.support.measured import Cost, measured
from benchmarks.support.programs import audit, nginx
from benchmarks.support.rivals import TOOLS, Tool, ready
from benchmarks.support.shared import Place as Frontier
from benchmarks.support.shared import add_options, folders_of, places
from benchmarks.support.tables import Claim, exactly, figure, show, verdict
from benchmarks.support.walk import Place, place, reachable

START = "/index.html"
HEAD = ("tool", "seconds", "fastest", "slowest", "CPU s", "peak MiB", "pages", "of", "requests", "asked twice", "codes")
SYNCED = "sync -f"


@dataclass(frozen=True, slots=True)
class Served:
    """The requests that nginx got from one run of one tool."""

    pages: frozenset[Place]
    requests: int
    twice: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool; `sync` = seconds that the sync of its files took afterwards."""

    cost: Cost
    served: Served
    sync: float = 0.0

    @property
    def figures(self) -> tuple[float, float, float]:
        """Return its seconds, CPU seconds and peak MiB."""
        return self.cost.seconds + self.sync, self.cost.cpu, self.cost.peak_mb


@dataclass(frozen=True, slots=True)
class Bench:
    """The surroundings of the runs."""

    base_url: str
    log: Path
    scratch: Path

    def run(self, tool: Tool, number: int) -> Run:
        """Crawl the site with a tool, in a folder of its own."""
        folder = self.folder(tool, number)
        folder.mkdir()
        _sync(self.scratch)
        before = self.log.stat().st_size
        cost = measured(tool.command(self.base_url + START, folder), folder)
        sync = _sync(folder / tool.unsynced) if tool.unsynced else 0.0
        return Run(cost, self._served(before), sync)

    def folder(self, tool: Tool, number: int) -> Path:
        """Return the folder of a tool's round."""
        return self.scratch / f"{tool.name}-{number}"

    def _served(self, before: int) -> Served:
        with suppress(OSError):  # 404: when its one worker answers this, it has noted all that came before
            urllib.request.urlopen(f"{self.base_url}/the-end-of-a-run").close()
        lines = [json.loads(line) for line in self.log.read_bytes()[before:].splitlines()]
        asked = Counter(line["uri"] for line in lines if line["uri"] != "/the-end-of-a-run")
        html = {line["uri"] for line in lines if line["status"] == 200 and line["type"].startswith("text/html")}
        return Served(frozenset(map(place, html)), sum(asked.values()), sum(n > 1 for n in asked.values()))


def main() -> int:
    """Crawl the folder with each tool; the exit code is 0 when the crawler found it exactly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, action="append", help="a folder to serve; repeatable")
    parser.add_argument("--tools", type=_tools, default=list(TOOLS), help=f"of {','.join(TOOLS)}; crawler comes anyway")
    parser.add_argument("--rounds", type=int, default=3)
    add_options(parser)
    options = parser.parse_args()
    roots = options.root or [DOCUMENTATION]
    if len(roots) > 1:  # each in a process of its own: the peak memory of a child is never below its parent's
        return max(_alone(root, sys.argv[1:], options.root) for root in roots)
    for root in roots:
        prepare_nginx(root)
    tools = ready(options.tools)
    if options.frontier is None:
        return max(_site(root.resolve(), tools, options.rounds, {}) for root in roots)
    with places(options.frontier, options.workers) as found:
        shared = {f"crawler, {place.workers} in a database": place for place in found}
        own = [_sharing(tools[0], name, place) for name, place in shared.items()]
        return max(_site(root.resolve(), [*tools, *own], options.rounds, shared) for root in roots)


def _alone(root: Path, told: list[str], roots: list[Path]) -> int:
    """Run this script for one of the folders, with all other options."""
    others = [word for word in told if word != "--root" and Path(word) not in roots]
    return subprocess.run([sys.executable, __file__, "--root", str(root), *others], check=False).returncode


def _sharing(tool: Tool, name: str, place: Frontier) -> Tool:
    """Return the crawler as so many workers of a run in a database, which is named as the folder."""

    def command(url: str, folder: Path) -> list[str]:
        return [*tool.command(url, folder), *replace(place, run=_run_name(folder)).options]

    return replace(tool, name=name, command=command, settings=f"as crawler, by {place.workers} processes")


def _run_name(folder: Path) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in folder.name)


def _site(root: Path, tools: list[Tool], rounds: int, shared: Mapping[str, Frontier]) -> int:
    """Crawl one folder with each tool, and show what is claimed and how they compare."""
    wanted = reachable(root, START)
    with tempfile.TemporaryDirectory(prefix="crawler-real-site-") as name:
        scratch = Path(name)
        with nginx(root, scratch, log=scratch / "requests.jsonl") as base_url:
            bench = Bench(base_url, scratch / "requests.jsonl", scratch)
            runs = _rounds(bench, tools, rounds)
        judged = {tools[0].name: None, **shared}
        code = max(
            verdict(
                f"real_site: {root}, `{tool.name}` from {START}", _claims(bench, tool, runs, wanted, judged[tool.name])
            )
            for tool in tools
            if tool.name in judged
        )
    _compare(tools, runs, set(wanted))
    return code


def _sync(path: Path) -> float:
    """Sync the file system of a path, if it exists; return the seconds that it took."""
    began = time.monotonic()
    if path.exists():
        subprocess.run(["sync", "-f", str(path)], check=True)
    return time.monotonic() - began


def _tools(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(TOOLS):
        raise argparse.ArgumentTypeError(f"no such tool: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    return ["crawler", *(name for name in TOOLS if name in names and name != "crawler")]


def _rounds(bench: Bench, tools: list[Tool], rounds: int) -> dict[str, list[Run]]:
    """All tools in each round, every time another one first."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for number in range(rounds):
        first = number % len(tools)
        for tool in tools[first:] + tools[:first]:
            runs[tool.name].append(bench.run(tool, number))
    return runs


def _claims(
    bench: Bench, tool: Tool, runs: dict[str, list[Run]], wanted: dict[Place, Path], frontier: Frontier | None
) -> list[Claim]:
    """Return the claims about the crawler's output, over all rounds; `frontier` is the database where it has one."""
    digests = {page: hashlib.sha256(file.read_bytes()).hexdigest() for page, file in wanted.items()}
    codes, audits, lines, found = [], [], [], []
    for number, run in enumerate(runs[tool.name]):
        folder = bench.folder(tool, number) / "run"
        codes.append(run.cost.code)
        folders = folders_of(folder)
        audits.append(audit(folder) if frontier is None else _problems(frontier, folders))
        files = [(own / "pages.jsonl").read_bytes().splitlines() for own in folders]
        lines.append([json.loads(line) for file in files for line in file])
        found.append({place(line["url"]): line["sha256"] for line in lines[-1] if _is_page(line)})
    missing = {page for pages in found for page in digests.keys() - pages.keys()}
    extra = {page for pages in found for page in pages.keys() - digests.keys()}
    return [
        figure("pages reachable, by the independent walk", len(wanted)),
        figure("MB (10^6 bytes) of them", sum(file.stat().st_size for file in wanted.values()) / 1e6),
        exactly("pages fetched, in each round", [len(wanted)] * len(found), [len(pages) for pages in found]),
        exactly("missing", "none", _named(missing)),
        exactly("extra", "none", _named(extra)),
        exactly("URLs with more than one line", 0, sum(map(_doubled, lines))),
        exactly("other bytes than the file's", 0, sum(_differing(pages, digests) for pages in found)),
        figure("lines of what is no HTML page, in the first round", len(lines[0]) - len(found[0])),
        exactly("exit codes of crawl and verify", ({0}, {0}), (set(codes), set(audits))),
    ]


def _problems(frontier: Frontier, folders: list[Path]) -> int:
    """Return the number of faults in the database, and between it and the folders."""
    found = replace(frontier, run=_run_name(folders[0].parent)).problems(folders)
    print(*found[:3], sep="\n", end="", file=sys.stderr)
    return len(found)


def _is_page(line: dict[str, object]) -> bool:
    return line["status"] == 200 and line["content_type"] == "text/html"


def _doubled(lines: list[dict[str, object]]) -> int:
    return sum(n > 1 for n in Counter(line["url"] for line in lines).values())


def _differing(pages: dict[Place, str], digests: dict[Place, str]) -> int:
    return sum(digest != digests.get(page, digest) for page, digest in pages.items())


def _named(pages: set[Place]) -> str:
    first = ", ".join("?".join(filter(None, page)) for page in sorted(pages)[:3])
    return f"{len(pages)}: {first}" if pages else "none"


def _compare(tools: list[Tool], runs: dict[str, list[Run]], wanted: set[Place]) -> None:
    """Print what each tool did and cost, and what the first cost against it."""
    mine = runs[tools[0].name]
    rows, ratios = [], []
    for tool in tools:
        bare = [replace(run, sync=0.0) for run in runs[tool.name]]
        kinds = {tool.name: bare} | ({f"{tool.name}, {SYNCED}": runs[tool.name]} if tool.unsynced else {})
        rows += [_row(name, its, wanted) for name, its in kinds.items()]
        ratios += [_ratios(f"{tools[0].name} / {name}", mine, its) for name, its in kinds.items() if its[0] != mine[0]]
    show(f"real_site: medians of {len(mine)} rounds, interleaved; pages and requests as nginx saw them", HEAD, rows)
    for tool in tools:
        print(f"  {tool.name}: {tool.settings}")
        if partial := [run for run in runs[tool.name] if not wanted <= run.served.pages]:
            print(f"    not complete in {len(partial)} rounds; its last word: {partial[0].cost.said[:200]}")
    print("", *ratios, sep="\n  ", end="\n\n", flush=True)


def _row(name: str, runs: Sequence[Run], wanted: set[Place]) -> tuple[object, ...]:
    seconds, cpu, peak = zip(*(run.figures for run in runs), strict=True)
    pages = min(len(run.served.pages & wanted) for run in runs)
    most, twice = max(run.served.requests for run in runs), max(run.served.twice for run in runs)
    codes = " ".join(str(code) for code in sorted({run.cost.code for run in runs}))
    shown = (f"{figure:.2f}" for figure in (median(seconds), min(seconds), max(seconds), median(cpu)))
    return name, *shown, median(peak), pages, len(wanted), most, twice, codes


def _ratios(name: str, mine: Sequence[Run], theirs: Sequence[Run]) -> str:
    """Return the medians of the rounds' own ratios."""
    pairs = [(ours.figures, its.figures) for ours, its in zip(mine, theirs, strict=True)]
    seconds, cpu, peak = (f"{median(ours[at] / its[at] for ours, its in pairs):.2f}" for at in range(3))
    return f"{name}: seconds {seconds}, CPU {cpu}, peak memory {peak}"


if __name__ == "__main__":
    sys.exit(main())
