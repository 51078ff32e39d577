"""A frontier in a folder that behaves as if several workers shared its run: each lease brings a share of it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from crawler.core.leases_and_commits import Committed, Group, Lease, Opened, Share, Wanted
from crawler.core.visits import Visit
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.run_reports import RunReports
from crawler.frontier.sqlite.frontier import SqliteFrontier


def loop_time() -> float:
    """The moment of the loop, which is virtual."""
    return asyncio.get_running_loop().time()


class SharedFrontier:
    """The frontier in `folder`, with leases of hosts that last `term` seconds.

    Attributes:
        renews: says whether a call renews the term at this moment.
        share: returns the share for a lease, given the order and the end of the term.
        is_exhausted: says whether the other workers have nothing left either.
        hides_gone: a host that was given up is another worker's for good.
        wanted: every order, with its moment.
        groups: every group that was committed.
        fails: is called before each "lease" and "commit", and may raise an error.
    """

    def __init__(self, folder: Path, *, term: float = 6.0, now: Callable[[], float] = loop_time) -> None:
        self.renews: Callable[[float], bool] = lambda _now: True
        self.share: Callable[[Wanted, float], Share] = lambda _wanted, until: Share(until=until)
        self.fails: Callable[[str], object] = lambda _call: None
        self.is_exhausted: Callable[[], bool] = lambda: True
        self.hides_gone = False
        self.until = 0.0
        self.wanted: list[tuple[float, Wanted]] = []
        self.groups: list[Group] = []
        self._folder = folder
        self._term = term
        self._now = now

    def make(self, board: MappedBoard, policy: FrontierPolicy) -> "SharedFrontier":
        """Begin a life."""
        path = self._folder / "frontier.sqlite"
        self.inner = SqliteFrontier(path, board, create=not path.exists(), policy=policy)
        return self

    def open(self, now: float) -> Opened:
        """Open it; this worker's lines are all there are."""
        opened = self.inner.open(now)
        return replace(opened, own_lines=opened.totals.done + opened.totals.failed)

    def lease(self, wanted: Wanted, now: float) -> Lease:
        """Lease, and renew the term."""
        self.wanted.append((self._now(), wanted))
        self.fails("lease")
        self._renew()
        gone = () if self.hides_gone else wanted.gone  # it stays open in the file, so that none of its URLs is leased
        lease = self.inner.lease(replace(wanted, gone=gone), now)
        is_exhausted = lease.is_exhausted and self.is_exhausted()
        return replace(lease, is_exhausted=is_exhausted, share=self.share(wanted, self.until))

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Mark them as the frontier in the file does."""
        return self.inner.mark_circles(visits)

    def commit(self, group: Group) -> Committed:
        """Commit, and renew the term."""
        self.fails("commit")
        committed = self.inner.commit(group)
        self.groups.append(group)
        self._renew()
        return replace(committed, until=self.until)

    def _renew(self) -> None:
        if self.renews(now := self._now()):
            self.until = now + self._term

    @property
    def reports(self) -> RunReports:
        """Return the reports of the frontier in the file."""
        return self.inner.reports

    def close(self) -> None:
        """End in order."""
        self.inner.close()
