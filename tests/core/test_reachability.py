"""core.reachability: attempts to reach a host back off, and end."""

import pytest

from crawler.core.leases_and_commits import HostState
from crawler.core.reasons import Reason
from crawler.core.throttle import Heard, HostThrottle, Standing
from support.throttles import LOOPBACK, PUBLIC, answer, cause, fail, miss


def test_an_unreachable_host_is_probed_by_one_at_a_time() -> None:
    """After the first failure one request is in flight, after one second, three, then six; a success ends it."""
    pace = HostThrottle(LOOPBACK)
    answer(pace, 9.0)
    now, pauses = 10.0, []

    for _ in range(5):
        fail(pace, now)
        pauses.append(pace.due - now)
        now = pace.due
    probed, word = pace.limit, cause(pace, now - 0.1)
    answer(pace, now)

    assert pauses == [1.0, 3.0, 6.0, 6.0, 6.0]
    assert (probed, word) == (1, "unreachable")
    assert (pace.limit, pace.state(now).failures, pace.state(now).failing_since) == (64, 0, None)


def test_a_burst_of_failures_is_one_round() -> None:
    """Requests in flight when the server goes away fail together and rest the host once."""
    pace = HostThrottle(LOOPBACK)

    for _ in range(64):
        fail(pace, 10.0, asked_at=9.9)

    assert pace.due == 11.0
    assert pace.down is None


DEATHS = [
    # reason, seconds that an attempt takes, attempts and seconds until it is given up; had it answered before
    (Reason.DNS_NOT_FOUND, 0.0, (1, 0.0), (7, 28.0)),
    (Reason.CONNECT_REFUSED, 0.0, (4, 10.0), (7, 28.0)),
    (Reason.TLS_UNTRUSTED, 0.1, (4, 10.4), (7, 28.7)),
    (Reason.CONNECT_TIMEOUT, 10.0, (3, 45.0), (3, 45.0)),
    (Reason.DNS_TIMEOUT, 5.0, (4, 45.0), (4, 45.0)),
    (Reason.FIRST_BYTE_TIMEOUT, 20.0, (2, 45.0), (20, 400.0)),  # one after the other
    (Reason.TOTAL_TIMEOUT, 60.0, (1, 60.0), (20, 1200.0)),
]


def die(pace: HostThrottle, reason: Reason, took: float) -> tuple[int, float]:
    """Ask again and again, as soon as that may be, until the host is given up: how often, and how long that took."""
    now = began = 100.0
    attempts = 0
    while not pace.down:
        asked_at = max(now, pace.due)
        pace.sent(asked_at)
        now = asked_at + took
        fail(pace, now, reason, asked_at=asked_at)
        attempts += 1
    return attempts, round(now - began, 3)


@pytest.mark.parametrize(("reason", "took", "unknown", "known"), DEATHS)
def test_the_death_of_a_host_has_its_price(
    reason: Reason, took: float, unknown: tuple[int, float], known: tuple[int, float]
) -> None:
    """Names and refusals are believed soon, silence within about a minute; who answered before gets more time."""
    never, before = HostThrottle(PUBLIC), HostThrottle(PUBLIC)
    answer(before, 90.0)

    assert die(never, reason, took) == unknown
    assert (die(before, reason, took), before.down) == (known, reason)


def test_a_host_that_comes_back_is_not_given_up() -> None:
    """An answer between two failures ends the count."""
    pace = HostThrottle(PUBLIC)
    for round_ in range(10):
        for number in range(3):
            fail(pace, 100.0 * round_ + 20.0 * number, Reason.CONNECT_REFUSED)
        answer(pace, 100.0 * round_ + 90.0)

    assert pace.down is None


def test_a_page_that_stays_silent_is_blamed_itself() -> None:
    """A host that was silent before, or that answers others meanwhile, is asked as before."""
    pace = HostThrottle(LOOPBACK)
    answer(pace, 10.0)

    fail(pace, 30.0, Reason.FIRST_BYTE_TIMEOUT, asked_at=9.0)
    pace.hear(Heard(asked_at=31.0, failure=Reason.FIRST_BYTE_TIMEOUT, again=True), 51.0, 0.0)
    for _ in range(19):
        fail(pace, 80.0, Reason.FIRST_BYTE_TIMEOUT, asked_at=60.0)

    assert (pace.limit, pace.due, pace.standing, pace.state(90.0).failures) == (64, 0.0, Standing.ANSWERS, 0)
    assert pace.down is None
    fail(pace, 80.0, Reason.FIRST_BYTE_TIMEOUT, asked_at=60.0)
    assert pace.down is Reason.FIRST_BYTE_TIMEOUT  # it has answered nothing for too many


def test_robots_that_cannot_be_had_rests_the_host_and_in_the_end_gives_it_up() -> None:
    """One, three and six seconds between four attempts, or as long as Retry-After says."""
    pace, told = HostThrottle(PUBLIC), HostThrottle(PUBLIC)

    rests = []
    for _ in range(3):
        miss(pace, 10.0)
        rests.append(pace.due - 10.0)
    miss(told, 10.0, rest=120.0)
    miss(pace, 20.0)

    assert rests == [1.0, 3.0, 6.0]
    assert told.due == 130.0
    assert pace.down is Reason.ROBOTS_UNREACHABLE


def test_attempts_to_get_robots_outlive_what_is_in_memory() -> None:
    """A host that is forgotten while it rests is given up after as many attempts as any other."""
    state = HostState()

    for lease in range(4):
        pace = HostThrottle(PUBLIC, state)
        assert pace.down is None
        miss(pace, 100.0 * lease, rest=61.0)
        news = pace.news(100.0 * lease + 90.0)
        assert news is not None
        state = news

    assert state.down is Reason.ROBOTS_UNREACHABLE


def test_a_robots_that_comes_at_last_forgives() -> None:
    """The count begins anew."""
    pace = HostThrottle(PUBLIC)
    for _ in range(3):
        miss(pace, 10.0, Reason.CONNECT_REFUSED)

    pace.reached(15.0)
    miss(pace, 20.0, Reason.CONNECT_REFUSED)

    assert pace.down is None
    assert pace.due == 21.0
    assert pace.state(20.0).failures == 1
