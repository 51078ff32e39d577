"""downloader.request_body: what a request may send."""

import asyncio
import gzip
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from crawler.core.errors import UsageError
from crawler.core.messages import BodySource
from crawler.downloader.request_body import STEP, PathBody, request_body

LONG = os.urandom(2 * STEP + 100)


async def _sent(body: BodySource) -> bytes:
    """Send it once, in pieces that keep the rules."""
    pieces = [piece async for piece in body.pieces()]
    assert all(0 < len(piece) <= STEP for piece in pieces)
    return b"".join(pieces)


def _file(folder: Path, content: bytes = LONG) -> Path:
    path = folder / "upload.bin"
    path.write_bytes(content)
    return path


def _is_open(path: Path) -> bool:
    return any(link.exists() and link.resolve() == path for link in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("value", [LONG, bytearray(LONG), memoryview(LONG), b""])
async def test_bytes_are_sent_as_often_as_needed(value: bytes) -> None:
    """Bytes have a length and can be sent again."""
    body = request_body("content", value)

    assert (body.length, body.is_repeatable) == (len(value), True)
    assert await _sent(body) == await _sent(body) == bytes(value)


async def test_text_is_sent_as_utf8() -> None:
    """The length counts bytes, not letters."""
    body = request_body("content", "ä€")

    assert (body.length, await _sent(body)) == (5, "ä€".encode())


async def test_a_path_is_opened_for_each_sending(tmp_path: Path) -> None:
    """Between two sendings no file is open, so the path may be sent again."""
    body = request_body("content", _file(tmp_path))

    assert (body.length, body.is_repeatable) == (len(LONG), True)
    assert await _sent(body) == await _sent(body) == LONG


@pytest.mark.parametrize("open_file", [lambda path: path.open("rb"), lambda path: path.open("rb", buffering=0)])
async def test_an_open_file_is_sent_from_where_it_stood(tmp_path: Path, open_file: Callable[[Path], io.IOBase]) -> None:
    """The bytes before are not sent, it is rewound for another sending, and it stays open."""
    with open_file(_file(tmp_path)) as file:
        file.seek(10)

        body = request_body("content", file)

        assert (body.length, body.is_repeatable, file.tell()) == (len(LONG) - 10, True, 10)
        assert await _sent(body) == await _sent(body) == LONG[10:]
        assert not file.closed


async def test_other_files_are_files_too(tmp_path: Path) -> None:
    """Files in memory, temporary ones, and those that decompress are read through their own methods."""
    packed = _file(tmp_path, gzip.compress(LONG))
    with tempfile.NamedTemporaryFile() as named, gzip.open(packed) as unpacked:
        named.write(LONG)
        named.seek(0)

        for file in (io.BytesIO(LONG), named, unpacked):
            body = request_body("content", file)
            assert (body.length, await _sent(body)) == (len(LONG), LONG)


async def test_a_pipe_is_sent_once_and_in_chunks() -> None:
    """A file that cannot go back has no length, and is read to its end."""
    out, into = os.pipe()
    os.write(into, b"from a pipe")
    os.close(into)
    with open(out, "rb") as file:  # noqa: ASYNC230, PTH123 - a descriptor
        body = request_body("content", file)

        assert (body.length, body.is_repeatable) == (None, False)
        assert await _sent(body) == b"from a pipe"


async def test_a_wait_for_a_pipe_can_be_cancelled() -> None:
    """A timeout ends the wait for a writer that does not come."""
    out, into = os.pipe()
    with open(out, "rb") as file:  # noqa: ASYNC230, PTH123 - a descriptor
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await _sent(request_body("content", file))

        os.close(into)


async def test_a_file_that_is_not_open_for_bytes_is_refused(tmp_path: Path) -> None:
    """Text, closed files and files for writing are named, with what to do."""
    path = _file(tmp_path)
    with path.open("r") as text, pytest.raises(UsageError, match=r"content: '.*upload.bin' is not open .*mode \"rb\""):
        request_body("content", text)
    with pytest.raises(UsageError, match="'StringIO' is not open for reading bytes"):
        request_body("content", io.StringIO("text"))
    with path.open("ab") as appended, pytest.raises(UsageError, match=r"upload.bin' cannot be read"):
        request_body("content", appended)
    with path.open("rb") as closed:
        pass
    with pytest.raises(UsageError, match="closed file"):
        request_body("content", closed)


async def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=r"content: '.*missing' cannot be read: No such file"):
        request_body("content", tmp_path / "missing")
    with pytest.raises(UsageError, match="is no regular file"):
        request_body("content", tmp_path)


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_file_that_shrinks_is_an_error(tmp_path: Path, is_open: bool) -> None:
    """Fewer bytes than were promised never pass for the whole body."""
    path = _file(tmp_path)
    with path.open("rb", buffering=0) as file:
        body = request_body("content", file if is_open else path)
        os.truncate(path, STEP + 1)

        with pytest.raises(UsageError, match=rf"upload.bin' has shrunk: {STEP + 99} of the {len(LONG)} bytes"):
            await _sent(body)


async def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    """A path that is gone when it is sent is named."""
    path = _file(tmp_path)
    body = request_body("content", path)
    path.unlink()

    with pytest.raises(UsageError, match=r"upload.bin' cannot be read: No such file"):
        await _sent(body)


@pytest.mark.parametrize("is_open", [False, True])
async def test_of_a_file_that_grows_the_stated_length_is_sent(tmp_path: Path, is_open: bool) -> None:
    """A log that is written to meanwhile breaks no request."""
    path = _file(tmp_path)
    with path.open("rb") as file:
        body = request_body("content", file if is_open else path)
        with path.open("ab") as more:
            more.write(b"more")

        assert await _sent(body) == LONG


async def test_iterables_are_sent_in_chunks() -> None:
    """A list can be sent again, an iterator cannot; empty pieces are left out."""

    async def later() -> AsyncIterator[bytes]:
        for piece in (b"a", b"", b"b"):
            yield piece

    class Again:
        async def read(self, size: int) -> bytes:
            raise NotImplementedError

        def __aiter__(self) -> AsyncIterator[bytes]:
            return later()

    sources: list[tuple[object, bool]] = [([b"a", b"", b"b"], True), (iter([b"a", b"b"]), False)]
    for source, is_repeatable in [*sources, (later(), False), (Again(), True)]:
        body = request_body("content", source)
        assert (body.length, body.is_repeatable, await _sent(body)) == (None, is_repeatable, b"ab")
        assert not is_repeatable or await _sent(body) == b"ab"


async def test_errors_of_the_iterable_pass_through() -> None:
    """An error of the user's own code is the user's."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        await _sent(request_body("content", pieces()))


async def test_what_is_no_body_is_refused() -> None:
    """The message names the keyword and what is taken."""
    for value in (7, None, {"a": 1}):
        with pytest.raises(UsageError, match="content: expected bytes, text, a binary file"):
            request_body("content", value)
    with pytest.raises(UsageError, match="content: an iterable has to give bytes, not str"):
        await _sent(request_body("content", ["text"]))


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_generator_is_closed_when_the_sending_is_left(is_async: bool) -> None:
    """The user's generator releases all that it holds at once, not at the next garbage collection."""
    closed: list[bool] = []

    def pieces() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    async def later() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    async with aclosing(request_body("content", later() if is_async else pieces()).pieces()) as sending:
        async for _ in sending:
            break

    assert closed == [True]


@pytest.mark.both_loops
async def test_a_file_is_closed_when_its_sending_is_cancelled(tmp_path: Path) -> None:
    """No descriptor is left, whether it is cancelled while it opens or while it reads."""
    body = request_body("content", _file(tmp_path, bytes(50 * STEP)))
    assert isinstance(body, PathBody)
    for turns in range(12):
        sending = asyncio.create_task(_sent(body))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    await asyncio.get_running_loop().shutdown_default_executor()  # waits for its threads
    assert not _is_open(body.path)
