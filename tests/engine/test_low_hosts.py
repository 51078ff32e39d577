"""engine.low_hosts: what a lease is asked for."""

import pytest
from msgspec.structs import replace

from crawler.core.throttle import ThrottleBounds
from crawler.core.urls import Host
from crawler.engine.workbench import Workbench
from support.workbenches import PLENTY, A, C, a_workbench, ask, known, sent


def test_a_host_that_rests_is_still_asked_for_more() -> None:
    """It is here, so nobody else would open it, and what it may give must not wait for it to be forgotten."""
    bench = a_workbench()
    bench.add([ask(C)], {}, 0.0)
    sent(bench, 0.0)
    bench.release(C)

    assert bench.forget(1.0) == ()
    assert bench.shares() == {C: bench.throttle(C).stock}


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


@pytest.mark.parametrize(("in_vain", "share"), [(0, 4), (4, 4), (5, 3), (9, 0)])
def test_what_was_asked_in_vain_keeps_nobody_from_being_leased(in_vain: int, share: int) -> None:
    """A host whose stock is full of it can use as many others, until there is another stock of it."""
    bench = Workbench(lambda *_: known(ThrottleBounds(per_host=2, delay=0.0)), PLENTY)
    bench.add([ask(A, 1), *(replace(ask(A, number), attempts=1) for number in range(10, 10 + in_vain))], {}, 0.0)
    sent(bench, 0.0)

    assert bench.shares() == ({A: share} if share else {})
