"""A real site by its links: does `crawler crawl` find exactly its pages, and how long do other tools take?

Run with: python benchmarks/real_site.py [--root DIR] [--tools crawler,wget2,scrapy] [--rounds N]
Debian's `python3.11-doc` (or any folder with an index.html) behind an nginx of our own on loopback. The tools crawl it
from index.html, one after the other, in several rounds, each in a new folder; the order rotates. The HTML pages that
are in the crawler's output must be those that an independent walk over the files (html.parser, support/walk.py)
reaches: none missing, extra or twice, and each with its file's SHA-256. What each tool asked for is read in nginx's
log, so one witness judges all; of the others nothing is claimed. What each was told is printed with the figures.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import DOCUMENTATION, prepare_nginx
from benchmarks.support.measured import Cost, measured
from benchmarks.support.programs import audit, nginx
from benchmarks.support.rivals import TOOLS, Tool, ready
from benchmarks.support.tables import Claim, exactly, figure, show, verdict
from benchmarks.support.walk import Place, place, reachable

START = "/index.html"
HEAD = ("tool", "seconds", "fastest", "slowest", "CPU s", "peak MiB", "pages", "of", "requests", "asked twice", "codes")


@dataclass(frozen=True, slots=True)
class Served:
    """The requests that nginx got from one run of one tool."""

    pages: frozenset[Place]
    requests: int
    twice: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool."""

    cost: Cost
    served: Served


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
        before = self.log.stat().st_size
        cost = measured(tool.command(self.base_url + START, folder), folder)
        return Run(cost, self._served(before))

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
    parser.add_argument("--root", type=Path, default=DOCUMENTATION, help="the folder to serve")
    parser.add_argument("--tools", type=_tools, default=list(TOOLS), help=f"of {','.join(TOOLS)}; crawler comes anyway")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_nginx(options.root)
    tools = ready(options.tools)
    root = options.root.resolve()
    wanted = reachable(root, START)
    with tempfile.TemporaryDirectory(prefix="crawler-real-site-") as name:
        scratch = Path(name)
        with nginx(root, scratch, log=scratch / "requests.jsonl") as base_url:
            bench = Bench(base_url, scratch / "requests.jsonl", scratch)
            runs = _rounds(bench, tools, options.rounds)
        code = verdict(f"real_site: {root}, `crawler crawl` from {START}", _claims(bench, tools[0], runs, wanted))
    _compare(tools, runs, set(wanted))
    return code


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


def _claims(bench: Bench, tool: Tool, runs: dict[str, list[Run]], wanted: dict[Place, Path]) -> list[Claim]:
    """Return the claims about the crawler's output, over all rounds."""
    digests = {page: hashlib.sha256(file.read_bytes()).hexdigest() for page, file in wanted.items()}
    codes, audits, lines, found = [], [], [], []
    for number, run in enumerate(runs[tool.name]):
        folder = bench.folder(tool, number) / "run"
        codes.append(run.cost.code)
        audits.append(audit(folder))
        lines.append([json.loads(line) for line in (folder / "pages.jsonl").read_bytes().splitlines()])
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
    """Print what each tool did and cost, and what it cost against the first."""
    rounds = len(runs[tools[0].name])
    rows = [_row(tool.name, runs[tool.name], wanted) for tool in tools]
    show(f"real_site: medians of {rounds} rounds, interleaved; pages and requests as nginx saw them", HEAD, rows)
    for tool in tools:
        print(f"  {tool.name}: {tool.settings}")
        if partial := [run for run in runs[tool.name] if not wanted <= run.served.pages]:
            print(f"    not complete in {len(partial)} rounds; its last word: {partial[0].cost.said[:200]}")
    for tool in tools[1:]:
        mine, theirs = _medians(runs[tools[0].name]), _medians(runs[tool.name])
        seconds, cpu, peak = (f"{first / other:.2f}" for first, other in zip(mine, theirs, strict=True))
        print(f"  {tools[0].name} / {tool.name}: seconds {seconds}, CPU {cpu}, peak memory {peak}")
    print(flush=True)


def _row(name: str, runs: Sequence[Run], wanted: set[Place]) -> tuple[object, ...]:
    seconds = [run.cost.seconds for run in runs]
    middle, cpu, peak = _medians(runs)
    pages = min(len(run.served.pages & wanted) for run in runs)
    most, twice = max(run.served.requests for run in runs), max(run.served.twice for run in runs)
    codes = " ".join(str(code) for code in sorted({run.cost.code for run in runs}))
    shown = (f"{figure:.2f}" for figure in (middle, min(seconds), max(seconds), cpu))
    return name, *shown, peak, pages, len(wanted), most, twice, codes


def _medians(runs: Sequence[Run]) -> tuple[float, float, float]:
    costs = [run.cost for run in runs]
    return median(c.seconds for c in costs), median(c.cpu for c in costs), median(c.peak_mb for c in costs)


if __name__ == "__main__":
    sys.exit(main())
