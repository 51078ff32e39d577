"""downloader.flow: one answer whose body comes in raw pieces, and the connection that it holds."""

import asyncio

import pytest

from crawler.core.errors import FetchError
from crawler.core.messages import Response
from crawler.core.reasons import Reason
from crawler.downloader.flow import Flow
from support.fetching import ask, open_fetcher, saying
from support.rawserver import raw_server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"


async def pieces_of(flow: Flow) -> bytes:
    """Return the rest of a flow."""
    found = b""
    while piece := await flow.piece():
        found += piece
    return found


@pytest.mark.both_loops
@pytest.mark.parametrize(
    "parts",
    [
        (HEAD + b"Content-Length: 6\r\n\r\n", b"onetwo"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n"),
        (HEAD + b"\r\none", b"two"),
    ],
    ids=["stated length", "chunked", "until the end"],
)
async def test_a_body_comes_as_it_was_sent(parts: tuple[bytes, bytes]) -> None:
    """No coding is removed, and the end of the body is an empty piece for every further call."""
    async with raw_server(saying(*parts)) as where, open_fetcher() as fetcher:
        flow = await fetcher.open(ask(where))

        assert isinstance(flow.response, Response)
        assert (flow.response.status, flow.response.body) == (200, b"")
        assert await pieces_of(flow) == b"onetwo"
        assert await flow.piece() == b""
        await flow.close()
        assert "200" in repr(flow)


@pytest.mark.both_loops
async def test_a_flow_that_is_closed_early_ends_the_connection() -> None:
    """The server sees it at once, and a wait for a piece ends with an error."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"\r\none")
        assert not await reader.read()
        ended.set()

    async with raw_server(serve) as where, open_fetcher() as fetcher, asyncio.timeout(5):
        flow = await fetcher.open(ask(where))
        assert await flow.piece() == b"one"
        waiting = asyncio.create_task(flow.piece())
        await asyncio.sleep(0)

        await flow.close()

        await ended.wait()
        with pytest.raises(FetchError) as caught:
            await waiting
    assert caught.value.reason == Reason.CONNECTION_LOST


async def test_little_is_held_for_a_reader_that_waits() -> None:
    """The connection is read no further than 64 KiB and what one read of the socket brings."""
    size = 10_000_000
    server = saying(HEAD + b"Content-Length: %d\r\n\r\n" % size, bytes(size))
    async with raw_server(server) as where, open_fetcher(idle_timeout=0.1) as fetcher:
        flow = await fetcher.open(ask(where))
        await asyncio.sleep(0.3)

        held = flow._connection.held  # type: ignore[attr-defined] # of an HttpFlow
        assert len(await pieces_of(flow)) == size
        await flow.close()

    assert 64 * 1024 <= held <= 64 * 1024 + 256 * 1024
