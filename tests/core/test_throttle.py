"""core.throttle: the limits of one host follow its answers and failures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from msgspec.structs import replace

from crawler.core.leases_and_commits import HostState
from crawler.core.reasons import Reason
from crawler.core.throttle import LONGEST_DELAY, LONGEST_REST, Heard, HostThrottle, Standing, ThrottleBounds
from support.throttles import LOOPBACK, PUBLIC, answer, cause, fail, miss


@pytest.mark.parametrize(
    ("bounds", "delay", "limit", "word"), [(PUBLIC, 0.5, 4, "configured"), (LOOPBACK, 0.0, 64, "loopback")]
)
def test_without_news_the_configuration_decides(bounds: ThrottleBounds, delay: float, limit: int, word: str) -> None:
    """A host that never told anything is asked as configured."""
    pace = HostThrottle(bounds)

    answer(pace, 1.0)

    assert (pace.delay, pace.limit, cause(pace)) == (delay, limit, word)
    assert pace.news(1.0) is None


def test_the_longest_of_all_wishes_counts() -> None:
    """Crawl-delay lengthens the delay and never shortens it; an absurd one is cut to an hour."""
    pace = HostThrottle(PUBLIC)

    delays = []
    for crawl_delay in (None, 0.1, 3.0, 1e9):
        pace.crawl_delay = crawl_delay
        delays.append((pace.delay, cause(pace)))

    assert delays == [(0.5, "configured"), (0.5, "configured"), (3.0, "crawl-delay"), (LONGEST_REST, "crawl-delay")]


def test_a_request_moves_the_due_time_by_the_delay_in_force() -> None:
    """The delay counts from the latest start, and a delay that changes meanwhile counts at once."""
    pace = HostThrottle(PUBLIC)
    pace.sent(10.0)
    before = pace.due

    pace.crawl_delay = 2.0

    assert (before, pace.due) == (10.5, 12.0)


def test_a_slow_host_has_one_request_in_flight_on_average() -> None:
    """The delay follows the latency, smoothed, and comes back with it; a delay of the user's own stays as it is."""
    pace, fixed = HostThrottle(PUBLIC), HostThrottle(replace(PUBLIC, heeds_latency=False))

    for host in (pace, fixed):
        for _ in range(40):
            answer(host, 1.0, latency=8.0)
    slow = pace.delay
    for _ in range(40):
        answer(pace, 1.0, latency=0.1)

    assert slow == pytest.approx(8.0, rel=0.01)
    assert pace.delay == 0.5
    assert fixed.delay == 0.5


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_trouble_halves_what_is_asked_at_once_and_doubles_the_delay(status: int) -> None:
    """Multiplicative decrease, at the first sign."""
    pace = HostThrottle(PUBLIC)

    answer(pace, 1.0, status)

    assert (pace.limit, pace.delay, cause(pace)) == (2, 1.0, "trouble")


@pytest.mark.parametrize("status", [200, 301, 404, 500, 501])
def test_other_answers_are_no_trouble(status: int) -> None:
    """A page that is missing or broken says nothing about how the host bears us."""
    pace = HostThrottle(PUBLIC)

    answer(pace, 1.0, status)

    assert (pace.limit, pace.delay) == (4, 0.5)


@pytest.mark.parametrize("reason", [Reason.CONNECTION_LOST, Reason.IDLE_TIMEOUT, Reason.TRUNCATED])
def test_a_connection_that_breaks_is_trouble(reason: Reason) -> None:
    """A server that drops or stalls what it accepted has more than it can bear; it is up, though."""
    pace = HostThrottle(PUBLIC)

    fail(pace, 1.0, reason)

    assert pace.limit == 2
    assert pace.delay == pytest.approx(0.75)
    assert pace.state(1.0).failures == 0


def test_what_was_sent_before_we_slowed_down_says_nothing_new() -> None:
    """A hundred refusals of one moment are one sign."""
    pace = HostThrottle(PUBLIC)

    for _ in range(100):
        answer(pace, 2.0, 503, asked_at=1.0)

    assert (pace.limit, pace.delay) == (2, 1.0)


def test_good_answers_give_back_little_by_little() -> None:
    """Additive increase: after one trouble a few good answers, after a long one some more; then it is as configured."""
    pace = HostThrottle(PUBLIC)
    for now in range(20):
        answer(pace, float(now), 429)
    worst = pace.delay

    delays = []
    while pace.delay > 0.5:
        answer(pace, 100.0)
        delays.append(pace.delay)

    assert worst == LONGEST_DELAY
    assert delays == sorted(delays, reverse=True)
    assert 8 <= len(delays) <= 12
    for _ in range(20):
        answer(pace, 100.0)
    assert (pace.limit, pace.state(100.0).window) == (4, None)


def test_a_host_without_a_delay_gets_fewer_at_once_first() -> None:
    """On loopback the limit is halved down to one before anything like a delay begins."""
    pace = HostThrottle(LOOPBACK)

    seen = []
    for now in range(8):
        answer(pace, float(now), 503)
        seen.append((pace.limit, pace.delay > 0))

    assert seen == [(32, False), (16, False), (8, False), (4, False), (2, False), (1, False), (1, True), (1, True)]


def test_jitter_parts_hosts_that_were_in_trouble_together() -> None:
    """The penalty is drawn from half as much to half as much again."""
    paces = [HostThrottle(PUBLIC) for _ in range(2)]

    for pace, jitter in zip(paces, (0.0, 0.999), strict=True):
        pace.hear(Heard(asked_at=0.0, status=503), 0.0, jitter)

    assert [pace.delay for pace in paces] == [pytest.approx(0.75), pytest.approx(1.25, abs=0.01)]


def test_retry_after_is_a_rest_of_the_whole_host() -> None:
    """Nothing is due before, whatever the delay; the rest ends by itself, and an eternity is an hour."""
    pace = HostThrottle(LOOPBACK)

    answer(pace, 100.0, 429, retry_after=30.0)
    rest, word = pace.due, cause(pace, 100.0)
    answer(pace, 100.0, 503, retry_after=1e9)

    assert (rest, word) == (130.0, "retry-after")
    assert pace.due == 100.0 + LONGEST_REST


def test_waiting_in_vain_is_summed_up() -> None:
    """The seconds of requests without an answer are summed up for a host, robots.txt included."""
    pace = HostThrottle(PUBLIC)

    fail(pace, 20.0, Reason.CONNECT_TIMEOUT, asked_at=10.0)
    pace.miss_robots(Heard(asked_at=30.0, failure=Reason.FIRST_BYTE_TIMEOUT), 50.0, 0.0, attempts=4)
    answer(pace, 70.0, asked_at=60.0)

    assert pace.waited == pace.state(70.0).waited == 30.0


def test_a_host_stands_where_it_was_heard_last() -> None:
    """Untried, answering for its robots.txt, quick with its last page, slow again, silent, broken off, given up."""
    pace = HostThrottle(LOOPBACK)
    stands = [pace.standing]

    pace.reached(1.0)
    stands.append(pace.standing)
    for latency in (0.1, 5.0):
        answer(pace, 2.0, latency=latency)
        stands.append(pace.standing)
    fail(pace, 30.0, Reason.CONNECT_TIMEOUT, asked_at=20.0)
    stands.append(pace.standing)
    answer(pace, 40.0)
    pace.put_off(3.0, 40.0, 7.5)
    stands.append(pace.standing)

    assert stands == [
        *(Standing.UNTRIED, Standing.ANSWERS, Standing.QUICK, Standing.ANSWERS),
        *(Standing.FAILED, Standing.FAILED),
    ]
    assert (pace.due, cause(pace, 41.0), pace.waited) == (43.0, "put off", 17.5)
    assert HostThrottle(LOOPBACK, HostState(down=Reason.DNS_NOT_FOUND)).standing is Standing.QUICK


def test_an_unknown_host_gets_few_requests_at_once() -> None:
    """Four until it has answered, if only for its robots.txt."""
    pace = HostThrottle(LOOPBACK)

    limits = [pace.limit]
    pace.reached(1.0)
    limits.append(pace.limit)
    answer(pace, 2.0)
    limits.append(pace.limit)

    assert limits == [4, 64, 64]
    assert HostThrottle(LOOPBACK, HostState(answered=True)).limit == 64


def test_a_host_that_was_given_up_is_asked_nothing_and_hurries() -> None:
    """The rest of its URLs is to fail: the host is due at once, for many at a time, and nothing brings it back."""
    pace = HostThrottle(PUBLIC, HostState(due=500.0, down=Reason.DNS_NOT_FOUND))

    answer(pace, 1.0)

    assert (pace.due, pace.delay, cause(pace)) == (0.0, 0.0, "down")
    assert pace.limit == 500
    assert pace.down is Reason.DNS_NOT_FOUND


@pytest.mark.parametrize("reason", [Reason.CLIENT_LIMIT, Reason.PROXY_FAILED, Reason.BLOCKED_ADDRESS])
def test_what_is_our_own_fault_says_nothing_of_the_host(reason: Reason) -> None:
    """A lack of files or a proxy that is down is not the server's."""
    pace = HostThrottle(PUBLIC)

    fail(pace, 1.0, reason)

    assert pace.state(1.0) == HostThrottle(PUBLIC).state(1.0)


def test_the_rest_of_a_host_that_is_given_up_is_for_a_later_life() -> None:
    """The rest of its URLs fails at once; a later life asks the host again when the rest is over."""
    ahead = -500.0
    pace, unrested = HostThrottle(PUBLIC, ahead=ahead), HostThrottle(PUBLIC)

    miss(pace, 10.0, rest=1000.0, attempts=1)
    miss(unrested, 10.0, Reason.CONNECT_REFUSED, attempts=1)
    state = pace.state(10.0)

    assert (pace.due, state.due, state.rest_until) == (0.0, 0.0, 1510.0)
    assert HostThrottle(PUBLIC, state, ahead).state(20.0) == state
    assert pace.state(1010.0).rest_until == unrested.state(10.0).rest_until == 0.0


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([0.01, 0.5, 3.0, 90.0]),
        st.sampled_from([200, 404, 429, 503, *(Reason.CONNECT_REFUSED, Reason.CONNECTION_LOST, Reason.DNS_TIMEOUT)]),
        st.sampled_from([None, 2.0, 500.0]),
        st.sampled_from([None, 0.05, 12.0]),
    ),
    max_size=30,
)


def live(pace: HostThrottle, events: list[tuple[float, int | Reason, float | None, float | None]]) -> float:
    """Send and hear one after the other; the moment after the last."""
    now = 1000.0
    for pause, what, rest, latency in events:
        now = max(now + pause, pace.due)
        pace.sent(now)
        status, failure = (0, what) if isinstance(what, Reason) else (what, None)
        asked = rest if failure is None else None
        heard = Heard(asked_at=now, status=status, failure=failure, retry_after=asked, latency=latency)
        pace.hear(heard, now, 0.3)
    return now


@given(events=EVENTS, bounds=st.sampled_from([PUBLIC, LOOPBACK, ThrottleBounds(per_host=1, delay=2.0)]))
def test_a_pace_stays_within_its_bounds(
    events: list[tuple[float, int | Reason, float | None, float | None]], bounds: ThrottleBounds
) -> None:
    """The pace is never quicker than configured, never more at once, and never slower than the longest rest."""
    pace = HostThrottle(bounds)

    now = live(pace, events)

    if pace.down:
        return
    assert bounds.delay <= pace.delay <= LONGEST_DELAY
    assert 1 <= pace.limit <= bounds.per_host
    assert pace.due <= now + LONGEST_REST
    assert pace.stock >= 2 * pace.limit


@given(events=EVENTS, ahead=st.sampled_from([0.0, -1.7e9, 1e6]))
def test_what_is_remembered_goes_on(
    events: list[tuple[float, int | Reason, float | None, float | None]], ahead: float
) -> None:
    """A pace that is made from another's state is due no earlier and no gentler or rougher than that one."""
    before = HostThrottle(PUBLIC, ahead=ahead)
    now = live(before, events)

    after = HostThrottle(PUBLIC, before.state(now), ahead)

    assert after.delay == pytest.approx(before.delay, abs=0.001)
    assert (after.limit, after.down) == (before.limit, before.down)
    assert max(after.due, now) == pytest.approx(max(before.due, now), abs=1e-5)
    assert after.state(now) == structs.replace(
        before.state(now), cause=after.state(now).cause, due=after.state(now).due
    )


def test_news_are_told_once() -> None:
    """A host that must not be asked at once is always news; a change of what is in force is, once."""
    pace = HostThrottle(LOOPBACK)

    quiet = pace.news(1.0)
    answer(pace, 1.0, 503)
    eased, again = pace.news(1.0), pace.news(1.0)
    answer(pace, 2.0, 429, retry_after=9.0)
    resting = [pace.news(3.0), pace.news(4.0)]

    assert quiet is None
    assert eased is not None
    assert eased.window == 32
    assert again is None
    assert [state.due for state in resting if state] == [11.0, 11.0]


def test_slowness_is_news_when_it_changes_much() -> None:
    """A host that is slow is due again when it has answered: what is remembered of it follows by a quarter or so."""
    pace, fixed = HostThrottle(PUBLIC), HostThrottle(replace(PUBLIC, heeds_latency=False))

    told = []
    for number, latency in enumerate([0.4] * 10 + [8.0] * 30 + [8.4, 7.6] * 30 + [0.1] * 30):
        for host in (pace, fixed):
            host.sent(now := 10.0 * number)
            answer(host, now + latency, asked_at=now, latency=latency)
        if news := pace.news(now + 9.9):
            told.append(news.latency or 0.0)
        assert HostThrottle(PUBLIC, HostState(latency=told[-1] if told else None)).delay == pytest.approx(
            pace.delay, rel=0.26
        )
        assert fixed.news(now + 9.9) is None

    assert told[0] == pytest.approx(0.4 + 0.2 * 7.6)
    assert 8 <= len(told) <= 16


def test_a_pace_tells_of_itself() -> None:
    """Its repr says what is in force and why."""
    pace = HostThrottle(PUBLIC)
    gone = HostThrottle(PUBLIC, HostState(down=Reason.TLS_FAILED))

    assert repr(pace) == "<HostThrottle 0.5 s (configured), 4 at once>"
    assert repr(gone) == "<HostThrottle 0 s (down), 500 at once, down: tls_failed>"
