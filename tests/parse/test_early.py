"""parse.early: a run's first documents, read without worker processes."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from crawler.core.errors import WorkersMissing
from crawler.core.messages import Request, Response
from crawler.core.urls import parse
from crawler.core.visits import Page
from crawler.parse import early
from crawler.parse.document import Wants
from crawler.parse.early import SMALL, EarlyParser
from crawler.parse.page_reader import Task
from crawler.parse.pool import LaneParser, lanes
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import Limits
from support.lanes import PATIENT

TASK = Task(max_decoded=10**6)
PAGE = b"<title>t</title><a href=/b>b</a>"
LARGE = PAGE + b"<p>x</p>" * (SMALL // 8)


@pytest.fixture
async def workers() -> AsyncIterator[Lanes]:
    """Two lanes for the task, not started."""
    async with lanes(TASK, 2, PATIENT) as workers:
        yield workers


def answer(body: bytes = PAGE, coding: bytes = b"") -> Response:
    """A page under this coding."""
    headers = ((b"Content-Type", b"text/html"), *([(b"Content-Encoding", coding)] if coding else []))
    return Response(request=Request(url=parse("http://h/")), status=200, headers=headers, body=body)


def facts(page: Page) -> Page:
    """The page without what tells who read it, and how fast."""
    return replace(page, seconds=0.0, read_at=0.0, worker=0)


@pytest.mark.parametrize(
    "response", [answer(), answer(gzip.compress(PAGE), b"gzip"), answer(b"damaged", b"gzip")], ids=range(3)
)
async def test_a_small_document_is_read_here(workers: Lanes, response: Response) -> None:
    """No process is started for it, and its page is the one that a worker makes."""
    here = await EarlyParser(workers, TASK).parse(response)

    assert workers.pids == []
    assert here.worker == 0
    assert facts(here) == facts(await LaneParser(workers, TASK).parse(response))


@pytest.mark.parametrize(
    "response",
    [answer(LARGE), answer(zlib.compress(LARGE), b"deflate"), answer(gzip.compress(LARGE))],
    ids=["large", "large once unpacked", "a gzip file"],
)
async def test_a_document_that_is_not_small_goes_to_a_worker(workers: Lanes, response: Response) -> None:
    """A worker bounds its time and memory, however small it is when it arrives."""
    page = await EarlyParser(workers, TASK).parse(response)

    assert page.worker in workers.pids


async def test_no_document_overtakes_one_that_waits_for_a_worker(workers: Lanes) -> None:
    """A small document behind a large one goes to the workers, too."""
    parser = EarlyParser(workers, TASK)

    large, small = await asyncio.gather(parser.parse(answer(LARGE)), parser.parse(answer()))

    assert {large.worker, small.worker} <= set(workers.pids)


@pytest.mark.parametrize(
    "task",
    [replace(TASK, extract="json:dumps"), replace(TASK, wants=Wants(selectors=(("a", "b c d"),)))],
    ids=["extract", "select"],
)
async def test_a_task_without_a_bound_goes_to_a_worker(task: Task) -> None:
    """A function of the user or a selector may take any time for any document."""
    async with lanes(task, 1, PATIENT) as workers:
        page = await EarlyParser(workers, task).parse(answer())

        assert page.worker in workers.pids


async def test_workers_start_once_reading_here_has_cost_as_much(
    workers: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading goes on here until one is ready; from then on every document goes to the workers."""
    parser = EarlyParser(workers, TASK)
    first = await parser.parse(answer())
    monkeypatch.setattr(early, "_PRICE", 0.0)

    second = await parser.parse(answer())
    third = await parser.parse(answer())
    await asyncio.sleep(0)
    started = len(workers.pids)
    await parser.start()
    fourth = await parser.parse(answer())

    assert (first.worker, second.worker, third.worker, started) == (0, 0, 0, 2)
    assert fourth.worker in workers.pids


async def test_workers_that_cannot_start_end_the_crawl(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do so at the next document: not every one could be read here."""
    monkeypatch.setattr(early, "_PRICE", 0.0)
    async with lanes(replace(TASK, extract="no.such:function"), 1, Limits()) as workers, asyncio.timeout(20):
        parser = EarlyParser(workers, TASK)

        with pytest.raises(WorkersMissing):
            await read_on(parser)


async def read_on(parser: EarlyParser) -> None:
    """Read the same document again and again, in turn with the loop."""
    while True:
        await parser.parse(answer())
        await asyncio.sleep(0)
