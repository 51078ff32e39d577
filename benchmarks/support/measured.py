"""The cost of a command: its time, and CPU time and memory of all its processes, as the kernel tells them. Linux."""

import os
import resource
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.programs import ended_by_sigterm

_LOOK_EVERY = 0.05  # seconds
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A command that has ended.

    Attributes:
        seconds: from its start to its end.
        cpu: user and system seconds of its processes, of those that it waited for.
        peak_mb: the most that its processes had resident together, seen 20 times a second; what they share counts for
            each. At least what the largest of them had, which the kernel knows exactly.
        peak_files: the most that the command's own process had open, seen as often.
        began: when it was started, monotonic seconds.
        said: the last line of what it said; empty = nothing.
    """

    code: int
    seconds: float
    cpu: float
    peak_mb: float
    peak_files: int
    began: float
    said: str


def measured(command: list[str], folder: Path, *, is_over: Callable[[], bool] = lambda: False) -> Cost:
    """Run a command in a folder; what it says goes to `said.txt` there.

    A program may keep its compiled modules, as one that is installed has them. `is_over` is asked 20 times a second,
    and kills it with True.
    """
    words = folder / "said.txt"
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with ended_by_sigterm(), words.open("wb") as said:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=usual, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            peak, files = _watch(process, is_over)
        except BaseException:
            process.kill()
            raise
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it
    return Cost(
        code=process.returncode,
        seconds=seconds,
        cpu=used.ru_utime + used.ru_stime,
        peak_mb=max(peak, used.ru_maxrss * 1024) / _MIB,
        peak_files=files,
        began=began,
        said=(words.read_text("utf-8", "replace").strip().splitlines() or [""])[-1],
    )


def cpu_of_children() -> float:
    """Return the CPU seconds so far of the children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(process: subprocess.Popen[bytes], is_over: Callable[[], bool]) -> tuple[int, int]:
    """The most bytes that a process and its descendants have together, and the most files of its own, to its end."""
    peak = files = 0
    end = os.pidfd_open(process.pid)
    try:
        while not select.select([end], [], [], _LOOK_EVERY)[0]:
            peak = max(peak, _resident(process.pid))
            files = max(files, _open_files(process.pid))
            if is_over():
                process.kill()
    finally:
        os.close(end)
    return peak, files


def _open_files(pid: int) -> int:
    """Open files of a process; one that has just ended has none."""
    with suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - thousands of them, 20 times a second
    return 0


def _resident(pid: int) -> int:
    """Resident bytes of a process and its descendants; what has just ended has none."""
    total = 0
    with suppress(OSError, ValueError, IndexError):
        total += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            total += sum(_resident(int(child)) for child in children.read_text("ascii").split())
    return total
