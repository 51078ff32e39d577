"""`crawler summary`: the account of a run of its own or of a shared one, whenever one asks."""

import json

import pytest

from crawler.cli.main import _run
from support.commands import summary
from support.two_workers import RUN, TwoWorkers

OF_A_LIFE = {"peak_rss_mb": 0.0}


def test_the_account_is_that_of_the_last_worker(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """From the database and from either folder: the same figures as the worker that ended last has written."""
    wanted = {**summary(shared.folders[1]), **OF_A_LIFE}
    for where in (shared.dsn, *map(str, shared.folders)):
        assert _run(["summary", where, "--json"]) == 0
        found = json.loads(capfd.readouterr().out)
        for host in found["hosts"]:
            host.pop("owner", None)
        assert found == wanted


def test_the_account_tells_who_is_at_work(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """Not complete: workers are at work, or finds are on their way; the last line says how to go on."""
    shared.change("INSERT INTO letter (host, depth, body) VALUES (1, 0, '')")
    assert _run(["summary", shared.dsn, "--name", RUN]) == 0
    first, *_, last = capfd.readouterr().out.splitlines()
    assert first.startswith("not at its end: 88 URLs = ")
    assert last == f"  {shared.dsn} --name {RUN}"

    shared.change("UPDATE worker SET life = 9, lease_until = now() + interval '1 hour' WHERE id = 1")
    assert _run(["summary", shared.dsn]) == 0
    assert capfd.readouterr().out.startswith("1 worker at work: 88 URLs = ")


def test_the_account_of_a_folder_is_its_summary(shared: TwoWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    """A run of its own that ended in order says what its `summary.json` says."""
    alone = shared.folder / "alone"
    _run(["fetch", "http://127.0.0.1:4999/", "-o", str(alone), "--quiet", "--retries", "0", "--workers", "0"])
    capfd.readouterr()

    assert _run(["summary", str(alone), "--json"]) == 0

    assert json.loads(capfd.readouterr().out) == {**summary(alone), **OF_A_LIFE}
