"""core.metrics: sums as committed, and their rates."""

from crawler.core.handover import Committed, Group, Totals
from crawler.core.metrics import Metrics


def commit(metrics: Metrics, done: int, *, failed: int = 0, size: int = 0) -> None:
    """Let a group be committed that leads to these totals."""
    metrics.committed(Committed(group=Group(), totals=Totals(done=done, failed=failed, bytes=size)))


def test_the_account_is_that_of_the_last_commit() -> None:
    """What is shown is what the last commit said."""
    metrics = Metrics()

    commit(metrics, 2, failed=1)
    commit(metrics, 5, failed=1)

    assert (metrics.totals.done, metrics.totals.failed) == (5, 1)


def test_rates_are_those_of_pages_and_bytes() -> None:
    """Pages are done and failed ones."""
    metrics = Metrics()
    metrics.rates(0.0)

    commit(metrics, 90, failed=10, size=1000)

    assert metrics.rates(2.0) == (50.0, 500.0)


def test_what_an_earlier_life_did_is_no_speed_of_this_one() -> None:
    """A resumed run that was looked at before it was opened does not show its whole past as a rate."""
    metrics = Metrics()
    metrics.rates(0.0)

    metrics.begin(Totals(done=1_000_000, bytes=10**9), 0.5)

    assert metrics.totals.done == 1_000_000
    assert metrics.rates(1.0) == (0.0, 0.0)
    assert metrics.rates(2.0) == (0.0, 0.0)
