"""Other load testers, each told to do the same: 64 connections, keep-alive, as fast as they can, for so many seconds.

wrk, hey and h2load come from Debian, autocannon from npm and locust from PyPI, the last two into folders of their own
(own_home.py); the bare aiohttp loop is this file's. What cannot be had is left out, with a reason.
"""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.debian import install
from benchmarks.support.own_home import from_npm, from_pypi
from benchmarks.support.programs import available

CONNECTIONS = 64
TARGETS = 10_000

_LOCUST = """
from locust import FastHttpUser, constant, task
class User(FastHttpUser):
    wait_time = constant(0)
    @task
    def get(self):
        self.client.get("{path}")
"""

_AIOHTTP = f"""
import asyncio, sys, time
import aiohttp, uvloop
async def user(session, url, end):
    while time.monotonic() < end:
        began = time.perf_counter_ns()
        async with session.get(url) as answer:
            await answer.read()
        took.append(time.perf_counter_ns() - began)
async def main(url, seconds):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(user(session, url, time.monotonic() + seconds) for _ in range({CONNECTIONS})))
took = []
uvloop.run(main(sys.argv[1], float(sys.argv[2])))
"""


@dataclass(frozen=True, slots=True)
class Loader:
    """One tool; `command(url, seconds, folder)` may write into the folder."""

    name: str
    what: str
    command: Callable[[str, int, Path], list[str]]


def ready(names: list[str]) -> list[Loader]:
    """These tools, without those that cannot be had; of each of them a line says why."""
    install(
        {
            "wrk": not_needed("wrk", names),
            "hey": not_needed("hey", names),
            "nghttp2-client": not_needed("h2load", names),
        }
    )
    return available(names, _MAKERS)


def not_needed(program: str, names: list[str]) -> bool:
    """Return whether the program is here, or not asked for."""
    return program not in names or shutil.which(program) is not None


def _crawler() -> Loader | str:
    return Loader(
        "crawler",
        "crawler load, one process; every latency recorded",
        lambda url, seconds, _: [
            *(sys.executable, "-m", "crawler", "load", url, "-c", str(CONNECTIONS)),
            *("-d", str(seconds), "--quiet", "--json"),
        ],
    )


def _crawler_with_targets() -> Loader | str:
    def command(url: str, seconds: int, folder: Path) -> list[str]:
        file = folder / "targets.txt"
        file.write_text("".join(f"{url}?n={number} tag=g{number % 10}\n" for number in range(TARGETS)), "ascii")
        return [
            *(sys.executable, "-m", "crawler", "load", "--targets", str(file), "-c", str(CONNECTIONS)),
            *("-d", str(seconds), "--quiet", "--json"),
        ]

    return Loader("crawler-targets", f"crawler load, one process; {TARGETS:,} targets in 10 groups, in turn", command)


def _debian(program: str, what: str, *told: str) -> Loader | str:
    if shutil.which(program) is None:
        return f"on Debian: apt-get install {program}"

    def command(url: str, seconds: int, _: Path) -> list[str]:
        return [program, *(word.replace("SECONDS", str(seconds)) for word in told), url]

    return Loader(program, what, command)


def _wrk() -> Loader | str:
    return _debian("wrk", "C, one thread", "-t1", f"-c{CONNECTIONS}", "-dSECONDS", "--latency")


def _hey() -> Loader | str:
    return _debian("hey", "Go, on one core", "-z", "SECONDSs", "-c", str(CONNECTIONS))


def _autocannon() -> Loader | str:
    program = from_npm("autocannon", "autocannon/autocannon.js", "autocannon")
    if isinstance(program, str):
        return program
    return Loader(
        "autocannon",
        "Node, one process",
        lambda url, seconds, _: ["node", str(program), "-c", str(CONNECTIONS), "-d", str(seconds), "--json", url],
    )


def _locust() -> Loader | str:
    program = from_pypi("locust", "locust", "locust")
    if isinstance(program, str):
        return program

    def command(url: str, seconds: int, folder: Path) -> list[str]:
        host, _, path = url.removeprefix("http://").partition("/")
        (folder / "locustfile.py").write_text(_LOCUST.format(path=f"/{path}"), "utf-8")
        told = ["--headless", "-u", str(CONNECTIONS), "-r", str(CONNECTIONS), "-t", f"{seconds}s", "--only-summary"]
        return [str(program), "-f", str(folder / "locustfile.py"), *told, "-H", f"http://{host}"]

    return Loader("locust", "FastHttpUser, one process", command)


def _aiohttp() -> Loader | str:
    def command(url: str, seconds: int, folder: Path) -> list[str]:
        (folder / "loop.py").write_text(_AIOHTTP, "utf-8")
        return [sys.executable, str(folder / "loop.py"), url, str(seconds)]

    return Loader("aiohttp", "a bare loop of 64 tasks on uvloop", command)


def _h2load() -> Loader | str:
    return _debian("h2load", "C, HTTP/1.1", "--h1", f"-c{CONNECTIONS}", "-D", "SECONDS")


_MAKERS: dict[str, Callable[[], Loader | str]] = {
    "crawler": _crawler,
    "crawler-targets": _crawler_with_targets,
    "wrk": _wrk,
    "hey": _hey,
    "autocannon": _autocannon,
    "locust": _locust,
    "aiohttp": _aiohttp,
    "h2load": _h2load,
}
