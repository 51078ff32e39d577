"""The pacing of `crawler load --rate`: does it keep its schedule, and do other tools see the same latencies?

Run with: python benchmarks/load_pacing.py [--seconds N] [--rounds N]
Pacing: first the ceiling of a closed loop, then half of it at a constant rate and as Poisson arrivals; how late each
request was sent, from the JSON report (the figure to beat is wrk2's own: within 1 ms). A request that waited for a
connection is counted apart. Beside it, how late this machine wakes a thread that does nothing but sleep: no client can
be more exact than that, and on a busy machine it is milliseconds. Agreement: the same nginx, one connection per tool,
under ours, wrk and h2load in turn; p50 and p99 of each.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import install
from benchmarks.support.loaders import not_needed
from benchmarks.support.pinned import CLIENT_CORE, counting_nginx
from benchmarks.support.programs import nginx_program
from benchmarks.support.tables import Claim, show, verdict

_SLEEPER = """
import sys, time
due = time.monotonic()
for _ in range(int(sys.argv[1]) * 1000):
    due += 0.001
    time.sleep(max(0, due - time.monotonic()))
    print(max(0, time.monotonic() - due) * 1000)
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def main() -> int:
    """Measure both; the exit code is 0 when the pacing claim holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    tools = ["wrk", "h2load"]
    install(
        {
            "nginx-light": nginx_program() is not None,
            "wrk": not_needed("wrk", tools),
            "nghttp2-client": not_needed("h2load", tools),
        }
    )
    with tempfile.TemporaryDirectory(prefix="crawler-load-pacing-") as scratch, counting_nginx(Path(scratch)) as url:
        claims = _pacing(url, options.seconds)
        _agreement(url, options.seconds, options.rounds)
    return verdict("load_pacing: half of the ceiling", claims)


def _load(url: str, *told: str) -> dict[str, Any]:
    command = ["taskset", "-c", CLIENT_CORE, sys.executable, "-m", "crawler", "load", url, "--quiet", "--json", *told]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _pacing(url: str, seconds: int) -> list[Claim]:
    ceiling = _load(url, "-d", "2")["requests_per_second"]
    rate = round(ceiling / 2)
    rows, claims = [], []
    for kind in ((), ("--poisson",)):
        report = _load(url, "-d", str(seconds), "--rate", str(rate), *kind)
        pacing, waiting = report["pacing_ms"], report["waiting_ms"]
        cells = [_value(pacing, name) for name in ("p50", "p99")]
        name = "Poisson" if kind else "constant"
        rows.append(
            (
                name,
                f"{rate:,}/s",
                f"{pacing['count']:,}",
                *(f"{cell:.3f}" for cell in cells),
                f"{pacing['max']:.3f}",
                f"{waiting['count']:,}",
                report["verdict"],
            )
        )
        claims.append(Claim(f"{name}: p99 of the pacing error", "<= 1 ms", f"{cells[1]:.3f} ms", cells[1] <= 1.0))
    rows.append(("a sleeper", "1,000/s", "", *(f"{late:.3f}" for late in _sleeper(seconds)), "", ""))
    head = ("schedule", "rate", "free connection", "p50 ms", "p99 ms", "most ms", "waited", "")
    show(f"load_pacing: how late requests were sent; ceiling {ceiling:,.0f}/s", head, rows)
    return claims


def _sleeper(seconds: int) -> tuple[float, float, float]:
    """Return the lateness of a thread that wakes up on the client's core, in ms: median, p99, most."""
    command = ["taskset", "-c", CLIENT_CORE, sys.executable, "-c", _SLEEPER, str(seconds)]
    found = sorted(map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))
    return found[len(found) // 2], found[len(found) * 99 // 100], found[-1]


def _value(times: dict[str, Any], name: str) -> float:
    return float(times[name]["value"]) if name in times else float("inf")


def _agreement(url: str, seconds: int, rounds: int) -> None:
    seen: dict[str, list[tuple[float, float]]] = {"crawler": [], "wrk": [], "h2load": []}
    for _ in range(rounds):
        report = _load(url, "-c", "1", "-d", str(seconds))["service_ms"]
        seen["crawler"].append((_value(report, "p50"), _value(report, "p99")))
        seen["wrk"].append(_wrk(url, seconds))
        seen["h2load"].append(_h2load(url, seconds))
    rows = [
        (tool, f"{median(p50 for p50, _ in found):.3f}", f"{median(p99 for _, p99 in found):.3f}", "")
        for tool, found in seen.items()
    ]
    show(f"load_pacing: one connection, medians of {rounds} interleaved runs", ("tool", "p50 ms", "p99 ms", ""), rows)


def _wrk(url: str, seconds: int) -> tuple[float, float]:
    command = ["taskset", "-c", CLIENT_CORE, "wrk", "-t1", "-c1", f"-d{seconds}s", "--latency", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = dict(re.findall(r"(50|99)%\s+([\d.]+[a-z]+)", text))
    return _milliseconds(found["50"]), _milliseconds(found["99"])


def _h2load(url: str, seconds: int) -> tuple[float, float]:
    """From its log of each request: start, status, microseconds."""
    with tempfile.NamedTemporaryFile() as log:
        told = ["--h1", "-c1", "-D", str(seconds), f"--log-file={log.name}"]
        subprocess.run(["taskset", "-c", CLIENT_CORE, "h2load", *told, url], check=True, capture_output=True)
        took = sorted(int(line.split()[2]) for line in Path(log.name).read_text().splitlines())
    return took[len(took) // 2] / 1000, took[len(took) * 99 // 100] / 1000


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)([a-z]+)", text)
    assert match is not None
    return float(match[1]) * _UNITS[match[2]]


if __name__ == "__main__":
    sys.exit(main())
