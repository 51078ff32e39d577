"""Hostile servers: each ends in a named outcome, in bounded time, and spoils nothing for others."""

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hostile.cases import CASES, MAX_BODY, Case, Outcome

from crawler.core.errors import FetchError
from crawler.core.models import Request
from crawler.core.reasons import Reason
from crawler.fetch.http import HttpFetcher
from support.fetching import OK, answering, ask, open_fetcher
from support.rawserver import raw_server

LIMITS: dict[str, Any] = {"connect_timeout": 0.5, "first_byte_timeout": 0.15, "idle_timeout": 0.15, "timeout": 0.3}


@pytest.mark.both_loops
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_hostile_server_is_contained(case: Case) -> None:
    """The outcome is named, the time bounded, the next page right, and nothing stays behind."""
    await _good_page_after(CASES["desync: answers, then closes"])  # so that what a loop opens once is open
    before = _left_behind()

    started = monotonic()
    outcome = await _good_page_after(case)

    assert outcome in case.outcomes, _short(outcome)
    assert monotonic() - started < LIMITS["timeout"] + 1
    await asyncio.sleep(0)
    assert all(now <= then for now, then in zip(_left_behind(), before, strict=True))


async def _good_page_after(case: Case) -> Outcome:
    async with (
        raw_server(case.serve) as bad,
        raw_server(answering(OK)) as good,
        open_fetcher(**LIMITS, max_body=MAX_BODY) as fetcher,
    ):
        outcome = await _outcome(fetcher, ask(bad, "/bad", method=case.method))
        assert (await fetcher.fetch(ask(good))).body == b"good"
    await asyncio.sleep(0)
    return outcome


async def _outcome(fetcher: HttpFetcher, request: Request) -> Outcome:
    try:
        return (await fetcher.fetch(request)).body
    except FetchError as error:
        failed = error
    assert str(failed).isprintable()
    return failed.reason


def _short(outcome: Outcome) -> object:
    return outcome if isinstance(outcome, Reason) else outcome[:40]


def _left_behind() -> tuple[int, int]:
    """How many tasks there are, and how many open files."""
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))
