"""The end of an answer (RFC 9112): each answer of the table, at every position where TCP may cut it, one result.

Every answer is read whole, byte by byte and split in two at every point, by the reader alone, by a connection of the
fetcher, and by a connection of a load test.
"""

import asyncio
import math
import time
from unittest.mock import Mock

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.connection import HttpConnection
from crawler.downloader.timing import Deadline, Timeouts
from crawler.http.framing import MAX_CHUNK_LINE, MAX_HEAD, MAX_TRAILERS, ResponseReader
from crawler.http.head import MAX_HEADERS, read_head
from crawler.load.exchange import Exchange
from crawler.load.nanoseconds import SECOND
from crawler.runtime.turns import Waker
from support.answers import ANSWERS, CHUNKED, HELLO, IN_CHUNKS, OK, Whole, pieces
from support.simulation import REQUEST, connected


def _read(parts: list[bytes]) -> Whole | str:
    """Return the outcome of these pieces and of the end of the connection behind them."""
    body: list[bytes] = []
    reader = ResponseReader(body.append)
    try:
        for part in parts:
            reader.feed(part)
        is_kept = reader.is_done and reader.keep_alive
        reader.finish()
    except FetchError as error:
        return error.reason.value
    assert reader.head is not None
    return Whole(reader.head.status, b"".join(body), is_kept, reader.surplus)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_the_same_wherever_it_is_cut(name: str) -> None:
    """The bytes decide, and not the segments in which they come."""
    raw, wanted = ANSWERS[name]

    assert {_read(parts) for parts in pieces(raw)} == {wanted}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_connection_of_the_fetcher_reads_the_same(name: str) -> None:
    """A fetch gets the same status, body or reason; surplus ends the connection, whenever it comes."""
    raw, wanted = ANSWERS[name]

    results = {await _fetch(parts) for parts in pieces(raw)}

    if isinstance(wanted, Whole):
        wanted = wanted._replace(keep_alive=wanted.keep_alive and not wanted.surplus, surplus=False)
        results = {result._replace(surplus=False) if isinstance(result, Whole) else result for result in results}
    assert results == {wanted}


async def _fetch(parts: list[bytes]) -> Whole | str:
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = None
    transport.is_closing.return_value = False
    watch = Timeouts(now=asyncio.get_running_loop().time, connect=1, first_byte=1, idle=1, total=1)
    loop = asyncio.get_running_loop()
    handler = HttpConnection(loop, watch, Waker(loop, most=1), lambda _handler: None)
    handler.connection_made(transport)
    handler.ask(b"", Deadline(0.0, math.inf), without_body=False)
    for part in parts:
        if handler.transport is not None and not (handler.is_complete and part.strip(b"\r\n") == b""):
            handler.data_received(part)
    is_kept = not handler.should_close and handler.is_connected()
    handler.connection_lost(None)
    try:
        head, body = await handler.head(), b""
        while piece := await handler.piece():
            body += piece
    except FetchError as error:
        return error.reason.value
    return Whole(head.status, body, is_kept, handler.unasked)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_connection_of_a_load_test_reads_the_same(name: str) -> None:
    """On a connection that is used, with every head known and with none, each cut gives the same account."""
    raw, wanted = ANSWERS[name]

    accounts = []
    for is_known in (True, False):
        for parts in pieces(raw):
            pool, connection = connected(Exchange(request=REQUEST, timeout=SECOND))
            connection.data_received(HELLO)  # so that it is used
            if is_known:
                other, teacher = connected(Exchange(request=REQUEST, timeout=SECOND))
                teacher.data_received(HELLO)
                teacher.ask(teacher.request, 2, 2)
                teacher.data_received(raw)
                pool.heads.update(other.heads)
            else:
                pool.heads.clear()
            connection.ask(connection.request, 2, 2)
            for part in filter(None, parts):  # a transport delivers no empty piece
                connection.data_received(part)
            connection.connection_lost(None)
            accounts.append(pool.account())
            if isinstance(wanted, Whole) and wanted.keep_alive and not wanted.surplus:
                assert pool.phase.bytes == len(HELLO) + len(raw)

    first = accounts[0]
    assert all(account == first for account in accounts)
    is_good = isinstance(wanted, Whole) and wanted.status < 400
    assert first["ok"] == (2 if is_good else 1)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_reader_is_as_good_as_new_for_the_next_answer(name: str) -> None:
    """After a good answer that keeps the connection, the next one reads as on a new connection."""
    raw, wanted = ANSWERS[name]
    reader = ResponseReader()
    reader.feed(HELLO)

    reader.begin()

    try:
        reader.feed(raw)
        reader.finish()
        found: object = reader.head and reader.head.status
    except FetchError as error:
        found = error.reason.value
    assert found == (wanted.status if isinstance(wanted, Whole) else wanted)


@pytest.mark.parametrize("head", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_an_answer_to_head_has_no_body(head: bytes) -> None:
    """It ends with its head, whatever that announces and wherever it is cut (6.3, rule 1); so does the next."""
    raw = OK + head + b"\r\n"

    for parts in pieces(raw):
        reader = ResponseReader(bodiless=True)
        for _ in range(2):
            reader.begin()
            for part in parts:
                reader.feed(part)

            assert (reader.is_done, reader.keep_alive, reader.surplus) == (True, True, False)


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        (b"gzip, chunked", ("gzip",)),
        (b"x-gzip , Chunked", ("gzip",)),
        (b"br", ("br",)),
        (b"xchunked", ()),
        (b"deflate", ("deflate",)),
        (b"identity", ()),
        (b"chunked", ()),
        (b"gzip;q=1, chunked;x=y", ("gzip",)),
    ],
)
def test_transfer_codings_are_told(header: bytes, codings: tuple[str, ...]) -> None:
    """Besides chunks, they are taken off by whoever has the body (RFC 9112, 7)."""
    assert read_head(OK + b"Transfer-Encoding: " + header + b"\r\n\r\n").codings == codings


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (OK + b"X: " + MAX_HEAD * b"y", Reason.HEADER_LIMIT),
        (OK + (MAX_HEADERS + 1) * b"X: 1\r\n", Reason.HEADER_LIMIT),
        (OK + (MAX_HEADERS + 1) * b"X : 1\r\n", Reason.HEADER_LIMIT),
        (101 * b"HTTP/1.1 103 Hints\r\n\r\n", Reason.PROTOCOL_ERROR),
        (OK + MAX_HEAD // 1024 * (b"X: " + 1019 * b"y" + b"\r\n"), Reason.HEADER_LIMIT),
        (11 * (b"HTTP/1.1 103 Hints\r\nX: " + 30_000 * b"y" + b"\r\n\r\n"), Reason.HEADER_LIMIT),
        (IN_CHUNKS + b"5;" + MAX_CHUNK_LINE * b"x", Reason.HEADER_LIMIT),
        (IN_CHUNKS + b"0\r\n" + MAX_TRAILERS // 900 * (b"X: " + 1000 * b"y" + b"\r\n"), Reason.HEADER_LIMIT),
    ],
    ids=[
        "a line",
        "headers",
        "odd headers",
        "interim answers",
        "a head",
        "interim heads",
        "a chunk's line",
        "trailers",
    ],
)
def test_what_has_no_end_is_given_up(raw: bytes, reason: Reason) -> None:
    """No line, head or trailer fills the memory, however it comes."""
    raw += b"\r\n\r\n"

    for step in (1000, len(raw)):
        assert _read([raw[at : at + step] for at in range(0, len(raw), step)]) == reason.value


def test_line_ends_in_front_of_an_answer_take_no_memory() -> None:
    """A megabyte of them is passed over."""
    assert _read(1000 * [1000 * b"\r\n"] + [HELLO]) == Whole()


@pytest.mark.parametrize("unit", [b"\r", b"\r\n ", b" \r", b":", b"\n\t\r", b"X :\r\n"])
def test_a_hostile_head_takes_linear_time(unit: bytes) -> None:
    """250 KB of whatever is refused or read while a page would be; a pattern that goes back would take many seconds."""
    raw = OK + b"X: " + unit * (250_000 // len(unit)) + b"y\r\n\r\n"

    started = time.process_time()
    _read([raw])

    assert time.process_time() - started < 2


def test_chunks_of_a_byte_take_linear_time() -> None:
    """A body in 100,000 chunks of one byte is read, in segments that cut chunks anywhere."""
    raw = IN_CHUNKS + 100_000 * b"1\r\nx\r\n" + b"0\r\n\r\n"
    body: list[bytes] = []
    reader = ResponseReader(body.append)

    for at in range(0, len(raw), 1777):
        reader.feed(raw[at : at + 1777])

    assert reader.is_done
    assert b"".join(body) == 100_000 * b"x"


def test_a_head_tells_what_it_holds() -> None:
    """Names keep their case, values lose white space at their ends, and order and repetition stay."""
    head = read_head(b"HTTP/1.1 200 Fine\r\nX-b:  2 \r\nx-A:1\r\nX-b: \xe9\r\nE:\r\n\r\n")

    assert (head.version, head.status, head.phrase) == ("1.1", 200, "Fine")
    assert head.headers == ((b"X-b", b"2"), (b"x-A", b"1"), (b"X-b", b"\xe9"), (b"E", b""))


def test_a_line_that_is_no_header_is_left_out_and_a_folded_one_is_joined() -> None:
    """A line that cannot be a header is none; a fold counts as a space (RFC 9112, 5.2)."""
    head = read_head(b"HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\nnonsense\r\nX Y: 3\r\nB : 4\rC: 5\r\n\r\n")

    assert head.headers == ((b"A", b"1 2"), (b"B", b"4 C: 5"))
    assert not head.keep_alive


def test_the_table_has_many_cuts() -> None:
    """The sum over all answers of all the ways in which they are cut."""
    assert sum(len(list(pieces(raw))) for raw, _ in ANSWERS.values()) > 5000
    assert _read([CHUNKED]) == Whole()
