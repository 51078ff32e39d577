"""frontier.tally: the sums of a run."""

import sqlite3
from collections.abc import Iterator

import pytest

from crawler.core.leases_and_commits import Totals
from crawler.frontier.sqlite import schema
from crawler.frontier.sqlite.tables import SqliteTables
from crawler.frontier.tally import Tally


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """An empty frontier in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(db)
    yield db
    db.close()


def commit(tally: Tally) -> None:
    """Commit as the frontier does."""
    tally.write()
    tally.keep()


def test_a_new_run_has_counted_nothing(db: sqlite3.Connection) -> None:
    """All sums begin at nothing."""
    assert Tally(SqliteTables(db), 1).totals() == Totals()
    assert Tally(SqliteTables(db), 1).pending == 0


def test_sums_become_totals(db: sqlite3.Connection) -> None:
    """Each kind of sum has its place in the account."""
    tally = Tally(SqliteTables(db), 1)
    for state, n in (("PENDING", 4), ("DONE", 3), ("FAILED", 2), ("SKIPPED", 1)):
        tally.add("state", state, n)
    for kind, name in (("skipped", "robots_denied"), ("failed", "suspect"), ("status", "404"), ("latency", "300")):
        tally.add(kind, name)
    tally.add("line", "read", 10)
    for name, amount in (("bytes", 500), ("retries", 6), ("seconds", 1.25)):
        tally.add("sum", name, amount)

    commit(tally)

    assert tally.pending == 4
    assert tally.totals() == Totals(
        discovered=10,
        done=3,
        failed=2,
        pending=4,
        skipped={"robots_denied": 1},
        failures={"suspect": 1},
        statuses={404: 1},
        lines={"read": 10},
        bytes=500,
        retries=6,
        seconds=1.25,
        latency={300: 1},
    )


def test_sums_go_on_in_the_next_life(db: sqlite3.Connection) -> None:
    """A sum that was written is read back, added to, and equal to that of the earlier life."""
    first = Tally(SqliteTables(db), 1)
    first.add("state", "DONE", 5)
    first.add("sum", "seconds", 0.5)
    commit(first)

    second = Tally(SqliteTables(db), 1)
    assert second.totals() == first.totals()
    second.add("state", "DONE")
    second.add("sum", "seconds", 0.25)
    commit(second)

    assert (second.totals().done, second.totals().seconds) == (6, 0.75)
    assert Tally(SqliteTables(db), 1).totals() == second.totals()


def test_a_sum_is_known_after_its_commit_only(db: sqlite3.Connection) -> None:
    """A sum that is added or written may still be rolled back, so no reader sees it before."""
    tally = Tally(SqliteTables(db), 1)

    tally.add("state", "DONE")
    assert tally.totals() == Totals()
    tally.write()
    assert tally.totals() == Totals()
    tally.keep()

    assert tally.totals().done == 1


@pytest.mark.parametrize("written", [True, False])
def test_a_rollback_is_forgotten(db: sqlite3.Connection, written: bool) -> None:
    """A sum that a failed transaction added is not in memory, not on disk, and not in the next transaction."""
    tally = Tally(SqliteTables(db), 1)
    db.execute("BEGIN")
    tally.add("state", "DONE", 7)
    if written:
        tally.write()
    tally.forget()
    db.execute("ROLLBACK")

    tally.add("state", "DONE", 1)
    commit(tally)

    assert tally.totals().done == Tally(SqliteTables(db), 1).totals().done == 1


def test_what_adds_up_to_nothing_is_not_shown(db: sqlite3.Connection) -> None:
    """A reason that no URL has any more is not listed with 0."""
    tally = Tally(SqliteTables(db), 1)
    tally.add("skipped", "url_too_long", 2)
    commit(tally)

    tally.add("skipped", "url_too_long", -2)
    commit(tally)

    assert tally.totals().skipped == Tally(SqliteTables(db), 1).totals().skipped == {}
