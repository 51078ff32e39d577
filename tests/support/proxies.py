"""Proxies on loopback that connect every tunnel to one port of it: HTTP's CONNECT, and SOCKS5 (RFC 1928, 1929)."""

import asyncio
import socket
from dataclasses import dataclass, field

from support.rawserver import Handler

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
CONNECTED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"
"""SOCKS: connected, from 127.0.0.1:8080."""


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Connect a client with this port of loopback, until either leaves."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    there = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
    finally:
        there[1].transport.abort()


def tunnelling(port: int, answer: bytes = ESTABLISHED, heads: list[bytes] | None = None) -> Handler:
    """Return an HTTP proxy; `heads` receives what it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heads is not None:
            heads.append(head)
        writer.write(answer)
        await relay(reader, writer, port)

    return serve


@dataclass
class SocksProxy:
    """A SOCKS5 proxy; `serve` is its handler.

    Attributes:
        port: of loopback, to which every client is connected.
        user: whom it lets in; None = all.
        reply: its answer to a request to connect; it relays if that is `CONNECTED`.
        in_pieces: it sends each byte by itself.
        asked: the hosts and ports that it was asked for, each host as text.
    """

    port: int
    user: tuple[str, str] | None = None
    reply: bytes = CONNECTED
    in_pieces: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        assert version == 5
        wanted = 0 if self.user is None else 2
        if wanted not in methods:
            writer.write(b"\x05\xff")
            return
        await self._send(writer, bytes((5, wanted)))
        if self.user is not None and not await self._lets_in(reader, writer):
            return
        self.asked.append(await _destination(reader))
        await self._send(writer, self.reply)
        if self.reply[1] == 0:
            await relay(reader, writer, self.port)

    async def _lets_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        assert await reader.readexactly(1) == b"\x01"
        name, password = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
        is_right = (name, password) == self.user
        await self._send(writer, b"\x01\x00" if is_right else b"\x01\x01")
        return is_right

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for piece in [data[at : at + 1] for at in range(len(data))] if self.in_pieces else [data]:
            writer.write(piece)
            await asyncio.sleep(0.001 if self.in_pieces else 0)


async def _destination(reader: asyncio.StreamReader) -> tuple[str, int]:
    assert await reader.readexactly(3) == b"\x05\x01\x00"
    kind = (await reader.readexactly(1))[0]
    if kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    else:
        family, length = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
        host = socket.inet_ntop(family, await reader.readexactly(length))
    return host, int.from_bytes(await reader.readexactly(2), "big")
