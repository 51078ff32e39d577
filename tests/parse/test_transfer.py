"""parse.transfer: how content that is kept travels and waits."""

import asyncio
import gzip
import hashlib
import tracemalloc
from functools import partial

import msgspec
import pytest
from msgspec.structs import replace

from crawler.core.discovery import START, Way
from crawler.core.finds import Finds
from crawler.core.messages import Request, Response
from crawler.core.protocols import Parser
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.core.visits import BadLink, Page
from crawler.http.content_codings import content_steps, put_together
from crawler.parse import worker
from crawler.parse.decoding import ParseJob, job_of
from crawler.parse.inline import InlineParser
from crawler.parse.page_reader import PageReader, Task
from crawler.parse.pool import LaneParser, lanes
from crawler.parse.transfer import compact, pack_job, pack_page, unpack_job, unpack_page
from crawler.runtime.worker_lane import Limits

MIB = 1 << 20
TASK = Task(max_decoded=64 * MIB, keep=True)
zipped = partial(gzip.compress, mtime=0)
SMALL, LARGE = b"<p>small", b"<title>t</title>" + b"<p>paragraph</p>\n" * 60_000


def answer(body: bytes, coding: bytes = b"") -> Response:
    """A page under this coding."""
    headers = ((b"Content-Type", b"text/html"), *([(b"Content-Encoding", coding)] if coding else []))
    return Response(request=Request(url=parse("http://h/")), status=200, headers=headers, body=body)


ANSWERS = {
    "small": (answer(SMALL), SMALL),
    "large": (answer(LARGE), LARGE),
    "small, coded": (answer(zipped(SMALL), b"gzip"), SMALL),
    "large, coded": (answer(zipped(LARGE), b"gzip"), LARGE),
    "damaged": (answer(zipped(LARGE)[:-9] + bytes(9), b"gzip"), LARGE),
    "cut": (answer(zipped(LARGE)[:2000], b"gzip"), None),
    "no gzip": (answer(LARGE, b"gzip"), LARGE),
    "unknown coding": (answer(LARGE, b"unheard-of"), LARGE),
}


@pytest.mark.parametrize(("response", "content"), ANSWERS.values(), ids=ANSWERS)
async def test_the_content_is_that_of_the_line(response: Response, content: bytes | None) -> None:
    """The content has the digest and the size that its page tells, by every way and after every wait."""
    async with lanes(TASK, 1, Limits()) as workers:
        pages = [await parser.parse(response) for parser in _parsers(LaneParser(workers, TASK))]

    for page in pages:
        found = put_together(content_steps(page.content or b""))
        assert (len(found), hashlib.sha256(found).hexdigest()) == (page.size, page.sha256)
        assert content is None or found.startswith(content[:1000])
    assert pages[0].sha256 == pages[1].sha256


def _parsers(lane: LaneParser) -> tuple[Parser, Parser]:
    return lane, InlineParser(TASK)


@pytest.mark.parametrize("name", ["small", "large", "large, coded", "unknown coding"])
def test_no_byte_of_a_body_travels_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker answers without what the other side has, and that side puts it in place again."""
    response, _ = ANSWERS[name]
    monkeypatch.setattr(worker, "_readers", [PageReader(TASK)])
    job = job_of(response)

    travelling = worker.read(pack_job(job), job.body)

    assert len(travelling) < 1000
    page = unpack_page(job, travelling)
    assert (page.weight, page.size) == (len(job.body), len(ANSWERS[name][1] or b""))


def test_what_is_packed_weighs_as_it_came() -> None:
    """Large content counts with its compressed bytes until its commit; small content is not decompressed twice."""
    for name in ("small, coded", "large, coded"):
        response, content = ANSWERS[name]
        job = job_of(response)
        page = compact(job, Page(size=0, sha256="", content=content), TASK.max_decoded)

        assert page.weight == len(SMALL if name.startswith("small") else response.body)
        assert unpack_page(job, pack_page(job, page)) == page


def test_everything_that_is_known_travels() -> None:
    """A job and a page are the same on the other side, whichever facts they have."""
    way = Way(seed=True, depth=3, hops=1, sitemap=True, lastmod="2026-01-01")
    request = Request(url=parse("https://h:8443/a?b"), id=7, way=way, attempts=2, referrer="http://h/", named=True)
    job = ParseJob(request, 203, "text/html; x=\xe4", "gzip,br", ("noindex", "\xff"), b"body", True, ("1; /x",))
    finds = Finds.of(((request.url, way, None), (parse("http://g/"), START, Reason.OUT_OF_SCOPE)))
    page = Page(
        size=1,
        sha256="ab",
        content_type="text/html",
        charset="utf-8",
        title="\N{SNOWMAN}",
        links=2,
        finds=finds,
        robots=("nofollow",),
        bad_links=(BadLink(text="mailto:x", reason=Reason.UNSUPPORTED_SCHEME),),
        data=msgspec.Raw(b'{"a": [1, "\xc3\xa4"]}'),
        content=b"\0\xff",
        problem=Reason.XML_ERROR,
        error="why",
        seconds=0.25,
        read_at=1.5,
        worker=99,
    )

    assert unpack_job(pack_job(job), job.body) == job
    assert unpack_page(job, pack_page(job, page)) == page


async def test_documents_are_unpacked_one_at_a_time() -> None:
    """Without workers, many that unpack to a lot together take no more than one of them."""
    headers = ((b"Content-Type", b"image/png"), (b"Content-Encoding", b"gzip"))
    response = replace(answer(zipped(bytes(16 * MIB))), headers=headers)
    parser = InlineParser(Task(max_decoded=64 * MIB, keep=True))

    tracemalloc.start()
    pages = await asyncio.gather(*(parser.parse(response) for _ in range(8)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert {page.size for page in pages} == {16 * MIB}
    assert peak < 2.5 * 16 * MIB
