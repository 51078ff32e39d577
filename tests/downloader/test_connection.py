"""downloader.connection: one connection, byte by byte."""

import asyncio
import time
from unittest.mock import Mock

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.connection import HttpConnection
from crawler.downloader.timing import Deadline, Timeouts
from crawler.runtime.turns import Waker


@pytest.fixture
async def transport() -> Mock:
    """A connection that takes everything and tells nothing of itself."""
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = None
    transport.is_closing.return_value = False
    return transport


@pytest.fixture
async def handler(transport: Mock) -> HttpConnection:
    """The handler of that connection, before its first request."""
    watch = Timeouts(now=time.monotonic, connect=1, first_byte=1, idle=1, total=1)
    loop = asyncio.get_running_loop()
    handler = HttpConnection(loop, watch, Waker(loop, most=1), lambda _handler: None)
    handler.connection_made(transport)
    return handler


def a_deadline() -> Deadline:
    """One that is far away."""
    return Deadline(time.monotonic(), 60)


async def test_a_server_that_speaks_first_is_left(handler: HttpConnection, transport: Mock) -> None:
    """Bytes that come before any request are no answer."""
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert handler.unasked
    transport.abort.assert_called_once_with()
    with pytest.raises(FetchError) as caught:
        handler.ask(b"GET / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
    assert caught.value.reason == Reason.PROTOCOL_ERROR
    transport.write.assert_not_called()


@pytest.mark.parametrize("tls", [None, "a context"])
async def test_without_tls_a_connection_is_ready_as_soon_as_it_stands(transport: Mock, tls: str | None) -> None:
    """A loop that dials makes the protocol before TCP stands, and after it where TLS follows."""
    loop, moments = asyncio.get_running_loop(), iter([1.0, 5.0])
    watch = Timeouts(now=lambda: next(moments), connect=1, first_byte=1, idle=1, total=1)
    transport.get_extra_info.side_effect = {"sslcontext": tls}.get

    made = HttpConnection(loop, watch, Waker(loop, most=1), lambda _handler: None)
    made.connection_made(transport)

    assert (made.opened_at, made.ready_at) == (1.0 if tls else 5.0, 5.0)


async def test_an_answer_waits_for_its_turn(transport: Mock) -> None:
    """Answers that come at once are taken up turn by turn; the moment of each is its arrival."""
    loop, watch = asyncio.get_running_loop(), Timeouts(now=time.monotonic, connect=1, first_byte=1, idle=1, total=1)
    waker = Waker(loop, most=1)
    handlers = [HttpConnection(loop, watch, waker, lambda _handler: None) for _ in range(3)]
    fetches = []
    for one in handlers:
        one.connection_made(transport)
        one.ask(b"GET / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
        fetches.append(loop.create_task(one.head()))
    await asyncio.sleep(0)

    for one in handlers:
        one.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    came = time.monotonic()
    ended = []
    for _ in handlers:
        await asyncio.sleep(0)
        ended.append(sum(fetch.done() for fetch in fetches))

    assert ended == [1, 2, 3]
    assert all(one.first_byte_at is not None and one.first_byte_at <= came for one in handlers)


async def test_what_comes_after_the_answer_ends_the_connection(handler: HttpConnection, transport: Mock) -> None:
    """The next byte after a complete answer belongs to nobody."""
    handler.ask(b"GET / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
    handler.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")
    assert handler.is_connected()

    handler.data_received(b"?")

    assert handler.unasked
    transport.abort.assert_called_once_with()


async def test_a_head_is_given_up_when_it_is_too_heavy(handler: HttpConnection, transport: Mock) -> None:
    """256 KiB of lines that are each short enough are too much, long before the head is complete."""
    handler.ask(b"GET / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
    handler.data_received(b"HTTP/1.1 200 OK\r\n")

    for _ in range(33):
        handler.data_received(b"X: " + b"y" * 8 * 1024 + b"\r\n")

    with pytest.raises(FetchError) as caught:
        await handler.head()
    assert caught.value.reason == Reason.HEADER_LIMIT
    transport.abort.assert_called_once_with()


async def test_a_connection_is_never_closed_politely(handler: HttpConnection, transport: Mock) -> None:
    """A polite end of TLS may take half a minute, and holds a file as long."""
    handler.abort()

    transport.abort.assert_called_once_with()
    transport.close.assert_not_called()


async def test_a_connection_that_is_dropped_here_completes_no_answer(handler: HttpConnection) -> None:
    """The end of a body without a length is the server's to tell."""
    handler.ask(b"GET / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
    handler.data_received(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert await handler.piece() == b"half"

    handler.abort()
    handler.connection_lost(None)

    assert not handler.is_complete
    with pytest.raises(FetchError) as caught:
        await handler.piece()
    assert caught.value.reason == Reason.CONNECTION_LOST


async def test_the_end_of_the_servers_side_ends_the_answer(handler: HttpConnection) -> None:
    """A transport that still has something to send is closed later, and the answer does not wait for that."""
    handler.ask(b"POST / HTTP/1.1\r\n\r\n", a_deadline(), without_body=False)
    handler.data_received(b"HTTP/1.1 413 Too Large\r\n\r\nno")

    handler.eof_received()

    assert handler.is_complete
    assert handler.rest() == b"no"
