"""downloader.pool and downloader.keep_alive: whose answer a kept-alive connection brings."""

import asyncio
import socket
from collections.abc import Iterator
from itertools import cycle

import pytest

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader import sockets
from crawler.downloader.fetcher import HttpFetcher
from crawler.downloader.keep_alive import FRESH_SECONDS, KEEP_ALIVE_SECONDS, QUIET_PROOFS, QUIET_SECONDS
from support.fetching import OK, HandClock, answering, ask, failure, open_fetcher
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


@pytest.mark.parametrize(("pause", "connections"), [(PAUSE, 1), (0, 3)], ids=["quiet", "asked at once"])
async def test_an_unknown_host_gets_a_connection_back_once_it_was_quiet(pause: float, connections: int) -> None:
    """A connection that was silent for a while is used again; until then each request takes a new one."""
    opened: list[None] = []
    clock = HandClock()
    async with raw_server(answering(OK, opened=opened)) as where, open_fetcher(clock=clock) as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(ask(where))).body == b"good"
            clock.now += pause

    assert len(opened) == connections


async def test_silence_counts_from_the_last_answer() -> None:
    """A connection that was used again just now has to be silent for as long once more."""
    opened: list[None] = []
    clock = HandClock()
    async with raw_server(answering(OK, opened=opened)) as where, open_fetcher(clock=clock) as fetcher:
        for pause in (PAUSE, 0, 0):
            await fetcher.fetch(ask(where))
            clock.now += pause

    assert len(opened) == 2


async def _prove_quiet(fetcher: HttpFetcher, where: tuple[str, int], clock: HandClock) -> None:
    """Use so many connections twice, with a pause between, that the host has proved to be quiet."""
    for _ in range(2):
        await asyncio.gather(*(fetcher.fetch(ask(where)) for _ in range(QUIET_PROOFS + 4)))
        clock.now += PAUSE


async def test_a_host_that_proved_quiet_gets_connections_back_at_once() -> None:
    """After enough proofs, back-to-back requests share one connection."""
    opened: list[None] = []
    clock = HandClock()
    async with raw_server(answering(OK, opened=opened)) as where, open_fetcher(clock=clock) as fetcher:
        await _prove_quiet(fetcher, where, clock)
        before = len(opened)
        for _ in range(20):
            await fetcher.fetch(ask(where))

    assert len(opened) == before


async def test_a_connection_that_waited_too_long_is_not_used_again() -> None:
    """Servers drop idle connections, so after a minute a new one is dialled."""
    opened: list[None] = []
    clock = HandClock()
    async with raw_server(answering(OK, opened=opened)) as where, open_fetcher(clock=clock) as fetcher:
        for _ in range(2):
            await fetcher.fetch(ask(where))
            clock.now += KEEP_ALIVE_SECONDS + 1

    assert len(opened) == 2


async def test_a_host_that_speaks_unasked_loses_its_trust() -> None:
    """From then on every request has a connection of its own, no matter how well the host was proven."""
    clock = HandClock()
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
            writer.write(OK * 2 if path == b"/twice" else OK)

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        await _prove_quiet(fetcher, where, clock)
        await fetcher.fetch(ask(where, "/twice"))
        before = len(opened)
        for _ in range(5):
            await fetcher.fetch(ask(where))

    assert len(opened) == before + 5


@pytest.mark.both_loops
async def test_what_waits_in_the_kernel_is_no_answer_to_what_is_asked_next() -> None:
    """An answer pushed just before the next request is sent, and not yet read by anybody, is not taken for its own."""
    clock = HandClock()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        while True:
            writer.write(_answer((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]))

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        await fetcher.fetch(ask(where, "/first"))
        clock.now += PAUSE
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
    """Bytes behind an answer are never taken for the next one, whole or in part."""
    clock = HandClock()
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        writer.write(_answer(path) + surplus)
        await reader.read()

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        for path in ("/a", "/b"):
            try:
                assert (await fetcher.fetch(ask(where, path))).body == path.encode()
            except FetchError as error:
                assert error.reason == Reason.PROTOCOL_ERROR  # noqa: PT017 - garbage may spoil its own answer
            clock.now += PAUSE

    assert len(opened) == 2


async def test_an_answer_on_a_reused_connection_that_is_followed_by_more_is_not_believed() -> None:
    """Two answers to one request: nobody knows which is ours, so a new connection is asked."""
    clock = HandClock()
    opened: list[None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_answer(b"/first" if len(opened) == 1 else b"/second"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_answer(b"/first") + _answer(b"/second"))
        await reader.read()

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        await fetcher.fetch(ask(where, "/first"))
        clock.now += PAUSE
        response = await fetcher.fetch(ask(where, "/second"))

    assert response.body == b"/second"
    assert len(opened) == 2


@pytest.mark.both_loops
async def test_a_stale_connection_is_replaced_at_once() -> None:
    """A server that closes while it claims to keep alive costs nobody an attempt."""
    clock = HandClock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")  # and hangs up on the second request

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        for _ in range(3):
            assert (await fetcher.fetch(ask(where))).body == b"good"
            clock.now += PAUSE


@pytest.mark.parametrize(("idle", "connections"), [(PAUSE, 1), (FRESH_SECONDS + 0.1, 2)])
async def test_what_must_not_be_sent_twice_gets_a_connection_that_lives(idle: float, connections: int) -> None:
    """A POST rides on a kept-alive connection only if that was alive a moment ago."""
    clock = HandClock()
    opened: list[None] = []

    async with raw_server(answering(OK, opened=opened)) as where, open_fetcher(clock=clock) as fetcher:
        await fetcher.fetch(ask(where))
        clock.now += idle
        assert (await fetcher.fetch(ask(where, method="POST"))).body == b"good"

    assert len(opened) == connections


async def test_what_must_not_be_sent_twice_is_never_repeated() -> None:
    """A POST whose kept-alive connection breaks is an error: the server may have acted on it."""
    clock = HandClock()
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    async with raw_server(serve) as where, open_fetcher(clock=clock) as fetcher:
        await fetcher.fetch(ask(where))
        clock.now += PAUSE
        error = await failure(fetcher, ask(where, method="POST"))

    assert error.reason is Reason.CONNECTION_LOST
    assert [head.split(b" ")[0] for head in heads] == [b"GET", b"POST"]


async def test_idle_connections_are_bounded() -> None:
    """Past the limit the longest idle connection goes."""
    async with raw_server(answering(OK)) as where, open_fetcher(idle_limit=3) as fetcher:
        await asyncio.gather(*(fetcher.fetch(ask(where)) for _ in range(8)))

        assert repr(fetcher) == "<HttpFetcher <IdleConnections 3 of 3>>"


async def test_an_idle_connection_makes_room_where_files_run_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new socket whose number is high ends the connection that has waited for the longest time."""
    async with raw_server(answering(OK)) as one, raw_server(answering(OK)) as other:
        with socket.socket() as probe:
            lowest = probe.fileno()
        monkeypatch.setattr(sockets, "open_files", lambda: 2 * lowest + sockets._RESERVED_FILES)
        monkeypatch.setattr(sockets, "_SCARCE_FILES", lowest)
        async with open_fetcher() as fetcher:
            await fetcher.fetch(ask(one))
            assert "1 of" in repr(fetcher)

            await fetcher.fetch(ask(other))

            assert "1 of" in repr(fetcher)


async def test_a_named_hosts_connection_is_no_way_in_for_others() -> None:
    """A request that merely came across the address never rides on the connection that a named one opened."""
    clock = HandClock()
    async with raw_server(answering(OK)) as where, open_fetcher(clock=clock) as fetcher:
        await fetcher.fetch(ask(where))
        clock.now += PAUSE

        assert (await failure(fetcher, ask(where, named=False))).reason == Reason.BLOCKED_ADDRESS
