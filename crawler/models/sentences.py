"""One sentence about a model's turn, which its numbers decide.

Rules
- Nothing is known here about models: what the sentence says follows from the figures of the row, and it repeats those
  from which it follows.
- From BUSY cores on a model computed; on a busy machine also one that wanted as many, and had less than one request in
  flight on average. Any other waited. From PAST cores on, more than one thread computed at a time: some C code lets go
  of the GIL, and who hands it over has work, too, so one process may use a little more than one core.
- Threads that want the GIL at the same time put each other to sleep, FOUGHT times for each page and more; threads that
  only rest do not.
Runs on: anywhere (pure).
"""

from collections import Counter

from crawler.core.text import counted, duration
from crawler.models.figures import Figures

BUSY = 0.85
PAST = 1.35
MISSED = 0.1  # cores
FOUGHT = 5  # times for each page
LATE = 0.1  # seconds


def sentence(row: Figures, latency: float) -> str:
    """What happened in this row."""
    if row.ended is not None:
        return _ended(row.ended)
    return "; ".join([_cores(row, latency), *_lag(row), *_failures(row)])


def _ended(ended: str) -> str:
    if ended.startswith("BrokenProcessPool"):
        return "cannot survive the death of a worker: the pool broke, and no page was kept (BrokenProcessPool)"
    return f"did not come to its end, and no page was kept: {ended}"


def _cores(row: Figures, latency: float) -> str:
    used = f"{row.cores:.2f} cores"
    if row.cores >= PAST and row.processes > 1:
        return f"past the GIL: {used} in {row.processes} processes"
    if row.cores >= PAST:
        return f"{used} in one process: its threads computed at the same time"
    if row.cores >= BUSY or (row.cores + row.missed >= BUSY and row.overlap(latency) < 1):
        return _computes(row, used) + _missed(row)
    return _waits(row.overlap(latency), used, latency)


def _computes(row: Figures, used: str) -> str:
    if row.processes > 1:
        return f"computes: {used} in {row.processes} processes"
    if row.threads == 1:
        return f"computes: {used}, its one thread has no use for another"
    if row.voluntary >= FOUGHT * row.pages:
        return f"the GIL: {row.threads} threads, {used}"
    return f"computes: {used}"


def _missed(row: Figures) -> str:
    return f", and {row.missed:.2f} threads at a time waited for a core" if row.missed >= MISSED else ""


def _waits(overlap: float, used: str, latency: float) -> str:
    if not latency:
        return f"waits for the server and the disk: {used} used"
    if overlap < 1.2:
        return f"waits: {used} used, one request at a time"
    return f"waits overlap: {overlap:.{overlap < 10:d}f} requests at once, {used} used"


def _lag(row: Figures) -> list[str]:
    if row.lag is None:
        return []
    if _is_late(row):
        return [f"its loop was late by up to {duration(row.lag)}: something held it"]
    return [f"its loop was never later than {duration(row.lag)}"]


def _is_late(row: Figures) -> bool:
    return row.lag is not None and row.lag >= LATE


def _failures(row: Figures) -> list[str]:
    if not row.failures:
        return []
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(row.failures.values()).most_common(3))
    return [f"{counted(len(row.failures), 'page')} failed ({reasons})"]
