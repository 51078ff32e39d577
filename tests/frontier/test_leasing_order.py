"""frontier.leasing: the order of leases, and retries that wait for their time."""

from typing import Any

import pytest
from msgspec.structs import replace

from crawler.core.leases_and_commits import (
    HostState,
)
from crawler.core.reasons import Reason
from crawler.frontier.sqlite.frontier import LONGEST_WAIT
from support.frontiers import NOW, A, B, C, Run, again, done, found, urls
from support.stores import only_sqlite

pytestmark = pytest.mark.usefixtures("each_store")


def test_leases_go_breadth_first_over_hosts(run: Run) -> None:
    """Some hosts are opened with a few URLs each; one that is open gets what it asks for."""
    run.add("http://a/1", "http://a/2", "http://a/3", "http://a/4", "http://b/1", "http://c/1", "http://c/2")

    assert urls(run.lease(new_hosts=2, new_share=2)) == ["a/1", "a/2", "b/1"]
    assert urls(run.lease({A: 1}, new_hosts=5, new_share=1)) == ["a/3", "c/1"]
    assert urls(run.lease({A: 9, C: 0, B: 3}, new_hosts=5)) == ["a/4"]
    assert urls(run.lease({C: 5}, new_hosts=0)) == ["c/2"]


def test_a_host_that_nobody_asked_for_gives_more(run: Run) -> None:
    """A host whose leases all wait for their commit is opened again, as long as it has something to give."""
    run.add("http://a/1", "http://a/2")

    leases = [urls(run.lease(new_share=1)) for _ in range(3)]

    assert leases == [["a/1"], ["a/2"], []]


def test_the_host_that_was_due_first_is_opened_first(run: Run) -> None:
    """Hosts are opened by their stored due time, and their state comes with the lease."""
    run.add("http://a/1", "http://b/1", "http://c/1")
    run.commit(hosts={A: HostState(due=NOW + 9), B: HostState(due=NOW + 3)})

    first = run.lease(new_hosts=2)

    assert urls(first) == ["c/1", "b/1"]
    assert first.hosts == {C: HostState(due=0.0), B: HostState(due=NOW + 3)}
    assert run.lease().hosts == {A: HostState(due=NOW + 9)}


@pytest.mark.parametrize(
    ("ago", "failures"), [(60.0, {"failures": 4, "failing_since": NOW - 60.0}), (7200.0, {"failures": 0})]
)
def test_another_chance_is_a_whole_one_after_an_hour(run: Run, ago: float, failures: dict[str, Any]) -> None:
    """Before, the failures that gave the host up still count; how gently it is to be asked always does."""
    since = NOW - ago
    given_up = HostState(penalty=2.0, failures=4, failing_since=since, robots_attempts=4, down=Reason.CONNECT_REFUSED)
    run.add("http://a/1")
    run.commit(hosts={A: given_up})
    run.end()

    run.begin()

    assert run.lease().hosts == {A: HostState(penalty=2.0, **failures)}


def test_a_host_that_was_given_up_at_rest_is_asked_again_after_it(run: Run) -> None:
    """In its own life it is leased at once, so that its URLs fail; a later life waits."""
    given_up = HostState(down=Reason.ROBOTS_UNREACHABLE, rest_until=NOW + 1000)
    run.add("http://a/1")
    run.commit(hosts={A: given_up})
    assert run.lease().hosts == {A: given_up}
    run.end()

    run.open.clear()
    run.begin()

    assert not run.lease().requests
    run.now += 990
    assert run.lease().hosts == {A: HostState(due=NOW + 1000)}


def test_within_a_host_depth_then_discovery_decides(run: Run) -> None:
    """URLs nearer to a seed go first, and of equals those that were found first."""
    run.add("http://a/seed")
    (seed,) = run.lease().requests
    links = [found(f"http://a/{name}", depth=depth) for name, depth in (("x", 2), ("y", 1), ("z", 2), ("w", 1))]
    run.commit(visits=(done(seed, *links),))
    run.add("http://a/late")

    assert urls(run.lease()) == ["a/late", "a/y", "a/w", "a/x", "a/z"]


def test_what_is_leased_is_not_leased_again(run: Run) -> None:
    """Each URL is handed out once, for frequent and generous requests too."""
    run.add(*(f"http://a/{n}" for n in range(20)))

    leases = [urls(run.lease({A: 3})) for _ in range(9)]

    assert sorted([url for lease in leases for url in lease]) == sorted(f"a/{n}" for n in range(20))


def test_what_is_returned_can_be_leased_again(run: Run) -> None:
    """Leases that nobody used go back in the same order, with nothing changed."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    one, two, three = run.lease().requests

    run.commit(returned=(three, one))

    assert run.lease().requests == (one, three)
    assert run.finish(one, two, three).pending == 0


# Retries


def test_a_retry_waits_for_its_time(run: Run) -> None:
    """A URL that is to be tried again is pending, is not leased early, and then is, with its tries counted."""
    run.add("http://a/1", "http://a/2")
    one, two = run.lease().requests
    totals = run.commit(retries=(again(one, NOW + 30), again(two, NOW + 50))).totals

    assert (totals.pending, totals.retries) == (2, 2)
    waiting = run.lease()
    assert (waiting.requests, run.leased, waiting.is_exhausted, waiting.next_due) == ((), 0, False, NOW + 30)
    run.now = NOW + 29.9
    assert run.lease().requests == ()
    run.now = NOW + 30
    due = run.lease()
    assert (due.requests, due.next_due) == ((replace(one, attempts=1),), NOW + 50)
    run.now = NOW + 90
    assert (urls(run.lease()), run.lease().next_due) == (["a/2"], None)
    assert run.problems() == []


def test_a_retry_waits_through_a_death(run: Run) -> None:
    """Tries and waiting time are stored."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    run.commit(retries=(again(one, NOW + 30),))
    run.die()
    run.begin()

    assert run.lease().next_due == NOW + 30
    run.now += 30
    assert run.lease().requests == (replace(one, attempts=1),)


def test_a_clock_that_was_set_back_delays_nobody_for_long(run: Run) -> None:
    """Stored moments further away than the longest wait are clamped when the run is opened."""
    only_sqlite("a shared run has the time of its database")
    run.add("http://a/1", "http://b/1")
    one, two = run.lease().requests
    run.commit(
        retries=(again(one, NOW + LONGEST_WAIT), again(two, NOW - 10**6)),
        hosts={A: HostState(due=NOW + 60), B: HostState(due=NOW - 10**6)},
    )
    run.end()

    run.now = NOW - 10**6
    run.begin()

    assert run.lease().next_due == run.now + LONGEST_WAIT
    assert run.one("SELECT max(due) FROM host") == run.now + LONGEST_WAIT
    assert run.one("SELECT min(due) FROM host") == NOW - 10**6
