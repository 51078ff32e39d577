"""engine.lives: a worker whose hosts went to others begins again, and writes each line once."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from crawler import build
from crawler.build import Environment
from crawler.core.errors import LeaseLost, StorageError
from crawler.core.leases_and_commits import Committed, Group
from crawler.engine.crawl import Ending
from crawler.engine.lives import in_lives
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.runtime.clock import boot_time
from crawler.runtime.loop import Stop
from crawler.testing import FakeFetcher
from support.commands import add_pages, crawler, write_list
from support.crawls import assembled, pages, records, urls
from support.shared_runs import SharedFrontier
from support.siteserver import HandMadeSite

pytestmark = pytest.mark.both_loops

LINES = pages(300)


class Failing:
    """Raises `error` at the calls of these numbers, of this kind; None = of both."""

    def __init__(self, error: Exception, *numbers: int, call: str | None = None) -> None:
        self.calls = 0
        self._error = error
        self._numbers = numbers
        self._call = call

    def __call__(self, call: str) -> None:
        """Count a call."""
        if self._call in (None, call):
            self.calls += 1
            if self.calls in self._numbers:
                raise self._error


async def _run(
    folder: Path,
    fails: Callable[[str], object],
    *,
    say: Callable[[str], None] = lambda _: None,
    stop: Stop | None = None,
) -> Ending:
    frontier, fetcher = SharedFrontier(folder, now=boot_time), FakeFetcher()
    frontier.fails = fails
    environment = Environment(stop=stop or Stop(), around=lambda _: fetcher, frontier=frontier.make)

    async def live() -> Ending:
        async with AsyncExitStack() as stack:
            return await (await assembled(stack, folder, LINES, environment, concurrency=8)).run()

    return await in_lives(live, say)


@pytest.mark.parametrize("numbers", [(2,), (3, 4, 5), (6, 12, 18), (10, 11, 25), (7, 20, 30, 40)])
async def test_each_line_is_written_once_however_often_the_hosts_are_lost(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    """A life ends within a lease, or within a commit whose lines were appended; the next cuts them back."""
    fails, said = Failing(LeaseLost("its hosts are gone"), *numbers), list[str]()

    ending = await _run(tmp_path, fails, say=said.append)

    assert urls(tmp_path) == dict.fromkeys(LINES, 1)
    assert ending.totals.pending == 0
    assert set(said) == {"beginning again: its hosts are gone"}


async def test_nothing_is_written_after_a_lease_has_found_the_hosts_lost(tmp_path: Path) -> None:
    """Lines that wait for the storage thread at that moment are given up, and so are the derived files."""
    sizes = list[int]()
    lost = Failing(LeaseLost("gone"), 3, call="lease")

    def size() -> int:
        return (tmp_path / "pages.jsonl").stat().st_size

    def fails(call: str) -> None:
        try:
            lost(call)
        except LeaseLost:
            sizes.append(size())
            raise

    def say(_: str) -> None:
        assert not (tmp_path / "rejected.jsonl").exists()
        sizes.append(size())

    await _run(tmp_path, fails, say=say)

    assert len(sizes) == 2
    assert sizes[0] == sizes[1]
    assert urls(tmp_path) == dict.fromkeys(LINES, 1)


async def test_a_stop_that_comes_with_the_loss_ends_the_next_life(tmp_path: Path) -> None:
    """The files are cut back to what is committed, and nothing more is asked for."""
    stop, lost = Stop(), Failing(LeaseLost("gone"), 3, call="commit")

    def fails(call: str) -> None:
        try:
            lost(call)
        except LeaseLost:
            assert records(tmp_path)  # the group's lines are in the file
            raise

    ending = await _run(tmp_path, fails, stop=stop, say=lambda _: stop.request_drain())

    assert ending.stopped_by == "interrupted"
    assert len(records(tmp_path)) == ending.totals.done < len(LINES)


@pytest.mark.parametrize("call", ["lease", "commit"])
async def test_a_store_that_is_away_is_asked_once(tmp_path: Path, call: str) -> None:
    """Each further call would wait as long, so the run ends with the error of the first."""
    fails = Failing(StorageError("the store is away"), *range(3, 1000), call=call)

    with pytest.raises(StorageError, match="away"):
        await _run(tmp_path, fails)

    assert fails.calls == 3


async def test_a_command_goes_on_with_the_next_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user is told in a line, and the run is complete."""
    fails = Failing(LeaseLost("others work on its hosts now"), 1)

    class Losing(SqliteFrontier):
        def commit(self, group: Group) -> Committed:
            if group.visits:
                fails("commit")
            return super().commit(group)

    monkeypatch.setattr(build, "SqliteFrontier", Losing)
    folder = tmp_path / "run"
    async with HandMadeSite() as site:
        add_pages(site, 20)
        code = await crawler("fetch", write_list(tmp_path / "list", site, 20), "-o", folder, "--workers", 0)

    assert code == 0
    assert urls(folder) == {site.url(f"/{number}"): 1 for number in range(20)}
    assert capsys.readouterr().err.count("beginning again: others work on its hosts now") == 1
