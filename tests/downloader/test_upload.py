"""downloader.connection and downloader.redirect_chain: bodies that are sent piece by piece."""

import asyncio
import io
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler import Fetcher
from crawler.core.errors import FetchError, UsageError
from crawler.core.reasons import Reason
from crawler.downloader.auth import DigestAuth
from support.path_server import redirect_to, response, url_at
from support.rawserver import Handler, raw_server
from support.upload_server import UploadServer, received

BIG = bytes(range(256)) * 80_000  # 20 MB
CREATED = response(b"made", status="201 Created")
REFUSED = response(b"no", status="413 Too Large")


class Pieces:
    """An iterator of pieces that tells whether it was closed; it may raise an error at its end, or never end."""

    def __init__(self, *pieces: bytes, error: Exception | None = None, is_endless: bool = False) -> None:
        self.is_closed = False
        self.taken = 0
        self._pieces = pieces
        self._error = error
        self._is_endless = is_endless

    def iterate(self) -> Iterator[bytes]:
        """Yield the pieces."""
        try:
            while True:
                for piece in self._pieces:
                    self.taken += 1
                    yield piece
                if not self._is_endless:
                    break
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True

    async def iterate_later(self) -> AsyncIterator[bytes]:
        """Yield the pieces, one in each turn of the loop."""
        for piece in (pieces := self.iterate()):
            try:
                await asyncio.sleep(0)
                yield piece
            except BaseException:
                pieces.close()  # type: ignore[attr-defined] # it is a generator
                raise


async def posted(server: Handler, content: Any, *, path: str = "/", **options: Any) -> Any:
    """Return the answer to one body."""
    async with raw_server(server) as where, Fetcher(**options) as fetcher:
        return await fetcher.post(url_at(where, path), content=content)


def _path(folder: Path) -> Path:
    (folder / "body").write_bytes(BIG)
    return folder / "body"


@pytest.mark.parametrize(
    ("make", "is_chunked"),
    [
        (lambda _folder: BIG, False),
        (_path, False),
        (lambda folder: _path(folder).open("rb"), False),
        (lambda _folder: io.BytesIO(BIG), False),
        (lambda _folder: [BIG[:5], b"", BIG[5:]], True),
        (lambda _folder: Pieces(*[BIG[:100_000]] * 200, BIG[20_000_000:]).iterate(), True),
        (lambda _folder: Pieces(BIG[:1], b"", BIG[1:]).iterate_later(), True),
    ],
    ids=["bytes", "path", "file", "memory", "list", "generator", "async generator"],
)
async def test_each_kind_of_body_arrives(tmp_path: Path, make: Callable[[Path], Any], is_chunked: bool) -> None:
    """Every byte, whatever the body is made of."""
    server, content = UploadServer(), make(tmp_path)

    answer = await posted(server, content)

    if hasattr(content, "close") and hasattr(content, "read"):
        content.close()
    assert answer.content == b"%d" % len(BIG)
    assert len(server.bodies[0]) == len(BIG)
    assert ("Transfer-Encoding: chunked" in server.heads[0]) == is_chunked


async def test_a_form_with_files_arrives(tmp_path: Path) -> None:
    """Its length is stated, and its parts stand between the boundaries."""
    server = UploadServer()
    async with raw_server(server) as where, Fetcher() as fetcher:
        await fetcher.post(url_at(where), data={"a": "1"}, files=[("big", _path(tmp_path)), ("small", b"two")])

    assert f"\r\nContent-Length: {len(server.bodies[0])}\r\n" in server.heads[0]
    assert BIG in server.bodies[0]
    assert server.bodies[0].endswith(b"--\r\n")


@pytest.mark.parametrize("is_path", [True, False])
async def test_the_wait_for_an_answer_begins_when_the_request_is_sent(tmp_path: Path, is_path: bool) -> None:
    """A slow way up is not the server's silence."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        await reader.readuntil(b"\r\n\r\n")
        left = len(BIG)
        while left > 8_000_000:
            left -= len(await reader.read(400_000))
            await asyncio.sleep(0.01)
        await reader.readexactly(left)
        writer.write(CREATED)

    answer = await posted(slow, _path(tmp_path) if is_path else BIG, first_byte_timeout=0.25, idle_timeout=5)

    assert answer.status == 201


@pytest.mark.parametrize(
    "content",
    [BIG, [BIG], pytest.param(None, id="endless")],
)
async def test_a_server_that_takes_nothing_is_left(content: Any) -> None:
    """The idle timeout counts from its last byte."""
    pieces = Pieces(bytes(100_000), is_endless=True)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a transport for reading, too
        await asyncio.Event().wait()

    with pytest.raises(FetchError, match="took no byte of the request") as caught:
        async with asyncio.timeout(10):
            await posted(deaf, content or pieces.iterate(), idle_timeout=0.2, retries=0)

    assert caught.value.reason == Reason.IDLE_TIMEOUT
    assert content or pieces.is_closed


async def test_a_server_that_answers_early_and_takes_nothing_is_left() -> None:
    """An answer is complete when its request is sent."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a transport for reading, too
        writer.write(CREATED)
        await asyncio.Event().wait()

    with pytest.raises(FetchError) as caught:
        await posted(deaf, Pieces(bytes(100_000), is_endless=True).iterate(), idle_timeout=0.2)

    assert caught.value.reason == Reason.IDLE_TIMEOUT


class Mine(OSError):
    """An error of the user's."""


async def post(fetcher: Fetcher, url: str, content: Any) -> None:
    """Post a body."""
    await fetcher.post(url, content=content)


async def send(fetcher: Fetcher, url: str, content: Any) -> None:
    """Open an answer, and leave it."""
    async with fetcher.open("POST", url, content=content, timeout=9):
        pass


@pytest.mark.parametrize("error", [Mine("mine"), TimeoutError("mine"), FetchError(Reason.TRUNCATED, "mine")])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("is_open", [False, True])
async def test_an_error_of_the_iterator_comes_out_unchanged(error: Exception, is_async: bool, is_open: bool) -> None:
    """The connection is dropped, so the server takes the part for no whole."""
    pieces, server = Pieces(b"part", error=error), UploadServer()
    content = pieces.iterate_later() if is_async else pieces.iterate()
    async with raw_server(server) as where, Fetcher(concurrency=1, timeout=5) as fetcher:
        for _ in range(2 if is_open else 1):
            call = send if is_open else post
            with pytest.raises(type(error)) as caught:
                await call(fetcher, url_at(where), content)
            assert caught.value is error
            content = pieces.iterate()
        while not server.broken:  # noqa: ASYNC110 - the server sees the end a little later
            await asyncio.sleep(0.01)

    assert not server.bodies
    assert pieces.is_closed


@pytest.mark.parametrize("is_path", [True, False])
async def test_a_file_that_shrinks_while_it_is_sent_is_an_error(tmp_path: Path, is_path: bool) -> None:
    """The stated length cannot be kept."""
    path = _path(tmp_path)

    async def shrinking(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        with path.open("r+b") as file:
            file.truncate(1_000_000)
        await received(head, reader)

    with path.open("rb") as file, pytest.raises(UsageError, match="has shrunk"):
        await posted(shrinking, path if is_path else file)


@pytest.mark.parametrize("is_path", [True, False])
async def test_a_file_that_vanishes_is_sent_as_long_as_it_is_open(tmp_path: Path, is_path: bool) -> None:
    """A path is opened for each sending, so its file is gone for the second one."""
    path, bodies = _path(tmp_path), 0

    async def removing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal bodies
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert await received(head, reader) == BIG
            path.unlink(missing_ok=True)
            bodies += 1
            writer.write(CREATED if bodies == 2 else redirect_to("/b", status="307 Temporary Redirect"))

    with path.open("rb") as file:
        if is_path:
            with pytest.raises(UsageError, match="cannot be read"):
                await posted(removing, path)
        else:
            assert (await posted(removing, file)).status == 201

    assert bodies == (1 if is_path else 2)


async def test_of_a_file_that_grows_the_first_length_is_sent(tmp_path: Path) -> None:
    """The stated length is kept."""
    path = _path(tmp_path)
    bodies = []

    async def growing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        with path.open("ab") as file:
            file.write(b"more")
        bodies.append(await received(head, reader))
        writer.write(CREATED)

    assert (await posted(growing, path)).status == 201
    assert bodies == [BIG]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_refused_body_is_sent_no_further(is_async: bool) -> None:
    """A server may answer before it has read, and close."""
    pieces = Pieces(bytes(50_000), is_endless=True)

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(100_000)
        writer.write(REFUSED)

    async with asyncio.timeout(10):
        answer = await posted(refusing, pieces.iterate_later() if is_async else pieces.iterate())

    assert (answer.status, answer.content) == (413, b"no")
    assert pieces.is_closed


@pytest.mark.parametrize("head", [b"Content-Length: 2", b"Connection: close"])
async def test_a_refusal_is_heard_though_the_body_cannot_be_sent(head: bytes) -> None:
    """The server ends its side and reads nothing: the end of the answer does not wait for the request's."""

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a transport for reading, too
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 413 Too Large\r\n" + head + b"\r\n\r\nno")
        writer.write_eof()
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        answer = await posted(refusing, BIG, idle_timeout=20)

    assert (answer.status, answer.content) == (413, b"no")


def _refuses_and_resets(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.recv(1000)
    connection.sendall(REFUSED)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.both_loops
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_refusal_is_heard_in_front_of_a_reset(is_async: bool) -> None:
    """The write that meets the reset comes before the bytes of the answer are read."""

    def slowly() -> Iterator[bytes]:
        yield b"some"
        yield bytes(1000)
        for _ in range(5):
            time.sleep(0.05)  # so that the loop sees the answer and the reset at once
            yield bytes(1000)

    async def slowly_later() -> AsyncIterator[bytes]:
        for piece in slowly():
            yield piece

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_refuses_and_resets, args=(listening,))
        thread.start()
        async with Fetcher() as fetcher:
            content = slowly_later() if is_async else slowly()
            answer = await fetcher.post(url_at(listening.getsockname()), content=content)
        thread.join()

    assert (answer.status, answer.content) == (413, b"no")


async def test_an_early_success_cuts_no_body() -> None:
    """A server may answer before it has read all, and read on."""
    bodies: list[bytes] = []

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(CREATED)
        bodies.append(await received(head, reader))
        await reader.read()  # the connection stays until the client leaves it

    async with raw_server(early) as where, Fetcher() as fetcher:
        for is_open in (False, True):
            pieces = Pieces(*[bytes(50_000)] * 40).iterate_later()
            if is_open:
                async with fetcher.open("POST", url_at(where), content=pieces) as answer:
                    assert await answer.read() == b"made"
            else:
                assert (await fetcher.post(url_at(where), content=pieces)).status == 201
        while len(bodies) < 2:  # noqa: ASYNC110 - the server reads the end a little later
            await asyncio.sleep(0.01)

    assert [len(body) for body in bodies] == [2_000_000, 2_000_000]


async def test_an_early_success_does_not_hide_an_error_of_the_iterator() -> None:
    """The request was not sent."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(CREATED)
        await received(head, reader)

    async def breaking() -> AsyncIterator[bytes]:
        yield b"some"
        await asyncio.sleep(0.1)
        raise Mine

    with pytest.raises(Mine):
        await posted(early, breaking())


@pytest.mark.parametrize("is_open", [False, True])
async def test_an_early_success_and_an_end_are_an_answer(is_open: bool) -> None:
    """A server that has answered and closed wants no more of the body."""
    waiting = asyncio.Event()

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CREATED)

    async def never() -> AsyncIterator[bytes]:
        yield b"some"
        await waiting.wait()

    async with raw_server(early) as where, Fetcher() as fetcher, asyncio.timeout(10):
        if is_open:
            async with fetcher.open("POST", url_at(where), content=never()) as answer:
                assert await answer.read() == b"made"
        else:
            assert (await fetcher.post(url_at(where), content=never())).content == b"made"


@pytest.mark.parametrize("is_open", [False, True])
async def test_both_directions_flow_at_once(is_open: bool) -> None:
    """A server that sends back each piece as it comes blocks nobody."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            piece = await reader.readexactly(size + 2)
            writer.write(b"%x\r\n" % size + piece)
            await writer.drain()
        await reader.readexactly(2)
        writer.write(b"0\r\n\r\n")

    pieces = Pieces(*[BIG[:50_000]] * 200)
    async with raw_server(echo) as where, Fetcher() as fetcher, asyncio.timeout(30):
        if is_open:
            async with fetcher.open("POST", url_at(where), content=pieces.iterate_later()) as answer:
                body = await answer.read()
        else:
            body = (await fetcher.post(url_at(where), content=pieces.iterate())).content

    assert body == BIG[:50_000] * 200


async def test_interim_answers_change_nothing() -> None:
    """100 Continue and 103 come before the answer, and during the body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
        body = await received(head, reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"%d" % len(body)))

    answer = await posted(serve, Pieces(*[bytes(50_000)] * 40).iterate_later())

    assert answer.content == b"2000000"


@pytest.mark.parametrize("status", ["307 Temporary Redirect", "308 Permanent Redirect"])
@pytest.mark.parametrize("make", [lambda: b"body", lambda: [b"bo", b"dy"], lambda: io.BytesIO(b"body")])
async def test_a_redirect_repeats_a_body_that_can_be_repeated(status: str, make: Callable[[], Any]) -> None:
    """307 and 308 send the same request again, from its beginning."""
    server = UploadServer(redirect_to("/b", status=status), None)

    answer = await posted(server, make())

    assert answer.content == b"4"
    assert server.bodies == [b"body", b"body"]


async def test_a_redirect_of_a_body_that_is_gone_is_an_error() -> None:
    """It is never sent truncated, or empty."""
    server = UploadServer(redirect_to("/b", status="307 Temporary Redirect"), None)

    with pytest.raises(FetchError, match="can be read only once") as caught:
        await posted(server, Pieces(b"body").iterate())

    assert caught.value.reason == Reason.BAD_REDIRECT
    assert len(server.heads) == 1


@pytest.mark.parametrize("content", [b"body", [b"body"]])
async def test_no_body_goes_to_another_origin(content: Any) -> None:
    """A body that could be sent again stays at its origin, too."""
    other = UploadServer()
    async with raw_server(other) as elsewhere:
        server = UploadServer(redirect_to(url_at(elsewhere), status="307 Temporary Redirect"))
        with pytest.raises(FetchError, match="another origin"):
            await posted(server, content, allow_nets=["127.0.0.0/8"])

    assert other.heads == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other"])
async def test_a_redirect_that_becomes_get_drops_the_body(status: str) -> None:
    """A body that can be read only once is no hindrance then."""
    server = UploadServer(redirect_to("/b", status=status), None)

    answer = await posted(server, Pieces(b"body").iterate())

    assert answer.content == b"0"
    assert server.heads[1].startswith("GET /b ")
    assert "chunked" not in server.heads[1]


@pytest.mark.parametrize(("content", "tries"), [([b"body"], 2), (iter([b"body"]), 1)])
@pytest.mark.usefixtures("clock")
async def test_a_body_that_is_gone_is_not_tried_again(content: Any, tries: int) -> None:
    """The answer of the first try is the answer."""
    server = UploadServer(response(status="503 Busy"), None)
    async with raw_server(server) as where, Fetcher() as fetcher:
        answer = await fetcher.put(url_at(where), content=content)

    assert answer.status == (200 if tries == 2 else 503)
    assert server.bodies == [b"body"] * tries


async def test_credentials_that_are_asked_for_go_with_the_next_body() -> None:
    """A body that can be read only once is not sent again; its answer is the 401, and the server's question is kept."""
    challenge = response(b"", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"', status="401 Unauthorized")
    server = UploadServer(challenge, None)
    async with raw_server(server) as where, Fetcher(auth=DigestAuth("name", "password")) as fetcher:
        first = await fetcher.post(url_at(where), content=iter([b"body"]))
        second = await fetcher.post(url_at(where), content=iter([b"body"]))

    assert (first.status, second.status) == (401, 200)
    assert "\r\nAuthorization: Digest " in server.heads[1]
    assert server.bodies == [b"body", b"body"]


@pytest.mark.parametrize(
    ("beginning", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 100_000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 100_000),
    ],
    ids=["head", "interim answers", "chunk extension"],
)
async def test_a_flood_during_an_upload_is_left(beginning: bytes, endless: bytes) -> None:
    """An endless head, endless interim answers and endless chunk extensions end, and the iterator is closed."""
    pieces = Pieces(bytes(10_000), is_endless=True)

    async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(beginning)
        while await reader.read(100_000):
            writer.write(endless)
            await writer.drain()

    with pytest.raises(FetchError) as caught:
        await posted(flooding, pieces.iterate_later())

    assert caught.value.reason in {Reason.HEADER_LIMIT, Reason.PROTOCOL_ERROR}
    assert pieces.is_closed


class _Resets:
    """A server that takes `taken` bytes of a request, gives `given` bytes of an answer, and resets."""

    def __init__(self, taken: int, given: bytes) -> None:
        self._taken = taken
        self._given = given

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(self._taken)
        writer.write(self._given)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


async def test_a_reset_at_any_byte_is_an_error_or_the_answer() -> None:
    """A reset behind the last byte of an answer leaves the answer; a part of one is never given."""
    whole = UploadServer(CREATED)
    await posted(whole, [b"body", b"more"])
    sent = len(whole.heads[0]) + len(b"4\r\nbody\r\n4\r\nmore\r\n0\r\n\r\n")
    cases = [(taken, b"") for taken in range(sent + 1)]
    cases += [(sent, CREATED[:given]) for given in range(len(CREATED) + 1)]

    found: list[bytes | Reason] = []
    async with Fetcher(concurrency=1, timeout=10) as fetcher:
        for case in cases:
            content = Pieces(b"body", b"more").iterate_later()
            async with raw_server(_Resets(*case)) as where:
                try:
                    found.append((await fetcher.post(url_at(where), content=content)).content)
                except FetchError as error:
                    found.append(error.reason)

    assert found[-1] == b"made"
    assert set(found[:-1]) == {Reason.CONNECTION_LOST, Reason.TRUNCATED}
