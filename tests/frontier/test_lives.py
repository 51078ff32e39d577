"""frontier: a state machine of all that may happen to a frontier, deaths included."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from crawler.core.errors import StorageError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.core.urls import Host, parse
from crawler.core.visits import State
from support.frontiers import REFUSED, A, B, C, Run, again, done, ended, found, let_go
from support.stores import break_table, is_postgres, mend_table

POOL = [f"http://{host}/{n}" for host in "abc" for n in range(5)]
LINKS = st.lists(st.tuples(st.sampled_from(POOL), st.integers(0, 3), st.booleans()), max_size=4)
SHARES = st.integers(0, 4)


@dataclass
class Row:
    """The model's row of a URL."""

    id: int
    depth: int
    state: State = State.PENDING
    not_before: float | None = None
    deaths: int = 0
    was_tried: bool = False  # in vain
    is_denied: bool = False
    turns: int = 0  # how often it was finished


class Lives(RuleBasedStateMachine):
    """Imports, leases, visits, retries, failures and deaths in any order, against a dictionary."""

    @initialize()
    def begin(self) -> None:
        """A run begins."""
        self.run = Run(Path(tempfile.mkdtemp()) / "run")
        self.rows: dict[str, Row] = {}
        self.ids: dict[str, int] = {}
        self.hosts: list[Host] = []
        self.leased: dict[str, Request] = {}
        self.on_board: set[str] = set()
        self.run.begin()

    # The model

    def find(self, url: str, depth: int, *, refused: bool = False) -> None:
        """Merge a find."""
        host = parse(url).host_port
        if host not in self.hosts:
            self.hosts.append(host)
        row = self.rows.get(url)
        if row is None:
            state = State.SKIPPED if refused else State.PENDING
            self.rows[url] = Row(id=len(self.rows) + 1, depth=depth, state=state)
        elif not refused and row.state in {State.PENDING, State.SKIPPED} and not row.is_denied:
            row.depth = depth if row.state is State.SKIPPED else min(row.depth, depth)  # a refused way counts no more
            row.state = State.PENDING

    def pending(self, host: Host | None = None) -> list[str]:
        """Pending URLs that wait for nothing, in the order of leasing."""
        found = [
            url
            for url, row in self.rows.items()
            if row.state is State.PENDING and row.not_before is None and host in {None, parse(url).host_port}
        ]
        return sorted(found, key=lambda url: (self.rows[url].was_tried, self.rows[url].depth, self.rows[url].id))

    def ready(self, host: Host) -> list[str]:
        """Return the URLs of a host that may be leased."""
        return [url for url in self.pending(host) if self.rows[url].deaths < 2 and url not in self.leased]

    def has_more(self, host: Host) -> bool:
        """More of a host is ready than is leased of it."""
        leased = sum(parse(url).host_port == host and not lease.alone for url, lease in self.leased.items())
        return sum(self.rows[url].deaths < 2 for url in self.pending(host)) > leased

    def expected(self, shares: dict[Host, int], new_hosts: int, new_share: int) -> list[str]:
        """Return the URLs that a lease must give."""
        found: list[str] = []
        if not any(request.alone and self.rows[url].deaths < 4 for url, request in self.leased.items()):
            fresh = [host for host in self.hosts if host not in shares and self.has_more(host)][:new_hosts]
            for host, share in [*shares.items(), *((host, new_share) for host in fresh)]:
                found += self.ready(host)[:share]
        if not found and not self.leased:
            suspects = [url for url in self.pending() if self.rows[url].deaths >= 2]
            found = sorted(suspects, key=lambda url: (self.rows[url].depth, self.rows[url].deaths, self.rows[url].id))[
                :1
            ]
        return found

    # What happens

    @rule(listed=st.lists(st.sampled_from(POOL), min_size=1, max_size=5))
    def read_lines(self, listed: list[str]) -> None:
        """Some lines of the list are imported."""
        self.run.add(*listed)
        for url in listed:
            self.find(url, 0)

    @rule(
        shares=st.dictionaries(st.sampled_from([A, B, C]), SHARES), new_hosts=SHARES, new_share=SHARES, go=st.booleans()
    )
    def lease(self, shares: dict[Host, int], new_hosts: int, new_share: int, go: bool) -> None:
        """Leases are what the model says, in its order, and never anything that is leased."""
        known = self.run.open if is_postgres() else self.hosts  # a shared run gives nothing of hosts that are not open
        shares = {host: share for host, share in shares.items() if host in known}
        for row in self.rows.values():
            if row.not_before is not None and row.not_before <= self.run.now:
                row.not_before = None
        expected = self.expected(shares, new_hosts, new_share)

        lease = self.run.lease(shares, new_hosts=new_hosts, new_share=new_share)

        assert [request.url.href for request in lease.requests] == expected
        self.take(lease.requests, go)
        assert self.run.leased == len(self.leased)
        has_list = bool(self.run.line) or not is_postgres()  # the engine knows of its end otherwise
        assert lease.is_exhausted == (has_list and all(row.state is not State.PENDING for row in self.rows.values()))
        waiting = [row.not_before for row in self.rows.values() if row.not_before is not None]
        assert lease.next_due == min(waiting, default=None)

    def take(self, requests: tuple[Request, ...], go: bool) -> None:
        """Remember leases, and dispatch them if they are to go."""
        for request in requests:
            row = self.rows[request.url.href]
            assert self.ids.setdefault(request.url.href, request.id) == request.id
            assert is_postgres() or request.id == row.id  # there, a life begins with other numbers
            assert request.alone == (row.deaths >= 2)
            self.leased[request.url.href] = request
            if go:
                self.run.board.enter(request.id)
                self.on_board.add(request.url.href)

    def some_leased(self, data: st.DataObject) -> str:
        """One of the leased URLs."""
        return data.draw(st.sampled_from(sorted(self.leased)))

    def let_go(self, url: str) -> None:
        """A URL is no longer leased."""
        del self.leased[url]
        self.on_board.discard(url)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), state=st.sampled_from([State.DONE, State.DONE, State.FAILED, State.SKIPPED]), links=LINKS)
    def finish(self, data: st.DataObject, state: State, links: list[tuple[str, int, bool]]) -> None:
        """A URL has its final state, and its links are found."""
        url = self.some_leased(data)
        request, row = self.leased[url], self.rows[url]
        reasons = {State.DONE: Reason.OK, State.FAILED: Reason.TLS_EXPIRED, State.SKIPPED: Reason.ROBOTS_DENIED}
        finds = tuple(found(to, depth=depth, **(REFUSED if refused else {})) for to, depth, refused in links)

        self.run.commit(visits=(replace(ended(request, state, reasons[state]), finds=finds),))

        self.let_go(url)
        row.state, row.deaths, row.turns = state, 0, row.turns + 1
        row.is_denied = state is State.SKIPPED
        for to, depth, refused in links:
            self.find(to, depth, refused=refused)

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), wait=st.integers(-1, 30))
    def retry(self, data: st.DataObject, wait: int) -> None:
        """A URL is to be tried again."""
        url = self.some_leased(data)

        self.run.commit(retries=(again(self.leased[url], self.run.now + wait),))

        self.let_go(url)
        row = self.rows[url]
        row.not_before, row.deaths, row.was_tried = self.run.now + wait, 0, True

    @precondition(lambda self: self.leased)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """A leased URL is not asked for after all."""
        url = self.some_leased(data)
        if self.rows[url].deaths < 4:
            self.run.board.leave(self.ids[url])
            self.run.commit(returned=(self.leased[url],))
            self.let_go(url)

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.run.now += seconds

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), links=LINKS, table=st.sampled_from(["file", "tally"]))
    def fail_to_commit(self, data: st.DataObject, links: list[tuple[str, int, bool]], table: str) -> None:
        """A commit that fails changes nothing at all."""
        request = self.leased[self.some_leased(data)]
        finds = tuple(found(to, depth=depth) for to, depth, _ in links)
        break_table(self.run.frontier, "INSERT", table)

        with pytest.raises(StorageError):
            self.run.commit(visits=(done(request, *finds),), files={"f": 1})

        mend_table(self.run.frontier, table)

    @rule(in_order=st.booleans())
    def end_and_begin_again(self, in_order: bool) -> None:
        """The process ends, in order or not, and another goes on."""
        if in_order:
            self.run.end()
        else:
            self.run.die()
            for url in self.on_board:
                self.rows[url].deaths += 1
        self.leased, self.on_board = {}, set()

        opened = self.run.begin()

        given_up = [url for url, row in self.rows.items() if row.deaths >= 4]
        assert sorted(request.url.href for request in opened.suspects) == sorted(given_up)
        self.take(opened.suspects, go=False)

    @rule(times=st.integers(1, 5))
    def die_at_the_same_work(self, times: int) -> None:
        """Dispatch all that is leased, and kill the process with it, several times."""
        for _ in range(times):
            self.lease(shares={}, new_hosts=9, new_share=3, go=True)
            self.end_and_begin_again(in_order=False)

    # What always holds

    @invariant()
    def the_account_is_the_models(self) -> None:
        """Every URL is in one state, every sum is right, and every number that is kept equals what is counted."""
        totals = self.run.frontier._decisions.tally.totals()
        counted = [sum(row.state is state for row in self.rows.values()) for state in State]
        assert [totals.pending, totals.done, totals.failed, sum(totals.skipped.values())] == counted
        assert totals.discovered == len(self.rows)
        assert self.run.problems() == []

    def teardown(self) -> None:
        """In the end every URL that was ever allowed has had exactly one turn."""
        try:
            self.finish_all()
        finally:
            let_go(self.run)
            shutil.rmtree(self.run.folder.parent)

    def finish_all(self) -> None:
        """Lease and finish until nothing is left."""
        for _ in range(100):
            for request in list(self.leased.values()):
                self.run.finish(request)
                self.rows[request.url.href].turns += 1
            self.leased.clear()
            self.run.now += 100
            self.leased = {request.url.href: request for request in self.run.lease().requests}
            if not self.leased:
                break
        assert self.run.frontier._decisions.tally.totals().pending == 0
        refused = [row for row in self.rows.values() if row.state is State.SKIPPED and not row.is_denied]
        assert [row.turns for row in self.rows.values() if row not in refused] == [1] * (len(self.rows) - len(refused))


# Shrinking a failure would take minutes, and twenty-five steps can be read.
PHASES = set(Phase) - {Phase.shrink, Phase.explain}


@pytest.mark.usefixtures("each_store")
def test_whatever_happens_nothing_is_lost_and_nothing_is_done_twice() -> None:
    """The account is that of the model after every step."""
    run_state_machine_as_test(Lives, settings=settings(max_examples=20, stateful_step_count=25, phases=PHASES))
