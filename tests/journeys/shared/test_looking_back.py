"""`crawler hosts`, `why` and `robots --run` over a run that workers share: by its database, or by a worker's folder."""

import json

import pytest

from crawler.cli.main import _run
from support.commands import one_line
from support.two_workers import TwoWorkers


def wheres(run: TwoWorkers) -> list[str]:
    """The database of a run, and the folders of its workers."""
    return [run.dsn, *map(str, run.folders)]


def test_hosts_are_those_of_the_whole_run(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """From the database and from either folder the table is the same, and shows each host with all its pages."""
    tables = []
    for where in wheres(shared):
        assert _run(["hosts", where, "--sort", "host"]) == 0
        tables.append(capfd.readouterr().out)

    head, *rows = tables[0].splitlines()
    assert tables == [tables[0]] * 3
    assert head.split()[-1] == "worker"
    assert [row.split()[0] for row in rows] == sorted(shared.hosts)
    assert {tuple(row.split()[1:4]) for row in rows} == {("21", "0", "0")}
    assert {row.split()[-1] for row in rows} == {"-"}


def test_a_host_tells_its_worker(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """The number of the worker that has it now; null = none has."""
    shared.change("UPDATE worker SET life = 9 WHERE id = 2; UPDATE host SET owner = 9 WHERE id = 1")

    assert _run(["hosts", shared.dsn, "--sort", "host", "--json"]) == 0

    rows = json.loads(capfd.readouterr().out)
    assert sorted(str(row["owner"]) for row in rows) == ["2", "None", "None", "None"]


def test_why_knows_what_every_worker_did(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """A URL of either worker is explained, wherever one asks."""
    for lines in (shared.lines(1), shared.lines(2)):
        url = json.loads(lines[0])["url"]
        for where in wheres(shared):
            assert _run(["why", url, where, "--json"]) == 0
            assert json.loads(capfd.readouterr().out)["conclusion"].startswith("Fetched")


def test_robots_are_those_of_the_whole_run(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """The copy that one worker stored is every worker's."""
    for where in wheres(shared):
        for host in shared.hosts:
            assert _run(["robots", f"http://{host}/private/x", "--run", where]) == 1
            assert "Disallow: /private/" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hosts", "postgresql:///nowhere?host=/nonexistent"], "No such file or directory"),
        (["hosts", "mysql://me@h/db"], "mysql://me@h/db names no database: write postgresql://USER@HOST/DB"),
        (["hosts", "embedded:"], "embedded: names no database: write postgresql://USER@HOST/DB"),
        (["hosts", "{dsn}", "--name", "other"], "there is no run other; there are docs"),
        (["hosts", "{folder}/w1", "--name", "docs"], "w1 is a folder, and holds one run"),
        (["robots", "http://h/", "--name", "docs"], "--name is about a stored copy: give --run"),
        (["why", "{folder}", "{dsn}"], "the URL comes first"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line(
    shared: TwoWorkers, arguments: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The line says what to write instead."""
    code = _run([part.format(dsn=shared.dsn, folder=shared.folder) for part in arguments])

    assert code in {2, 5}
    assert line in one_line(capfd)
