"""The decisions of one life of a run about its URLs, over the tables of any store.

Rules
- A store opens a transaction, lets `enter` decide and write, and calls `keep` after the COMMIT or `forget` after a
  rollback. So memory never tells what no transaction has made true.
Runs on: the storage thread.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from crawler.core.leases_and_commits import Committed, Group, HostState, RobotsCopy
from crawler.core.urls import Host
from crawler.core.visits import Visit
from crawler.frontier.admission import Admission
from crawler.frontier.columns import AMONG
from crawler.frontier.host_rows import HostRows
from crawler.frontier.leasing import Leasing
from crawler.frontier.letters import NoPost, Post
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.queues import Queues
from crawler.frontier.redirect_loops import mark_circles
from crawler.frontier.robots_rows import robots_copies, write_robots
from crawler.frontier.run_reports import RunReports
from crawler.frontier.scope_index import ScopeIndex
from crawler.frontier.tables import Tables, UrlKeys
from crawler.frontier.tally import Tally

_OF_HOSTS = f"host IN (SELECT id FROM host WHERE name {AMONG})"  # noqa: S608


class Decisions:
    """The decisions over the tables `db`, whose rows `keys` finds; `worker` is the number of this worker.

    Attributes:
        keys: finds the rows of URLs.
        reports: the reports about the run.
    """

    def __init__(  # noqa: PLR0913 - the parts of one store
        self,
        db: Tables,
        keys: UrlKeys,
        queues: Queues,
        policy: FrontierPolicy,
        tally: Tally,
        *,
        worker: int,
        year: int,
        gate: Callable[[], AbstractContextManager[None]],
        post: Post | None = None,
        ids: dict[Host, int] | None = None,
    ) -> None:
        self._db = db
        self._worker = worker
        self._post = post or NoPost()
        self.tally = tally
        self.hosts = HostRows(db, policy.scope, ids)
        self.scope_index = ScopeIndex(db, policy, year)
        self.keys = keys
        self.admission = Admission(db, self.tally, self.hosts, self.scope_index, keys, policy, self._post)
        self.leasing = Leasing(db, queues, self.hosts, policy)
        self.reports = RunReports(db, self.tally, gate)

    def mark_circles(self, visits: Sequence[Visit]) -> Sequence[Visit]:
        """Return the visits to be committed, in order; each redirect that closes a circle has failed."""
        return mark_circles(self._db, self.keys, visits)

    def enter(self, group: Group) -> None:
        """Decide on a group, within the open transaction."""
        self._post.claim(group.hosts)
        self.admission.enter(group)
        self.hosts.note({host: state for host, state in group.hosts.items() if not self._post.is_away(host)})
        write_robots(self._db, self.hosts, group.robots, self._post)
        files = [(self._worker, name, length) for name, length in group.files.items()]
        self._db.put("file", ("worker", "name"), ("length",), files)
        self.tally.add("sum", "seconds", group.seconds)

    def write(self) -> None:
        """Write what is left to write before the COMMIT."""
        self.hosts.write()
        self.scope_index.write()
        self.tally.write()

    def keep(self) -> None:
        """Take over what the committed transaction wrote."""
        self.tally.keep()
        self.admission.keep()

    def forget(self) -> None:
        """Drop what the transaction that was rolled back wrote."""
        self.hosts.forget()
        self.scope_index.forget()
        self.tally.forget()
        self.admission.forget()

    def committed(self, group: Group) -> Committed:
        """Release the leases that a committed group has ended, and return what the engine is to know."""
        leasing = self.leasing
        if any(batch.last for batch in group.seeds):
            leasing.end_list()
        leasing.forget(visit.request for visit in group.visits)
        leasing.forget(retry.request for retry in group.retries)
        leasing.take_back(group.returned)
        leasing.put_off(retry.request for retry in group.retries)
        leasing.put_off(request for request in group.returned if request.attempts)
        leasing.gain(self.hosts.take_gained())
        gained = self.hosts.names(leasing.take_gained())
        return Committed(group=group, totals=self.tally.totals(), gained=gained)

    def stored(self, hosts: set[Host]) -> tuple[Mapping[Host, HostState], Mapping[str, RobotsCopy]]:
        """Return what is stored of these hosts: their states, and their robots.txt by origin."""
        if not hosts:
            return {}, {}
        return self.hosts.states(hosts), robots_copies(self._db, _OF_HOSTS, self._db.among(hosts))
