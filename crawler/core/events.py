"""Facts for the observer of a run: one visit of a URL, one group on the storage thread, one lease.

Rules
- Moments are seconds of the monotonic clock, which the processes of a machine share (Linux: CLOCK_MONOTONIC).
- A fact is made only for an observer: a run without one pays nothing.
Runs on: anywhere (pure).
"""

from typing import NamedTuple, Self

import msgspec

from crawler.core.messages import Response, Timing
from crawler.core.visits import Page, Retry, Visit


class VisitTimes(NamedTuple):
    """The moments at which the steps of one visit ended, each where the next one begins.

    Attributes:
        started: the slot was taken and the task ran.
        fetched: the response was there, or the fetch had failed.
        handed: the document was read, and the outcome was decided.
        ended: the journal's inbox had accepted it, and the slot was free again.
    """

    started: float
    fetched: float
    handed: float
    ended: float


class VisitDone(msgspec.Struct, frozen=True, kw_only=True):
    """One visit of a URL, in a slot.

    Attributes:
        id: of the URL's row in the frontier; 0 for a robots.txt, which is fetched for its host.
        queued: seconds that it waited for its host, and for a slot, before it had one.
        read_at, read_seconds, worker: when its document was read, for how long, and by which process (0 = this one);
            `read_at` 0 = it was not.
        outcome: `done`, `failed` or `retry`.
    """

    id: int
    url: str
    laps: VisitTimes
    queued: float
    timing: Timing
    outcome: str
    reason: str
    status: int | None = None
    read_at: float = 0.0
    read_seconds: float | None = None
    worker: int = 0

    @classmethod
    def of(
        cls, entry: Visit | Retry, response: Response | None, page: Page | None, laps: VisitTimes, queued: float
    ) -> Self:
        """Return the fact of a visit that ended with this entry; without a response there is no page either."""
        return cls(
            id=entry.request.id,
            url=entry.request.url.href,
            laps=laps,
            queued=queued,
            timing=response.timing if response else Timing(total=laps.fetched - laps.started),
            outcome="retry" if isinstance(entry, Retry) else entry.state.name.lower(),
            reason=entry.reason,
            status=response.status if response else None,
            read_at=page.read_at if page else 0.0,
            read_seconds=page.seconds if page else None,
            worker=page.worker if page else 0,
        )

    @classmethod
    def of_robots(cls, origin: str, reason: str | None, started: float, ended: float) -> Self:
        """Return the fact of a request for a robots.txt; `reason` = why its rules are unknown; None = known."""
        return cls(
            id=0,
            url=f"{origin}/robots.txt",
            laps=VisitTimes(started, ended, ended, ended),
            queued=0.0,
            timing=Timing(total=ended - started),
            outcome="failed" if reason else "done",
            reason=reason or "ok",
        )


class GroupDone(msgspec.Struct, frozen=True, kw_only=True):
    """One group commit: appended to the files, synced, committed; `visits` are the rows that it made safe."""

    began: float
    appended: float
    synced: float
    committed: float
    visits: tuple[int, ...] = ()
    finds: int = 0
    bytes: int = 0


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """One lease, on the storage thread; `urls` is the number of its URLs."""

    began: float
    ended: float
    urls: int
