"""Cost and size of a process and its descendants, read from the kernel.

Rules
- A tree is a process and its living descendants; a process that ended is in the sums of the parent that waited for it.
- Memory is the proportional set size: a page that several processes share counts once in all.
- A process that ends while its files are read counts as ended.
Runs on: anywhere (Linux: it reads /proc).
"""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """The machine time that a tree has used.

    Attributes:
        cpu: processor seconds.
        delayed: seconds for which threads were ready to run but had no core; of living threads.
        voluntary, forced: context switches, because a thread waited or because the kernel took the core.
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


class TreeSize(NamedTuple):
    """The number of living processes and threads, and their memory in bytes."""

    processes: int = 0
    threads: int = 0
    memory: int = 0


def cost_so_far() -> Cost:
    """Return the cost of this process and all its descendants, dead ones included, since they began."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    costs = []
    for pid in pids(os.getpid()):
        voluntary = forced = delayed = 0
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(OSError):
                    status = _status(f"{pid}/task/{thread.name}")
                    voluntary += status["voluntary_ctxt_switches"]
                    forced += status["nonvoluntary_ctxt_switches"]
                    delayed += int((thread / "schedstat").read_text("ascii").split()[1])
        costs.append(Cost(cpu_of(pid), delayed / 1e9, voluntary, forced))
    living, *below = costs
    return Cost(
        sum(usage.ru_utime + usage.ru_stime for usage in own) + sum(cost.cpu for cost in below),
        living.delayed + sum(cost.delayed for cost in below),
        sum(usage.ru_nvcsw for usage in own) + sum(cost.voluntary for cost in below),
        sum(usage.ru_nivcsw for usage in own) + sum(cost.forced for cost in below),
    )


def age() -> float:
    """Return the seconds since this process began, interpreter start included; to a hundredth."""
    began = int(Path("/proc/self/stat").read_text("utf-8").rpartition(")")[2].split()[19]) / _TICK
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began


def cpu_of(pid: int) -> float:
    """Return the processor seconds of one process and of the children it has waited for; 0 = it is gone."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[11:15]
    except OSError:
        return 0.0
    return sum(map(int, ticks)) / _TICK


def tree_size(pid: int) -> TreeSize:
    """Return the size of the tree of this process now."""
    processes = threads = memory = 0
    for member in pids(pid):
        with suppress(OSError):
            threads += _status(member)["Threads"]
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text("ascii").splitlines()
            memory += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
            processes += 1
    return TreeSize(processes, threads, memory)


def pids(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (thread / "children").read_text("ascii").split():
                    yield from pids(int(child))


def _status(where: int | str) -> dict[str, int]:
    """Return the plain numbers of a status file, by name."""
    lines = (line.split() for line in Path(f"/proc/{where}/status").read_text("utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
