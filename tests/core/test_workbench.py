"""core.workbench: which leased URL may be asked for now."""

import math
from collections import Counter, defaultdict, deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crawler.core.models import Request
from crawler.core.politeness import Pace
from crawler.core.urls import Host, parse
from crawler.core.workbench import Workbench

PACES = {Host("a:80"): Pace(1, 0.0), Host("b:80"): Pace(2, 0.5), Host("c:80"): Pace(3, 2.0)}
HOSTS = st.sampled_from(sorted(PACES))
A, B, C = sorted(PACES)


def ask(host: Host, number: int = 0) -> Request:
    """A request for this host."""
    return Request(url=parse(f"http://{host}/{number}"), id=number)


def a_workbench() -> Workbench:
    """A workbench with three hosts of different pace."""
    return Workbench(PACES.__getitem__)


class Use(RuleBasedStateMachine):
    """Any order of laying down, taking and releasing, against lists and counters."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = a_workbench()
        self.now = 100.0
        self.number = 0
        self.waiting: defaultdict[Host, deque[int]] = defaultdict(deque)
        self.in_flight: Counter[Host] = Counter()
        self.earliest: dict[Host, float] = {}
        self.errands: set[Host] = set()

    @rule(host=HOSTS, count=st.integers(1, 4), later=st.floats(0, 3))
    def add(self, host: Host, count: int, later: float) -> None:
        """Some leases of one host arrive; its stored due time counts when it is new here."""
        if host not in self.bench.shares(self.now):
            self.earliest[host] = self.now + later
        numbers = range(self.number, self.number + count)
        self.number += count
        self.waiting[host].extend(numbers)
        self.bench.add([ask(host, number) for number in numbers], {host: self.now + later}, self.now)

    @rule(then=st.sampled_from(["send", "send", "errand", "release"]))
    def take(self, then: str) -> None:
        """What is taken is due, the first of its host, and within the host's limit; only what is sent delays others."""
        due = self.bench.next_due()
        found = self.bench.take(self.now)

        free = [self.earliest[host] for host in self.offered()]
        assert (found is not None) == (min(free, default=math.inf) <= self.now)
        assert found is None or (due is not None and due <= self.now)
        if found is not None:
            request, since = found
            host = request.url.host_port
            assert request.id == self.waiting[host].popleft()
            assert self.earliest[host] <= self.now
            assert host not in self.errands
            assert self.in_flight[host] < PACES[host].per_host
            self._go_on(request, since, then)

    def _go_on(self, request: Request, since: float, then: str) -> None:
        host = request.url.host_port
        if then == "send":
            self.bench.send(host, self.now)
            self.in_flight[host] += 1
            self.earliest[host] = self.now + PACES[host].delay
        elif then == "errand":
            self.bench.run_errand(request, since)
            self.in_flight[host] += 1
            self.errands.add(host)
            self.waiting[host].appendleft(request.id)
        else:
            self.bench.release(host, self.now)

    @precondition(lambda self: self.errands)
    @rule(data=st.data())
    def end_errand(self, data: st.DataObject) -> None:
        """What had to be asked first is answered, and was a request like any other."""
        host = data.draw(st.sampled_from(sorted(self.errands)))
        self.errands.remove(host)
        self.in_flight[host] -= 1
        self.earliest[host] = self.now + PACES[host].delay
        self.bench.end_errand(host, self.now)

    @precondition(lambda self: self.sent())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """One request ends."""
        host = data.draw(st.sampled_from(self.sent()))
        self.in_flight[host] -= 1
        self.bench.release(host, self.now)

    @precondition(lambda self: self.sent())
    @rule(data=st.data())
    def start_late(self, data: st.DataObject) -> None:
        """What was sent goes out only now."""
        host = data.draw(st.sampled_from(self.sent()))
        self.earliest[host] = self.now + PACES[host].delay
        self.bench.sent(host, self.now)

    def sent(self) -> list[Host]:
        """A host for every request in flight that is no errand."""
        return sorted((self.in_flight - Counter(self.errands)).elements())

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 5.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def drop_what_rests(self) -> None:
        """Asking for shares forgets hosts that need no memory; the share is the stock that is missing."""
        for host, share in self.bench.shares(self.now).items():
            assert share == max(0, PACES[host].stock - len(self.waiting[host]))

    @invariant()
    def nothing_is_lost(self) -> None:
        """What was laid down and not taken still waits, and every host with anything is known."""
        assert self.bench.queued == sum(map(len, self.waiting.values()))
        assert self.bench.hosts >= len({h for h in PACES if self.waiting[h] or self.in_flight[h]})

    @invariant()
    def the_next_due_time_is_right(self) -> None:
        """It is never later than the first moment when a host with something waiting and a free place may be asked."""
        due = self.bench.next_due()
        assert (due is None) == (not self.offered())
        assert due is None or due <= min(self.earliest[host] for host in self.offered())

    def offered(self) -> list[Host]:
        """Hosts of which something may be taken, now or later."""
        return [
            host
            for host in PACES
            if self.waiting[host] and self.in_flight[host] < PACES[host].per_host and host not in self.errands
        ]

    def teardown(self) -> None:
        """With time and free places, everything that waits comes out."""
        for host in self.sent():
            self.bench.release(host, self.now)
        for host in self.errands:
            self.bench.end_errand(host, self.now)
        self.in_flight.clear()
        while (due := self.bench.next_due()) is not None:
            self.now = max(self.now, due)
            if (found := self.bench.take(self.now)) is None:
                continue  # it went out late, so the next one is due later
            request, _ = found
            assert request.id == self.waiting[request.url.host_port].popleft()
            self.bench.send(request.url.host_port, self.now)
            self.bench.release(request.url.host_port, self.now)
        assert self.bench.queued == sum(map(len, self.waiting.values())) == 0


Use.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestUse = Use.TestCase


def test_hosts_take_turns_by_due_time() -> None:
    """The host that may be asked first goes first, whoever was laid down first."""
    bench = a_workbench()

    bench.add([ask(B), ask(C), ask(A)], {B: 3.0, C: 1.0, A: 2.0}, 0.0)

    order = [sent(bench, now) for now in (0.5, 1.0, 2.0, 3.0)]
    assert order == [None, C, A, B]


def sent(bench: Workbench, now: float) -> Host | None:
    """Take and send what is due; the host that was asked."""
    if (found := bench.take(now)) is None:
        return None
    host = found[0].url.host_port
    bench.send(host, now)
    return host


def test_the_moment_of_laying_down_is_told() -> None:
    """A request comes with the moment since which it lay here, also after an errand."""
    bench = a_workbench()
    bench.add([ask(A)], {}, 10.0)

    found = bench.take(12.5)
    assert found == (ask(A), 10.0)
    bench.run_errand(*found)
    bench.end_errand(A, 13.0)

    assert bench.take(13.0) == (ask(A), 10.0)


def test_an_errand_comes_before_everything_else_of_its_host() -> None:
    """While robots.txt is asked for, nothing of its host is given; the delay counts from the errand's end."""
    bench = a_workbench()
    bench.add([ask(B, 1), ask(B, 2)], {}, 0.0)
    bench.run_errand(*(bench.take(0.0) or pytest.fail("it was due")))

    assert bench.take(5.0) is None
    bench.end_errand(B, 5.0)

    assert bench.next_due() == 5.5
    assert [sent(bench, now) for now in (5.4, 5.5, 5.9, 6.0)] == [None, B, None, B]


def test_what_is_not_sent_delays_nobody() -> None:
    """A URL that robots.txt refuses costs its host no request, so the next one need not wait."""
    bench = a_workbench()
    bench.add([ask(C, 1), ask(C, 2)], {}, 0.0)
    bench.take(0.0)
    bench.release(C, 0.0)

    assert sent(bench, 0.0) == C
    assert bench.rest(C, 0.5) == 1.5


def test_a_host_that_rests_keeps_its_due_time() -> None:
    """A host with nothing left is remembered until it may be asked again, so that nobody asks it early."""
    bench = a_workbench()
    bench.add([ask(C, 1)], {}, 0.0)
    sent(bench, 0.0)
    bench.release(C, 0.5)

    bench.add([ask(C, 2)], {C: 0.0}, 1.0)

    assert bench.take(1.9) is None
    assert bench.take(2.0) is not None


def test_a_host_that_may_be_asked_again_needs_no_memory() -> None:
    """Hosts leave once they are idle and due, by a release or by the next look at the shares."""
    bench = a_workbench()
    bench.add([ask(A), ask(C)], {}, 0.0)
    for _ in range(2):
        sent(bench, 0.0)

    bench.release(A, 0.0)
    bench.release(C, 1.0)

    assert bench.hosts == 0  # C only rests
    assert list(bench.shares(1.0)) == [C]
    assert bench.shares(2.0) == {}


def test_a_full_host_wants_nothing() -> None:
    """The share is what is missing from two seconds' stock, and never negative."""
    bench = a_workbench()

    bench.add([ask(B, number) for number in range(9)], {}, 0.0)
    bench.add([ask(C)], {}, 0.0)

    assert bench.shares(0.0) == {B: 0, C: PACES[C].stock - 1}


def test_a_workbench_tells_of_itself() -> None:
    """Its repr says how much waits where."""
    bench = a_workbench()
    bench.add([ask(A, 1), ask(A, 2), ask(B)], {}, 0.0)

    assert repr(bench) == "<Workbench 3 queued on 2 hosts>"
