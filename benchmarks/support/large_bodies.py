"""A server for large bodies: `python large_bodies.py` prints its URL and serves until its standard input ends.

`GET /down/N` sends the bytes that the query asks for (`?bytes=`), the same block again and again. `PUT /up/N` reads a
body with a Content-Length, or a chunked one, to its end, and answers with its size.
"""

import asyncio
import os
import sys
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

_BLOCK = bytes(1024 * 1024)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            if method == "PUT":
                size = await _taken(reader, headers)
                body = str(size).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            else:
                left = int(parse_qs(urlsplit(target).query)["bytes"][0])
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
                while left > 0:
                    writer.write(_BLOCK[:left])
                    left -= len(_BLOCK)
                    await writer.drain()
            await writer.drain()
    writer.close()


async def _taken(reader: asyncio.StreamReader, headers: dict[str, str]) -> int:
    """Return the size of a body, read to its end."""
    size = 0
    if "chunked" in headers.get("transfer-encoding", ""):
        while left := int(await reader.readline(), 16):
            size += left
            await reader.readexactly(left + 2)
        await reader.readexactly(2)
        return size
    left = int(headers.get("content-length", "0"))
    while left and (piece := await reader.read(min(left, len(_BLOCK)))):
        size += len(piece)
        left -= len(piece)
    return size


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, limit=4 * len(_BLOCK))
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # its open connections are nobody's any more


if __name__ == "__main__":
    asyncio.run(_main())
