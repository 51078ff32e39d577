"""`crawler` with its plain progress lines as JSON, four times a second: `python watched.py fetch LIST -o DIR`.

The whole program runs, command line and all; only what a progress line looks like is patched in from here.
`watched` is the other end: it starts the program and reads the lines.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.support.programs import ended_by_sigterm
from crawler.cli.main import main
from crawler.core.metrics import Sample
from crawler.live import plain
from crawler.report.summary import Summary

SECONDS = 0.25


class Moment(msgspec.Struct, frozen=True):
    """One moment of a run: times in seconds, memory in MiB.

    Attributes:
        loop: CPU seconds so far of the main thread, `storage` of the storage thread, `process` of all its threads.
        anonymous_mb: memory of the main process without pages of files.
    """

    seconds: float
    discovered: int
    finished: int
    in_flight: int
    rss_mb: float
    worst_lag: float
    loop: float = 0.0
    storage: float = 0.0
    process: float = 0.0
    anonymous_mb: float = 0.0


@dataclass(slots=True)
class Watched:
    """A crawler in a process group of its own, and what it has said so far."""

    process: subprocess.Popen[bytes]
    moments: list[Moment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def follow(self) -> Iterator[Moment]:
        """Each moment as it is told, until the program ends."""
        for line in self.process.stderr or ():
            if line.startswith(b"{"):
                self.moments.append(msgspec.json.decode(line, type=Moment))
                yield self.moments[-1]
            else:
                self.notes.append(line.decode().rstrip())

    def stop_at(self, discovered: int) -> Summary:
        """The summary of a program that is ended in order once so many URLs are in."""
        for moment in self.follow():
            if moment.discovered >= discovered:
                os.kill(self.process.pid, signal.SIGINT)
                break
        for _ in self.follow():
            pass
        return self.end()

    def end(self) -> Summary:
        """The summary of a program that has ended in order, whether or not by a signal."""
        answer = self.process.stdout.read() if self.process.stdout else b""
        if self.process.wait() not in {0, 1, 130}:
            sys.exit("\n".join(["the crawler failed:", *self.notes]))
        return msgspec.json.decode(answer, type=Summary)


@contextmanager
def watched(*arguments: str) -> Iterator[Watched]:
    """Start the crawler with these arguments; what still runs at the end of the block is killed."""
    command = [sys.executable, str(Path(__file__)), *arguments, "--json"]
    with (
        ended_by_sigterm(),
        subprocess.Popen(
            command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        try:
            yield Watched(process)
        finally:
            process.kill()


def _told(sample: Sample) -> str:
    totals = sample.totals
    moment = Moment(
        seconds=sample.seconds,
        discovered=totals.discovered,
        finished=totals.done + totals.failed,
        in_flight=sample.in_flight,
        rss_mb=sample.rss / 1024 / 1024,
        worst_lag=sample.worst_lag,
        loop=time.thread_time(),
        storage=_storage_seconds(),
        process=time.process_time(),
        anonymous_mb=_anonymous_mb(),
    )
    return msgspec.json.encode(moment).decode()


def _storage_seconds() -> float:
    clocks = [time.pthread_getcpuclockid(t.ident) for t in threading.enumerate() if t.name == "storage" and t.ident]
    return sum(map(time.clock_gettime, clocks))


def _anonymous_mb() -> float:
    status = Path("/proc/self/status").read_text("ascii", "replace")
    return int(status.partition("RssAnon:")[2].split(maxsplit=1)[0]) / 1024


if __name__ == "__main__":
    plain.PlainView.SECONDS = SECONDS
    plain.plain_line = _told
    main()
