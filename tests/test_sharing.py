"""sharing: the database that `--frontier` names."""

from pathlib import Path

import psycopg
import pytest

from crawler.cli.main import _run
from crawler.core.errors import UsageError
from crawler.frontier.postgres import server_binaries
from crawler.sharing import reachable
from support.databases import programs, server_room


def test_an_embedded_database_runs_for_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is started in the folder, and ended behind the block."""
    reachable_programs = programs()
    monkeypatch.setattr(server_binaries, "installed", lambda: reachable_programs)

    with server_room() as room:
        with reachable(f"embedded:{room}/db", may_make=True) as dsn, psycopg.connect(dsn) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)

        assert [path.name for path in room.iterdir()] == ["db"]
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(dsn)


@pytest.mark.parametrize("frontier", ["embedded:", "embedded", "mysql://me@db/crawls", "output/run"])
def test_other_names_of_a_database_are_refused(frontier: str) -> None:
    """The line says what to write."""
    with pytest.raises(UsageError, match="expected postgresql://USER@HOST/DB or embedded:DIR"), reachable(frontier):
        pytest.fail("it is reachable")


@pytest.mark.parametrize("command", [["join", "embedded:db"], ["workers", "embedded:db"]])
def test_a_private_database_that_is_not_there_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The line says that no run is there, and the folder stays as it was."""
    monkeypatch.chdir(tmp_path)

    code = _run(command)

    assert code == 2
    assert f"{tmp_path}/db: no run is there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
