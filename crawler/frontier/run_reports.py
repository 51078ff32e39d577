"""The reports about a run that its frontier alone can make, of a run that works and of one that is at rest.

Rules
- Every report is as of the last commit.
- Examples are looked up when they are shown, since a skipped URL may be wanted later. Examples of a rare reason cost a
  pass over all rows: seconds, where there are tens of millions.
Runs on: the storage thread of a run, or the main thread of a process that reads a frontier at rest.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from crawler.core.frontier_reports import ChiefHosts, LostSeeds
from crawler.core.leases_and_commits import BrokenLink, RejectedLine
from crawler.core.reasons import Reason
from crawler.core.visits import State
from crawler.frontier.broken_links import broken_links
from crawler.frontier.host_reports import HostReports
from crawler.frontier.lost_seeds import lost_seeds
from crawler.frontier.tables import Tables
from crawler.frontier.tally import Tally

EXAMPLES = 3


class RunReports:
    """The reports of the run in the database `db`; each is read within `gate`, which maps its errors."""

    def __init__(self, db: Tables, tally: Tally, gate: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = db
        self._tally = tally
        self._gate = gate

    def rejected(self) -> Iterator[RejectedLine]:
        """Yield the lines of the list that did not become a URL of their own, in order."""
        with self._gate():
            rows = self._db.scan("SELECT line, reason, message, text FROM rejected ORDER BY line")
            for line, reason, message, text in rows:
                yield RejectedLine(line=line, reason=Reason(reason), message=message, text=text)

    def broken(self) -> Iterator[BrokenLink]:
        """Yield the broken links of a run that kept its edges.

        A redirect on the way stands for all pages that lead to it.
        """
        with self._gate():
            yield from broken_links(self._db)

    def examples(self) -> dict[str, tuple[str, ...]]:
        """Return the first URLs that are skipped, or not read, for each reason, in the order of discovery."""
        query = "SELECT url FROM url WHERE state = ? AND reason || '' = ? ORDER BY id LIMIT ?"  # no index has that
        with self._gate():
            totals = self._tally.totals()
            kinds = ((State.SKIPPED, totals.skipped), (State.DONE, totals.unread))
            return {
                reason: tuple(url for (url,) in self._db.rows(query, state, reason, EXAMPLES))
                for state, reasons in kinds
                for reason in reasons
            }

    def lost_seeds(self) -> tuple[LostSeeds, ...]:
        """Return the seeds that brought nothing, the most frequent reason first."""
        with self._gate():
            return lost_seeds(self._db)

    def hosts(self, agent: str, most: int) -> ChiefHosts:
        """Return at most so many hosts, the busiest and the most troubled; a robots.txt addresses `agent`."""
        with self._gate():
            return HostReports(self._db, agent).chief(most)
