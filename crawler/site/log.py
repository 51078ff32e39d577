"""The request log of a server: one `Hit` per request, in memory or as lines of a file.

Rules
- Without a file the hits stay in memory; with one they are written to it, so that a server can run for days.
- Lines wait at most a quarter of a second: a killed server loses no more than that.
- Times are of the system's monotonic clock, which all processes of a machine share.
Runs on: loop. A write blocks for the microseconds that the page cache takes.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

_FLUSH_EVERY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request, logged when its answer is ready.

    Attributes:
        host: number of the virtual host.
        target: the request target as received.
        status: 0 = the client left before its answer was ready.
        started: the arrival of the request, monotonic seconds.
        ended: the moment at which the connection got the answer.
    """

    host: int
    method: str
    target: str
    status: int
    started: float
    ended: float


class RequestLog:
    """A log of hits: `hits` in memory if there is no path, otherwise lines of JSON in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self.hits: list[Hit] = []
        self._file = path.open("ab") if path else None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, hit: Hit) -> None:
        """Log one request."""
        self.hits.append(hit)
        if self._file and not self._timer:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_EVERY, self._write, self._file)

    def close(self) -> None:
        """Write the waiting lines and close the file; without a file, the hits stay."""
        if self._timer:
            self._timer.cancel()
        if self._file:
            self._write(self._file)
            self._file.close()

    def _write(self, file: BinaryIO) -> None:
        self._timer = None
        file.write(msgspec.json.Encoder().encode_lines(self.hits))
        file.flush()
        self.hits.clear()


def read_log(path: Path) -> list[Hit]:
    """Return the hits of a log file, in the order in which they ended."""
    return msgspec.json.Decoder(Hit).decode_lines(path.read_bytes())


def most_at_once(hits: Iterable[Hit]) -> int:
    """Return the peak number of requests that were being answered at the same time.

    Two requests of which one starts at the very moment the other ends do not overlap.
    """
    changes = sorted(change for hit in hits for change in ((hit.started, 1), (hit.ended, -1)))
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
