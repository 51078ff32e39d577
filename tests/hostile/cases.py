"""The catalogue of hostile and broken servers: what each one sends, and the outcomes that contain it.

Rules
- A case is literal bytes, or a handler where time or the connection itself is the point.
- An outcome is a reason, or the body that may be taken. Where an honest reading allows both, both are listed.
"""

import asyncio
import gzip
import itertools
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import brotli

from crawler.core.reasons import Reason
from support.fetching import saying
from support.rawserver import Handler

KIB = 1024
MAX_BODY = 256 * KIB
PAUSE = 0.05
"""Shorter than every limit of the suite."""

LOST = Reason.CONNECTION_LOST
SILENT = Reason.FIRST_BYTE_TIMEOUT
IDLE = Reason.IDLE_TIMEOUT
LATE = Reason.TOTAL_TIMEOUT
BROKEN = Reason.PROTOCOL_ERROR
SHORT = Reason.TRUNCATED
HEAVY = Reason.HEADER_LIMIT

CUT = b"\0" * MAX_BODY
"""A body of zeros, cut at the limit."""

Outcome = Reason | bytes


@dataclass(frozen=True, kw_only=True)
class Case:
    """One server. `method` is what it is asked with."""

    serve: Handler
    outcomes: tuple[Outcome, ...]
    method: str = "GET"


def _says(data: bytes, *outcomes: Outcome, method: str = "GET") -> Case:
    """It sends this and closes."""
    return Case(serve=saying(data), outcomes=outcomes, method=method)


def _holds(data: bytes, *outcomes: Outcome) -> Case:
    """It sends this and then nothing, for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await reader.read()

    return Case(serve=serve, outcomes=outcomes)


def _pours(first: bytes, again: Iterable[bytes], *outcomes: Outcome, pause: float = 0.0) -> Case:
    """It sends the first and then the pieces, as fast as they are taken or with a pause between."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        for piece in again:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return Case(serve=serve, outcomes=outcomes)


def _connection(serve: Handler, *outcomes: Outcome) -> Case:
    return Case(serve=serve, outcomes=outcomes)


def _ok(headers: bytes = b"", body: bytes = b"page") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body


def _sized(headers: bytes = b"", body: bytes = b"page") -> bytes:
    return _ok(b"Content-Length: %d\r\n" % len(body) + headers, body)


def _chunked(body: bytes, headers: bytes = b"") -> bytes:
    return _ok(b"Transfer-Encoding: chunked\r\n" + headers, body)


async def _never_reads(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _closes_at_once(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def _resets_at_once(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _reset(writer)


async def _resets_when_asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    _reset(writer)


async def _resets_within_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ok(b"", b"pa"))
    await asyncio.sleep(PAUSE)
    _reset(writer)


async def _half_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await reader.read()


async def _speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_sized())
    await reader.read()


async def _greets_like_ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await reader.read()


async def _echoes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readuntil(b"\r\n\r\n"))


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


CONNECT = {
    "never answers": _connection(_never_reads, SILENT),
    "closes at once": _connection(_closes_at_once, LOST),
    "resets at once": _connection(_resets_at_once, LOST, Reason.CONNECT_FAILED),
    "resets when asked": _connection(_resets_when_asked, LOST),
    "resets within an unsized body": _connection(_resets_within_the_body, SHORT, LOST),
    "half-closes at once": _connection(_half_closes, LOST),
    "speaks before it is asked": _connection(_speaks_first, BROKEN, b"page"),
    "is an SSH server": _connection(_greets_like_ssh, BROKEN),
    "echoes the request": _connection(_echoes, BROKEN),
}

STATUS_LINE = {
    "nothing": _says(b"", LOST),
    "empty lines": _says(b"\r\n" * 10, LOST),
    "HTTP/0.9": _says(b"<html>old</html>", BROKEN),
    "HTTP/1.2": _says(b"HTTP/1.2 200 OK\r\nContent-Length: 4\r\n\r\npage", b"page"),
    "HTTP/2.0": _says(b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\npage", b"page"),
    "HTTP/11.1": _says(b"HTTP/11.1 200 OK\r\n\r\n", BROKEN),
    "HTTP/2 frames": _says(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", BROKEN),
    "another protocol": _says(b"ICY 200 OK\r\n\r\n", BROKEN),
    "status -1": _says(b"HTTP/1.1 -1 OK\r\n\r\n", BROKEN),
    "status 9": _says(b"HTTP/1.1 9 OK\r\n\r\n", BROKEN),
    "status 99": _says(b"HTTP/1.1 99 OK\r\n\r\n", BROKEN),
    "status 000": _says(b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", BROKEN),
    "status 1000": _says(b"HTTP/1.1 1000 OK\r\n\r\n", BROKEN),
    "status of 100 digits": _says(b"HTTP/1.1 " + b"2" * 100 + b" OK\r\n\r\n", BROKEN),
    "status of letters": _says(b"HTTP/1.1 two OK\r\n\r\n", BROKEN),
    "no reason": _says(b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\npage", b"page"),
    "reason of 1 MiB": _says(b"HTTP/1.1 200 " + b"x" * KIB * KIB + b"\r\n\r\n", HEAVY),
    "bare line feeds": _says(b"HTTP/1.1 200 OK\nContent-Length: 4\n\npage", b"page"),
    "a head that stops": _says(b"HTTP/1.1 200 OK\r\nContent-", SHORT),
    "a head that stalls": _holds(b"HTTP/1.1 200 OK\r\nContent-", IDLE),
}

_EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

INTERIM = {
    "100 unasked": _says(_CONTINUE + _sized(), b"page"),
    "103 nine times": _says(_EARLY * 9 + _sized(), b"page"),
    "103 eleven times": _says(_EARLY * 11 + _sized(), b"page"),
    "103 for ever": _pours(b"", itertools.repeat(_EARLY * 1000), BROKEN),
    "103 slowly for ever": _pours(b"", itertools.repeat(_EARLY), LATE, BROKEN, pause=PAUSE),
    "100 and no final": _holds(_CONTINUE, IDLE),
    "100 and the end": _says(_CONTINUE, SHORT),
    "101 unasked": _says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", BROKEN),
}

HEADERS = {
    "1,001 headers": _says(_sized(b"".join(b"X-%d: 1\r\n" % n for n in range(1000))), HEAVY),
    "100,000 headers": _says(_sized(b"X: 1\r\n" * 100_000), HEAVY),
    "200 headers of 2 KiB": _says(_sized((b"X: " + b"y" * 2 * KIB + b"\r\n") * 200), HEAVY),
    "a line of 33 KiB": _says(_sized(b"X: " + b"y" * 33 * KIB + b"\r\n"), b"page"),
    "a line without end": _pours(b"HTTP/1.1 200 OK\r\nX: ", itertools.repeat(b"y" * 4 * KIB), HEAVY),
    "a name without end": _pours(b"HTTP/1.1 200 OK\r\n", itertools.repeat(b"y" * 4 * KIB), HEAVY),
    "one byte at a time": _pours(b"HTTP/1.1 200 OK\r\nX: ", itertools.repeat(b"y"), LATE, pause=PAUSE),
    "NUL in a value": _says(_sized(b"X: a\0b\r\n"), BROKEN),
    "NUL in a name": _says(_sized(b"X\0Y: a\r\n"), BROKEN),
    "bare CR": _says(_sized(b"X: a\rY: b\r\n"), b"page"),
    "control bytes": _says(_sized(b"X: \x01\x07\x1b[2J\r\n"), b"page"),
    "no colon": _says(_sized(b"nonsense\r\n"), b"page"),
    "space before the colon": _says(_sized(b"X : 1\r\n"), b"page"),
    "folded": _says(_sized(b"X: a\r\n b\r\n"), b"page"),
    "folded from the start": _says(b"HTTP/1.1 200 OK\r\n X: a\r\n\r\n", b""),
    "empty name": _says(_sized(b": a\r\n"), b"page"),
    "not UTF-8": _says(_sized(b"X: \xff\xfe\xe9\r\n"), b"page"),
    "Content-Type twice": _says(_sized(b"Content-Type: text/html\r\nContent-Type: image/png\r\n"), b"page"),
    "Location twice": _says(_sized(b"Location: /a\r\nLocation: /b\r\n"), b"page"),
    "10,000 cookies": _says(_sized(b"Set-Cookie: a=b\r\n" * 10_000), HEAVY),
    "a cookie of 1 MiB": _says(_sized(b"Set-Cookie: a=" + b"b" * KIB * KIB + b"\r\n"), HEAVY),
    "bad dates": _says(_sized(b"Date: yesterday\r\nLast-Modified: 99999999\r\nExpires: -1\r\n"), b"page"),
    "numbers of 5000 digits": _says(
        _sized(b"Age: " + b"9" * 5000 + b"\r\nRetry-After: " + b"9" * 5000 + b"\r\n"), b"page"
    ),
    "an old websocket": _says(_sized(b"Sec-WebSocket-Key1: x\r\n"), b"page"),
    "trailers without end": _pours(_chunked(b"4\r\npage\r\n0\r\n"), itertools.repeat(b"X: y\r\n" * 1000), HEAVY),
}

LENGTH = {
    "length too short": _says(_ok(b"Content-Length: 2\r\n"), b"pa"),
    "length too long": _says(_ok(b"Content-Length: 9\r\n"), SHORT),
    "length too long, open": _holds(_ok(b"Content-Length: 9\r\n"), IDLE),
    "negative": _says(_ok(b"Content-Length: -4\r\n"), BROKEN),
    "hexadecimal": _says(_ok(b"Content-Length: 0x4\r\n"), BROKEN),
    "with a sign": _says(_ok(b"Content-Length: +4\r\n"), BROKEN),
    "with a unit": _says(_ok(b"Content-Length: 4s\r\n"), BROKEN),
    "of 5000 digits": _says(_ok(b"Content-Length: " + b"9" * 5000 + b"\r\n"), BROKEN),
    "more than 64 bits": _says(_ok(b"Content-Length: 18446744073709551620\r\n"), BROKEN),
    "almost 64 bits": _says(_ok(b"Content-Length: 9223372036854775807\r\n"), SHORT),
    "empty length": _says(_ok(b"Content-Length: \r\n"), b"page"),
    "a list of one": _says(_ok(b"Content-Length: 4,4\r\n"), b"page"),
    "twice the same": _says(_ok(b"Content-Length: 4\r\nContent-Length: 4\r\n"), b"page"),
    "two lengths": _says(_ok(b"Content-Length: 4\r\nContent-Length: 3\r\n"), BROKEN),
    "length and chunks": _says(_chunked(b"4\r\npage\r\n0\r\n\r\n", b"Content-Length: 30\r\n"), b"page"),
    "chunked, identity": _says(_ok(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), b""),
    "xchunked": _says(_ok(b"Transfer-Encoding: xchunked\r\n", b"4\r\npage\r\n0\r\n\r\n"), BROKEN),
    "chunk of 2^64": _says(_chunked(b"10000000000000004\r\npage"), BROKEN),
    "chunk 0x4": _says(_chunked(b"0x4\r\npage\r\n0\r\n\r\n"), BROKEN),
    "chunk 0_4": _says(_chunked(b"0_4\r\npage\r\n0\r\n\r\n"), BROKEN),
    "chunk +4": _says(_chunked(b"+4\r\npage\r\n0\r\n\r\n"), BROKEN),
    "chunk -4": _says(_chunked(b"-4\r\npage\r\n0\r\n\r\n"), BROKEN),
    "chunk without size": _says(_chunked(b"\r\npage\r\n0\r\n\r\n"), BROKEN),
    "extension of 1 MiB": _says(_chunked(b"4;" + b"x" * KIB * KIB + b"\r\npage\r\n0\r\n\r\n"), HEAVY),
    "chunk without line end": _says(_chunked(b"4\r\npage0\r\n\r\n"), BROKEN),
    "no last chunk": _says(_chunked(b"4\r\npage\r\n"), SHORT),
    "half a chunk": _says(_chunked(b"9\r\npage"), SHORT),
    "20,000 chunks of a byte": _says(_chunked(b"1\r\n\0\r\n" * 20_000 + b"0\r\n\r\n"), b"\0" * 20_000),
    "NUL in a trailer": _says(_chunked(b"4\r\npage\r\n0\r\nX: a\0\r\n\r\n"), b"page"),
    "body on 204": _says(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\npage", b""),
    "body on 304": _says(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\npage", b""),
    "body on HEAD": _says(_sized(), b"", method="HEAD"),
    "chunks in HTTP/1.0": _says(
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n", b"page"
    ),
}

BODY = {
    "endless, unsized": _pours(_ok(b"", b""), itertools.repeat(bytes(64 * KIB)), CUT),
    "endless, chunked": _pours(_chunked(b""), itertools.repeat(b"10000\r\n" + bytes(64 * KIB) + b"\r\n"), CUT),
    "endless, sized": _pours(_ok(b"Content-Length: 99999999999\r\n", b""), itertools.repeat(bytes(64 * KIB)), CUT),
    "endless and slow": _pours(_ok(b"", b""), itertools.repeat(b"."), LATE, pause=PAUSE),
    "stalls": _holds(_ok(b"Content-Length: 4096\r\n", b"\0" * KIB), IDLE),
    "exactly the limit": _says(_sized(b"", CUT), CUT),
    "one byte over": _says(_sized(b"", CUT + b"\0"), CUT),
    "multipart without end": _pours(
        _ok(b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n", b""),
        itertools.repeat(b"--b\r\n\r\nx\r\n"),
        LATE,
        pause=PAUSE,
    ),
    "event stream": _pours(
        _ok(b"Content-Type: text/event-stream\r\n", b""), itertools.repeat(b"data: x\n\n"), LATE, pause=PAUSE
    ),
    "a redirect without end": _pours(
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n", itertools.repeat(bytes(64 * KIB)), CUT
    ),
    "says close, goes on": _says(_ok(b"Connection: close\r\nContent-Length: 4\r\n", b"page" * 1000), b"page"),
}

DESYNC = {
    "answers twice": _says(_sized() * 2, b"page"),
    "answers a thousand times": _says(_sized() * 1000, b"page"),
    "answers, then garbage": _says(_sized() + b"\x16\x03\x01" * 100, b"page"),
    "answers, then a part": _holds(_sized() + b"HTTP/1.1 20", b"page"),
    "answers, then closes": _says(_sized(), b"page"),
    "answers, then speaks": _pours(_sized(), [b"", _sized()], b"page", pause=PAUSE),
}

_GZIP_BOMB = gzip.compress(bytes(10 * KIB * KIB))
_BROTLI_BOMB = brotli.compress(bytes(10 * KIB * KIB), quality=5)

COMPRESSION = {
    # Raw bytes are kept as they came; what they unpack to is tested in tests/core/test_decode.py.
    "gzip bomb": _says(_sized(b"Content-Encoding: gzip\r\n", _GZIP_BOMB), _GZIP_BOMB),
    "brotli bomb on a redirect": _says(
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: br\r\nContent-Length: %d\r\n\r\n" % len(_BROTLI_BOMB)
        + _BROTLI_BOMB,
        _BROTLI_BOMB,
    ),
    "says gzip, is not": _says(_sized(b"Content-Encoding: gzip\r\n"), b"page"),
    "100 codings": _says(_sized(b"Content-Encoding: gzip\r\n" * 100), b"page"),
    "unknown coding": _says(_sized(b"Content-Encoding: rot13\r\n"), b"page"),
    "gzip as transfer coding": _says(_ok(b"Transfer-Encoding: gzip\r\n", b"page"), b"page"),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in {
        "connect": CONNECT,
        "status line": STATUS_LINE,
        "interim": INTERIM,
        "headers": HEADERS,
        "length": LENGTH,
        "body": BODY,
        "desync": DESYNC,
        "compression": COMPRESSION,
    }.items()
    for name, case in cases.items()
}
