"""engine.workbench: which leased URL may be asked for now."""

from collections import Counter

import pytest
from msgspec.structs import replace

from crawler.core.leases_and_commits import HostState
from crawler.core.throttle import Heard, HostThrottle, ThrottleBounds
from crawler.core.urls import Host
from crawler.engine.workbench import Workbench
from support.workbenches import PLENTY, A, B, C, a_workbench, ask, due_at, known, sent


def test_hosts_take_turns_by_due_time() -> None:
    """The host that may be asked first goes first, whoever was laid down first."""
    bench = a_workbench()

    bench.add([ask(B), ask(C), ask(A)], due_at(B, 3.0) | due_at(C, 1.0) | due_at(A, 2.0), 0.0)

    order = [sent(bench, now) for now in (0.5, 1.0, 2.0, 3.0)]
    assert order == [None, C, A, B]


def test_the_moment_of_laying_down_is_told() -> None:
    """A request comes with the moment since which it lay here, also after its host's robots.txt."""
    bench = a_workbench()
    bench.add([ask(A)], {}, 10.0)

    found = bench.take(12.5, PLENTY, may_dial=True)
    assert found == (ask(A), 10.0, False)
    bench.robots_first(found.request, found.since)
    bench.robots_done(A, 13.0)

    assert bench.take(13.0, PLENTY, may_dial=True) == (ask(A), 10.0, False)


def test_robots_txt_comes_before_everything_else_of_its_host() -> None:
    """While robots.txt is asked for, nothing of its host is given; the delay counts from its answer."""
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
    """A request that waits for the host need not wait for a share any more."""
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
    """A request that was tried in vain waits behind the others, as it does when it is leased."""
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
