"""The words of a timeline: its colours, its groups of rows with their concurrency models, and sentences about the run.

Rules
- The page and the picture share one table; a step that is not in it is drawn as `asking`.
- The figures of the run decide the sentences.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from crawler.core.text import counted, duration
from crawler.timeline.reader import Timeline


@dataclass(frozen=True, slots=True)
class BarKind:
    """A colour for light and for dark backgrounds, and its meaning."""

    light: str
    dark: str
    meaning: str


KINDS: Mapping[str, BarKind] = {
    "connection": BarKind("#d5dbe5", "#3b4453", "waits for a free connection"),
    "dns": BarKind("#9adbd2", "#2f7f78", "looks up the name"),
    "connect": BarKind("#45b5a8", "#2f9c90", "connects"),
    "tls": BarKind("#1f8a80", "#4fc4b8", "agrees on keys (TLS)"),
    "first byte": BarKind("#8fb4f5", "#3f6fc4", "waits for the server's first byte"),
    "body": BarKind("#2f62d0", "#82aaff", "receives the body"),
    "asking": BarKind("#aab4c3", "#66748a", "robots.txt, or no answer came"),
    "to a worker": BarKind("#f3e3c3", "#4d432f", "waits to be handed to a worker"),
    "in a worker": BarKind("#f0962e", "#f5a94f", "is read by a worker"),
    "way back": BarKind("#fbd08f", "#86663a", "waits for its batch, and for the loop"),
    "on the loop": BarKind("#e5533d", "#ff7b66", "is read on the loop: all others wait"),
    "inbox": BarKind("#dcc9f2", "#55437a", "waits for room in the inbox"),
    "read": BarKind("#f0962e", "#f5a94f", "reads one document"),
    "append": BarKind("#c9a4ea", "#7d5fae", "appends lines to the files"),
    "sync": BarKind("#9a63d4", "#a582e0", "waits until the disk has them (fdatasync)"),
    "commit": BarKind("#6a35b1", "#c9aaf5", "commits to SQLite"),
    "lease": BarKind("#62b06a", "#6dbb76", "hands out the next URLs"),
    "bad": BarKind("#d11f3a", "#ff5c74", "failed, or another try later"),
}
UNLUCKY = frozenset({"failed", "retry"})  # outcomes that are marked

SLOTS = ("Event loop · asyncio", "one thread waits for all sockets; a row is a slot, a bar is one URL's turn")
WORKERS = (
    "Worker processes · multiprocessing",
    "reading is work for a processor, and each process has a GIL of its own",
)
STORAGE = ("Storage thread · threading", "writes block, so one thread does them, many pages in a group")
CURVES = ("In numbers", "")


def legend(timeline: Timeline) -> list[tuple[str, tuple[str, ...]]]:
    """Return the kinds that occur, for each group of rows."""
    fetching = {name for row in timeline.slots for bar in row.bars for name, _, _ in bar.steps}
    fetching |= {"bad" for row in timeline.slots for bar in row.bars if bar.told.outcome in UNLUCKY}
    storing = {name for bar in timeline.storage.bars for name in (bar.name, *(name for name, _, _ in bar.steps))}
    reading = {"read"} if timeline.workers else set()
    groups = (SLOTS[0], fetching), (WORKERS[0], reading), (STORAGE[0], storing)
    return [(title, tuple(name for name in KINDS if name in found)) for title, found in groups]


def sentences(timeline: Timeline) -> Iterator[str]:
    """Yield sentences about the run: its concurrency, the lag of its loop, the gaps of the trace."""
    turns = [bar for row in timeline.slots for bar in row.bars]
    if timeline.stride == 1 and turns:
        whole = sum(bar.end - bar.begin for bar in turns)
        beside = f"{whole / timeline.length:.1f} ran beside each other on average"
        yield (
            f"{counted(len(turns), 'turn')} in {duration(timeline.length / 1e6)}. One after the other, each as long as"
            f" it was, they would take {duration(whole / 1e6)}: {beside}."
        )
    if lags := [value for _, value in timeline.curves.get("loop lag (ms)", ())]:
        yield f"The event loop was never more than {duration(max(0.0, *lags) / 1e3)} late."
    if timeline.stride > 1:
        stretch = duration(timeline.window / 1e6)
        yield f"A long run: one in {timeline.stride:,} stretches of {stretch} was kept, and the others are shaded."
    if timeline.left_out:
        yield f"{counted(timeline.left_out, 'event')} left out: too many at once."
