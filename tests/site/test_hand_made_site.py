"""The servers that other tests stand on: pages made by hand, and bytes made by hand."""

import asyncio

import pytest
from aiohttp import ClientSession, web

from support.rawserver import raw_server
from support.siteserver import HandMadeSite


async def text(session: ClientSession, url: str) -> tuple[int, str]:
    """Status and text, redirects not followed."""
    async with session.get(url, allow_redirects=False) as response:
        return response.status, await response.text()


@pytest.mark.both_loops
async def test_a_page_answers_what_was_added() -> None:
    """Body, links, status, headers and location arrive, what was not added is 404, and all is counted."""
    async with HandMadeSite() as site, ClientSession() as session:
        site.add_page("/", "<title>Home</title>", links=["/a?b=1&c=2"], headers=[("X-A", "1"), ("X-A", "2")])
        site.add_page("/moved", location="/", status=301)

        async with session.get(site.url("/")) as home:
            body = await home.text()
        async with session.get(site.url("/moved"), allow_redirects=False) as moved:
            location = moved.headers["Location"]
        missing, _ = await text(session, site.url("/none"))

        assert body == '<title>Home</title><a href="/a?b=1&amp;c=2">/a?b=1&amp;c=2</a>\n'
        assert home.headers.getall("X-A") == ["1", "2"]
        assert (home.content_type, moved.status, location, missing) == ("text/html", 301, "/", 404)
        assert site.targets == ["/", "/moved", "/none"]
        assert (site.hits("/"), site.hits("/other"), site.peak_concurrency) == (1, 0, 1)


async def test_answers_for_some_times_come_first() -> None:
    """Answers with `times` are used up in their order, then the lasting one is given, then too."""
    async with HandMadeSite() as site, ClientSession() as session:
        site.add_page("/", "fine")
        site.add_page("/", "busy", status=503, times=2)
        site.add_page("/", "once", times=1)

        answers = [await text(session, site.url("/")) for _ in range(5)]

    assert answers == [(503, "busy"), (503, "busy"), (200, "once"), (200, "fine"), (200, "fine")]


async def test_requests_are_kept_whole() -> None:
    """Method, target, headers in their case and order, body and client port are there to look at."""
    async with HandMadeSite() as site, ClientSession() as session:
        await session.post(site.url("/x%2Fy?z"), data=b"b" * 900_000, headers={"X-Odd-Case": "v"})

        (asked,) = site.requests

    assert (asked.method, asked.target, len(asked.body)) == ("POST", "/x%2Fy?z", 900_000)
    assert asked.header("x-odd-case") == "v"
    assert "X-Odd-Case" in dict(asked.headers)
    assert asked.port > 0


@pytest.mark.both_loops
async def test_a_handler_may_hold_its_answer() -> None:
    """A test can wait until requests have arrived, and let them go, without sleeping."""
    async with HandMadeSite() as site, ClientSession() as session, asyncio.TaskGroup() as tasks:
        gate = asyncio.Event()

        async def held(request: web.BaseRequest) -> web.Response:
            await gate.wait()
            return web.Response(text=request.raw_path)

        site.add_handler("/", held)
        answers = [tasks.create_task(text(session, site.url("/"))) for _ in range(3)]

        await site.asked(3)
        gate.set()

        assert [await answer for answer in answers] == [(200, "/")] * 3
        assert site.peak_concurrency == 3


async def test_a_client_that_leaves_ends_its_request() -> None:
    """An answer that nobody waits for any more is not being answered."""
    async with HandMadeSite() as site:
        site.add_page("/", delay=60.0)
        async with ClientSession() as session, asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(text(session, site.url("/")))
            await site.asked(1)
            waiting.cancel()

        await site.idle()

        assert site.hits("/") == 1


@pytest.mark.both_loops
async def test_a_raw_server_says_exactly_its_bytes() -> None:
    """The bytes of the handler arrive unchanged, then the connection ends."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\nno colon here\x00")

    async with raw_server(handler) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        said = await reader.read()
        writer.close()

    assert said == b"HTTP/1.1 200 OK\nno colon here\x00"


@pytest.mark.both_loops
@pytest.mark.parametrize("waits_for", ["ever", "the end", "the client"])
async def test_a_raw_server_drops_what_is_open(waits_for: str) -> None:
    """A handler that waits, with bytes that its client does not read, is gone when the block ends."""

    async def handler(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x" * 20_000_000)
        if waits_for == "ever":
            await asyncio.Event().wait()
        elif waits_for == "the end":
            await writer.wait_closed()

    async with raw_server(handler) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        await reader.readexactly(1)

    rest = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert len(rest) < 19_999_999
    assert len(asyncio.all_tasks()) == 1


async def test_a_raw_server_tells_of_a_failed_handler() -> None:
    """An assertion inside a handler fails the test; a client that hangs up does not."""

    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(5) == b"other", "seen"

    async def provoke(say: bytes) -> None:
        async with raw_server(handler) as (host, port):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(say)
            writer.write_eof()
            await reader.read()
            writer.close()

    await provoke(b"1")
    with pytest.raises(AssertionError, match="seen"):
        await provoke(b"12345")
