"""An nginx on a core of its own that says how many requests it got, and the processor time of a client's processes."""

import os
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.support.programs import nginx

CLIENT_CORE, SERVER_CORE = "0", "1"
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def counting_nginx(prefix: Path) -> Iterator[str]:
    """Serve a file of 1 KB from core 1, keep-alive without limit; gives its URL."""
    root = prefix / "www"
    root.mkdir()
    (root / "1k").write_bytes(1024 * b"x")
    extra = "keepalive_requests 1000000000; open_file_cache max=16; location = /count { stub_status; }"
    os.sched_setaffinity(0, {int(SERVER_CORE)})  # nginx inherits it
    try:
        served = nginx(root, prefix, extra=extra)
        base = served.__enter__()
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield f"{base}/1k"
    finally:
        served.__exit__(None, None, None)


def received(url: str) -> int:
    """Return the number of requests that the server has got, this one not counted."""
    with urllib.request.urlopen(url.replace("/1k", "/count")) as answer:
        text = answer.read().decode()
    numbers = re.search(r"requests\s+(\d+) (\d+) (\d+)", text)
    assert numbers is not None
    return int(numbers[3])


def cpu_seconds(pid: int) -> float:
    """The processor time so far of a process and all that it started, as far as they live or were waited for."""
    return sum(_ticks(child) for child in _family(pid)) / _TICKS


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))  # its own, and that of children which have ended
