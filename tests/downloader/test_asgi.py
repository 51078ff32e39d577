"""downloader.asgi: requests to an application in this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.downloader.asgi import AsgiTransport
from crawler.downloader.asgi_lifespan import Message
from crawler.downloader.client import Fetcher

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """A hand-written application: `answer` is its behaviour, `scopes` and `messages` what it got."""

    def __init__(self, answer: Callable[[Receive, Send], Awaitable[None]]) -> None:
        self.scopes: list[Message] = []
        self.messages: list[Message] = []
        self._answer = answer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Note the scope, and answer."""
        self.scopes.append(scope)

        async def noting() -> Message:
            self.messages.append(await receive())
            return self.messages[-1]

        await self._answer(noting, send)


async def start(send: Send, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    """Begin an answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def good(receive: Receive, send: Send) -> None:
    """Answer in two pieces."""
    await receive()
    await start(send, 200, (b"content-type", b"text/plain"), (b"set-cookie", b"a=1"))
    await send({"type": "http.response.body", "body": b"go", "more_body": True})
    await send({"type": "http.response.body", "body": b"od"})


async def got(app: Any, url: str = "http://app.example/", method: str = "GET", **options: Any) -> Any:
    """Return the answer to one request."""
    async with Fetcher(transport=AsgiTransport(app)) as fetcher:
        return await fetcher.request(method, url, **options)


@pytest.mark.both_loops
async def test_the_scope_tells_the_request() -> None:
    """Method, path, query, headers and server arrive as a server would tell them."""
    app = App(good)

    page = await got(
        app, "https://App.example:8443/d%C3%A4/b%2Fc?q=%20", "PUT", content=b"x", headers={"X-A": "\u00e9"}
    )

    assert (page.status, page.content, page.headers["content-type"]) == (200, b"good", "text/plain")
    scope = app.scopes[0]
    assert {name: scope[name] for name in ("type", "method", "scheme", "http_version", "root_path")} == {
        "type": "http",
        "method": "PUT",
        "scheme": "https",
        "http_version": "1.1",
        "root_path": "",
    }
    assert scope["path"] == "/d\u00e4/b/c"
    assert scope["raw_path"] == b"/d%C3%A4/b%2Fc"
    assert scope["query_string"] == b"q=%20"
    assert scope["server"] == ("app.example", 8443)
    assert scope["client"][0] == "127.0.0.1"
    headers = dict(scope["headers"])
    assert (headers[b"host"], headers[b"x-a"], headers[b"content-length"]) == (b"app.example:8443", b"\xc3\xa9", b"1")


async def test_cookies_go_into_the_jar() -> None:
    """A cookie of the application is sent with the next request."""
    app = App(good)
    async with Fetcher(transport=AsgiTransport(app), cookies=True) as fetcher:
        await fetcher.get("http://app.example/")
        await fetcher.get("http://app.example/")

    assert [dict(scope["headers"]).get(b"cookie") for scope in app.scopes] == [None, b"a=1"]


async def test_both_bodies_stream_at_once() -> None:
    """The application answers each piece of an upload as it comes, while the sender makes the next one."""
    turns: list[str] = []

    async def source() -> AsyncIterator[bytes]:
        for piece in (b"1", b"2", b"3"):
            turns.append(f"sent {piece.decode()}")
            yield piece

    async def echo(receive: Receive, send: Send) -> None:
        await start(send)
        while (message := await receive())["more_body"]:
            await send({"type": "http.response.body", "body": message["body"], "more_body": True})
        await send({"type": "http.response.body"})

    async with (
        Fetcher(transport=AsgiTransport(App(echo))) as fetcher,
        fetcher.open("POST", "http://app.example/", content=source()) as answer,
    ):
        async for piece in answer.iter_bytes():
            turns.append(f"got {piece.decode()}")  # noqa: PERF401 - its place among the others counts

    assert sorted(turns) == ["got 1", "got 2", "got 3", "sent 1", "sent 2", "sent 3"]
    assert turns.index("got 1") < turns.index("sent 3")


async def test_a_slow_reader_slows_the_application() -> None:
    """At most one piece waits beside those that are being handed over."""
    sent = 0

    async def endless(_receive: Receive, send: Send) -> None:
        nonlocal sent
        await start(send)
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            sent += 1

    async with Fetcher(transport=AsgiTransport(App(endless))) as fetcher, fetcher.open("GET", "http://a.example/") as a:
        for _ in range(20):
            await asyncio.sleep(0)
        assert sent <= 2
        async for _ in a.iter_bytes():
            break
        for _ in range(20):
            await asyncio.sleep(0)

    assert sent <= 4


async def test_leaving_early_tells_the_application() -> None:
    """An application that listens gets http.disconnect and ends by itself; its next send is an OSError."""
    ended: list[object] = []

    async def listening(receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        ended.append((await receive())["type"])
        try:
            await send({"type": "http.response.body", "body": b"y"})
        except OSError as error:
            ended.append(str(error))

    async with (
        Fetcher(transport=AsgiTransport(App(listening))) as fetcher,
        fetcher.open("GET", "http://app.example/") as answer,
    ):
        async for _ in answer.iter_bytes():
            break

    assert ended == ["http.disconnect", "the client has left the answer"]


async def test_an_application_that_does_not_listen_is_cancelled() -> None:
    """Leaving an answer ends an application that waits for something else, and one that is in the middle of a send."""
    ended: list[str] = []

    async def deaf(_receive: Receive, send: Send) -> None:
        try:
            await start(send)
            await asyncio.Event().wait()
        finally:
            ended.append("deaf")

    async def sending(_receive: Receive, send: Send) -> None:
        try:
            await start(send)
            while True:
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
        finally:
            ended.append("sending")

    async with Fetcher(transport=AsgiTransport(App(deaf))) as fetcher, fetcher.open("GET", "http://app.example/"):
        pass
    with pytest.raises(FetchError) as caught:
        await got(App(sending), max_body=5000)

    assert caught.value.reason is Reason.BODY_LIMIT
    assert ended == ["deaf", "sending"]


async def broken(_receive: Receive, _send: Send) -> None:
    """Fail before the answer."""
    raise ZeroDivisionError


async def broken_late(_receive: Receive, send: Send) -> None:
    """Fail within the answer."""
    await start(send)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ZeroDivisionError


async def silent(receive: Receive, send: Send) -> None:
    """Return without an answer."""


async def half(_receive: Receive, send: Send) -> None:
    """Return within the answer."""
    await start(send)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


@pytest.mark.parametrize(
    ("answer", "error"),
    [(broken, ZeroDivisionError), (broken_late, ZeroDivisionError), (silent, RuntimeError), (half, FetchError)],
)
async def test_errors_of_the_application_are_raised(answer: Any, error: type[Exception]) -> None:
    """An error before or within an answer reaches the caller, as does an answer that is not complete."""
    with pytest.raises(error):
        await got(App(answer), retries=0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("answer", [broken, silent])
async def test_errors_become_500(answer: Any, method: str) -> None:
    """With raise_app_exceptions=False an application that fails before its answer is a server that says 500."""
    transport = AsgiTransport(App(answer), raise_app_exceptions=False)
    async with Fetcher(transport=transport, retries=0) as fetcher:
        page = await fetcher.request(method, "http://app.example/")

    assert page.status == 500
    assert page.text == ("Internal Server Error" if method == "GET" else "")


@pytest.mark.parametrize("answer", [broken_late, half])
async def test_a_late_error_cuts_the_body(answer: Any) -> None:
    """With raise_app_exceptions=False an application that fails within its answer is a body that ends too early."""
    async with Fetcher(transport=AsgiTransport(App(answer), raise_app_exceptions=False), retries=0) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.get("http://app.example/")

    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    "messages",
    [
        [{"type": "http.response.body", "body": b""}],
        [{"type": "http.response.start", "status": 200}] * 2,
        [{"type": "http.response.start", "status": 200}, *[{"type": "http.response.body"}] * 2],
        [{"type": "websocket.accept"}],
    ],
)
async def test_a_message_in_the_wrong_place_is_an_error_of_the_application(messages: list[Message]) -> None:
    """A body before its start, a second start, a second end and foreign messages are refused."""

    async def wrong(_receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(RuntimeError, match="where it cannot stand"):
        await got(App(wrong))


async def test_a_slow_upload_is_no_silence() -> None:
    """The first-byte timeout begins again with each piece that the application takes."""

    async def source() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.05)
            yield b"x"

    page = await got(fastapi_app(), "http://app.example/size", "POST", content=source(), first_byte_timeout=0.15)

    assert page.json() == 4


async def test_an_upload_that_is_not_read_is_closed() -> None:
    """An application may answer without the rest of a body; its source is closed before the answer is complete."""
    ended: list[str] = []

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            ended.append("source")

    assert (await got(App(good), method="POST", content=source())).content == b"good"
    assert ended == ["source"]


async def test_a_task_that_is_left_behind_does_no_harm() -> None:
    """An application may forget a task that waits for the body."""
    forgotten: list[asyncio.Task[Message]] = []

    async def source() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def forgetting(receive: Receive, send: Send) -> None:
        forgotten.append(asyncio.ensure_future(receive()))
        await asyncio.sleep(0)
        await start(send)
        await send({"type": "http.response.body", "body": b"good"})

    page = await got(App(forgetting), method="POST", content=source())
    forgotten[0].cancel()

    assert page.content == b"good"


async def test_a_head_has_no_body() -> None:
    """A body that the application sends all the same is left out."""
    assert (await got(App(good), method="HEAD")).content == b""


async def test_an_error_of_the_upload_reaches_its_sender() -> None:
    """The source's error is raised unchanged, and the application is told that the client is gone."""

    async def source() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError

    async def reading(receive: Receive, _send: Send) -> None:
        while (await receive())["type"] == "http.request":
            pass

    app = App(reading)
    with pytest.raises(LookupError):
        await got(app, method="POST", content=source())

    assert [message["type"] for message in app.messages] == ["http.request", "http.disconnect"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"first_byte_timeout": 0.01}, Reason.FIRST_BYTE_TIMEOUT),
        ({"timeout": 0.01}, Reason.TOTAL_TIMEOUT),
    ],
)
async def test_a_silent_application_is_left(options: dict[str, Any], reason: Reason) -> None:
    """Timeouts count as over a connection."""

    async def waiting(_receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    with pytest.raises(FetchError) as caught:
        await got(App(waiting), retries=0, **options)

    assert caught.value.reason is reason


async def test_a_body_that_pauses_is_left() -> None:
    """The idle timeout counts between two pieces."""

    async def pausing(_receive: Receive, send: Send) -> None:
        await start(send)
        await asyncio.Event().wait()

    with pytest.raises(FetchError) as caught:
        await got(App(pausing), retries=0, idle_timeout=0.01)

    assert caught.value.reason is Reason.IDLE_TIMEOUT


async def test_a_timeout_of_the_application_is_its_own() -> None:
    """A TimeoutError that the application raises is not taken for the limit of the request."""

    async def late(_receive: Receive, _send: Send) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await got(App(late))


def fastapi_app() -> FastAPI:
    """Return an application as people write them."""
    app = FastAPI()

    @app.post("/items/{number}")
    async def make(number: int, body: dict[str, Any]) -> dict[str, Any]:
        return {"number": number, **body}

    @app.post("/size")
    async def size(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for number in range(3):
                yield f"{number}\n"

        return StreamingResponse(lines(), media_type="text/plain")

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(done.append, "later")
        return "now"

    return app


done: list[str] = []


async def test_fastapi_answers() -> None:
    """Paths, JSON, uploads, streams, validation and background tasks of FastAPI work as over a server."""
    done.clear()
    app = fastapi_app()
    async with Fetcher(transport=AsgiTransport(app), base_url="http://api.example/") as fetcher:
        made = await fetcher.post("items/7", json={"a": 1})
        wrong = await fetcher.post("items/seven", json={})
        size = await fetcher.post("size", content=iter([b"x" * 1000] * 300))
        stream = await fetcher.get("stream")
        later = await fetcher.get("later")

    assert made.json() == {"number": 7, "a": 1}
    assert wrong.status == 422
    assert size.json() == 300_000
    assert stream.text == "0\n1\n2\n"
    assert (later.json(), done) == ("now", ["later"])


@pytest.mark.both_loops
async def test_an_application_that_cancels_itself_has_failed() -> None:
    """Its caller hears of it at once, as of an error, and is not cancelled."""

    async def cancelled(_receive: Receive, _send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="has cancelled itself"):
        await got(App(cancelled), retries=0)
