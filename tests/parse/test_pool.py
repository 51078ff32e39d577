"""parse.pool: documents that are read in worker processes."""

import asyncio
from collections.abc import Callable

import pytest

from crawler.core.errors import WorkersMissing
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import Task
from crawler.parse.pool import LaneParser
from crawler.parse.transfer import pack_page, unpack_job
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import CannotStart, Death, WorkerDied

TASK = Task(max_decoded=10**6)
HTML = b"<title>t</title>"


def answer(body: bytes = HTML) -> Response:
    """A page."""
    headers = ((b"Content-Type", b"text/html"),)
    return Response(request=Request(url=parse("http://h/")), status=200, headers=headers, body=body)


class BrokenLanes(Lanes):
    """Lanes in which the first items end like this, and later ones are done here."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__(0)
        self._errors = list(errors)

    async def run(  # type: ignore[override]
        self, func: Callable[[bytes, bytes], bytes], item: bytes, payload: bytes
    ) -> bytes:
        """Fail as the test wants, then decode here."""
        if self._errors:
            raise self._errors.pop(0)
        job = unpack_job(item, payload)
        return pack_page(job, InlineParser(TASK)._reader.decode_only(job))


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (WorkerDied(Death.TIMEOUT), Reason.PARSE_TIMEOUT),
        (WorkerDied(Death.MEMORY), Reason.PARSE_MEMORY),
        (WorkerDied(Death.CRASH), Reason.PARSE_CRASH),
        (RecursionError("too deep to be pickled"), Reason.PARSE_CRASH),
        (TypeError("cannot pickle"), Reason.PARSE_CRASH),
    ],
)
async def test_whatever_goes_wrong_costs_one_page(error: Exception, problem: Reason) -> None:
    """The document is kept, decoded only; if even that fails, as the bytes received."""
    once = await LaneParser(BrokenLanes(error), TASK).parse(answer())
    twice = await LaneParser(BrokenLanes(error, error), TASK).parse(answer())

    assert (once.problem, twice.problem) == (problem, problem)
    assert once.sha256 == twice.sha256
    assert (once.content_type, once.size) == ("text/html", len(HTML))


async def test_workers_that_cannot_start_end_the_crawl() -> None:
    """With an error of its own, which says what to do."""
    for errors in ([CannotStart("no.")], [TypeError(), CannotStart("no.")]):
        with pytest.raises(WorkersMissing, match=r"no\. See .* `crawler resume` goes on .* --workers 0") as raised:
            await LaneParser(BrokenLanes(*errors), TASK).parse(answer())

        assert raised.value.exit_code == 6


async def test_a_cancelled_page_is_cancelled() -> None:
    """No error is made of a cancellation."""
    with pytest.raises(asyncio.CancelledError):
        await LaneParser(BrokenLanes(asyncio.CancelledError()), TASK).parse(answer())


@pytest.mark.parametrize(
    ("error", "problem"), [(MemoryError(), Reason.PARSE_MEMORY), (ZeroDivisionError("x"), Reason.PARSE_CRASH)]
)
async def test_without_workers_it_costs_one_page_too(
    error: Exception, problem: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where documents are read on the loop."""
    parser = InlineParser(TASK)
    monkeypatch.setattr(parser._reader, "read_decoded", _raiser(error))

    page = await parser.parse(answer())

    assert (page.problem, page.size) == (problem, len(HTML))


def _raiser(error: Exception) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise error

    return fail
