"""The difference between a worker's clock and the database's, which moments of hosts are told by."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crawler.frontier.postgres import runs


class Far:
    """A database far away: connecting takes a while, and so does each question; its clock is a minute ahead."""

    def __init__(self, travels: Iterator[float]) -> None:
        self.now = 1_700_000_000.0
        self._travels = travels

    @contextmanager
    def connected(self, _dsn: str) -> Iterator["Far"]:
        """Connect, which takes two seconds."""
        self.now += 2.0
        yield self

    def rows(self, _query: str) -> list[tuple[float]]:
        """Tell the time: the question travels for as long as its answer, or nearly so."""
        there = next(self._travels)
        self.now += there
        told = self.now + 60.0
        self.now += there / 2
        return [(told,)]


def test_a_clock_is_set_by_the_quickest_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the time for connecting nor a slow question counts."""
    database = Far(iter([0.8, 0.4, 0.02, 0.1, 0.6]))
    monkeypatch.setattr(runs, "connected", database.connected)

    ahead = runs.clock_ahead("postgresql://db/crawls", lambda: database.now)

    assert ahead == pytest.approx(60.0, abs=0.01)
