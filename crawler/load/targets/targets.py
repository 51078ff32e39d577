"""Many targets, ready to be sent: small facts that travel to the processes, and the mapped file behind them.

Rules
- Each process opens the file by its path, and closes it; whoever made it removes its folder.
- `dealer` gives each process its share of one sequence: the process with index i of k sends every k-th request.
Runs on: the loop that loads; the facts, anywhere.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.core.urls import Url
from crawler.load.targets.order import Alias, at_random, in_turn
from crawler.load.targets.replay import Replay
from crawler.load.targets.store import Layout, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The requests of a test, made before it.

    Attributes:
        count: requests in the file; the rows of a feed count.
        groups: names of the groups in the report, the most common first.
        origins: URLs of the servers, each with the path "/".
        skipped: lines that were left out because they cannot be read.
        note: for the report: what the user has to know of the file, in words; "" = nothing.
        has_columns: a request has one that the feed fills in.
        rows: requests of each target, one for each row of the feed.
    """

    path: Path
    layout: Layout
    count: int
    groups: tuple[str, ...]
    origins: tuple[Url, ...]
    is_replay: bool = False
    skipped: int = 0
    note: str = ""
    has_columns: bool = False
    rows: int = 1
    seed: int = 1

    def open(self) -> "OpenTargets":
        """Map the file, as a context manager."""
        return OpenTargets(self)


class OpenTargets:
    """The requests, mapped into this process.

    Attributes:
        message: returns the bytes of a request, by its number.
        group, origin: return the number of its group and of its origin.
        is_head: returns 1 if its answer has no body, else 0.
    """

    message: Callable[[int], bytes]
    group: Callable[[int], int]
    origin: Callable[[int], int]
    is_head: Callable[[int], int]

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._store = Store(targets.path, targets.layout)
        self.message = self._store.reader()
        # A method of the array itself: a function of our own around it would take twice the time.
        self.group = self._store.numbers("groups").__getitem__
        self.origin = self._store.numbers("origins").__getitem__
        self.is_head = self._store.numbers("heads").__getitem__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()

    @property
    def is_drawn(self) -> bool:
        """Return whether each request is a random draw by weight; otherwise the passes repeat each other."""
        return "thresholds" in self._store

    def dealer(self, index: int, processes: int) -> Callable[[], int]:
        """Return a function that returns the number of the next request of a process's share, without end."""
        targets, store = self._targets, self._store
        if "thresholds" in store:
            alias = Alias(store.numbers("thresholds"), store.numbers("aliases"))
            bits = random.Random(targets.seed).getrandbits  # noqa: S311 - chance that has to come again
            return at_random(alias, bits, targets.rows, index, processes).__next__
        places = store.numbers("order") if "order" in store else None
        return in_turn(places, targets.count // targets.rows, targets.rows, index, processes).__next__

    def replay(self) -> Replay:
        """Return the schedule of all processes together; request n of it is the n-th that is dealt."""
        return Replay(self._store.numbers("dues"))
