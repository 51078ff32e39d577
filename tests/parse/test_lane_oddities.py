"""Pages that would break a reader, in a worker with its limits: each is archived and named, and the next one is right.

The limits are lower than a crawl's, so that what ends at them ends soon.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.core.config import configure
from crawler.core.messages import Request, Response
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.downloader.fetcher import HttpFetcher
from crawler.parse.page_reader import Task
from crawler.parse.pool import LaneParser, lanes
from crawler.runtime.clock import SystemClock
from crawler.runtime.worker_lane import Limits
from support.crawls import crawl, records
from support.siteserver import HandMadeSite

MIB = 1024 * 1024
TASK = Task(max_decoded=64 * MIB)

NEEDS_TREE = b"<template></template>"  # the page is not scanned
PATIENT = 60.0  # seconds, for what is not ended by its time

Case = tuple[Callable[[], bytes], Limits, Reason | None, int | None]
ODDITIES: dict[str, Case] = {
    # body, limits, problem, links
    "an attribute of 60 MB": (
        lambda: b"<a href='" + b"x" * 60_000_000 + b"'><a href=y>",
        Limits(cpu_seconds=PATIENT),
        None,
        1,
    ),
    "five million links": (
        lambda: b"<a href=x>" * 5_000_000,
        Limits(cpu_seconds=PATIENT, memory_bytes=200 * MIB),
        Reason.PARSE_MEMORY,
        None,
    ),
    "a million elements in one another": (
        lambda: NEEDS_TREE + b"<div>" * 1_000_000 + b"<a href=x>",
        Limits(cpu_seconds=0.5),
        Reason.PARSE_TIMEOUT,
        None,
    ),
    "ten thousand formats never closed": (  # each paragraph opens all before it again
        lambda: NEEDS_TREE + b"".join(b"<p><b id=%d>" % at for at in range(10_000)),
        Limits(cpu_seconds=PATIENT, memory_bytes=64 * MIB),
        Reason.PARSE_MEMORY,
        None,
    ),
    "noise": (lambda: random.Random(1).randbytes(5_000_000), Limits(cpu_seconds=PATIENT), None, 0),  # noqa: S311 - the same each time
    "a picture": (
        lambda: b"\x89PNG\r\n\x1a\n<a href=x>" + bytes(range(256)) * 10_000,
        Limits(cpu_seconds=PATIENT),
        Reason.DECODE_ERROR,
        None,
    ),
}


def response(body: bytes) -> Response:
    """A page as a server sends it."""
    headers = ((b"Content-Type", b"text/html"),)
    return Response(request=Request(url=parse("http://h/")), status=200, headers=headers, body=body)


@pytest.mark.parametrize("case", ODDITIES)
async def test_an_odd_page_costs_itself_at_the_most(case: str) -> None:
    """Two tries and one to seal it, each within the limits; its size and digest are kept, and the next page is read."""
    body, limits, problem, links = ODDITIES[case]
    odd = body()
    bound = 3 * (limits.wall_seconds + limits.grace_seconds) + limits.start_seconds
    async with lanes(TASK, 1, limits) as workers, asyncio.timeout(bound):
        parser = LaneParser(workers, TASK)

        page = await parser.parse(response(odd))
        after = await parser.parse(response(b"<title>next</title><a href=x>"))

    assert (page.problem, page.links) == (problem, links)
    assert (page.size, page.sha256) == (len(odd), hashlib.sha256(odd).hexdigest())
    assert (after.problem, after.title, after.links) == (None, "next", 1)


async def test_an_odd_page_is_archived_whole(tmp_path: Path) -> None:
    """In a crawl it is a line with its reason and a file with its bytes, and the pages beside it are complete."""
    odd = NEEDS_TREE + b"<div>" * 1_000_000
    async with HandMadeSite() as site, HttpFetcher(configure({}).fetch, clock=SystemClock()) as fetcher:
        site.add_page("/", links=["/odd", "/next"])
        site.add_page("/odd", odd)
        site.add_page("/next", "<title>next</title>")

        await crawl(
            tmp_path,
            [site.url("/")],
            fetcher,
            command="crawl",
            workers=1,
            parse_timeout=0.5,
            save="jsonl,files",
        )

    lines = {str(line["url"]): line for line in records(tmp_path)}
    assert {(url, line["outcome"], line["reason"]) for url, line in lines.items()} == {
        (site.url("/"), "done", "ok"),
        (site.url("/odd"), "done", "parse_timeout"),
        (site.url("/next"), "done", "ok"),
    }
    line = lines[site.url("/odd")]
    assert (tmp_path / str(line["file"])).read_bytes() == odd
    assert line["sha256"] == hashlib.sha256(odd).hexdigest()
    assert lines[site.url("/next")]["title"] == "next"
