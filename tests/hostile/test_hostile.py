"""Hostile servers: each ends in a named outcome, in bounded time, and spoils nothing for others."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest
from hostile.cases import CASES, MAX_BODY, Case, Outcome

from crawler.cli.main import _run
from crawler.core.errors import FetchError
from crawler.core.messages import Request
from crawler.core.reasons import Reason
from crawler.downloader.fetcher import HttpFetcher
from support.fetching import OK, answering, ask, open_fetcher, saying
from support.rawserver import raw_server

LIMITS: Final = {"connect_timeout": 5.0, "first_byte_timeout": 5.0, "idle_timeout": 5.0, "timeout": 5.0}
"""Seconds that no case takes, however busy the machine is; `SHORT` replaces the one that a case ends by."""

SHORT: Final = {
    Reason.FIRST_BYTE_TIMEOUT: {"first_byte_timeout": 0.3},
    Reason.IDLE_TIMEOUT: {"idle_timeout": 0.3},
    Reason.TOTAL_TIMEOUT: {"timeout": 0.5},
}


@pytest.mark.both_loops
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_hostile_server_is_contained(case: Case) -> None:
    """The outcome is named, the time bounded, the next page right, and nothing stays behind."""
    await _good_page_after(CASES["desync: answers, then closes"])  # so that what a loop opens once is open
    before = _left_behind()

    started = monotonic()
    outcome = await _good_page_after(case)

    assert outcome in case.outcomes, _short(outcome)
    assert monotonic() - started < min(_limits(case).values()) + 1
    await asyncio.sleep(0)
    assert all(now <= then for now, then in zip(_left_behind(), before, strict=True))


async def test_what_strangers_wrote_is_never_shown_raw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run over servers, a list and names that are full of escape sequences shows and logs none of them."""
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e"
    raw = evil.encode()
    answers = {
        "a header": b"HTTP/1.1 200 OK\r\nContent-Type: " + raw + b"\r\nContent-Length: 0\r\n\r\n",
        "a redirect": b"HTTP/1.1 302 " + raw + b"\r\nLocation: //" + raw + b"/\r\nContent-Length: 0\r\n\r\n",
        "no HTTP": raw * 3 + b"\r\n\r\n",
        "a coding": b"HTTP/1.1 200 OK\r\nContent-Encoding: " + raw + b"\r\nContent-Length: 1\r\n\r\nx",
    }
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(raw_server(saying(answer))) for answer in answers.values()]
        listed, out = tmp_path / f"list{evil}", tmp_path / f"out{evil}"
        urls = [f"http://{host}:{port}/{evil}?{evil}" for host, port in servers]
        listed.write_text("\n".join([*urls, evil, f"http://{evil}/", f"{evil}://h/"]) + "\n")
        options = ["--no-robots", "--retries", "0", "-o", str(out)]
        code = await asyncio.to_thread(_run, ["fetch", str(listed), *options])

    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    assert "\\u001b" in shown.err
    for text in (shown.err, (out / "crawler.log").read_text("utf-8")):
        assert all(line.isprintable() for line in text.split("\n")), text
    for file in ("pages.jsonl", "rejected.jsonl", "summary.json"):
        assert b"\x1b" not in (out / file).read_bytes()


async def _good_page_after(case: Case) -> Outcome:
    async with (
        raw_server(case.serve) as bad,
        raw_server(answering(OK)) as good,
        open_fetcher(**_limits(case), max_body=MAX_BODY) as fetcher,
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


def _limits(case: Case) -> dict[str, Any]:
    return LIMITS | next((SHORT[reason] for reason in case.outcomes if reason in SHORT), {})


def _short(outcome: Outcome) -> object:
    return outcome if isinstance(outcome, Reason) else outcome[:40]


def _left_behind() -> tuple[int, int]:
    """Return the numbers of tasks and of open files."""
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))
