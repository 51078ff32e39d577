"""The session of a worker: transactions over connections that are lost in the middle."""

from collections.abc import Iterator

import psycopg
import pytest

from crawler.core.errors import LeaseLost
from crawler.frontier.postgres.runs import begin_run
from crawler.frontier.postgres.session import Session
from support.databases import CuttingProxy, cutting_proxy


@pytest.fixture
def proxy(database: str) -> Iterator[CuttingProxy]:
    """A proxy before a database with a run of one worker."""
    begin_run(database, "run", {}, max_pages=None, place="here")
    with cutting_proxy(database) as proxy:
        yield proxy


@pytest.fixture
def session(proxy: CuttingProxy) -> Iterator[Session]:
    """The session of that worker, in its first life."""
    session = Session(proxy.dsn, "run", 1, 30.0)
    session.begin(lambda _: None)
    yield session
    session.close()


def note(session: Session) -> None:
    """Insert a row, whose key no other row may have."""
    session.tables.change("INSERT INTO place VALUES ('a')")


def notes(session: Session) -> int:
    """Return how many rows there are."""
    ((n,),) = session.tables.rows("SELECT count(*) FROM place")
    return int(n)


@pytest.mark.parametrize("is_forwarded", [True, False], ids=["answer lost", "commit lost"])
def test_a_transaction_whose_commit_was_cut_off_is_made_once(
    proxy: CuttingProxy, session: Session, *, is_forwarded: bool
) -> None:
    """It is repeated only if the server never heard of the COMMIT, and what it did in memory undone only then."""
    undone: list[str] = []
    proxy.cut_at_commit(is_forwarded=is_forwarded)

    session.transact(lambda: note(session), lambda: undone.append("undone"))

    assert notes(session) == 1
    assert len(undone) == (0 if is_forwarded else 1)


def test_an_error_of_the_work_is_told_though_the_connection_ends_with_it(proxy: CuttingProxy, session: Session) -> None:
    """The server undoes the transaction by itself, so that there is nothing left to roll back."""

    def work() -> None:
        note(session)
        proxy.cut()
        raise LeaseLost("its hosts went to others")

    with pytest.raises(LeaseLost, match="went to others"):
        session.transact(work, lambda: None)


def test_a_transaction_that_is_to_be_tried_again_is_so_over_another_connection(
    proxy: CuttingProxy, session: Session
) -> None:
    """The server asks to try it again, and the connection is lost before it is rolled back."""
    tries = iter([True, False])

    def work() -> None:
        note(session)
        if next(tries):
            proxy.cut()
            raise psycopg.errors.SerializationFailure("try again")

    session.transact(work, lambda: None)

    assert notes(session) == 1


@pytest.mark.parametrize("is_forwarded", [True, False], ids=["answer lost", "commit lost"])
def test_a_life_begins_though_its_commit_was_cut_off(
    proxy: CuttingProxy, session: Session, *, is_forwarded: bool
) -> None:
    """It goes on over another connection, and is the one that stands in the row of its worker."""
    freed: list[int | None] = []
    proxy.cut_at_commit(is_forwarded=is_forwarded)

    session.begin(freed.append)
    session.transact(lambda: note(session), lambda: None)

    assert session.tables.rows("SELECT life FROM worker") == [(session.life,)]
    assert freed == ([1, 2] if is_forwarded else [1, 1])
