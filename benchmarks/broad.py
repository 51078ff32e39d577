"""A list as it is: 10,000 hosts, of which a third are dead, slow or silent. Do the others pay for them?

Run with: python benchmarks/broad.py [--quick] [--only PART ...] [--hosts N] [--urls 1,20] [--tools crawler,curl,...]
The hosts are addresses of loopback and a few names (support/broad_plan.py, support/farm.py): 65 % answer within 5 to
300 ms, 10 % refuse, 10 % are black holes, 5 % accept and say nothing, 3 % take 5 to 30 s, 3 % are names that do not
exist, 2 % names of which the name server says nothing, 2 % have broken TLS. The farm's log is the one witness of what
was asked and when; how each URL ended is read in the output, and must be what the plan says. Default options.
- lists: fetch and crawl, one URL and twenty of each host, and with --rate: each list beside the same without its dead.
- rate: `--rate 50` over 2,000 live hosts: pages from the start, and never more than 50 a second.
- slow: 500 quick hosts alone, and beside 20, 200 and 2,000 that answer after 30 s or a byte each ten seconds.
- kill: `kill -9` twice, and resumed: nothing lost or twice, and no dead host tried from the start again.
- files: the same list with 1,024 open files.
- peers: the list by other tools; what each was told is printed with its figures.
With twenty URLs of each host there are a twentieth of the hosts. --quick: 500 hosts, the first list and `rate`.
"""

import argparse
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from benchmarks.support.broad_parts import few_files, killed, rate_claims, rated, slow_ones, usual_claims
from benchmarks.support.broad_peers import TOOLS, Tool, askable, ready
from benchmarks.support.broad_plan import Host, Kind, broad, live
from benchmarks.support.broad_runs import Job, Run, crawler, run, show_wrong
from benchmarks.support.tables import Claim, at_most, exactly, figure, show, verdict

PARTS = ("lists", "rate", "slow", "kill", "files", "peers")
DEFAULT_TOOLS = ["crawler", "aiohttp-256", "aiohttp-5000", "scrapy", "curl", "wget2"]
AS_MANY_AT_ONCE = "aiohttp-256"
SPARE_FILES = 256
LEAST_SHARE, LATEST = 0.85, 1.2
QUICK_HOSTS, QUICK_SECONDS = 500, 15.0


def main() -> int:
    """Show each part; the exit code is 0 when every claim holds."""
    options = _options()
    _check_limits(options.hosts)
    parts: dict[str, Callable[[Path], int]] = {
        "lists": lambda folder: _lists(folder, options),
        "rate": lambda folder: rated(folder, QUICK_SECONDS, [None]) if options.quick else rated(folder, 32.0),
        "slow": lambda folder: slow_ones(folder, options.limit),
        "kill": lambda folder: killed(folder, broad(options.hosts // 5, names=options.names), options.limit),
        "files": lambda folder: few_files(folder, broad(options.hosts // 5, names=options.names), options.limit),
        "peers": lambda folder: _peers(folder, options),
    }
    codes = []
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix=f"crawler-broad-{name}-") as folder:
            codes.append(parts[name](Path(folder)))
    return max(codes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a minute and a half")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--hosts", type=int, help="10,000; kill and files take a fifth")
    parser.add_argument("--urls", type=_numbers, help="of each host, for lists: 1,20")
    parser.add_argument("--verbs", type=lambda text: text.split(","), help="for lists: fetch,crawl")
    parser.add_argument("--list-rate", type=int, help="for lists: 500; 0 = no list with a rate")
    parser.add_argument("--names", action=argparse.BooleanOptionalAction, default=True, help="some hosts have names")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which a run of ours is killed")
    parser.add_argument("--tools", type=_tools, default=DEFAULT_TOOLS, help=f"of {','.join(TOOLS)}")
    parser.add_argument("--tool-limit", type=float, default=100.0, help="the same for another tool")
    options = parser.parse_args()
    options.only = options.only or (["lists", "rate"] if options.quick else list(PARTS))
    options.hosts = options.hosts or (QUICK_HOSTS if options.quick else 10_000)
    options.urls = options.urls or ([1] if options.quick else [1, 20])
    options.verbs = options.verbs or (["fetch"] if options.quick else ["fetch", "crawl"])
    if options.list_rate is None:
        options.list_rate = 0 if options.quick else 500
    return options


def _check_limits(hosts: int) -> None:
    """A client may keep a connection to every host, and the farm has the other end."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < hosts + SPARE_FILES:
        print(f"ulimit -Hn is {files}: raise it to {hosts + SPARE_FILES}, or lower --hosts")
        sys.exit(2)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _tools(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(TOOLS):
        raise argparse.ArgumentTypeError(f"no such tool: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    return ["crawler", *(name for name in TOOLS if name in names and name != "crawler")]


# --- with the dead and without ------------------------------------------------------------------------------------


def _lists(folder: Path, options: argparse.Namespace) -> int:
    """Show each verb with each number of URLs; and with a rate each verb, and each number, once."""
    ways: list[tuple[str, int, int | None]] = [(verb, urls, None) for urls in options.urls for verb in options.verbs]
    if options.list_rate:
        ways += [(verb, urls, options.list_rate) for verb, urls in zip(options.verbs, options.urls, strict=False)]
    return max(_both(folder / str(number), options, *way) for number, way in enumerate(ways))


def _both(folder: Path, options: argparse.Namespace, verb: str, urls: int, rate: int | None) -> int:
    folder.mkdir()
    hosts = broad(max(100, options.hosts // urls), names=options.names)
    command = crawler(verb, *(["--rate", str(rate)] if rate else []))
    jobs = [
        Job(hosts=hosts, asked=asked, urls=urls, crawl=verb == "crawl", limit=options.limit)
        for asked in (live(hosts), hosts)
    ]
    alone, among = (run(job, folder / name, command) for job, name in zip(jobs, ("alone", "among"), strict=True))
    wrong, wrong_alone = among.wrong(), alone.wrong()
    shown = f", --rate {rate}" if rate else ""
    code = verdict(
        f"broad: `crawler {verb}`, {len(hosts):,} hosts with {urls} {'URL' if urls == 1 else 'URLs'} each{shown};"
        f" {len(jobs[0].asked):,} of them live",
        [
            *(_rated_claims(alone, among, rate) if rate else _claims(alone, among)),
            *usual_claims(among, wrong),
            exactly("hosts with a wrong fate without the dead", 0, len(wrong_alone)),
        ],
    )
    show_wrong(wrong + wrong_alone)
    return code


def _claims(alone: Run, among: Run) -> list[Claim]:
    """Return what is claimed of a run at full speed: the live ones hardly notice the dead."""
    share = among.seen.rate / alone.seen.rate if alone.seen.rate else 0.0
    later = among.seen.last_page / alone.seen.last_page
    return [
        figure("live pages per second without the dead", alone.seen.rate),
        figure("the same among the dead", among.seen.rate),
        Claim("share of it", f">= {LEAST_SHARE:.0%}", f"{share:.1%}", share >= LEAST_SHARE),
        figure("last live page without the dead, s", alone.seen.last_page),
        figure("the same among the dead, s", among.seen.last_page),
        Claim("times as late", f"<= {LATEST}", f"{later:.2f}", later <= LATEST),
    ]


def _rated_claims(alone: Run, among: Run, rate: int) -> list[Claim]:
    """Return what is claimed of a run with a rate, which a first try of each dead host takes a part of."""
    tries = sum(host.kind is not Kind.LIVE for host in among.job.asked)
    needed = (among.seen.wanted + _robots(among.job.asked) + tries) / rate
    return [
        *rate_claims(among, rate),
        figure("last live page without the dead, s", alone.seen.last_page),
        figure("seconds that the rate asks for, with one try of each dead host", needed),
        at_most("last live page among the dead, s", LATEST * max(needed, alone.seen.last_page), among.seen.last_page),
    ]


def _robots(asked: Sequence[Host]) -> int:
    return len(live(asked))


# --- beside other tools -------------------------------------------------------------------------------------------

HEAD = ("tool", "last live page s", "whole s", "ended", "live pages", "of", "requests", "open", "CPU s", "peak MiB")


def _peers(folder: Path, options: argparse.Namespace) -> int:
    hosts = broad(options.hosts, names=options.names)
    tools = ready(options.tools)
    runs = [_peer(folder / tool.name, tool, hosts, options) for tool in tools]
    rows = [_row(tool, done) for tool, done in zip(tools, runs, strict=True)]
    show(f"broad: {len(hosts):,} hosts with one URL each, by other tools; as the farm saw it", HEAD, rows)
    for tool, done in zip(tools, runs, strict=True):
        skipped = len(hosts) - len(done.job.asked)
        print(f"  {tool.name}: {tool.settings}{f'; without the {skipped} hosts that are names' if skipped else ''}")
        if done.seen.pages < done.seen.wanted:
            print(f"    not complete; its last word: {done.cost.said[:200]}")
    print(flush=True)
    return verdict("broad: beside a bare aiohttp script", _beaten(tools, runs))


def _peer(folder: Path, tool: Tool, hosts: Sequence[Host], options: argparse.Namespace) -> Run:
    is_ours = tool.name == "crawler"
    asked, limit = (hosts, options.limit) if is_ours else (askable(hosts), options.tool_limit)
    return run(Job(hosts=hosts, asked=asked, limit=limit), folder, tool.command)


def _row(tool: Tool, done: Run) -> tuple[object, ...]:
    cost, told = done.cost, done.seen
    times = (tool.name, told.last_page, cost.seconds, done.ended)
    return *times, told.pages, told.wanted, told.requests, told.open_at_most, cost.cpu, cost.peak_mb


def _beaten(tools: Sequence[Tool], runs: Sequence[Run]) -> list[Claim]:
    """Return what is claimed against the bare script with as many at once: its pages and its end come later."""
    mine = runs[0]
    claims = [exactly("live pages", mine.seen.wanted, mine.seen.pages)]
    for tool, done in zip(tools, runs, strict=True):
        if tool.name == AS_MANY_AT_ONCE:
            claims += [
                at_most(f"last live page, s; {tool.name} had it", done.seen.last_page, mine.seen.last_page),
                at_most(f"whole, s; {tool.name} took", done.cost.seconds, mine.cost.seconds),
            ]
    return claims


if __name__ == "__main__":
    sys.exit(main())
