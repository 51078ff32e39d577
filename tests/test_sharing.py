"""sharing: the database that `--frontier` names."""

import psycopg
import pytest

from crawler.core.errors import UsageError
from crawler.frontier.postgres import server_binaries
from crawler.sharing import reachable
from support.databases import programs, server_room


def test_an_embedded_database_runs_for_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started in the folder, and ended behind the block."""
    reachable_programs = programs()
    monkeypatch.setattr(server_binaries, "installed", lambda: reachable_programs)

    with server_room() as room:
        with reachable(f"embedded:{room}/db") as dsn, psycopg.connect(dsn) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)

        assert [path.name for path in room.iterdir()] == ["db"]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(dsn)


@pytest.mark.parametrize("frontier", ["embedded:", "embedded", "mysql://me@db/crawls", "output/run"])
def test_other_names_of_a_database_are_refused(frontier: str) -> None:
    """The line says what to write."""
    with pytest.raises(UsageError, match="expected postgresql://USER@HOST/DB or embedded:DIR"), reachable(frontier):
        pytest.fail("it is reachable")
