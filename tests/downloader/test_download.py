"""downloader.download: a body in a file, which goes on where it broke."""

import asyncio
import fcntl
import gzip
import os
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crawler import Fetcher
from crawler.core.errors import FetchError, StatusError, UsageError
from crawler.core.reasons import Reason
from support.fetching import saying
from support.file_server import FileServer
from support.path_server import PathServer, response, url_at
from support.rawserver import raw_server

MIB = 1024 * 1024
BIG = random.Random(1).randbytes(3 * MIB + 17)  # noqa: S311 - a seed repeats a failure


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.downloader.download.backoff", lambda _failed, _jitter: 0.0)


async def save(server: Any, path: Path, url_path: str = "/file", **options: Any) -> Path:
    """Save a file of a server."""
    async with raw_server(server) as where, Fetcher(retries=2) as fetcher:
        return await saved(fetcher, url_at(where, url_path), path, **options)


async def saved(fetcher: Fetcher, url: str, path: Path, **options: Any) -> Path:
    """Save a file by a Fetcher that is open."""
    async with fetcher.open("GET", url, **options) as answer:
        return await answer.save(path)


async def refused(server: Any, path: Path, **options: Any) -> FetchError:
    """Return the error of a file that cannot be saved."""
    with pytest.raises(FetchError) as caught:
        await save(server, path, **options)
    assert path.name not in left_in(path.parent)
    return caught.value


def _has_written(folder: Path, size: int) -> bool:
    return any(file.stat().st_size >= size for file in folder.iterdir())


def left_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, len(BIG)])
async def test_a_file_is_saved(tmp_path: Path, size: int) -> None:
    """It holds the bytes of the body, and nothing else is left in the folder."""
    path = await save(FileServer(BIG[:size]), tmp_path / "file")

    assert path.read_bytes() == BIG[:size]
    assert left_in(tmp_path) == ["file"]


async def test_content_is_unpacked(tmp_path: Path) -> None:
    """A file has the content, without its coding."""
    server = PathServer(file=response(gzip.compress(b"good"), "Content-Encoding: gzip"))

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == b"good"


async def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    """The name stands for the file that was there before, until the last byte has come."""
    path, go_on = tmp_path / "file", asyncio.Event()
    path.write_text("before")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG[:-1])
        await go_on.wait()
        writer.write(BIG[-1:])

    async with raw_server(serve) as where, Fetcher() as fetcher, asyncio.TaskGroup() as group:
        saving = group.create_task(saved(fetcher, url_at(where), path))
        while len(left_in(tmp_path)) < 2:  # noqa: ASYNC110 - the disk sends no event
            await asyncio.sleep(0.01)
        before = path.read_bytes()
        go_on.set()
        await saving

    assert (before, path.read_bytes()) == (b"before", BIG)


async def test_a_break_is_mended(tmp_path: Path) -> None:
    """The bytes that have come are not asked for again."""
    server = FileServer(BIG, breaks=[MIB + 5, 100, 0])

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == BIG
    assert server.starts() == [0, MIB + 5, MIB + 105, MIB + 105]
    assert all('\r\nIf-Range: "v1"\r\n' in head for head in server.heads[1:])
    assert left_in(tmp_path) == ["file"]


async def test_breaks_that_bring_nothing_are_counted(tmp_path: Path) -> None:
    """After so many as there are retries the download fails, and its part stays."""
    server = FileServer(BIG, breaks=[MIB, *[0] * 9])

    error = await refused(server, tmp_path / "file")

    assert error.reason == Reason.TRUNCATED
    assert len(server.heads) == 3
    assert [name.endswith(".part") for name in left_in(tmp_path)] == [True]


async def test_without_retries_a_break_is_the_end(tmp_path: Path) -> None:
    """`retries=0` asks once."""
    server = FileServer(BIG, breaks=[MIB])

    await refused(server, tmp_path / "file", retries=0)

    assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("ranges", "validators"),
    [
        ("", 'ETag: "v1"\r\n'),
        ("Accept-Ranges: none\r\n", 'ETag: "v1"\r\n'),
        ("Accept-Ranges: bytes\r\n", ""),
        ("Accept-Ranges: bytes\r\n", 'ETag: W/"v1"\r\n'),
        (
            "Accept-Ranges: bytes\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
            'ETag: W/"v1"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n',
        ),
        (
            "Accept-Ranges: bytes\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        ),
        ("Accept-Ranges: bytes\r\n", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
    ],
)
async def test_without_ranges_or_a_version_a_download_begins_anew(tmp_path: Path, ranges: str, validators: str) -> None:
    """Two parts might be of two versions, so nothing is put together."""
    server = FileServer(BIG, breaks=[2 * MIB])
    server.ranges, server.validators = ranges, validators

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == BIG
    assert server.starts() == [0, 0]


@pytest.mark.parametrize("packed", [False, True])
async def test_a_small_file_begins_anew_as_often_as_there_are_tries(tmp_path: Path, packed: bool) -> None:
    """A break of it costs a further try, whatever has come; the last one is the error, and leaves nothing."""
    content = os.urandom(100_000)
    server = FileServer(gzip.compress(content) if packed else content, breaks=[50_000, 60_000, None, 1, 2, 3, 4])
    server.ranges += "Content-Encoding: gzip\r\n" * packed

    path = await save(server, tmp_path / "file", retries=2)
    error = await refused(server, tmp_path / "other", retries=2)

    assert path.read_bytes() == content
    assert error.reason is Reason.TRUNCATED
    assert server.starts() == [0] * 6
    assert left_in(tmp_path) == ["file"]


async def test_a_file_that_is_gone_the_second_time_is_an_error(tmp_path: Path) -> None:
    """An error page takes no file's place."""
    server = FileServer(b"x" * 1000, breaks=[10])
    server.rewrite = {1: lambda answer: answer.replace(b"200 OK", b"404 Not Found")}

    error = await refused(server, tmp_path / "file")

    assert error.reason is Reason.HTTP_STATUS
    assert left_in(tmp_path) == []


async def test_a_date_names_a_version(tmp_path: Path) -> None:
    """Last-Modified will do where it is older than the answer, and there is no ETag."""
    server = FileServer(BIG, breaks=[MIB])
    server.ranges += "Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"
    server.validators = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == BIG
    assert "\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n" in server.heads[1]


async def test_a_later_call_goes_on(tmp_path: Path) -> None:
    """A download that failed begins at the end of its part when it is started again."""
    server = FileServer(BIG, breaks=[2 * MIB, 0, 0])
    path = tmp_path / "file"
    await refused(server, path)

    await save(server, path)  # at another port: the part is of another URL
    async with raw_server(server) as where, Fetcher(retries=0) as fetcher:
        server.breaks = [None] * len(server.heads) + [2 * MIB]
        with pytest.raises(FetchError):
            await saved(fetcher, url_at(where), path)
        asked = len(server.heads)
        await saved(fetcher, url_at(where), path)

    assert path.read_bytes() == BIG
    assert server.starts()[asked:] == [0, 2 * MIB]


def _with(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda answer: answer.replace(old, new, 1)


_RANGE = b"bytes 1048576-%d/%d" % (len(BIG) - 1, len(BIG))
_ALL_OF_ANOTHER = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "v2"\r\nAccept-Ranges: bytes\r\n\r\n' % len(BIG)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(_with(b'"v1"', b'"v2"'), id="the rest of another version"),
        pytest.param(_with(b'"v1"', b'W/"v1"'), id="the rest of a weak version"),
        pytest.param(_with(_RANGE, b"bytes 0-%d/%d" % (len(BIG) - 1, len(BIG))), id="another start"),
        pytest.param(_with(_RANGE, b"bytes 1048576-1048577/9"), id="another length"),
        pytest.param(_with(_RANGE, b"bytes */3"), id="no range"),
        pytest.param(_with(b"Content-Range", b"X"), id="without a range"),
        pytest.param(_with(b"Accept-Ranges", b"Content-Encoding: gzip\r\nAccept-Ranges"), id="a coding"),
        pytest.param(_with(b"206 Partial Content", b"416 Range Not Satisfiable"), id="416"),
        pytest.param(lambda _answer: _ALL_OF_ANOTHER + b"x" * len(BIG), id="all of another version"),
    ],
)
async def test_two_versions_are_never_put_together(tmp_path: Path, lie: Callable[[bytes], bytes]) -> None:
    """A rest that cannot be the rest ends the download, and its part goes: the next download begins anew."""
    server = FileServer(BIG, breaks=[MIB])
    server.rewrite = {1: lie}

    error = await refused(server, tmp_path / "file")

    assert error.reason == Reason.PARTIAL_CONTENT
    assert left_in(tmp_path) == []


async def test_an_error_of_the_server_leaves_the_part(tmp_path: Path) -> None:
    """A server that is busy may have the rest later."""
    server = FileServer(BIG, breaks=[MIB])
    server.rewrite = {1: _with(b"206 Partial Content", b"403 Forbidden")}

    error = await refused(server, tmp_path / "file")

    assert error.reason == Reason.PARTIAL_CONTENT
    assert len(left_in(tmp_path)) == 1


async def test_a_server_that_sends_all_again_is_heard(tmp_path: Path) -> None:
    """A server may ignore the range: its answer replaces the part."""
    server = FileServer(BIG, breaks=[MIB, 2 * MIB])
    server.honours_range = False

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == BIG


async def test_more_bytes_than_stated_are_an_error(tmp_path: Path) -> None:
    """A rest without an end fills no disk."""
    endless = b"%x\r\n%b\r\n" % (MIB, bytes(MIB)) * 4
    server = FileServer(BIG, breaks=[MIB])
    server.rewrite = {
        1: lambda answer: (
            answer.partition(b"\r\n\r\n")[0].replace(b"Content-Length", b"X-Length")
            + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
            + endless
        )
    }

    error = await refused(server, tmp_path / "file")

    assert error.reason == Reason.PROTOCOL_ERROR
    assert left_in(tmp_path) == []


async def test_fewer_bytes_than_stated_are_a_break(tmp_path: Path) -> None:
    """A rest that is shorter than it has to be is asked for again."""
    server = FileServer(BIG, breaks=[MIB])
    shorter = _with(b"Content-Length: %d" % (len(BIG) - MIB), b"Content-Length: 5")
    server.rewrite = {1: lambda answer: shorter(answer[: answer.index(b"\r\n\r\n") + 4 + 5])}

    path = await save(server, tmp_path / "file")

    assert path.read_bytes() == BIG
    assert server.starts() == [0, MIB, MIB + 5]


@pytest.mark.parametrize("size", [4 * 1024, len(BIG)])
async def test_a_limit_of_the_body_holds_for_files(tmp_path: Path, size: int) -> None:
    """A longer file is an error, also one of which the last part alone is asked for."""
    server = FileServer(BIG[:size])
    for _ in range(2):
        error = await refused(server, tmp_path / "file", max_body=size - 1)
        assert error.reason == Reason.BODY_LIMIT


async def test_a_longer_file_is_no_file_after_a_break(tmp_path: Path) -> None:
    """The limit counts what came before the break."""
    server = FileServer(BIG)
    async with raw_server(server) as where, Fetcher(retries=0) as fetcher:
        for _ in range(4):
            with pytest.raises(FetchError) as caught:
                await saved(fetcher, url_at(where), tmp_path / "file", max_body=2 * MIB)
            assert caught.value.reason == Reason.BODY_LIMIT


KILLED = """
import asyncio, sys
from crawler import Fetcher

async def main():
    async with Fetcher() as fetcher, fetcher.open("GET", sys.argv[1]) as answer:
        await answer.save(sys.argv[2])

asyncio.run(main())
"""


async def test_a_killed_process_goes_on_when_it_is_started_again(tmp_path: Path) -> None:
    """The part of a process that is gone is nobody's, and the next process takes it."""
    path, stalled = tmp_path / "file", asyncio.Event()
    server = FileServer(BIG)

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if stalled.is_set():
            await server(reader, writer)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        server.heads.append(head)
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\nContent-Length: %d\r\n\r\n' % len(BIG))
        writer.write(BIG[: 2 * MIB + 100])
        await asyncio.Event().wait()

    async with raw_server(stalling) as where:
        command = (sys.executable, "-c", KILLED, url_at(where), str(path))
        first = await asyncio.create_subprocess_exec(*command)
        while not _has_written(tmp_path, 2 * MIB):  # noqa: ASYNC110 - another process sends no event
            await asyncio.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        await first.wait()
        stalled.set()
        second = await asyncio.create_subprocess_exec(*command)
        assert await second.wait() == 0

    assert path.read_bytes() == BIG
    assert server.starts()[:2] == [0, 0]
    assert server.starts()[2] >= 2 * MIB
    assert left_in(tmp_path) == ["file"]


async def test_two_downloads_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Each writes a part of its own, and the file is whole whichever ends last."""
    server = FileServer(BIG)
    async with raw_server(server) as where, Fetcher() as fetcher:
        url, path = url_at(where), tmp_path / "file"

        await asyncio.gather(*(saved(fetcher, url, path) for _ in range(4)))

    assert path.read_bytes() == BIG
    assert left_in(tmp_path) == ["file"]


@pytest.mark.parametrize("size", [10, len(BIG)])
@pytest.mark.parametrize("name", ["absent/file", "folder", "x" * 256, "file/file", "", "folder/.."])
async def test_a_path_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path, name: str, size: int) -> None:
    """It is told before the body is read, and nothing is left."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match=r"directory|long"):
        await save(FileServer(BIG[:size]), tmp_path / name)

    assert left_in(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("name", ["x" * 255, "\u00fc" * 127, "\udcff", ".hidden", "-"])
async def test_a_name_may_be_as_long_and_odd_as_the_system_takes_it(tmp_path: Path, name: str) -> None:
    """The name of the part is shorter, and any bytes may be in it."""
    server = FileServer(BIG, breaks=[MIB])

    path = await save(server, tmp_path / name)

    assert path.read_bytes() == BIG
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - in the loop, for a moment


async def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """The next download uses what was written before."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    server = FileServer(BIG)
    async with raw_server(server) as where, Fetcher() as fetcher:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB + 5000, before[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                await saved(fetcher, url_at(where), tmp_path / "file")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert len(left_in(tmp_path)) == 1

        await saved(fetcher, url_at(where), tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == BIG
    assert server.starts()[-1] >= 2 * MIB
    assert left_in(tmp_path) == ["file"]


async def test_an_error_page_is_no_file(tmp_path: Path) -> None:
    """A status of 400 and more is raised, and nothing is written."""
    with pytest.raises(StatusError):
        await save(saying(b"HTTP/1.1 404 Gone\r\nContent-Length: 4\r\n\r\ngone"), tmp_path / "file")

    assert left_in(tmp_path) == []


async def test_a_body_that_was_begun_is_not_saved(tmp_path: Path) -> None:
    """A file without its beginning would look like the file."""
    async with raw_server(FileServer(BIG)) as where, Fetcher() as fetcher, fetcher.open("GET", url_at(where)) as answer:
        async for _ in answer.iter_bytes():
            break

        with pytest.raises(UsageError, match="read already"):
            await answer.save(tmp_path / "file")

    assert left_in(tmp_path) == []


async def test_a_part_that_another_download_completes_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that gets its name between its opening and its lock is complete: nothing is written into it."""
    path, lock = tmp_path / "file", fcntl.flock

    def late_lock(file: Any, how: int) -> None:
        if not path.exists():
            part = next(tmp_path.iterdir())
            part.write_bytes(b"complete")
            part.rename(path)
        lock(file, how)

    monkeypatch.setattr("crawler.downloader.download.fcntl.flock", late_lock)

    await save(FileServer(BIG), path)

    assert path.read_bytes() == BIG
    assert left_in(tmp_path) == ["file"]


def _evil_link(part: Path) -> None:
    other = part.with_name("other")
    other.write_bytes(b"EVIL" * 1000)
    part.hardlink_to(other)


def _evil_symlink(part: Path) -> None:
    other = part.with_name("other")
    other.write_bytes(b"EVIL" * 1000)
    part.symlink_to(other)


@pytest.mark.parametrize("lay", [_evil_link, _evil_symlink, Path.mkdir, os.mkfifo])
async def test_a_part_that_a_stranger_laid_is_not_used(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    """Its name can be guessed: what lies there is left as it is, and the download writes a part of its own."""
    async with _after_a_break(tmp_path) as (part, save_it):
        part.unlink()
        lay(part)
        before = left_in(tmp_path)

        await save_it()

    assert (tmp_path / "file").read_bytes() == BIG
    assert left_in(tmp_path) == sorted([*before, "file"])


async def test_a_part_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared folder has files of all users."""
    async with _after_a_break(tmp_path) as (part, save_it):
        part.write_bytes(b"EVIL" * 1000)
        owner = part.stat().st_uid
        monkeypatch.setattr("crawler.downloader.download.os.geteuid", lambda: owner + 1)

        await save_it()

    assert (tmp_path / "file").read_bytes() == BIG
    assert part.read_bytes() == b"EVIL" * 1000


@asynccontextmanager
async def _after_a_break(folder: Path) -> AsyncIterator[tuple[Path, Callable[[], Awaitable[Path]]]]:
    """Give the part file of a download that broke, and a function that downloads the file once more."""
    async with raw_server(FileServer(BIG, breaks=[MIB])) as where, Fetcher(retries=0) as fetcher:
        once_more = partial(saved, fetcher, url_at(where), folder / "file")
        with pytest.raises(FetchError):
            await once_more()
        yield folder / left_in(folder)[0], once_more


async def test_an_error_of_the_system_names_the_path_that_was_given(tmp_path: Path) -> None:
    """The name of the part is of no use to the user."""
    for size in (10, len(BIG)):
        with pytest.raises(FileNotFoundError) as caught:
            await save(FileServer(BIG[:size]), tmp_path / "absent" / "file")

        assert caught.value.filename == str(tmp_path / "absent" / "file")


async def test_the_head_of_a_file_is_no_file(tmp_path: Path) -> None:
    """An empty file would look like the file."""
    async with (
        raw_server(FileServer(BIG)) as where,
        Fetcher() as fetcher,
        fetcher.open("HEAD", url_at(where)) as answer,
    ):
        with pytest.raises(UsageError, match="ask with GET"):
            await answer.save(tmp_path / "file")

    assert left_in(tmp_path) == []
