"""core.records: one line of `pages.jsonl`."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.messages import Response, Timing
from crawler.core.reasons import Reason
from crawler.core.records import VisitContext, answered, milliseconds, moment, unanswered
from crawler.core.urls import parse
from crawler.core.visits import Page, Record, State
from crawler.http.media_types import media_type
from support.ways import a_request

NOW = 1_700_000_000.25
REQUEST = a_request("http://h/ä", id=5, depth=2, attempts=1, referrer="http://h/", lastmod="2024-05-01")
NO_RESPONSE = ("status", "content_type", "charset", "bytes", "sha256", "title", "redirect_to", "links", "robots")


def test_a_response_becomes_a_line() -> None:
    """Everything that a page gave is in its line, and this try is counted."""
    page = Page(
        size=7,
        sha256="ab",
        content_type="text/html",
        charset="utf-8",
        title="T",
        links=0,
        robots=("noindex",),
        seconds=0.002,
    )
    turn = VisitContext(now=NOW, queued=0.5)
    response = Response(request=REQUEST, status=301, timing=Timing(dns=0.0123456, total=1.5))

    line = answered(response, page, Reason.REDIRECT, turn, state=State.DONE, redirect_to=parse("http://h/b"))

    assert line == Record(
        url="http://h/%C3%A4",
        outcome="done",
        status=301,
        reason="redirect",
        content_type="text/html",
        charset="utf-8",
        bytes=7,
        sha256="ab",
        title="T",
        depth=2,
        referrer="http://h/",
        lastmod="2024-05-01",
        redirect_to="http://h/b",
        links=0,
        robots=("noindex",),
        attempts=2,
        fetched_at="2023-11-14T22:13:20.250Z",
        timing={
            **dict.fromkeys(("connect", "tls", "first_byte", "body")),
            "queue": 500.0,
            "dns": 12.346,
            "parse": 2.0,
            "total": 1500.0,
        },
    )


def test_links_that_nobody_looked_for_are_unknown() -> None:
    """No links is 0, not looked for is null."""
    line = answered(
        Response(request=REQUEST, status=200),
        Page(size=0, sha256=""),
        Reason.OK,
        VisitContext(now=NOW),
        state=State.DONE,
    )

    assert line.links is None


def test_a_url_without_a_response_has_a_line_too() -> None:
    """Nothing is made up: what only a response could tell is null."""
    line = unanswered(REQUEST, Reason.TLS_EXPIRED, VisitContext(now=NOW, total=0.25), attempts=4)

    assert (line.outcome, line.reason, line.attempts, line.depth) == ("failed", "tls_expired", 4, 2)
    assert [getattr(line, name) for name in NO_RESPONSE] == [None] * len(NO_RESPONSE)
    assert line.timing["total"] == 250.0


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOW, "2023-11-14T22:13:20.250Z"),
        (1_700_000_000, "2023-11-14T22:13:20.000Z"),
        (4_102_444_800.999, "2100-01-01T00:00:00.999Z"),
    ],
)
def test_moments_are_told_in_utc(at: float, shown: str) -> None:
    """RFC 3339 with milliseconds, whatever time zone this machine is in."""
    assert moment(at) == shown


@given(st.floats(0, 1e5))
def test_times_are_milliseconds_with_three_decimals(seconds: float) -> None:
    """Every phase is there by name; one that did not happen is null."""
    told = milliseconds(Timing(body=seconds))

    assert list(told) == ["queue", "dns", "connect", "tls", "first_byte", "body", "parse", "total"]
    assert told["body"] == pytest.approx(seconds * 1000, abs=0.0006)
    assert told["body"] == round(told["body"] or 0, 3)
    assert told["tls"] is None


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_whatever_a_server_sends_the_line_is_strict_json(kind: bytes, location: bytes) -> None:
    """Bytes of no encoding in headers become a line that any JSON reader takes, in UTF-8."""
    headers = ((b"Content-Type", kind), (b"Location", location))
    response = Response(request=REQUEST, status=200, headers=headers)
    content_type, charset = media_type(response.header("content-type"))
    page = Page(size=0, sha256="", content_type=content_type, charset=charset, title=response.header("location"))

    line = msgspec.json.encode(answered(response, page, Reason.OK, VisitContext(now=NOW), state=State.DONE))

    told = json.loads(line.decode())
    assert (told["content_type"], told["charset"]) == (content_type, charset)
    assert b"\n" not in line
