"""Documents of 15 MiB: `python large_server.py`, one line of JSON when it is ready, ends when its input closes.

`/KIND/ANYTHING` is one: `text` (HTML with few links), `links` (HTML of nothing else), `chunked` (text, in chunks of 16
KB and without a length), `coded` (60 MiB of text under gzip).
"""

import asyncio
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crawler.runtime.loop import Stop, run
from crawler.site.parent_pipe import end_with_parent

_SIZE = 15 * 1024 * 1024
_CHUNK = 16_000
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
KINDS = ("text", "chunked", "links", "coded")


@contextmanager
def large_server() -> Iterator[str]:
    """Serve them in another process until the block ends; gives the base URL."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        ready = server.stdout.readline() if server.stdout else b""
        try:
            yield json.loads(ready)["url"]
        finally:
            if server.stdin:
                server.stdin.close()


@cache
def _answer(kind: str) -> bytes:
    if kind == "links":
        links, size = [b"<title>links</title>"], 0
        for number in count():
            links.append(b'<a href="http://127.0.0.1:9/page/%d.html">page %d</a>\n' % (number, number))
            if (size := size + len(links[-1])) > _SIZE:
                return _sized(b"".join(links))
    line = b"<p>Of a line like this one there are a hundred thousand and more, and none leads anywhere else.</p>\n"
    text = b"<title>text</title>" + line * (_SIZE // len(line))
    if kind == "coded":
        return _sized(gzip.compress(text * 4), b"Content-Encoding: gzip\r\n")
    return _chunked(text) if kind == "chunked" else _sized(text)


def _sized(body: bytes, headers: bytes = b"") -> bytes:
    return _HEAD + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _chunked(body: bytes) -> bytes:
    chunks = (body[at : at + _CHUNK] for at in range(0, len(body), _CHUNK))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return _HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            kind = (await reader.readuntil(b"\r\n\r\n")).split(b"/")[1].decode("latin-1")
            writer.write(_answer(kind) if kind in KINDS else _NOT_FOUND)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _serve(stop: Stop) -> None:
    server = await asyncio.start_server(_converse, "127.0.0.1", 0, backlog=1024)
    await end_with_parent(stop)
    print(json.dumps({"url": "http://{}:{}".format(*server.sockets[0].getsockname())}), flush=True)
    await stop.wait_draining()
    server.close()


if __name__ == "__main__":
    run(_serve)
