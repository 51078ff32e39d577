"""Two workers of one run at the same moment: each test lets one of them commit in the middle of the other's step."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from crawler.core.leases_and_commits import Group, Wanted
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.runs import begin_run, join_run
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership
from support.frontiers import ALL, NOW, A, again, batch_of

ANY = Wanted(new_hosts=ALL, new_share=ALL)
IDLE = Wanted(new_hosts=ALL, new_share=ALL, is_idle=True)
NONE = Wanted(new_hosts=0, new_share=ALL)


class Crew:
    """Two workers of one run, both at work."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._dsn = dsn
        numbers = begin_run(dsn, "run", {}, max_pages=None, place="here"), join_run(dsn, "run", "there")
        self.one, self.two = (self._worker(number, folder / f"board-{number}") for number in numbers)

    def _worker(self, number: int, board: Path) -> PostgresFrontier:
        session = Session(self._dsn, "run", number, 30.0)
        frontier = PostgresFrontier(session, Membership(number), MappedBoard(board, 64))
        frontier.open(NOW)
        return frontier

    def execute(self, statement: str) -> None:
        """Change rows of the run."""
        with psycopg.connect(self._dsn, options="-c search_path=crawler_run") as db:
            db.execute(statement.encode())

    def value(self, query: str) -> object:
        """Return the only value of a query."""
        with psycopg.connect(self._dsn, options="-c search_path=crawler_run") as db:
            row = db.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def crew(database: str, tmp_path: Path) -> Iterator[Crew]:
    """Two workers of a run."""
    crew = Crew(database, tmp_path)
    yield crew
    crew.one.close()
    crew.two.close()


def test_a_retry_that_two_workers_wake_is_counted_once(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its host is free; a worker has read that it is due, and locks the host after the other has woken it."""
    crew.one.commit(Group(seeds=(batch_of("http://a/"),)))
    (request,) = crew.one.lease(ANY, NOW).requests
    crew.one.commit(Group(retries=(again(request, NOW + 5),)))
    crew.one.lease(Wanted(gone=(A,), new_share=ALL), NOW)
    lock, others = crew.one._hosts.lock, iter([crew.two])

    def lock_late(host_ids: set[int]) -> None:
        for other in others:
            other.lease(NONE, NOW + 10)
        lock(host_ids)

    monkeypatch.setattr(crew.one._hosts, "lock", lock_late)
    crew.one.lease(NONE, NOW + 10)

    assert crew.value("SELECT ready FROM host") == 1


def test_urls_that_run_alone_are_shared_among_the_workers(crew: Crew) -> None:
    """A worker takes the host of one of them: it runs no second one meanwhile, and would have hosts to hand back."""
    crew.one.commit(Group(seeds=(batch_of("http://a/", "http://b/", "http://c/"),)))
    crew.execute("UPDATE url SET deaths = 2")
    crew.execute("UPDATE host SET ready = 0")

    (first,) = crew.one.lease(IDLE, NOW).requests
    (second,) = crew.two.lease(IDLE, NOW).requests
    lease = crew.one.lease(replace(IDLE, shares={first.url.host_port: 1}), NOW)

    assert first.alone
    assert second.alone
    assert first.url != second.url
    assert lease.share is not None
    assert lease.share.surplus == 0


def test_the_url_with_the_fewest_deaths_runs_alone_first(crew: Crew) -> None:
    """A kill during the end of a run hits another one each time."""
    crew.one.commit(Group(seeds=(batch_of("http://a/", "http://b/", "http://c/"),)))
    crew.execute("UPDATE url SET deaths = CASE WHEN url = 'http://b/' THEN 2 ELSE 3 END")
    crew.execute("UPDATE host SET ready = 0")

    (first,) = crew.one.lease(IDLE, NOW).requests

    assert first.url.href == "http://b/"
