"""engine.workbench: any order of its verbs, against lists and counters."""

import math
from collections import Counter, defaultdict, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from crawler.core.messages import Request
from crawler.core.throttle import LONG_REST, Heard
from crawler.core.urls import Host
from support.workbenches import BOUNDS, PLENTY, a_workbench, ask, due_at

HOSTS = st.sampled_from(sorted(BOUNDS))


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
        self.robots: set[Host] = set()
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

    @rule(then=st.sampled_from(["send", "send", "robots", "release", "aside"]))
    def take(self, then: str) -> None:
        """Take a request: it is due, the first of its host, within its limit; only one that is sent delays others."""
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
            assert host not in self.robots
            assert self.in_flight[host] < BOUNDS[host].per_host
            self._go_on(request, since, then)

    def _go_on(self, request: Request, since: float, then: str) -> None:
        host = request.url.host_port
        if then == "send":
            self.bench.send(host, self.now)
            self.in_flight[host] += 1
            self._count_delay(host)
        elif then == "robots":
            self.bench.robots_first(request, since)
            self.in_flight[host] += 1
            self.robots.add(host)
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
        """Put the requests that were set aside first in line again, in their order."""
        for host, numbers in self.aside.items():
            self.waiting[host].extendleft(reversed(numbers))
        self.aside.clear()
        self.bench.recall(self.now)

    @precondition(lambda self: self.robots)
    @rule(data=st.data())
    def robots_come(self, data: st.DataObject) -> None:
        """Answer a robots.txt that had to be asked first, a request like any other."""
        host = data.draw(st.sampled_from(sorted(self.robots)))
        self.robots.remove(host)
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
        """Let a request that was sent go out only now."""
        host = data.draw(st.sampled_from(self.sent()))
        self._count_delay(host)
        self.bench.throttle(host).sent(self.now)

    def sent(self) -> list[Host]:
        """A host for every request in flight that is not for a robots.txt."""
        return sorted((self.in_flight - Counter(self.robots)).elements())

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
        """Check that a request laid down and not taken still waits, and that every host with anything is known."""
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
            if self.waiting[host] and self.in_flight[host] < BOUNDS[host].per_host and host not in self.robots
        ]

    def teardown(self) -> None:
        """With time and free places, everything that waits comes out."""
        for host in self.sent():
            self.bench.release(host)
        for host in self.robots:
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
