"""A server of one file that it can send from the middle, and that breaks off or lies where a test says so."""

import asyncio
import re
from collections.abc import Callable

_PIECE = 512 * 1024
_FROM = re.compile(r"\r\nRange: bytes=([0-9]+)-\r\n")


class FileServer:
    """Serves `content` by any path; `heads` holds the heads of all requests.

    Attributes:
        breaks: bytes after which the n-th answer breaks off; None, or none left = it is whole.
        ranges, validators: lines of the head that offer parts, and name the version.
        rewrite: changes the n-th answer, head and body.
        honours_range: it sends a part if it is asked for one.
        open: connections that are open.
    """

    def __init__(self, content: bytes, *, breaks: list[int | None] | None = None) -> None:
        self.content = content
        self.heads: list[str] = []
        self.breaks = breaks or []
        self.validators = 'ETag: "v1"\r\n'
        self.ranges = "Accept-Ranges: bytes\r\n"
        self.honours_range = True
        self.rewrite: dict[int, Callable[[bytes], bytes]] = {}
        self.open = 0
        self.changed = asyncio.Condition()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.open += 1
        try:
            while True:
                await self._answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), writer)
        finally:
            self.open -= 1
            async with self.changed:
                self.changed.notify_all()

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: not self.open)

    def starts(self) -> list[int]:
        """Return the byte from which each request asked."""
        return [int(found[1]) if (found := _FROM.search(head)) else 0 for head in self.heads]

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        number = len(self.heads)
        self.heads.append(head)
        found = _FROM.search(head)
        start = int(found[1]) if found and self.honours_range else 0
        status, lines = "200 OK", self.ranges + self.validators
        if start:
            status = "206 Partial Content"
            lines += f"Content-Range: bytes {start}-{len(self.content) - 1}/{len(self.content)}\r\n"
        body = self.content[start:]
        answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body
        answer = self.rewrite.get(number, bytes)(answer)
        end = self.breaks[number] if number < len(self.breaks) else None
        if end is not None:
            answer = answer[: answer.index(b"\r\n\r\n") + 4 + end]
        for at in range(0, len(answer), _PIECE):
            writer.write(answer[at : at + _PIECE])
            await writer.drain()
        if end is not None:
            writer.close()
            raise ConnectionAbortedError
