"""testing.asgi_server: an application behind a real socket gets requests and gives answers as behind any server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from crawler.core.errors import FetchError
from crawler.downloader.client import Fetcher
from crawler.testing.asgi_server import served_app
from support.rawserver import raw_server

pytestmark = pytest.mark.both_loops

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


def app_of(*messages: dict[str, Any]) -> App:
    """An application that reads nothing and sends these messages; an exception among them is raised."""

    async def app(scope: MutableMapping[str, Any], _: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("it knows no lifespan")
        for message in messages:
            if "error" in message:
                raise message["error"]
            await send(message)

    return app


START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
FAILED = {"error": ValueError("oh")}


def body(piece: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    """A message with a piece of the body."""
    return {"type": "http.response.body", "body": piece, "more_body": more}


@asynccontextmanager
async def asked(app: App) -> AsyncIterator[tuple[Fetcher, str]]:
    """A Fetcher, and the URL of the application's server."""
    async with served_app(app) as url, Fetcher(retries=0) as fetcher:
        yield fetcher, url


async def test_the_application_sees_the_whole_request() -> None:
    """Method, path, query, headers in bytes, both ends, the body to its last piece, and a copy of the state."""
    seen = list[dict[str, Any]]()

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["made"] = "once"
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            seen.append({"type": "shutdown"})
            return
        content, more = b"", True
        while more:
            message = await receive()
            content += message["body"]
            more = message["more_body"]
        seen.append({**scope, "content": content, "state": dict(scope["state"])})
        scope["state"]["mine"] = 1
        await send({**START, "status": 201, "headers": [(b"x-a", b"1"), (b"x-a", "ü".encode())]})
        await send(body(b"done"))

    async with asked(app) as (fetcher, url):
        answer = await fetcher.post(f"{url}/a%20b/c?q=%C3%BC&r", content=b"x" * 300_000, headers={"X-Own": "ü"})
        again = await fetcher.get(f"{url}/")

    assert (answer.status, answer.content, answer.headers.getall("X-A")) == (
        201,
        b"done",
        ["1", "ü".encode().decode("latin-1")],
    )
    assert answer.headers["Content-Length"] == "4"
    assert again.status == 201
    first, second, last = seen
    assert last == {"type": "shutdown"}
    assert (first["type"], first["method"], first["path"], first["http_version"]) == ("http", "POST", "/a b/c", "1.1")
    assert (first["raw_path"], first["query_string"]) == (b"/a%20b/c", b"q=%C3%BC&r")
    assert (b"x-own", "ü".encode()) in first["headers"]
    assert first["content"] == b"x" * 300_000
    assert first["server"] == ("127.0.0.1", int(url.rpartition(":")[2]))
    assert first["client"][0] == "127.0.0.1"
    assert first["state"] == {"made": "once"}
    assert (second["content"], second["state"]) == (b"", {"made": "once"})


@pytest.mark.parametrize(
    ("messages", "status", "content", "length"),
    [
        ([START, body(b"whole")], 200, b"whole", "5"),
        ([START, body(b"a", more=True), body(b"", more=True), body(b"b")], 200, b"ab", None),
        ([{**START, "headers": [(b"content-length", b"2")]}, body(b"a", more=True), body(b"b")], 200, b"ab", "2"),
        ([START, body()], 200, b"", "0"),
        ([{**START, "status": 204}, body()], 204, b"", None),
        ([{**START, "status": 304}, body(b"left out")], 304, b"", None),
        ([FAILED], 500, b"Internal Server Error", "21"),
        ([START, FAILED], 500, b"Internal Server Error", "21"),
        ([], 500, b"Internal Server Error", "21"),
        ([body(b"first")], 500, b"Internal Server Error", "21"),
        ([START, body(b"whole"), body(b"more")], 200, b"whole", "5"),
        ([START, body(b"whole"), FAILED], 200, b"whole", "5"),
    ],
)
async def test_an_answer_is_the_application_s(
    messages: list[dict[str, Any]], status: int, content: bytes, length: str | None
) -> None:
    """With its length if it comes in one piece; an error before it is a 500, and one behind it changes nothing."""
    async with asked(app_of(*messages)) as (fetcher, url):
        answers = [await fetcher.get(url) for _ in range(2)]

    for answer in answers:
        assert (answer.status, answer.content, answer.headers.get("Content-Length")) == (status, content, length)


@pytest.mark.parametrize("end", [[FAILED], []])
async def test_an_answer_that_breaks_off_ends_too_early(end: list[dict[str, Any]]) -> None:
    """The client cannot take it for a whole one."""
    async with asked(app_of(START, body(b"begun", more=True), *end)) as (fetcher, url):
        with pytest.raises(FetchError):
            await fetcher.get(url)


async def test_a_head_has_no_body() -> None:
    """The headers are those of a GET."""
    app = app_of({**START, "headers": [(b"content-length", b"5")]}, body(b"whole"))

    async with asked(app) as (fetcher, url):
        answer = await fetcher.head(url)
        again = await fetcher.get(url)

    assert (answer.status, answer.content, answer.headers["Content-Length"]) == (200, b"", "5")
    assert again.content == b"whole"


async def test_the_first_error_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand failures of a load test are one entry."""
    async with asked(app_of(FAILED)) as (fetcher, url):
        for path in ("/first", "/second"):
            await fetcher.get(f"{url}{path}")

    assert [record.getMessage() for record in caplog.records] == [
        "the ASGI application failed to answer GET /first; more of its errors are not logged"
    ]
    assert "ValueError: oh" in caplog.text


async def test_a_client_that_leaves_cancels_the_application() -> None:
    """Its work for that client is of no use to anyone."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: MutableMapping[str, Any], _: Receive, __: Send) -> None:
        if scope["type"] == "http":
            began.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

    async with served_app(app) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await began.wait()
        writer.close()
        await ended.wait()


async def test_work_behind_the_answer_does_not_delay_it() -> None:
    """The client has the answer while the application goes on, and then hears of the disconnect."""
    go_on, heard = asyncio.Event(), list[str]()

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await receive()
            await send(START)
            await send(body(b"whole"))
            heard.append((await receive())["type"])
            await go_on.wait()

    async with asked(app) as (fetcher, url):
        assert (await fetcher.get(url)).content == b"whole"
        go_on.set()

    assert heard == ["http.disconnect"]


async def test_a_framework_streams_and_starts_up() -> None:
    """FastAPI's startup, path parameters, JSON and streaming work."""
    log = list[str]()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log.append("up")
        yield
        log.append("down")

    app = FastAPI(lifespan=lifespan)

    @app.get("/items/{number}")
    async def item(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d," % number

        return StreamingResponse(pieces())

    async with asked(app) as (fetcher, url):
        assert log == ["up"]
        assert (await fetcher.get(f"{url}/items/7")).json() == {"number": 7}
        assert (await fetcher.get(f"{url}/items/x")).status == 422
        assert (await fetcher.get(f"{url}/stream")).content == b"0,1,2,"
    assert log == ["up", "down"]


async def test_an_application_that_cannot_start_is_not_served() -> None:
    """Its own words are in the error."""

    async def app(_: Any, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="no database"):
        async with served_app(app):
            raise AssertionError


async def test_closing_waits_for_no_client() -> None:
    """A connection that is kept open ends with the server, and the port is free again."""
    async with served_app(app_of(START, body())) as url:
        port = int(url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

    assert await reader.read() == b""
    writer.close()
    async with raw_server(lambda _, __: asyncio.sleep(0), port=port):
        pass
