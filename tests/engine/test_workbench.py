"""core.workbench: which leased URL may be asked for now."""

import math
from collections import Counter, defaultdict, deque
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crawler.core.handover import HostState
from crawler.core.messages import Request
from crawler.core.throttle import LONG_REST, Heard, HostThrottle, ThrottleBounds
from crawler.core.urls import Host, parse
from crawler.engine.workbench import Workbench

BOUNDS = {
    Host("a:80"): ThrottleBounds(per_host=1, delay=0.0),
    Host("b:80"): ThrottleBounds(per_host=2, delay=0.5),
    Host("c:80"): ThrottleBounds(per_host=3, delay=2.0),
}
HOSTS = st.sampled_from(sorted(BOUNDS))
A, B, C = sorted(BOUNDS)
PLENTY = 1000  # free slots


def ask(host: Host, number: int = 0) -> Request:
    """A request for this host."""
    return Request(url=parse(f"http://{host}/{number}"), id=number)


def a_workbench(capacity: int = PLENTY) -> Workbench:
    """A workbench with three hosts of different pace."""
    return Workbench(lambda host, state: HostThrottle(BOUNDS[host], state), capacity)


def due_at(host: Host, moment: float) -> dict[Host, HostState]:
    """What is stored of a host that may be asked at that moment."""
    return {host: HostState(due=moment)}


class Use(RuleBasedStateMachine):
    """Any order of laying down, taking and releasing, against lists and counters."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = a_workbench()
        self.now = 100.0
        self.number = 0
        self.waiting: defaultdict[Host, deque[int]] = defaultdict(deque)
        self.in_flight: Counter[Host] = Counter()
        self.here: set[Host] = set()
        self.earliest: dict[Host, float] = {}
        self.aside: defaultdict[Host, list[int]] = defaultdict(list)
        self.errands: set[Host] = set()
        self.withdrawn: set[Host] = set()

    @rule(host=HOSTS, count=st.integers(1, 4), later=st.floats(0, 3))
    def add(self, host: Host, count: int, later: float) -> None:
        """Some leases of one host arrive; its stored due time counts when it is new here."""
        if host not in self.here:
            self.earliest[host] = self.now + later
            self.here.add(host)
        numbers = range(self.number, self.number + count)
        self.number += count
        self.waiting[host].extend(numbers)
        self.bench.add([ask(host, number) for number in numbers], due_at(host, self.now + later), self.now)

    @rule(then=st.sampled_from(["send", "send", "errand", "release", "aside"]))
    def take(self, then: str) -> None:
        """What is taken is due, the first of its host, and within the host's limit; only what is sent delays others."""
        due = self.bench.next_due(self.now, PLENTY, may_dial=True)
        found = self.bench.take(self.now, PLENTY, may_dial=True)

        free = [self.earliest[host] for host in self.offered()]
        assert (found is not None) == (min(free, default=math.inf) <= self.now)
        assert found is None or (due is not None and due <= self.now)
        if found is not None:
            request, since, _ = found
            host = request.url.host_port
            assert request.id == self.waiting[host].popleft()
            assert self.earliest[host] <= self.now
            assert host not in self.errands
            assert self.in_flight[host] < BOUNDS[host].per_host
            self._go_on(request, since, then)

    def _go_on(self, request: Request, since: float, then: str) -> None:
        host = request.url.host_port
        if then == "send":
            self.bench.send(host, self.now)
            self.in_flight[host] += 1
            self._count_delay(host)
        elif then == "errand":
            self.bench.robots_first(request, since)
            self.in_flight[host] += 1
            self.errands.add(host)
            self.waiting[host].appendleft(request.id)
        elif then == "aside":
            self.bench.set_aside(request)
            self.aside[host].append(request.id)
        else:
            self.bench.release(host)

    def _count_delay(self, host: Host) -> None:
        self.earliest[host] = max(self.earliest[host], self.now + BOUNDS[host].delay)

    @rule()
    def recall(self) -> None:
        """What was set aside is the first in line again, in its order."""
        for host, numbers in self.aside.items():
            self.waiting[host].extendleft(reversed(numbers))
        self.aside.clear()
        self.bench.recall(self.now)

    @precondition(lambda self: self.errands)
    @rule(data=st.data())
    def robots_done(self, data: st.DataObject) -> None:
        """What had to be asked first is answered, and was a request like any other."""
        host = data.draw(st.sampled_from(sorted(self.errands)))
        self.errands.remove(host)
        self.in_flight[host] -= 1
        self._count_delay(host)
        self.bench.robots_done(host, self.now)

    @precondition(lambda self: self.sent())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """One request ends."""
        host = data.draw(st.sampled_from(self.sent()))
        self.in_flight[host] -= 1
        self.bench.release(host)

    @precondition(lambda self: self.sent())
    @rule(data=st.data(), seconds=st.sampled_from([1.0, 3.0, 100.0]))
    def answer_with_retry_after(self, data: st.DataObject, seconds: float) -> None:
        """A request ends, and its host asks for a rest; after a long one, what waits is handed back."""
        host = data.draw(st.sampled_from(self.sent()))
        self.in_flight[host] -= 1
        self.earliest[host] = max(self.earliest[host], self.now + seconds)
        self.bench.throttle(host).hear(Heard(asked_at=self.now, status=200, retry_after=seconds), self.now, 0.0)
        self.bench.release(host)

        given_back = [request.id for request in self.bench.withdraw(host, self.now)]

        if self.earliest[host] - self.now > LONG_REST and not self.in_flight[host]:
            assert given_back == [*self.aside.pop(host, ()), *self.waiting.pop(host, ())]
            self.withdrawn.add(host)
        else:
            assert given_back == []

    @precondition(lambda self: self.sent())
    @rule(data=st.data())
    def start_late(self, data: st.DataObject) -> None:
        """What was sent goes out only now."""
        host = data.draw(st.sampled_from(self.sent()))
        self._count_delay(host)
        self.bench.throttle(host).sent(self.now)

    def sent(self) -> list[Host]:
        """A host for every request in flight that is no errand."""
        return sorted((self.in_flight - Counter(self.errands)).elements())

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 5.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def forget(self) -> None:
        """Hosts are forgotten once nothing of them is here, and they may be asked again or were withdrawn."""
        gone = set(self.bench.forget(self.now))

        busy = {host for host in BOUNDS if self.waiting[host] or self.in_flight[host] or self.aside[host]}
        rested = {host for host in self.here if self.earliest[host] <= self.now}
        assert gone == (rested | self.withdrawn) - busy
        self.withdrawn.clear()
        self.here -= gone

    @rule()
    def ask_for_shares(self) -> None:
        """The share is the stock that is missing."""
        for host, share in self.bench.shares().items():
            assert share == self.bench.throttle(host).stock - len(self.waiting[host]) > 0

    @invariant()
    def nothing_is_lost(self) -> None:
        """What was laid down and not taken still waits, and every host with anything is known."""
        assert self.bench.queued == sum(map(len, self.waiting.values()))
        assert self.bench.hosts == len({h for h in BOUNDS if self.waiting[h] or self.in_flight[h] or self.aside[h]})

    @invariant()
    def the_next_due_time_is_right(self) -> None:
        """It is never later than the first moment when a host with something waiting and a free place may be asked."""
        due = self.bench.next_due(self.now, PLENTY, may_dial=True)
        assert due is not None or not self.offered()
        assert due is None or due <= min((self.earliest[host] for host in self.offered()), default=math.inf)

    def offered(self) -> list[Host]:
        """Hosts of which something may be taken, now or later."""
        return [
            host
            for host in BOUNDS
            if self.waiting[host] and self.in_flight[host] < BOUNDS[host].per_host and host not in self.errands
        ]

    def teardown(self) -> None:
        """With time and free places, everything that waits comes out."""
        for host in self.sent():
            self.bench.release(host)
        for host in self.errands:
            self.bench.robots_done(host, self.now)
        self.in_flight.clear()
        self.recall()
        while (due := self.bench.next_due(self.now, PLENTY, may_dial=True)) is not None:
            self.now = max(self.now, due)
            if (found := self.bench.take(self.now, PLENTY, may_dial=True)) is None:
                continue  # it went out late, so the next one is due later
            request = found.request
            assert request.id == self.waiting[request.url.host_port].popleft()
            self.bench.send(request.url.host_port, self.now)
            self.bench.release(request.url.host_port)
        assert self.bench.queued == sum(map(len, self.waiting.values())) == 0


Use.TestCase.settings = settings(stateful_step_count=40)
TestUse = Use.TestCase


def test_hosts_take_turns_by_due_time() -> None:
    """The host that may be asked first goes first, whoever was laid down first."""
    bench = a_workbench()

    bench.add([ask(B), ask(C), ask(A)], due_at(B, 3.0) | due_at(C, 1.0) | due_at(A, 2.0), 0.0)

    order = [sent(bench, now) for now in (0.5, 1.0, 2.0, 3.0)]
    assert order == [None, C, A, B]


def known(bounds: ThrottleBounds, latency: float = 0.1) -> HostThrottle:
    """The pace of a host whose last page was answered after so many seconds."""
    pace = HostThrottle(bounds)
    pace.hear(Heard(asked_at=0.0, status=200, latency=latency), 0.0, 0.0)
    return pace


def sent(bench: Workbench, now: float, free: int = PLENTY) -> Host | None:
    """Take and send what is due; the host that was asked."""
    if (found := bench.take(now, free, may_dial=True)) is None:
        return None
    host = found[0].url.host_port
    bench.send(host, now)
    return host


def test_the_moment_of_laying_down_is_told() -> None:
    """A request comes with the moment since which it lay here, also after an errand."""
    bench = a_workbench()
    bench.add([ask(A)], {}, 10.0)

    found = bench.take(12.5, PLENTY, may_dial=True)
    assert found == (ask(A), 10.0, False)
    bench.robots_first(found.request, found.since)
    bench.robots_done(A, 13.0)

    assert bench.take(13.0, PLENTY, may_dial=True) == (ask(A), 10.0, False)


def test_an_errand_comes_before_everything_else_of_its_host() -> None:
    """While robots.txt is asked for, nothing of its host is given; the delay counts from the errand's end."""
    bench = a_workbench()
    bench.add([ask(B, 1), ask(B, 2)], {}, 0.0)
    found = bench.take(0.0, PLENTY, may_dial=True) or pytest.fail("it was due")
    bench.robots_first(found.request, found.since)

    assert bench.take(5.0, PLENTY, may_dial=True) is None
    bench.robots_done(B, 5.0)

    assert bench.next_due(5.0, PLENTY, may_dial=True) == 5.5
    assert [sent(bench, now) for now in (5.4, 5.5, 5.9, 6.0)] == [None, B, None, B]


def test_what_is_not_sent_delays_nobody() -> None:
    """A URL that robots.txt refuses costs its host no request, so the next one need not wait."""
    bench = a_workbench()
    bench.add([ask(C, 1), ask(C, 2)], {}, 0.0)
    bench.take(0.0, PLENTY, may_dial=True)
    bench.release(C)

    assert sent(bench, 0.0) == C
    assert bench.throttle(C).due == 2.0


def test_a_host_that_rests_keeps_its_due_time() -> None:
    """A host with nothing left is remembered until it may be asked again, so that nobody asks it early."""
    bench = a_workbench()
    bench.add([ask(C, 1)], {}, 0.0)
    sent(bench, 0.0)
    bench.release(C)
    assert bench.forget(1.0) == ()

    bench.add([ask(C, 2)], due_at(C, 0.0), 1.0)

    assert bench.take(1.9, PLENTY, may_dial=True) is None
    assert bench.take(2.0, PLENTY, may_dial=True) is not None


def test_a_host_that_may_be_asked_again_needs_no_memory() -> None:
    """Hosts leave once they are idle and due; whoever brings them again tells what is known of them."""
    bench = a_workbench()
    bench.add([ask(A), ask(C)], {}, 0.0)
    for _ in range(2):
        sent(bench, 0.0)

    bench.release(A)
    bench.release(C)

    assert bench.hosts == 0  # C only rests
    assert bench.forget(1.0) == (A,)
    assert bench.forget(2.0) == (C,)
    bench.add([ask(C)], due_at(C, 9.0), 2.0)
    assert bench.next_due(2.0, PLENTY, may_dial=True) == 9.0


def test_a_host_that_rests_is_still_asked_for_more() -> None:
    """It is here, so nobody else would open it, and what it may give must not wait for it to be forgotten."""
    bench = a_workbench()
    bench.add([ask(C)], {}, 0.0)
    sent(bench, 0.0)
    bench.release(C)

    assert bench.forget(1.0) == ()
    assert bench.shares() == {C: bench.throttle(C).stock}


def test_a_lease_on_its_way_finds_the_rest_that_its_host_asked_for() -> None:
    """A host hands its leases back while more of it are on their way: these wait as long as any other."""
    bench = a_workbench()
    bench.add([ask(A)], {}, 0.0)
    sent(bench, 0.0)
    assert A in bench.shares()
    bench.throttle(A).hear(Heard(asked_at=0.0, status=429, retry_after=100.0), 0.0, 0.0)
    bench.release(A)
    assert bench.withdraw(A, 0.0) == []

    bench.add([ask(A, 1)], {}, 0.0)

    assert bench.forget(0.0) == ()
    assert bench.take(99.9, PLENTY, may_dial=True) is None
    assert sent(bench, 100.0) == A


def test_a_host_that_has_enough_wants_nothing() -> None:
    """Only a host with less than half of its stock is asked for more."""
    bench = a_workbench()
    bench.add([ask(A, 1), ask(A, 2)], {}, 0.0)
    bench.add([ask(C, number) for number in range(9)], {}, 0.0)

    for _ in range(2):
        sent(bench, 0.0)

    assert bench.shares() == {}
    bench.release(A)
    sent(bench, 0.0)
    assert bench.shares() == {A: 2}


def test_a_host_that_gave_all_it_had_is_asked_again_when_it_gained_something() -> None:
    """Nobody asks for it in vain after each commit; a gain that comes while the lease is on its way counts as well."""
    bench = a_workbench()
    bench.add([ask(A, 1), ask(C)], {}, 0.0)
    sent(bench, 0.0)
    assert A in bench.shares()
    bench.add([], {}, 0.0)

    assert (bench.shares(), bench.low) == ({}, 0)
    bench.gained([A, Host("elsewhere:80")])
    assert bench.low == 1
    assert A in bench.shares()
    bench.gained([A])
    bench.add([], {}, 0.0)
    assert A in bench.shares()


def test_a_slow_host_leaves_slots_to_the_others() -> None:
    """The last quarter of the slots is for whoever has less than a fair share; alone, a host may have all."""
    slow, quick = Host("slow:80"), Host("quick:80")
    bench = Workbench(lambda *_: known(ThrottleBounds(per_host=8, delay=0.0)), 8)
    bench.add([ask(slow, number) for number in range(20)], {}, 0.0)
    alone = [sent(bench, 0.0, free) for free in range(8, 4, -1)]
    bench.add([ask(quick, number) for number in range(20)], {}, 0.0)

    shared = [sent(bench, 0.0, free) for free in (4, 3, 2, 2, 1, 1)]

    assert alone == [slow] * 4
    assert shared == [slow, quick, quick, quick, quick, None]  # each has its share now
    bench.release(slow)
    bench.release(quick)
    assert [sent(bench, 1.0, free) for free in (2, 1)] == [quick, None]
    assert sent(bench, 1.0, 3) == slow


def test_a_workbench_tells_of_itself() -> None:
    """Its repr says how much waits where."""
    bench = a_workbench()
    bench.add([ask(A, 1), ask(A, 2), ask(B)], {}, 0.0)

    assert repr(bench) == "<Workbench 3 queued on 2 hosts>"


QUICK, SLOW, NEW, DEAD = (Host(f"{name}:80") for name in ("quick", "slow", "new", "dead"))
EASY = ThrottleBounds(per_host=100, delay=0.0)


def a_mixed_workbench(count: int = 100) -> Workbench:
    """A workbench with a quick host, one that answers slowly, an untried one and one that failed; all are due."""
    states = {DEAD: HostState(failures=1)}
    paces = {QUICK: known(EASY), SLOW: known(EASY, 5.0)}
    bench = Workbench(lambda host, state: paces.get(host) or HostThrottle(EASY, state), PLENTY)
    bench.add([ask(host, n) for host in (DEAD, NEW, SLOW, QUICK) for n in range(count)], states, 0.0)
    return bench


def test_hosts_that_answer_come_first() -> None:
    """Then untried hosts, then those that failed; only a quick one takes a slot."""
    bench = a_mixed_workbench(count=1)

    found = [bench.take(0.0, PLENTY, may_dial=True) for _ in range(4)]

    assert [(taken.request.url.host_port, taken.in_slot) for taken in found if taken] == [
        (QUICK, True),
        (SLOW, False),
        (NEW, False),
        (DEAD, False),
    ]


def test_a_share_opens_new_hosts_and_tries_failed_ones() -> None:
    """One in eight and one in 32, while hosts that answer have enough for all."""
    bench = a_mixed_workbench()

    hosts: Counter[Host] = Counter()
    for _ in range(80):
        host = sent(bench, 0.0)
        assert host is not None
        bench.release(host)
        hosts[host] += 1

    assert hosts == {QUICK: 68, NEW: 10, DEAD: 2}


def test_what_comes_first_is_not_overtaken_while_it_waits_for_a_slot() -> None:
    """More hosts are opened when the slots can use them, and not before."""
    bench = a_mixed_workbench()

    assert bench.take(0.0, 0, may_dial=True) is None
    assert bench.next_due(0.0, 0, may_dial=True) is None
    assert bench.next_dial(0.0) == 0.0


def test_without_room_outside_only_quick_hosts_are_asked() -> None:
    """A slot is of no use to a host that may not answer."""
    bench = a_mixed_workbench(count=1)

    assert sent(bench, 0.0) == QUICK
    assert bench.take(0.0, PLENTY, may_dial=False) is None
    assert bench.next_due(0.0, PLENTY, may_dial=False) is None


def test_a_host_moves_up_as_soon_as_it_answers() -> None:
    """What waits for it need not wait for a share any more."""
    bench = a_mixed_workbench(count=3)
    for _ in range(6):
        sent(bench, 0.0)
    assert sent(bench, 0.0) == NEW

    bench.throttle(NEW).hear(Heard(asked_at=0.0, status=200, latency=0.1), 0.0, 0.0)
    bench.release(NEW)
    taken = bench.take(0.0, PLENTY, may_dial=False)

    assert taken is not None
    assert (taken.request.url.host_port, taken.in_slot) == (NEW, True)


def test_what_is_laid_back_is_the_first_of_its_host_again() -> None:
    """Nothing is lost of a dial that was broken off, and others come before it."""
    bench = a_workbench()
    bench.add([ask(A, 1), ask(A, 2), ask(B, 3)], {}, 0.0)
    taken = bench.take(0.0, PLENTY, may_dial=True)
    assert taken is not None
    bench.send(A, 0.0)
    bench.release(A)
    bench.throttle(A).put_off(3.0, 4.0)
    bench.lay_back(taken.request, 4.0)

    assert bench.queued == 3
    assert [sent(bench, now) for now in (4.0, 6.9, 7.0)] == [B, None, A]


def test_what_was_asked_in_vain_comes_after_what_was_not() -> None:
    """Nobody knows how long it takes this time."""
    bench = Workbench(lambda *_: known(EASY), PLENTY)
    silent = [replace(ask(A, number), attempts=1) for number in range(3)]
    bench.add([*silent, *(ask(A, number) for number in range(10, 26))], {}, 0.0)

    order = []
    while taken := bench.take(0.0, PLENTY, may_dial=True):
        bench.send(A, 0.0)
        order.append(taken.request.id)

    assert order == [*range(10, 26), 0, 1, 2]
    assert bench.queued == 0


def test_what_was_asked_in_vain_is_laid_back_behind_the_others() -> None:
    """As it was leased."""
    bench = Workbench(lambda *_: known(EASY), PLENTY)
    again = replace(ask(A, 1), attempts=1)
    bench.add([again], {}, 0.0)
    sent(bench, 0.0)
    bench.add([ask(A, 2)], {}, 1.0)
    bench.release(A)

    bench.lay_back(again, 3.0)

    taken = [bench.take(3.0, PLENTY, may_dial=True) for _ in range(2)]
    assert [each.request.id for each in taken if each] == [2]
    bench.send(A, 3.0)
    assert (last := bench.take(3.0, PLENTY, may_dial=True)) is not None
    assert last.request.id == 1


@pytest.mark.parametrize(("in_vain", "share"), [(0, 4), (4, 4), (5, 3), (9, 0)])
def test_what_was_asked_in_vain_keeps_nobody_from_being_leased(in_vain: int, share: int) -> None:
    """A host whose stock is full of it can use as many others, until there is another stock of it."""
    bench = Workbench(lambda *_: known(ThrottleBounds(per_host=2, delay=0.0)), PLENTY)
    bench.add([ask(A, 1), *(replace(ask(A, number), attempts=1) for number in range(10, 10 + in_vain))], {}, 0.0)
    sent(bench, 0.0)

    assert bench.shares() == ({A: share} if share else {})
