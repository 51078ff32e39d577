"""The library beside httpx, niquests and a session of aiohttp: what does a request cost, and how large do bodies grow?

Run with: python benchmarks/library_speed.py [--requests N] [--downloads N] [--megabytes N] [--rounds N] [--clients A,B]
Each client does each kind of work in a process of its own (support/library_clients.py), in changing order (ABBA), 64 in
flight, on uvloop; nginx on loopback answers, and for large bodies a small server of asyncio. Figures are medians of the
rounds; ratios are medians of the rounds' own ratios. httpx and niquests are asked for a fifth of the requests and
downloads, since they take so long. Peak memory includes the imports of the client.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.measured import measured
from benchmarks.support.own_home import from_pypi
from benchmarks.support.programs import nginx, nginx_program
from benchmarks.support.tables import Claim, exactly, figure, show, verdict

_PINNED = {"httpx": "0.28.1", "niquests": "3.21.0"}
_UVLOOP = "uvloop==0.22.1"
CLIENTS = ("crawler", "aiohttp", "httpx", "niquests")
_IN_FLIGHT = 64
_OF_HTTPX, _OF_SESSION = 5.0, 0.9  # rates
_MOST_MB = 60.0

Runs = dict[tuple[str, str], list[dict[str, float]]]


def main() -> int:
    """Run all rounds; the exit code is 0 when every answer came and the ratios are as wanted."""
    options = _options()
    if nginx_program() is None:
        print("nginx is missing; on Debian: apt-get install nginx-light", file=sys.stderr)
        return 2
    pythons = _pythons(options.clients.split(","))
    runs: Runs = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="crawler-library-") as name, _site(Path(name)) as base, _bodies() as large:
        scratch = Path(name)
        works = [
            (work, f"{base}/{'post' if work == 'post' else '1k'}/", options.requests)
            for work in ("get", "stream", "post")
        ]
        works.append(("downloads", f"{base}/64k/", options.downloads))
        works.append(("download", f"{large}/down/?bytes={options.megabytes << 20}&n=", 1))
        works.append(("upload", f"{large}/up/", 1))
        for number in range(options.rounds):
            for client in list(pythons) if number % 2 == 0 else [*pythons][::-1]:
                for work, url, count in works:
                    told = (work, url, count // 5 if client in _PINNED and count > 1 else count)
                    runs[client, work].append(_run(pythons[client], client, told, scratch, options))
    title = f"library_speed: {_IN_FLIGHT} in flight"
    for work, _, count in works:
        head = (f"{work}, {count:,}", "per second", "CPU us each", "seconds", "peak MiB", "")
        show(f"{title}; medians of {options.rounds} rounds", head, [_row(each, work, runs) for each in pythons])
    return verdict(title, list(_claims(pythons, runs)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=20_000, help="a fifth of them of httpx and niquests")
    parser.add_argument("--downloads", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=1024, help="of the large download; an upload has half")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", default=",".join(CLIENTS), help="crawler comes anyway")
    return parser.parse_args()


def _pythons(wanted: list[str]) -> dict[str, Path]:
    """Return the interpreter for each client, without those that cannot be had; of each of them a line says why."""
    found = {"crawler": Path(sys.executable)}
    if "aiohttp" in wanted:
        found["aiohttp"] = Path(sys.executable)
    for name, version in _PINNED.items():
        if name in wanted:
            python = from_pypi(f"{name}-{version}", "python", f"{name}=={version}", _UVLOOP)
            if isinstance(python, Path):
                found[name] = python
            else:
                print(f"without {name}: {python}")
    return found


@contextmanager
def _site(scratch: Path) -> Iterator[str]:
    """Serve files of 1 KB and 64 KB under any name, and accept any POST."""
    root = scratch / "www"
    root.mkdir()
    (root / "1k").write_bytes(bytes(1024))
    (root / "64k").write_bytes(bytes(64 * 1024))
    places = "".join(f"location /{name}/ {{ try_files /{name} =404; }} " for name in ("1k", "64k"))
    post = 'location /post/ { return 200 "ok"; }'
    extra = f"keepalive_requests 1000000000; open_file_cache max=16; {places} {post}"
    with nginx(root, scratch, extra=extra) as base_url:
        yield base_url


@contextmanager
def _bodies() -> Iterator[str]:
    """Serve large bodies."""
    script = Path(__file__).with_name("support") / "large_bodies.py"
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield server.stdout.readline().decode().strip()
        finally:
            server.stdin.close()


def _run(
    python: Path, client: str, work: tuple[str, str, int], scratch: Path, options: argparse.Namespace
) -> dict[str, float]:
    kind, url, count = work
    script = Path(__file__).with_name("support") / "library_clients.py"
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        if kind == "upload":
            with (Path(folder) / "upload").open("wb") as file:
                file.truncate((options.megabytes << 20) // 2)
        command = [str(python), str(script), client, kind, url, str(count), str(_IN_FLIGHT)]
        cost = measured(command, Path(folder))
        if cost.code:
            sys.exit(f"exit {cost.code}: {client} {kind}: {cost.said}")
    told: dict[str, float] = json.loads(cost.said)
    return {**told, "asked": count}


def _row(client: str, work: str, runs: Runs) -> tuple[object, ...]:
    own = runs[client, work]
    rate = median(run["answers"] / run["seconds"] for run in own)
    cpu = median(run["cpu"] * 1e6 / run["answers"] for run in own)
    seconds, peak = (median(run[name] for run in own) for name in ("seconds", "peak"))
    return client, f"{rate:,.0f}", f"{cpu:,.0f}", f"{seconds:.2f}", f"{peak:.0f}", ""


def _claims(clients: dict[str, Path], runs: Runs) -> Iterator[Claim]:
    lost = sum(int(run["asked"] - run["answers"]) for own in runs.values() for run in own)
    yield exactly("answers missing, of all clients", 0, lost)
    for work in ("get", "stream", "post"):
        for client, least in (("httpx", _OF_HTTPX), ("aiohttp", _OF_SESSION)):
            if client in clients:
                ratio = _ratio(runs["crawler", work], runs[client, work])
                text = f"rate of {work} / {client}'s"
                yield Claim(text, f">= {least}", f"{ratio:.2f}", ratio >= least)
    for client in clients:
        if client != "crawler":
            ratio = _ratio(runs["crawler", "downloads"], runs[client, "downloads"])
            yield figure(f"rate of downloads / {client}'s", f"{ratio:.2f}")
    for work in ("download", "upload"):
        peak = max(run["peak"] for run in runs["crawler", work])
        yield Claim(f"peak memory of the {work}, MiB", f"<= {_MOST_MB}", f"{peak:.1f}", peak <= _MOST_MB)


def _ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> float:
    """Return how many times as many answers a second ours had, in the median of the rounds."""
    pairs = zip(ours, theirs, strict=True)
    return median(own["answers"] / own["seconds"] / (its["answers"] / its["seconds"]) for own, its in pairs)


if __name__ == "__main__":
    sys.exit(main())
