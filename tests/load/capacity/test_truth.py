"""A capacity search over servers whose capacity is known, in virtual time with the real loops."""

import pytest

from crawler.load.capacity.search import Ending, Search
from crawler.load.capacity.windows import Outcome, Stage
from crawler.load.nanoseconds import MILLISECOND, SECOND
from support.queues import QueueServer, exponential_server, knee, searched


def test_the_interval_holds_the_capacity_of_a_queue_in_19_of_20_seeds() -> None:
    """D/M/1 at 1,000/s has a p90 of 5 ms at 746/s: the truth is a formula of queueing theory, not a simulation."""
    truth = knee(1000, 0.005, 0.9)
    assert truth == pytest.approx(746.2, abs=0.1)

    found = [
        searched(exponential_server(1000, seed), "p90<5ms", from_rate=500.0, window=2.0, settle=0.3)[0]
        for seed in range(20)
    ]

    assert all(search.ending is Ending.FOUND for search in found)
    assert sum(search.low <= truth <= search.high for search in found if search.low and search.high) >= 19
    widths = sorted(search.high / search.low for search in found if search.low and search.high)
    assert widths[10] < 1.25


def test_rare_bursts_near_saturation_raise_no_capacity() -> None:
    """A p99 of 200 ms at 250/s: slow answers come in bursts, and most windows of the default length have none."""
    truth = knee(250, 0.2, 0.99)

    found = [searched(exponential_server(250, seed), "p99<200ms")[0] for seed in range(4)]

    assert all(search.ending is Ending.FOUND for search in found)
    assert all(search.low <= truth <= search.high for search in found if search.low and search.high)


class Indebted(QueueServer):
    """A worker of 1 ms that an overload leaves with work: each request that waits over 50 ms makes 20 ms of it."""

    def __init__(self) -> None:
        super().__init__(lambda: MILLISECOND)
        self.debt = 0

    def latency(self, number: int, now: int) -> int | None:
        """Take as long as the queue, and pay the debt in idle time."""
        idle = max(0, now + self.base - self.free)
        paid = min(idle, self.debt)
        self.debt -= paid
        self.free += paid
        if self.debt:
            self.free += 3 * MILLISECOND  # the work left over competes with the new
        took = super().latency(number, now) or 0
        if took > 50 * MILLISECOND:
            self.debt += 20 * MILLISECOND
        return took


def test_what_an_overload_leaves_behind_is_drained() -> None:
    """The capacity is that of a fresh server, 1,000/s, although each overload is felt for seconds."""
    search, _ = searched(Indebted(), "p99<20ms", from_rate=100.0, window=2.0, settle=0.3, drain=300.0)

    assert search.ending is Ending.FOUND
    assert search.low is not None
    assert search.high is not None
    assert search.low <= 1000 <= search.high * 1.001


def test_without_the_drain_the_capacity_would_be_too_low(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same server, searched without a pause, seems to hold less: the drain is not optional."""
    monkeypatch.setattr(Search, "_drain", lambda _: iter(()))

    search, _ = searched(Indebted(), "p99<20ms", from_rate=100.0, window=2.0, settle=0.3, drain=300.0)

    assert (search.high or 0) < 1000


class Collapsing(QueueServer):
    """A worker of 1 ms that takes 20 ms for ever once a request has waited for 50 ms."""

    def __init__(self) -> None:
        super().__init__(lambda: 20 * MILLISECOND if self.is_down else MILLISECOND)
        self.is_down = False

    def latency(self, number: int, now: int) -> int | None:
        """Take as long as the queue."""
        took = super().latency(number, now) or 0
        self.is_down = self.is_down or took > 50 * MILLISECOND
        return took


def test_a_server_that_does_not_recover_is_told() -> None:
    """A metastable server ends the search after the bound of the drain; what had held is kept."""
    search, seen = searched(Collapsing(), "p99<20ms", from_rate=100.0, window=2.0, settle=0.3, drain=10.0)

    assert search.ending is Ending.DOES_NOT_RECOVER
    assert (search.low, search.high) == (800, None)
    assert "still get a median of 20 ms; idle it was 1 ms" in search.because
    assert sum(window.seconds for window, _ in seen if window.stage is Stage.DRAIN) == pytest.approx(10, abs=2.2)


def test_a_server_without_a_knee_below_the_ceiling_measures_the_client() -> None:
    """The search ends at half of the client's ceiling, and the answer is a lower bound."""
    search, seen = searched(
        QueueServer(lambda: 1000), "p99<50ms", client=5000.0, from_rate=500.0, settle=0.3, window=1.0
    )

    assert (search.ending, search.low, search.high) == (Ending.CLIENT_BOUND, 2500, None)
    assert "this client can send 5,000/s" in search.because
    assert [window.rate for window, _ in seen if window.stage is Stage.CLIMB] == [500, 1000, 2000, 2500]


def test_a_server_that_never_keeps_the_level_is_told() -> None:
    """30 ms for each answer are never below 20 ms, so the lowest rate is asked for twice and no other."""
    search, seen = searched(QueueServer(lambda: 30 * MILLISECOND), "p50<20ms", from_rate=10.0, settle=0.3)

    assert (search.ending, search.low, search.high) == (Ending.NEVER_HOLDS, None, 10)
    assert {window.rate for window, _ in seen if window.stage is Stage.CLIMB} == {10}
    assert seen[-2][1].because.startswith("p50<20ms: 30.0")


def test_a_loose_limit_does_not_hide_a_growing_backlog() -> None:
    """A loose limit does not hide an overload: the backlog grows long before a median of a second is passed."""
    server = QueueServer(lambda: 2 * MILLISECOND)

    search, _ = searched(server, "p50<1s", from_rate=100.0, window=2.0, settle=0.3)

    assert search.ending is Ending.FOUND
    assert (search.low or 0) <= 500 * 1.04  # in two seconds, a queue of 32 is no proof
    assert (search.high or 0) >= 500
    assert (search.high or 0) / (search.low or 1) < 1.11


def test_a_slow_server_that_keeps_up_is_not_falling_behind() -> None:
    """Answers of two seconds leave many requests under way at the end of a window, and no fewer at its begin."""

    class Slow(QueueServer):
        """A server of two seconds for each answer, however many there are."""

        def latency(self, _number: int, now: int) -> int | None:
            """Always the same."""
            return 2 * SECOND

    search, seen = searched(
        Slow(lambda: 0), "p50<3s", from_rate=5.0, to_rate=20.0, window=4.0, settle=3.0, connections=200
    )

    assert (search.ending, search.low) == (Ending.HOLDS_THROUGHOUT, 20)
    assert {seen.outcome for window, seen in seen if window.stage is Stage.CLIMB} == {Outcome.HELD}
