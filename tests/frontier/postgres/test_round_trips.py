"""Round trips to the server: a large group asks and writes as sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from crawler.core.leases_and_commits import Group, Wanted
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.frontier.postgres.connection import Connection
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.runs import begin_run
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership
from support.frontiers import ALL, NOW, batch_of, done, found


@pytest.fixture
def frontier(database: str, tmp_path: Path) -> Iterator[PostgresFrontier]:
    """The frontier of the only worker of a run that looks for traps."""
    begin_run(database, "run", {}, max_pages=None, place="here")
    policy = FrontierPolicy(follows=True, traps=True)
    session = Session(database, "run", 1, 30.0)
    frontier = PostgresFrontier(session, Membership(1), MappedBoard(tmp_path / "board", 64), policy)
    frontier.open(NOW)
    yield frontier
    frontier.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that the test executes, in order; those of one set of values each count singly."""
    seen: list[str] = []
    execute, execute_each = Connection.execute, Connection.execute_each

    def noting(self: Connection, query: str, *values: object) -> psycopg.Cursor[Any]:
        seen.append(query)
        return execute(self, query, *values)

    def noting_each(self: Connection, query: str, rows: list[Any]) -> None:
        seen.extend([query] * len(rows))
        execute_each(self, query, rows)

    monkeypatch.setattr(Connection, "execute", noting)
    monkeypatch.setattr(Connection, "execute_each", noting_each)
    return seen


def test_a_group_takes_as_many_statements_with_many_links_and_hosts_as_with_few(
    frontier: PostgresFrontier, statements: list[str]
) -> None:
    """Each link belongs to a family of its own, and each visit is of another host."""
    hosts = 20
    frontier.commit(Group(seeds=(batch_of(*(f"http://h{number}/" for number in range(hosts))),)))
    requests = frontier.lease(Wanted(new_hosts=ALL, new_share=ALL), NOW).requests
    first, *others = (
        done(request, *(found(f"{request.url.href}{path}?x=1") for path in range(20))) for request in requests
    )

    statements.clear()
    frontier.commit(Group(visits=(first,)))
    few = len(statements)
    statements.clear()
    frontier.commit(Group(visits=tuple(others)))

    assert len(others) == hosts - 1
    assert len(statements) <= few
