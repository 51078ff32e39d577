"""cli.more_workers: the other workers that `--processes` starts."""

from pathlib import Path

import pytest

from crawler.cli.main import _run
from crawler.cli.more_workers import more_workers
from crawler.cli.references import look_up
from crawler.core.config import configure
from crawler.run.folder import RunFacts, RunFolder

DSN = "postgresql://me:hunter2@db/crawls"


def begun(path: Path, **values: object) -> tuple[RunFolder, RunFacts]:
    """A folder of a worker, with these options."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    facts = RunFacts(command="crawl", sources=(), config=configure(values), worker=1)
    folder.write_facts(facts)
    return folder, facts


def test_without_a_database_they_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line says what to do, and nothing is made."""
    code = _run(["crawl", "http://127.0.0.1:1/", "-o", str(tmp_path / "w"), "--processes", "2"])

    assert code == 2
    assert "--processes: several processes share a run in a database: give --frontier" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_no_secret_is_on_a_command_line(tmp_path: Path) -> None:
    """A value that was typed in is in the environment, and the command line refers to it."""
    folder, facts = begun(tmp_path / "w", name="docs")
    secrets = look_up({"frontier": DSN, "header": ["Accept: text/plain", "X-Key: hunter2"], "bearer": "env:HOME"})

    (other,) = more_workers(folder, facts, 2, secrets, {"concurrency": "3", "robots": False}).programs

    assert "hunter2" not in " ".join(other.command)
    place = str(tmp_path / "w" / "worker-2")
    assert other.command[3:-1] == [
        *("crawler", "join", "env:CRAWLER_FRONTIER_0", "--name", "docs", "-o", place, "--concurrency=3"),
        *("--no-robots", "--header=Accept: text/plain", "--header=X-Key: env:CRAWLER_HEADER_1", other.command[-2]),
    ]
    assert other.variables["CRAWLER_FRONTIER_0"] == DSN
    assert other.variables["CRAWLER_HEADER_1"] == "hunter2"


def test_those_that_have_taken_part_are_resumed(tmp_path: Path) -> None:
    """All of them, also where fewer are asked for; a folder that was not begun is left alone, and another one made."""
    folder, facts = begun(tmp_path / "w", name="docs")
    begun(tmp_path / "w" / "worker-2", name="docs")
    (tmp_path / "w" / "worker-3").mkdir()
    secrets = look_up({"frontier": "postgresql://me@db/crawls"})

    resumed = more_workers(folder, facts, 1, secrets, {}).programs
    with_more = more_workers(folder, facts, 3, secrets, {}).programs

    assert [other.command[4:6] for other in resumed] == [["resume", str(tmp_path / "w" / "worker-2")]]
    assert [other.command[4] for other in with_more] == ["resume", "join"]
    assert with_more[1].command[-3] == str(tmp_path / "w" / "worker-4")
