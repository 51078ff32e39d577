"""The queues of pending URLs, as the leasing asks a store for them.

Runs on: anywhere (pure); an implementation on the thread that has its connection.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

NO_LIMIT = 1 << 30
"""A level below which no URL is, and a number of pages that no host has."""


class Limits(NamedTuple):
    """Limits on what may be leased.

    Attributes:
        level: no URL below this depth.
        pages: no URL of a host that has so many lines of output.
        due: no host that rests until later; wall-clock seconds.
    """

    level: int
    pages: int
    due: float


class Queues(Protocol):
    """The pending URLs of a run, by host. `READY` and `SUSPECT` say what a row must be (`frontier/columns.py`)."""

    def first_urls(self, shares: Mapping[int, int], level: int) -> Mapping[int, Sequence[int]]:
        """Return the first so many ready URLs of each host, in their order: untried first, then by depth."""
        ...

    def new_hosts(self, limits: Limits, count: int, known: AbstractSet[int]) -> Sequence[tuple[int, int]]:
        """Return hosts with ready URLs, earliest due first, and the number of these; they are this worker's now.

        At least `count` besides those that are `known`, as far as there are.
        """
        ...

    def parked(self) -> Sequence[int]:
        """Return the URLs that have died alone so often that they are given up, of hosts that are this worker's."""
        ...

    def suspect(self, limits: Limits) -> int | None:
        """Return the URL that runs alone next, of a host that is this worker's now; None = there is none."""
        ...

    def next_rested(self, after: float, pages: int) -> float | None:
        """Return the earliest moment, later than `after`, at which a host with pending URLs is due; None = none is."""
        ...

    def lowest_depth(self, pages: int) -> int | None:
        """Return the least depth of a pending URL whose host is not closed; None = there is no such URL."""
        ...

    def is_anything_left(self, pages: int) -> bool:
        """Return whether there is a pending URL whose host is not closed, or a find that is still on its way."""
        ...
