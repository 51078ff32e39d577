"""downloader.call_places: places of single calls, and what is left when one is cancelled at any moment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from crawler import ClientRequest, Fetcher
from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from support.cancelling import cancelled_everywhere
from support.fetching import answering
from support.file_server import FileServer
from support.path_server import response, url_at
from support.rawserver import raw_server
from support.threaded_server import threaded_server
from support.upload_server import received

CONTENT = bytes(range(256)) * 5000


class _WholeServer(FileServer):
    """A server of a file that also takes uploads, and closes each connection after its answer."""

    def __init__(self) -> None:
        super().__init__(CONTENT)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                if head.startswith("GET"):
                    await self._answer(head, writer)
                else:
                    writer.write(response(b"%d" % len(await received(head, reader))))
        finally:
            self.open -= 1
            async with self.changed:
                self.changed.notify_all()


async def _pieces() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield b"piece"


async def _get(fetcher: Fetcher, url: str, _folder: Path) -> int:
    return len((await fetcher.get(url)).content)


async def _post(fetcher: Fetcher, url: str, _folder: Path) -> int:
    return int((await fetcher.post(url, content=_pieces())).text)


async def _send_path(fetcher: Fetcher, url: str, folder: Path) -> int:
    request = ClientRequest("PUT", url, content=folder / "upload")
    return int((await fetcher.send(request)).text)


async def _open(fetcher: Fetcher, url: str, _folder: Path) -> int:
    async with fetcher.open("GET", url) as answer:
        return sum([len(piece) async for piece in answer.iter_bytes()])


async def _open_upload(fetcher: Fetcher, url: str, _folder: Path) -> int:
    async with fetcher.open("POST", url, content=_pieces()) as answer:
        return int(await answer.text())


async def _leave_early(fetcher: Fetcher, url: str, _folder: Path) -> int:
    async with fetcher.open("GET", url) as answer:
        async for piece in answer.iter_bytes(10):
            return len(piece)
    raise AssertionError


async def _save(fetcher: Fetcher, url: str, folder: Path) -> int:
    (folder / "saved").unlink(missing_ok=True)
    async with fetcher.open("GET", url) as answer:
        return (await answer.save(folder / "saved")).stat().st_size


def _names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def _stream(fetcher: Fetcher, url: str, _folder: Path) -> int:
    requests = [ClientRequest("POST", url, content=[b"piece"] * 3), ClientRequest("GET", url)]
    total = 0
    answers = fetcher.stream(requests)
    try:
        async for answer in answers:
            answer.raise_for_status()
            total += len(answer.content)
    finally:
        await answers.aclose()  # type: ignore[attr-defined] # it is a generator
    return total


@pytest.mark.parametrize(
    ("work", "result"),
    [
        (_get, len(CONTENT)),
        (_post, 15),
        (_send_path, 1000),
        (_open, len(CONTENT)),
        (_open_upload, 15),
        (_leave_early, 10),
        (_save, len(CONTENT)),
        (_stream, 2 + len(CONTENT)),
    ],
    ids=lambda work: getattr(work, "__name__", ""),
)
@pytest.mark.parametrize("is_new", [True, False], ids=["a Fetcher for each", "one Fetcher"])
async def test_a_call_may_be_cancelled_at_any_moment(
    tmp_path: Path, work: Callable[[Fetcher, str, Path], Coroutine[Any, Any, int]], result: int, is_new: bool
) -> None:
    """No task, file, connection or place is left, and no file but a part that the next download takes."""
    (tmp_path / "upload").write_bytes(bytes(1000))
    server = _WholeServer()
    async with threaded_server(server) as running:
        url = url_at(running.where)
        if is_new:

            async def work_alone() -> int:
                async with Fetcher(concurrency=1, timeout=10) as fetcher:
                    return await work(fetcher, url, tmp_path)

            found, cancellations = await cancelled_everywhere(work_alone, lambda: running.run(server.all_closed))
        else:
            async with Fetcher(concurrency=1, timeout=10) as fetcher:

                async def afterwards() -> None:
                    fetcher._transport._idle.drop_expired(float("inf"))  # type: ignore[attr-defined] # idle ones may stay
                    await running.run(server.all_closed)

                found, cancellations = await cancelled_everywhere(lambda: work(fetcher, url, tmp_path), afterwards)

    assert found == result
    assert cancellations >= 2
    names = _names_in(tmp_path) - {"upload", "saved"}
    assert all(name.startswith(".saved.") and name.endswith(".part") for name in names)
    assert len(names) <= 1


async def test_answers_that_stay_open_are_an_error_for_the_next_call() -> None:
    """A caller that holds all places itself would wait for ever."""
    async with raw_server(answering(response(b"good"))) as where, Fetcher(concurrency=2, timeout=0.2) as fetcher:
        url = url_at(where)
        async with fetcher.open("GET", url), fetcher.open("GET", url):
            for _ in range(2):
                with pytest.raises(FetchError, match="close the answers that are open") as caught:
                    await fetcher.get(url, retries=0)
                assert caught.value.reason == Reason.CLIENT_LIMIT

        assert (await fetcher.get(url)).content == b"good"


async def test_calls_that_move_on_wait_for_their_turn() -> None:
    """Any number of them may wait, as long as places become free."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.1)
            writer.write(response(b"good"))

    async with raw_server(slowly) as where, Fetcher(concurrency=1, timeout=0.3) as fetcher:
        answers = await asyncio.gather(*(fetcher.get(url_at(where), retries=0) for _ in range(8)))

    assert [answer.content for answer in answers] == [b"good"] * 8


async def test_the_pause_before_a_try_holds_no_place() -> None:
    """Another call takes it meanwhile."""
    busy = response(b"", "Retry-After: 1", status="503 Busy")
    async with raw_server(answering(busy, response(b"good"))) as where, Fetcher(concurrency=1) as fetcher:

        async def opened() -> bytes:
            async with fetcher.open("GET", url_at(where)) as answer:
                return await answer.read()

        waiting = asyncio.create_task(opened())
        async with raw_server(answering(response(b"other"))) as elsewhere:
            async with asyncio.timeout(0.9):
                await asyncio.sleep(0.1)
                assert (await fetcher.get(url_at(elsewhere))).content == b"other"
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_generator_that_is_left_loses_no_place() -> None:
    """The answer is closed with its block, and its generators with it."""
    async with raw_server(answering(response(CONTENT))) as where, Fetcher(concurrency=1, timeout=2) as fetcher:
        for _ in range(3):
            async with fetcher.open("GET", url_at(where)) as answer:
                left = answer.iter_bytes(5)
                assert await anext(left) == CONTENT[:5]
        await left.aclose()  # type: ignore[attr-defined] # it is a generator
