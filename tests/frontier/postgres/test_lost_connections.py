"""A connection that is lost at any one statement of a worker's life: nothing is lost, done twice or left miscounted."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import StorageError
from crawler.core.leases_and_commits import Group, Wanted
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.postgres.connection import Connection
from crawler.frontier.postgres.frontier import PostgresFrontier
from crawler.frontier.postgres.runs import begin_run, connected
from crawler.frontier.postgres.session import Session
from crawler.frontier.postgres.workers import Membership
from support.frontiers import ALL, NOW, A, B, C, again, batch_of, done, found
from support.shared_account import problems

ALL_HOSTS = Wanted(gone=(A, B, C), new_hosts=ALL, new_share=ALL)
STEP = 1 if os.environ.get("CRAWLER_TEST_FULL") == "1" else 11
STATEMENTS = ("execute", "execute_each", "scan")


class Cutter:
    """Cuts the connection just before the statement with this number; `left` None = never."""

    left: int | None = None

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Count the statements of all connections from now on."""
        for name in STATEMENTS:
            monkeypatch.setattr(Connection, name, self._counted(getattr(Connection, name)))

    def _counted(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(connection: Connection, *values: object) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    with socket.socket(fileno=os.dup(connection._db.fileno())) as end:
                        end.shutdown(socket.SHUT_RDWR)
            return inner(connection, *values)

        return call


@pytest.fixture
def cutter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cutter]:
    """A cutter that watches all connections, and cuts none yet."""
    monkeypatch.setattr("crawler.frontier.postgres.session._PAUSE", 0.001)
    cutter = Cutter()
    cutter.watch(monkeypatch)
    yield cutter
    cutter.left = None


def live(dsn: str, board: Path, urls: list[str]) -> None:
    """Live as worker 1: list these URLs, put each off once, finish all that is left, and end in order."""
    frontier = PostgresFrontier(Session(dsn, "run", 1, 30.0), Membership(1), MappedBoard(board, 64))
    opened = frontier.open(NOW)
    try:
        frontier.commit(Group(seeds=(batch_of(*urls, first=opened.cursor.line + 1),)))
        requests = frontier.lease(ALL_HOSTS, NOW).requests
        frontier.commit(Group(retries=tuple(again(request, NOW + 5) for request in requests)))
        requests = frontier.lease(ALL_HOSTS, NOW + 10).requests
        frontier.commit(Group(visits=tuple(done(request, found(f"{request.url.href}x")) for request in requests)))
        while requests := frontier.lease(ALL_HOSTS, NOW + 10).requests:
            frontier.commit(Group(visits=tuple(map(done, requests))))
    finally:
        frontier.close()


def test_a_life_loses_its_connection_at_any_statement(database: str, tmp_path: Path, cutter: Cutter) -> None:
    """It goes on, or ends with an error that says what to do; the next life finishes what is left."""
    begin_run(database, "run", {}, max_pages=None, place="here")
    number, was_cut = 1, True
    while was_cut:
        cutter.left = number
        with suppress(StorageError):  # before it took part, or while it ends
            live(database, tmp_path / "board", [f"http://a/{number}/", f"http://b/{number}/"])
        was_cut = cutter.left <= 0
        cutter.left = None
        live(database, tmp_path / "board", [f"http://c/{number}/"])

        with connected(database, "run") as db:
            assert list(problems(db)) == [], number
        number += STEP
    assert number > 100
