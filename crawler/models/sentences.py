"""One sentence about a model's run, decided by its figures.

Rules
- The sentence follows from the figures of the row alone, never from the model's name, and quotes the figures it uses.
- A model computed if it used BUSY cores; on a busy machine, also if it wanted as many and had less than one request in
  flight on average. Any other model waited. From PAST cores on, more than one thread computed at a time. (One process
  may use a little more than one core: some C code releases the GIL, and handing the GIL over is work, too.)
- Threads that compete for the GIL put each other to sleep FOUGHT times per page or more; idle threads do not.
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
    """Return the sentence about this row."""
    if row.ended is not None:
        if row.ended.startswith("BrokenProcessPool"):
            return "cannot survive the death of a worker: the pool broke, and no page was kept (BrokenProcessPool)"
        return f"did not come to its end, and no page was kept: {row.ended}"
    parts = [_cores(row, latency)]
    if row.lag is not None:
        lag = duration(row.lag)
        lateness = f"late by up to {lag}: something held it" if row.lag >= LATE else f"never later than {lag}"
        parts.append(f"its loop was {lateness}")
    if row.failures:
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(row.failures.values()).most_common(3))
        parts.append(f"{counted(len(row.failures), 'page')} failed ({reasons})")
    return "; ".join(parts)


def _cores(row: Figures, latency: float) -> str:
    used, overlap = f"{row.cores:.2f} cores", row.overlap(latency)
    if row.cores >= PAST and row.processes > 1:
        return f"past the GIL: {used} in {row.processes} processes"
    if row.cores >= PAST:
        return f"{used} in one process: its threads computed at the same time"
    if row.cores >= BUSY or (row.cores + row.missed >= BUSY and overlap < 1):
        missed = f", and {row.missed:.2f} threads at a time waited for a core" if row.missed >= MISSED else ""
        return _computes(row, used) + missed
    if not latency:
        return f"waits for the server and the disk: {used} used"
    if overlap < 1.2:
        return f"waits: {used} used, one request at a time"
    return f"waits overlap: {overlap:.{overlap < 10:d}f} requests at once, {used} used"


def _computes(row: Figures, used: str) -> str:
    if row.processes > 1:
        return f"computes: {used} in {row.processes} processes"
    if row.threads == 1:
        return f"computes: {used}, its one thread has no use for another"
    if row.voluntary >= FOUGHT * row.pages:
        return f"the GIL: {row.threads} threads, {used}"
    return f"computes: {used}"
