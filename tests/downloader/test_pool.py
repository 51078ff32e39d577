"""fetch.guard: addresses at the dial, and whose answer a kept-alive connection brings."""

import asyncio
import os
import resource
from collections.abc import Iterator
from itertools import cycle

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.keep_alive import QUIET_PROOFS, QUIET_SECONDS
from support.fetching import OK, answering, ask, ask_url, failure, open_fetcher
from support.rawserver import Handler, raw_server

PAUSE = QUIET_SECONDS + 0.01


def _answer(path: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)


def _pushing(delays: Iterator[float], sleep_between: bool) -> Handler:
    """Answers each request with its own path, then says the same again, unasked, after the next delay."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            answer = _answer(head.split(b" ")[1])
            writer.write(answer)
            if sleep_between:
                await asyncio.sleep(next(delays))
                writer.write(answer)
            else:
                loop.call_later(next(delays), writer.write, answer)

    return serve


@pytest.mark.parametrize("sleep_between", [True, False], ids=["before it reads on", "while it reads on"])
async def test_an_answer_that_nobody_asked_for_is_no_ones(sleep_between: bool) -> None:
    """A server repeats each answer 0, 1, 5 or 50 ms later: 500 URLs in pairs, and none gets another's bytes."""
    wrong: list[tuple[str, bytes]] = []

    async def pair(number: int) -> None:
        for path in (f"/{number}/a", f"/{number}/b"):
            response = await fetcher.fetch(ask(where, path))
            if response.body != path.encode():
                wrong.append((path, response.body))

    delays = cycle([0, 0.001, 0.005, 0.05])
    async with raw_server(_pushing(delays, sleep_between)) as where, open_fetcher() as fetcher:
        for start in range(0, 250, 10):
            await asyncio.gather(*(pair(number) for number in range(start, start + 10)))

    assert wrong == []


async def _connections(count: int, answer: bytes, pause: float) -> int:
    """How many connections a server gets for so many fetches, one after the other."""
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await answering(answer)(reader, writer)

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        for _ in range(count):
            assert (await fetcher.fetch(ask(where))).body == b"good"
            await asyncio.sleep(pause)
    return len(opened)


async def test_a_quiet_connection_is_used_again() -> None:
    """A host that stays silent between answers keeps its connection."""
    assert await _connections(3, OK, PAUSE) == 1


async def test_an_unknown_host_gets_no_connection_back_at_once() -> None:
    """Until a connection has been silent for a while, the next request takes a new one."""
    assert await _connections(2, OK, 0) == 2


async def test_a_host_that_proved_quiet_gets_connections_back_at_once() -> None:
    """After enough proofs, back-to-back requests share one connection."""
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await answering(OK)(reader, writer)

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        for _ in range(2):
            await asyncio.gather(*(fetcher.fetch(ask(where)) for _ in range(QUIET_PROOFS + 4)))
            await asyncio.sleep(PAUSE)
        before = len(opened)
        for _ in range(20):
            await fetcher.fetch(ask(where))

    assert len(opened) == before


async def test_a_host_that_speaks_unasked_loses_its_trust() -> None:
    """However well proven it was: from then on every request has a connection of its own."""
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            writer.write(OK * 2 if path == b"/twice" else OK)

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        for _ in range(2):
            await asyncio.gather(*(fetcher.fetch(ask(where)) for _ in range(QUIET_PROOFS + 4)))
            await asyncio.sleep(PAUSE)
        await fetcher.fetch(ask(where, "/twice"))
        before = len(opened)
        for _ in range(5):
            await fetcher.fetch(ask(where))

    assert len(opened) == before + 5


@pytest.mark.both_loops
async def test_what_waits_in_the_kernel_is_no_answer_to_what_is_asked_next() -> None:
    """An answer pushed just before the next request is sent, and not yet read by anybody, is not taken for its own."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while True:
            writer.write(_answer((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]))

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where, "/first"))
        await asyncio.sleep(PAUSE)
        writers[0].write(_answer(b"/first"))
        response = await fetcher.fetch(ask(where, "/second"))

    assert response.body == b"/second"
    assert len(writers) == 2


@pytest.mark.parametrize(
    "surplus",
    [OK, b"HTTP/1.1 2", b"\x00garbage", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["answer", "start of an answer", "garbage", "endless answer"],
)
async def test_surplus_in_the_same_segment_ends_the_connection(surplus: bytes) -> None:
    """What follows an answer is never taken for the next one, whole or in part."""
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        writer.write(_answer(path) + surplus)
        await reader.read()

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        for path in ("/a", "/b"):
            try:
                assert (await fetcher.fetch(ask(where, path))).body == path.encode()
            except FetchError as error:
                assert error.reason == Reason.PROTOCOL_ERROR  # noqa: PT017 - garbage may spoil its own answer
            await asyncio.sleep(PAUSE)

    assert len(opened) == 2


async def test_an_answer_on_a_reused_connection_that_is_followed_by_more_is_not_believed() -> None:
    """Two answers to one request: nobody knows which is ours, so a new connection is asked."""
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_answer(b"/first" if len(opened) == 1 else b"/second"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_answer(b"/first") + _answer(b"/second"))
        await reader.read()

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where, "/first"))
        await asyncio.sleep(PAUSE)
        response = await fetcher.fetch(ask(where, "/second"))

    assert response.body == b"/second"
    assert len(opened) == 2


@pytest.mark.both_loops
async def test_a_stale_connection_is_replaced_at_once() -> None:
    """A server that closes while it claims to keep alive costs nobody an attempt."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # and hangs up on the second request

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(ask(where))).body == b"good"
            await asyncio.sleep(PAUSE)


async def test_what_must_not_be_sent_twice_gets_a_new_connection() -> None:
    """A POST never rides on a kept-alive connection that may be gone, and is never repeated."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    async with raw_server(serve) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where))
        await asyncio.sleep(PAUSE)
        assert (await fetcher.fetch(ask(where, method="POST"))).body == b"good"

    assert [head.split(b" ")[0] for head in heads] == [b"GET", b"POST"]


async def test_idle_connections_are_bounded() -> None:
    """Past the limit the longest idle connection goes."""
    async with raw_server(answering(OK)) as where, open_fetcher(idle_limit=3) as fetcher:
        await asyncio.gather(*(fetcher.fetch(ask(where)) for _ in range(8)))

        assert repr(fetcher) == "<HttpFetcher <IdleConnections 3 of 3>>"


async def test_an_unnamed_host_on_this_machine_is_not_dialled() -> None:
    """The refusal says why, and the server never sees a connection."""
    opened: list[None] = []

    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        opened.append(None)

    async with raw_server(serve) as (_, port), open_fetcher() as fetcher:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            error = await failure(fetcher, ask_url(f"http://{host}:{port}/", named=False))
            assert error.reason == Reason.BLOCKED_ADDRESS
            assert "--allow-net" in str(error)

    assert opened == []


async def test_a_named_hosts_connection_is_no_way_in_for_others() -> None:
    """A request that merely came across the address never rides on the connection that a named one opened."""
    async with raw_server(answering(OK)) as where, open_fetcher() as fetcher:
        await fetcher.fetch(ask(where))
        await asyncio.sleep(PAUSE)

        assert (await failure(fetcher, ask(where, named=False))).reason == Reason.BLOCKED_ADDRESS


async def test_allowed_networks_are_dialled() -> None:
    """`--allow-net` opens one private network to links."""
    async with raw_server(answering(OK)) as where, open_fetcher(allow_nets=("127.0.0.0/8",)) as fetcher:
        assert (await fetcher.fetch(ask(where, named=False))).body == b"good"


async def test_a_reserved_address_is_never_dialled() -> None:
    """Naming it does not help."""
    async with open_fetcher() as fetcher:
        for host in ("0.0.0.0", "[64:ff9b::7f00:1]", "169.254.169.254"):
            assert (await failure(fetcher, ask_url(f"http://{host}/"))).reason == Reason.BLOCKED_ADDRESS


async def test_the_last_files_are_left_to_the_run() -> None:
    """A socket that would take one of them is this machine's limit, and whatever else needs a file has it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with raw_server(answering(OK)) as where:
        os.close(lowest := os.open(os.devnull, os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 20, hard))
        try:
            async with open_fetcher() as fetcher:
                error = await failure(fetcher, ask(where))
            os.close(os.open(os.devnull, os.O_RDONLY))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert error.reason is Reason.CLIENT_LIMIT
    assert "ulimit -n" in str(error)
