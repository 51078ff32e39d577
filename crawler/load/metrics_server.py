"""A server of metrics on loopback, for the monitor that watches a load test: one path, one answer, then it hangs up.

Rules
- A scraper can never disturb the test: it is served by the process that sends nothing, by callbacks without a task.
- A client has 5 s and 8 KiB for its request, and so long to take the answer; at most 16 are served at a time.
- Only GET and HEAD of /metrics are answered, and nothing that a client sends is shown or kept.
Why our own: the request line decides all there is to decide. A server library would be a dependency for one path.
Runs on: the loop of the process that shows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import cast

from crawler.core.errors import UsageError
from crawler.load.prometheus import CONTENT_TYPE

_PATIENCE = 5.0  # seconds
_LONGEST = 8192  # bytes of a request's head
_MOST = 16  # clients


@asynccontextmanager
async def metrics_server(port: int, text: Callable[[], str]) -> AsyncIterator[int]:
    """Serve `text()` at /metrics of 127.0.0.1 until the block ends; yields the port, which is a free one for 0.

    Raises:
        UsageError: the port cannot be had.
    """
    scrapes = set[_Scrape]()
    try:
        server = await asyncio.get_running_loop().create_server(lambda: _Scrape(text, scrapes), "127.0.0.1", port)
    except OSError as error:
        reason = (error.strerror or str(error)).rpartition(": ")[2]
        raise UsageError(f"--metrics {port}: {reason}; give another port, or 0 for any that is free") from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for scrape in tuple(scrapes):
            scrape.end()


class _Scrape(asyncio.Protocol):
    """One connection of a scraper."""

    def __init__(self, text: Callable[[], str], scrapes: "set[_Scrape]") -> None:
        self._text = text
        self._scrapes = scrapes
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self.end)
        self._scrapes.add(self)
        if len(self._scrapes) > _MOST:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._scrapes.discard(self)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._head += data
        if b"\r\n\r\n" in self._head or b"\n\n" in self._head:
            self._answer(self._head.split(b"\n", 1)[0].split())
        elif len(self._head) > _LONGEST:
            self._write(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long\n")

    def _answer(self, words: list[bytes]) -> None:
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            self._write(HTTPStatus.BAD_REQUEST, "this is not HTTP/1.1\n")
        elif words[0] not in {b"GET", b"HEAD"}:
            self._write(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD are served\n")
        elif words[1].partition(b"?")[0] != b"/metrics":
            self._write(HTTPStatus.NOT_FOUND, "the metrics are at /metrics\n")
        else:
            self._write(HTTPStatus.OK, self._text(), is_head=words[0] == b"HEAD")

    def _write(self, status: HTTPStatus, text: str, *, is_head: bool = False) -> None:
        body = text.encode()
        allow = "Allow: GET, HEAD\r\n" if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {CONTENT_TYPE}\r\n{allow}"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._transport.write(head.encode() + (b"" if is_head else body))
        self._transport.close()

    def end(self) -> None:
        """Hang up, whatever is still to be sent."""
        self._transport.abort()
