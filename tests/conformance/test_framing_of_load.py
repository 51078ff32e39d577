"""An answer that `crawler fetch` takes, a load test takes too (W8): one reader, each odd spelling with each framing.

The parts are those in which servers and test suites of other clients differ from the standard: how a status line is
spelled, how lines end, what stands between the headers, how the body is framed.
"""

import asyncio
import math
from itertools import product
from unittest.mock import Mock

import pytest

from crawler.core.errors import FetchError
from crawler.downloader.connection import HttpConnection
from crawler.downloader.timing import Deadline, Timeouts
from crawler.load.exchange import Exchange
from crawler.load.nanoseconds import SECOND
from crawler.runtime.turns import Waker
from support.simulation import REQUEST, connected

STATUS_LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1  200  OK ",
    b"http/1.1 200 ok",
    b"HTTP/2 200", b"HTTP/1.2 200 OK", b"HTTP/1.1 200 \xe9", b"HTTP/1.1 2000 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 099 OK",
    b"ICY 200 OK", b"HTTP/1.1 204 No", b"HTTP/1.1 301 There", b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK",
)  # fmt: skip
LINES = (
    b"", b"X: 1", b"X : 1", b"X: 1\r\n folded", b"X: 1\n\tfolded", b"no colon", b": no name", b"X Y: 1", b"X:\xff\xe9",
    b"X: a\rb", b"X: a\0b", b" X: leading", b"Connection: close", b"Connection: keep-alive", b"Upgrade: h2c",
)  # fmt: skip
BODIES = (
    b"Content-Length: 5||hello", b"Content-Length: 005||hello", b"Content-Length: +5||hello",
    b"Content-Length: 5, 5||hello", b"Content-Length: 5|Content-Length: 5||hello",
    b"Content-Length: 5|Content-Length: 6||hello", b"Content-Length: ||hello", b"Content-Length: 5||hell",
    b"Content-Length: 5||helloEXTRA", b"Content-Length: 0||", b"||hello", b"||",
    b"Transfer-Encoding: chunked||5|hello|0||", b"Transfer-Encoding: chunked||5 |hello|0 ||",
    b"Transfer-Encoding: chunked|| 5|hello|0||", b"Transfer-Encoding: chunked||5; a=b|hello|0;c||",
    b"Transfer-Encoding: chunked||005|hello|000||", b"Transfer-Encoding: chunked||5|hello|0|T: 1||",
    b"Transfer-Encoding: Chunked||A|helloworld|0||", b"Transfer-Encoding: chunked|Content-Length: 9||5|hello|0||",
    b"Transfer-Encoding: chunked, chunked||5|hello|0||", b"Transfer-Encoding: identity||hello",
    b"Transfer-Encoding: gzip, chunked||5|hello|0||", b"Transfer-Encoding: chunked||5|hello!|0||",
    b"Transfer-Encoding: chunked||x|hello|0||", b"Transfer-Encoding: chunked||5|hello|0|",
    b"Transfer-Encoding: chunked||5|hello", b"Transfer-Encoding: br||hello",
)  # fmt: skip
ENDS = (b"\r\n", b"\n")


def spelled(status: bytes, line: bytes, body: bytes, end: bytes) -> bytes:
    """One answer: "|" ends a line, and "||" the head."""
    head, _, content = body.partition(b"||")
    lines = [status, *([line] if line else []), *(part for part in head.split(b"|") if part)]
    return end.join(lines) + end + end + content.replace(b"|", end)


async def fetched(parts: list[bytes]) -> int | None:
    """The status of the answer that a fetch takes; None = it takes none."""
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = None
    transport.is_closing.return_value = False
    loop = asyncio.get_running_loop()
    watch = Timeouts(now=loop.time, connect=1, first_byte=1, idle=1, total=1)
    handler = HttpConnection(loop, watch, Waker(loop, most=1), lambda _handler: None)
    handler.connection_made(transport)
    handler.ask(b"", Deadline(0.0, math.inf), without_body=False)
    for part in parts:
        if handler.transport is not None and not (handler.is_complete and part.strip(b"\r\n") == b""):
            handler.data_received(part)
    handler.connection_lost(None)
    try:
        head = await handler.head()
        while await handler.piece():
            pass
    except FetchError:
        return None
    return head.status


def measured(parts: list[bytes], first: bytes) -> int | None:
    """The status of the answer that a load test counts as good; None = it counts a failure."""
    pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
    if first:  # so that the connection is used, and the head may be known
        connection.data_received(first)
        connection.ask(connection.request, 2, 2)
        before = pool.phase.ok
    else:
        before = 0
    for part in parts:
        connection.data_received(part)
    connection.connection_lost(None)
    assert pool.phase.ok + sum(pool.phase.failed.values()) == before + 1
    statuses = [*pool.phase.fresh.statuses, *pool.phase.reused.statuses]
    return statuses[-1] if pool.phase.ok > before else None


@pytest.mark.parametrize("body", BODIES)
async def test_a_load_test_takes_what_a_fetch_takes(body: bytes) -> None:
    """Whole and cut in two, on a new connection and on one that has had an answer: the same status, or none."""
    hello = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    differing = []
    odd = [(status, b"") for status in STATUS_LINES] + [(STATUS_LINES[0], line) for line in LINES]
    for (status, line), end in product(odd, ENDS):
        raw = spelled(status, line, body, end)
        for parts in ([raw], [raw[: len(raw) // 2], raw[len(raw) // 2 :]], [raw[:-1], raw[-1:]]):
            wanted = await fetched(parts)
            if {measured(parts, b""), measured(parts, hello)} != {wanted}:
                differing.append(raw)

    assert differing == []


def test_odd_answers_are_taken() -> None:
    """The three kinds that a load test once refused are good answers: bare LF, folded headers, a space in a chunk."""
    for line, body, end in (
        (b"", BODIES[0], b"\n"),
        (b"X: 1\r\n folded", BODIES[0], b"\r\n"),
        (b"", BODIES[13], b"\r\n"),
    ):
        assert measured([spelled(STATUS_LINES[0], line, body, end)], b"") == 200
