"""A name server on loopback, over UDP and TCP, that answers, delays, lies or stays silent, as a test says.

    async with name_server({"a.example": Reply("127.0.0.1")}) as server:
        fetcher = open_fetcher(resolver=server.address)

Rules
- Its answers come from a table, or from a function of name and type ("A", "AAAA"). A name that neither knows does not
  exist: NXDOMAIN.
- A reply holds addresses of both families: each query is given those of its own type, maybe none.
- `asked` counts the queries that arrived over UDP, by name (lower case, no dot at the end) and type.
- Leaving the block drops delayed replies. Needs nothing but asyncio, so any process can run one.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import cast

NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5

_TYPES = {1: "A", 28: "AAAA"}
_CNAME, _SOA, _CLASS_IN = 5, 6, 1
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0180
_HEAD = struct.Struct("!6H")
_LENGTH = struct.Struct("!H")
_NEGATIVE_TTL = 300
_WAITING_BYTES = 4 * 1024 * 1024
_QUESTION_NAME = b"\xc0\x0c"  # a pointer to the name that was asked for, which stands behind the head


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's answer about a name.

    Attributes:
        addresses: IPv4 and IPv6, separated by blanks.
        ttl: seconds.
        code: NOERROR, SERVFAIL, NXDOMAIN or REFUSED.
        delay: seconds until it is sent.
        lost: so many queries of each type are left without an answer before the first that has one.
        alias: the name for which the addresses are given, after a CNAME.
        other_name: the answer is for this name, which was not asked for.
        wrong_id: the answer has another id than the query.
        truncated: over UDP it says no more than that there is more, over TCP.
    """

    addresses: str = ""
    ttl: int = 60
    code: int = NOERROR
    delay: float = 0
    lost: int = 0
    alias: str = ""
    other_name: str = ""
    wrong_id: bool = False
    truncated: bool = False


UNKNOWN = Reply(code=NXDOMAIN)
SILENT = Reply(lost=1 << 60)

Answers = Mapping[str, Reply] | Callable[[str, str], Reply | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question, as it came."""

    number: int
    name: str
    kind: str
    question: bytes


class NameServer(asyncio.DatagramProtocol):
    """The server; `address` is written as `--resolver` takes it."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: Counter[tuple[str, str]] = Counter()
        self.asked_over_tcp: Counter[tuple[str, str]] = Counter()
        self.address = ""
        self.silent = False
        self.closed = asyncio.get_running_loop().create_future()
        self._timers: set[asyncio.TimerHandle] = set()

    def count(self, name: str) -> int:
        """Return how often a name was asked for, in lookups: queries of the type that was asked for most."""
        return max(self.asked[name, "A"], self.asked[name, "AAAA"])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport and the address."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # no subclass of it on either loop
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop delayed replies."""
        for timer in self._timers:
            timer.cancel()
        self.closed.set_result(None)

    def error_received(self, exc: Exception) -> None:
        """Do nothing: the client is gone."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Count a query, and answer it now, later or not at all."""
        query = _query(data)
        self.asked[query.name, query.kind] += 1
        reply = self._reply(query)
        if self.silent or self.asked[query.name, query.kind] <= reply.lost:
            return
        message = _message(query, Reply(truncated=True) if reply.truncated else reply)
        if reply.delay:
            self._send_later(reply.delay, message, addr)
        else:
            self._transport.sendto(message, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one connection, each behind its length (RFC 1035, 4.2.2)."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                query = _query(await reader.readexactly(length))
                message = _message(query, replace(self._reply(query), truncated=False))
                self.asked_over_tcp[query.name, query.kind] += 1
                writer.write(_LENGTH.pack(len(message)) + message)
        writer.close()

    def _reply(self, query: Query) -> Reply:
        if callable(self.answers):
            return self.answers(query.name, query.kind) or UNKNOWN
        return self.answers.get(query.name, UNKNOWN)

    def _send_later(self, delay: float, message: bytes, addr: tuple[str, int]) -> None:
        def send() -> None:
            self._timers.discard(timer)
            self._transport.sendto(message, addr)

        timer = asyncio.get_running_loop().call_later(delay, send)
        self._timers.add(timer)


@asynccontextmanager
async def name_server(answers: Answers, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[NameServer]:
    """Answer queries until the block ends."""
    loop = asyncio.get_running_loop()
    server = NameServer(answers)
    for tries_left in reversed(range(20)):  # a port that is free for one protocol may not be for the other
        tcp = await asyncio.start_server(server.serve, address, port)
        where = tcp.sockets[0].getsockname()[:2]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: server, where)
            break
        except OSError:
            tcp.close()
            if not tries_left:
                raise
    # Hundreds of lookups may begin at once, and on a busy machine the datagrams that find no room are lost.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING_BYTES)
    try:
        yield server
    finally:
        tcp.close()
        transport.abort()
        await server.closed


def _query(data: bytes) -> Query:
    number = _HEAD.unpack_from(data)[0]
    at, labels = _HEAD.size, []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    (kind,) = struct.unpack_from("!H", data, at + 1)
    return Query(
        number=number,
        name=".".join(labels),
        kind=_TYPES.get(kind, str(kind)),
        question=data[_HEAD.size : at + 5],
    )


def _message(query: Query, reply: Reply) -> bytes:
    question = query.question if not reply.other_name else _wire(reply.other_name) + query.question[-4:]
    number = query.number ^ 0x5555 if reply.wrong_id else query.number
    owner, records = _QUESTION_NAME, []
    if reply.alias:
        owner = _wire(reply.alias)
        records.append(_record(_QUESTION_NAME, _CNAME, reply.ttl, owner))
    for address in map(ip_address, reply.addresses.split()):
        kind = 1 if address.version == 4 else 28
        if _TYPES[kind] == query.kind:
            records.append(_record(owner, kind, reply.ttl, address.packed))
    # RFC 2308, 3: a negative answer says by its SOA for how long it holds.
    authority = [] if records or reply.code in {SERVFAIL, REFUSED} else [_record(b"\0", _SOA, _NEGATIVE_TTL, _soa())]
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION | reply.code | reply.truncated * _TRUNCATED
    head = _HEAD.pack(number, flags, 1, len(records), len(authority), 0)
    return b"".join((head, question, *records, *authority))


def _record(owner: bytes, kind: int, ttl: int, content: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, _CLASS_IN, ttl, len(content)) + content


def _soa() -> bytes:
    return _wire("ns.example") + _wire("admin.example") + struct.pack("!5I", 1, 3600, 600, 86400, _NEGATIVE_TTL)


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"
