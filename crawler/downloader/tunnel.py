"""Tunnels: TLS with a host through a proxy, which is asked by CONNECT (RFC 9110, 9.3.6).

Rules
- The proxy hears the target's host and port, the user agent and its own credentials, and no header of the request.
- TLS begins behind the head of the proxy's answer. Bytes behind that head are not the target's, since it speaks only
  once it is greeted: they end the dial.
Runs on: the event loop.
"""

import asyncio

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.core.urls import Url
from crawler.downloader.proxy import Proxy
from crawler.http.framing import ResponseReader
from crawler.http.head import Head


def tunnel_request(url: Url, proxy: Proxy, user_agent: str) -> bytes:
    """Return the request for a tunnel to the host of `url`."""
    where = url.host_port
    headers = (("Host", where), ("User-Agent", user_agent), *proxy.headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"CONNECT {where} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape")


class TunnelAnswer(asyncio.Protocol):
    """The proxy's answer to the request for a tunnel."""

    def __init__(self) -> None:
        self._reader = ResponseReader(bodiless=True)  # an answer that opens a tunnel has no body, whatever it says
        self._ended: asyncio.Future[Head] = asyncio.get_running_loop().create_future()

    async def check(self, where: str) -> None:
        """Wait until the tunnel to `where` is open.

        Raises:
            FetchError: PROXY_FAILED, the proxy refuses; or its answer is none.
        """
        try:
            head = await self._ended
        except FetchError as error:
            raise FetchError(Reason.PROXY_FAILED, f"the proxy did not connect to {where}: {error}") from error
        if head.status != 200:
            told = f"{head.status} {safe(head.phrase, 200)}"
            raise FetchError(Reason.PROXY_FAILED, f"the proxy did not connect to {where}: {told}")
        if self._reader.surplus:
            raise FetchError(Reason.PROTOCOL_ERROR, f"the proxy spoke before {where} was asked")

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        try:
            self._reader.feed(data)
        except FetchError as error:
            self._end(error)
        if self._reader.is_done and self._reader.head is not None and not self._ended.done():
            self._ended.set_result(self._reader.head)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer: the proxy has left."""
        try:
            self._reader.finish()
        except FetchError as error:
            self._end(error)

    def _end(self, error: FetchError) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
