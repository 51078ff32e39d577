"""The cost of a million targets: to make their requests before a test, and to have each at hand while it runs.

Run with: python benchmarks/load_targets.py [--lines N] [--har MEGABYTES]
Each file is made in a process of its own, and its time is processor time, since other programs may use the cores. Its
private memory (RssAnon of the kernel) is sampled every 10 ms, so the figure is the peak, and counts neither the mapped
file nor shared libraries. A request is taken as a load test takes it: the next number, its bytes, its group and its
origin.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.tables import Claim, at_most, exactly, figure, verdict
from crawler.load.contradictions import configure_load
from crawler.load.targets.make import make_targets

SERVER = "http://127.0.0.1:8000/"
MAKING = "crawler.load.targets.make"
SECONDS_PER_MILLION, MEBIBYTES = 20.0, 150.0
MICROSECONDS = 0.8
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "URLs": ("text", {}),
    "URLs, shuffled": ("text", {"shuffle": True}),
    "URLs with weights": ("weights", {}),
    "vegeta": ("vegeta", {}),
    "access log": ("log", {}),
    "access log, replayed": ("log", {"replay": 1}),
    "JSON log, replayed": ("json-log", {"replay": 1}),
    "JSON log out of order, replayed": ("mixed", {"replay": 1}),
}


def main() -> int:
    """Make the files, turn them into requests, and take requests; the exit code is 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--har", type=int, default=100, help="MiB of the HAR file")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return one(*options.one)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        claims = making(folder, options.lines)
        claims += har(folder, options.har)
        claims += taking(folder)
    return verdict(f"load_targets: {options.lines:,} targets", claims)


def making(folder: Path, lines: int) -> list[Claim]:
    """Turn each kind of file into requests."""
    claims = []
    path = folder / "targets.in"
    for name, (kind, options) in CASES.items():
        with path.open("w", encoding="utf-8") as out:
            out.writelines(written(kind, lines))
        done = measured(folder, path, options)
        claims += [
            exactly(f"{name}: requests", lines, done["count"]),
            at_most(f"{name}: time", SECONDS_PER_MILLION * lines / 1e6, done["seconds"], " s"),
            at_most(f"{name}: private memory at the peak", MEBIBYTES, done["peak"], " MiB"),
        ]
    return claims


def har(folder: Path, mebibytes: int) -> list[Claim]:
    """Turn a HAR file, nearly all of it bodies of answers, into requests."""
    path = folder / "har.in"
    answer = json.dumps("<p class='x'>\n\u00e9</p>" * 1500)
    count = mebibytes * 2**20 // len(answer)
    headers = json.dumps([{"name": f"x-{n}", "value": "v" * 40} for n in range(12)])
    with path.open("w", encoding="utf-8") as out:
        out.write('{"log": {"version": "1.2", "entries": [')
        for number in range(count):
            out.write(", " * bool(number))
            out.write(
                f'{{"startedDateTime": "2026-01-02T03:{number // 60 % 60:02d}:{number % 60:02d}.123Z", "request": '
                f'{{"method": "GET", "url": "https://h/p/{number}?q={number}", "headers": {headers}}}, '
                f'"response": {{"status": 200, "content": {{"text": {answer}}}}}}}'
            )
        out.write("]}}")
    size = path.stat().st_size / 2**20
    done = measured(folder, path, {})
    return [
        exactly(f"HAR of {size:.0f} MiB: requests", count, done["count"]),
        figure("HAR: time", f"{done['seconds']:.2f} s"),
        at_most("HAR: private memory at the peak", MEBIBYTES, done["peak"], " MiB"),
    ]


def written(kind: str, lines: int) -> Iterable[str]:
    """Yield the lines of a file of this kind; a thousand a second, and half of the paths are of one page."""
    for number in range(lines):
        path = f"/shop/{number % 97}/item-{number}?ref={number % 13}" if number % 2 else "/index.html"
        second, milli = divmod(number, 1000)
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        if kind == "text":
            yield f"{SERVER[:-1]}{path}\n"
        elif kind == "weights":
            yield f"{path} weight={number % 7 + 1}\n"
        elif kind == "vegeta":
            yield f'{{"method":"POST","url":"{SERVER[:-1]}{path}","header":{{"X-N":["{number}"]}},"body":"aGVsbG8="}}\n'
        elif kind == "log":
            yield (
                f'10.0.{number % 256}.7 - - [02/Jan/2026:{clock} +0000] "GET {path} HTTP/1.1" 200 {number} '
                '"https://example.test/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"\n'
            )
        else:
            late = 7 if kind == "mixed" and number % 3 else 0
            yield (
                f'{{"time_iso8601":"2026-01-0{2 + late}T{clock}.{milli:03d}Z","remote_addr":"10.0.0.7","status":200,'
                f'"request_method":"GET","request_uri":"{path}","host":"example.test","request_time":0.003}}\n'
            )


def measured(folder: Path, path: Path, options: dict[str, object]) -> dict[str, float]:
    """Turn a file into requests in a process of its own; return its figures and its peak of private memory."""
    command = [sys.executable, __file__, "--one", str(folder), str(path), json.dumps(options)]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, private(process.pid))
            time.sleep(0.01)
        assert process.stdout is not None
        told: dict[str, float] = json.loads(process.stdout.read())
    return told | {"peak": peak}


def private(pid: int) -> float:
    """Return the private memory of a process in MiB."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


def one(folder: str, path: str, options: str) -> int:
    """Turn one file into requests, and print the figures."""
    config = configure_load({"targets": path, **json.loads(options)})
    began = time.process_time()
    targets = make_targets(SERVER, config, Path(folder))
    print(json.dumps({"seconds": time.process_time() - began, "count": targets.count}))
    return 0


def taking(folder: Path, targets: int = 10_000, requests: int = 1_000_000) -> list[Claim]:
    """Take requests of ten thousand targets, in each order: the price of a request while the test runs."""
    claims = []
    path = folder / "few.in"
    feed = folder / "feed.csv"
    feed.write_text("id\n1\n2\n3\n", "utf-8")
    cases: dict[str, tuple[str, dict[str, object], int]] = {
        "in order": ("text", {}, 1),
        "shuffled": ("text", {"shuffle": True}, 1),
        "with weights": ("weights", {}, 1),
        "replayed": ("json-log", {"replay": 1}, 1),
        "in order, one of two processes": ("text", {}, 2),
        "with weights, one of two processes": ("weights", {}, 2),
    }
    for name, (kind, options, processes) in cases.items():
        path.write_text("".join(written(kind, targets)), "utf-8")
        made = make_targets(SERVER, configure_load({"targets": str(path), **options}), folder)
        with made.open() as opened:
            best = min(round_of(opened, processes, requests // 5) for _ in range(5))
        claims.append(at_most(f"a request {name}", MICROSECONDS, best, " us"))
    return claims


def round_of(opened: object, processes: int, requests: int) -> float:
    """Return the microseconds of a request, of so many."""
    deal, message = opened.dealer(0, processes), opened.message  # type: ignore[attr-defined]
    group, origin = opened.group, opened.origin  # type: ignore[attr-defined]
    began = time.process_time()
    for _ in range(requests):
        number = deal()
        message(number)
        group(number)
        origin(number)
    return (time.process_time() - began) / requests * 1e6


if __name__ == "__main__":
    sys.exit(main())
