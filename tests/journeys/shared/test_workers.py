"""`crawler workers`: who takes part in a run, and the sums of the whole run."""

import json
from typing import Any

import pytest

from crawler.cli.main import _run
from support.commands import one_line, summary
from support.two_workers import TwoWorkers


def told(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Return the JSON object that the command prints."""
    assert _run(["workers", *map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


def test_the_sums_are_those_of_the_whole_run(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """They are what the last worker's summary says, and the workers' lines add up to them."""
    found = told(capfd, shared.dsn)

    account = summary(shared.folders[1])
    lines = len(shared.lines(1) + shared.lines(2))
    assert found["run"] == {
        "name": "docs",
        "pending": 0,
        "done": account["done"],
        "failed": account["failed"],
        "skipped": 4,
        "bytes": account["bytes"],
        "finds_on_the_way": 0,
        "per_second": None,
    }
    assert account["done"] == lines
    first, second = found["workers"]
    assert (first["id"], first["state"], first["lines"]) == (1, "ended", len(shared.lines(1)))
    assert (second["id"], second["state"], second["lines"]) == (2, "ended", len(shared.lines(2)))
    assert second["place"].endswith(f":{shared.folders[1]}")


def test_a_worker_at_work_a_late_one_and_the_rates(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """While one is at work it is looked at twice; a worker whose lease is over is late, and has no rate."""
    shared.change(
        "UPDATE worker SET life = 9, lease_until = now() + interval '1 hour' WHERE id = 1;"
        "UPDATE worker SET life = 8, lease_until = now() - interval '1 hour' WHERE id = 2;"
        "INSERT INTO letter (host, depth, body) VALUES (1, 0, '')"
    )

    found = told(capfd, shared.folders[0])

    first, second = found["workers"]
    assert (first["state"], first["late"], first["per_second"]) == ("works", None, 0.0)
    assert (second["state"], second["per_second"]) == ("late", None)
    assert 3600 <= second["late"] < 3700
    assert (found["run"]["per_second"], found["run"]["finds_on_the_way"]) == (0.0, 1)


def test_the_table_ends_with_the_sums(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """One line for each worker, and one for the run."""
    assert _run(["workers", shared.dsn]) == 0

    head, first, second, sums = capfd.readouterr().out.splitlines()
    assert head.split() == ["worker", "state", "hosts", "lines", "per", "s", "groups", "seen", "place"]
    assert first.split()[:5] == ["1", "ended", "0", str(len(shared.lines(1))), "-"]
    assert second.split()[:5] == ["2", "ended", "0", str(len(shared.lines(2))), "-"]
    assert sums == f"run docs: 0 pending, {len(shared.lines(1) + shared.lines(2))} done, 0 failed, 4 skipped"


def test_a_folder_of_a_run_of_its_own_has_no_workers(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """The line says where its sums stand."""
    alone = shared.folder / "alone"
    _run(["fetch", "http://127.0.0.1:4999/", "-o", str(alone), "--quiet", "--retries", "0", "--workers", "0"])
    capfd.readouterr()

    assert _run(["workers", str(alone)]) == 2
    assert "one process works on this run alone" in one_line(capfd)
