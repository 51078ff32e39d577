"""What a process and all that it started cost: read from the kernel, so that nothing has to be told about itself.

Rules
- A tree is a process and its descendants as they are now; one that ended is in the sums of whoever waited for it.
- Memory is the proportional set size: a page that several processes share counts once, parted among them.
- A process that ends while it is read counts as ended.
Runs on: anywhere (Linux: it reads /proc).
"""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What was used of the machine.

    Attributes:
        cpu: processor seconds.
        delayed: seconds for which threads that could have run waited for a processor; of threads that live.
        voluntary, forced: how often a thread left its processor, because it waited or because it had to.
    """

    cpu: float = 0.0
    delayed: float = 0.0
    voluntary: int = 0
    forced: int = 0

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.cpu - other.cpu,
            self.delayed - other.delayed,
            self.voluntary - other.voluntary,
            self.forced - other.forced,
        )


@dataclass(frozen=True, slots=True)
class TreeSize:
    """How many processes and threads are alive, and the bytes of memory that are theirs."""

    processes: int = 0
    threads: int = 0
    memory: int = 0


def cost_so_far() -> Cost:
    """What this process and all its descendants, dead ones included, have cost since they began."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    living, *below = [_cost(pid) for pid in pids(os.getpid())]
    return Cost(
        sum(usage.ru_utime + usage.ru_stime for usage in own) + sum(cost.cpu for cost in below),
        living.delayed + sum(cost.delayed for cost in below),
        sum(usage.ru_nvcsw for usage in own) + sum(cost.voluntary for cost in below),
        sum(usage.ru_nivcsw for usage in own) + sum(cost.forced for cost in below),
    )


def age() -> float:
    """Seconds since this process began, its interpreter's start included; to a hundredth."""
    began = int(Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()[19]) / _TICK
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def cpu_of(pid: int) -> float:
    """Processor seconds of one process, and of those that it has waited for; 0 = it is gone."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[11:15]
    except OSError:
        return 0.0
    return sum(map(int, ticks)) / _TICK


def crowd_of(pid: int) -> TreeSize:
    """Who is alive in the tree of this process now."""
    processes = threads = memory = 0
    for member in pids(pid):
        with suppress(OSError):
            threads += _status(member)["Threads"]
            memory += _memory(member)
            processes += 1
    return TreeSize(processes, threads, memory)


def pids(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text("ascii").split():
                    yield from pids(int(child))


def _cost(pid: int) -> Cost:
    voluntary = forced = delayed = 0
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                status = _status(f"{pid}/task/{thread.name}")
                voluntary += status["voluntary_ctxt_switches"]
                forced += status["nonvoluntary_ctxt_switches"]
                delayed += int((thread / "schedstat").read_text("ascii").split()[1])
    return Cost(cpu_of(pid), delayed / 1e9, voluntary, forced)


def _status(where: int | str) -> dict[str, int]:
    """The plain numbers of a status file, by name."""
    lines = (line.split() for line in Path(f"/proc/{where}/status").read_text("utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _memory(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
