"""One DNS lookup: a question, repeated until an answer comes or its time is over.

Rules
- A and AAAA records are asked for at once. After the first answer the other is awaited for half a second (RFC 8305, 3,
  waits 50 ms, but for a person in front of a screen); missing records are asked for again soon.
- A question without an answer is repeated after two seconds, at the next server where there are several. The answer
  to either counts, so a lost packet is repaired and an answer that takes three seconds is taken.
- After a server that cannot be reached, or reports a failure (SERVFAIL, REFUSED), the next one is asked at once. The
  lookup fails when all have failed.
- Each lookup has channels of its own, one per server that it asks, and a socket each. A long-lived c-ares channel
  waits for an answer five times as long as earlier answers took, at the least 0.25 s, and drops later ones.
- Ending a lookup closes its sockets; later answers are not read.
Strategy: c-ares without a thread; the loop watches its sockets. Its callbacks only schedule: c-ares must not be called
from inside of them, nor closed. Neither `lookups` nor `getaddrinfo` is used: pycares 5.2 frees the text of `lookups`
before c-ares reads it, and without it `getaddrinfo` reads the whole of /etc/hosts for every channel.
Runs on: the event loop.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import msgspec
import pycares
from pycares import errno as ares

from crawler.downloader.host_names import Address

_AGAIN_SECONDS = 2.0
_AGAIN_SHARE = 0.4  # of the limit, where that is short
_OTHER_KIND_SECONDS = 0.5
_PARTIAL_TTL = 3.0
_SILENCE: int = ares.ARES_ETIMEOUT
_NO_SUCH_NAME = frozenset({ares.ARES_ENODATA, ares.ARES_ENOTFOUND, ares.ARES_ENONAME, ares.ARES_EBADNAME})

_A: int = pycares.QUERY_TYPE_A
_AAAA: int = pycares.QUERY_TYPE_AAAA
_NS: int = pycares.QUERY_TYPE_NS
_FAMILIES = {_AAAA: socket.AF_INET6, _A: socket.AF_INET}
_ROOT = "."


class LookupOutcome(msgspec.Struct, frozen=True):
    """The result of a lookup.

    Attributes:
        addresses: in the order in which to try them; none = the lookup failed.
        ttl: seconds for which they hold, by the name server.
        code: c-ares' number of the failure; None = there was none.
    """

    addresses: tuple[Address, ...] = ()
    ttl: float = 0.0
    code: int | None = None

    @property
    def is_answer(self) -> bool:
        """Return whether a name server answered, by an address or by the denial of one."""
        return self.code is None or self.is_no_name

    @property
    def is_no_name(self) -> bool:
        """Return whether there is no such name, or it has no address."""
        return self.code in _NO_SUCH_NAME

    @property
    def is_silence(self) -> bool:
        """Return whether no name server answered in time."""
        return self.code == _SILENCE

    @property
    def is_unreachable(self) -> bool:
        """Return whether no name server listens, or no socket could be opened to ask one."""
        return self.code in {ares.ARES_ECONNREFUSED, ares.ARES_EFILE}

    @property
    def problem(self) -> str:
        """Return the failure in words."""
        return "" if self.code is None else str(ares.strerror(self.code))


class Lookup:
    """A question under way.

    Args:
        name: the name whose addresses are wanted; None = the root's name servers, to see which server answers.
        servers: as ADDRESS:PORT, at least one, the best first.
        limit: seconds.
        done: called once with the lookup, never from the constructor.

    Attributes:
        began: monotonic moment at which it was asked first; `asked`, last.
        server: the name server that answered.
    """

    def __init__(
        self,
        name: str | None,
        servers: tuple[str, ...],
        limit: float,
        now: Callable[[], float],
        done: Callable[["Lookup"], None],
    ) -> None:
        self.began = self.asked = now()
        self.server: str | None = None
        self._name = name or _ROOT
        self._servers = servers
        self._now = now
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._pause = min(_AGAIN_SECONDS, limit * _AGAIN_SHARE)
        self._heard = {kind: LookupOutcome(code=_SILENCE) for kind in ((_AAAA, _A) if name else (_NS,))}
        self._channels: dict[str, _Channel] = {}
        self._tries = 0
        self._pending = 0
        self._is_over = False
        self._deadline = self._loop.call_later(limit, self._end)
        self._again = self._loop.call_soon(self._try)

    @property
    def was_answered(self) -> bool:
        """Return whether a name server answered at least a part."""
        return self.server is not None

    @property
    def outcome(self) -> LookupOutcome:
        """Return the result so far."""
        outcomes = self._heard.values()
        found = [outcome for outcome in outcomes if outcome.code is None]
        if not found:  # a reported failure outranks silence, and silence the denial of one kind of address
            return min(outcomes, key=lambda outcome: (outcome.is_no_name, outcome.is_silence))
        ttl = min(outcome.ttl for outcome in found)
        is_whole = all(outcome.is_answer for outcome in outcomes)
        addresses = [address for outcome in found for address in outcome.addresses]
        return LookupOutcome(addresses=_sorted(addresses), ttl=ttl if is_whole else min(ttl, _PARTIAL_TTL))

    def close(self) -> None:
        """End the lookup without calling `done`."""
        self._is_over = True
        self._deadline.cancel()
        self._again.cancel()
        for channel in self._channels.values():
            channel.close()

    def _try(self) -> None:
        self._again.cancel()
        self._again = self._loop.call_later(self._pause, self._try)
        server = self._servers[self._tries % len(self._servers)]
        self._tries += 1
        self.asked = self._now()
        if server not in self._channels:
            self._channels[server] = _Channel(server, self._limit)
        for kind, outcome in self._heard.items():
            if not outcome.is_answer:
                self._pending += 1
                self._channels[server].ask(self._name, kind, partial(self._hear, server, kind))

    def _hear(self, server: str, kind: int, outcome: LookupOutcome) -> None:
        if self._is_over:
            return
        self._pending -= 1
        if not self._heard[kind].is_answer and not outcome.is_silence:
            self._heard[kind] = outcome
        if outcome.is_answer:
            self.server = server
        if self._pending == 0 or all(heard.is_answer for heard in self._heard.values()):
            if self.outcome.is_answer or self._tries >= len(self._servers):
                self._end()
            else:
                self._try()  # another server may know
        elif outcome.code is None:
            self._deadline.cancel()
            self._deadline = self._loop.call_later(_OTHER_KIND_SECONDS, self._end)

    def _end(self) -> None:
        self.close()
        self._done(self)


class _Channel:
    """A c-ares channel to one server, whose sockets the loop watches."""

    def __init__(self, server: str, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: set[int] = set()
        self._is_closed = False
        self._channel: pycares.Channel | None = None
        with suppress(pycares.AresError):  # no file is left to read the system's configuration from
            self._channel = pycares.Channel(sock_state_cb=self._watch, servers=[server], timeout=patience, tries=1)

    def ask(self, name: str, kind: int, hear: Callable[[LookupOutcome], None]) -> None:
        """Send the question; `hear` is called once with its outcome, in a later turn of the loop."""
        called: list[int | None] = []

        def schedule(result: pycares.DNSResult | None, code: int | None) -> None:
            called.append(code)
            if not self._is_closed and len(called) == 1:
                self._loop.call_soon(hear, _outcome(result, code))

        if self._channel is None:
            schedule(None, ares.ARES_EFILE)
            return
        try:
            self._channel.query(name, kind, callback=schedule)
        except pycares.AresError as error:  # c-ares may have called back, too
            schedule(None, error.args[0])

    def close(self) -> None:
        """Drop every question and socket."""
        if self._is_closed:
            return
        self._is_closed = True
        for number in tuple(self._watched):
            self._forget(number)
        if self._channel is not None:
            self._channel.cancel()
            self._channel.close()

    def _watch(self, number: int, readable: bool, writable: bool) -> None:  # noqa: FBT001 - as c-ares calls it
        if self._is_closed or self._channel is None:
            return
        self._forget(number)
        if readable:
            self._loop.add_reader(number, self._channel.process_read_fd, number)
        if writable:
            self._loop.add_writer(number, self._channel.process_write_fd, number)
        if readable or writable:
            self._watched.add(number)

    def _forget(self, number: int) -> None:
        if number in self._watched:
            self._watched.discard(number)
            self._loop.remove_reader(number)
            self._loop.remove_writer(number)


def system_servers() -> tuple[str, ...]:
    """Return the name servers that /etc/resolv.conf names now; none also where no file is left to read it."""
    with suppress(pycares.AresError):
        channel = pycares.Channel(sock_state_cb=lambda *_: None)
        servers = tuple(channel.servers)
        channel.close()
        return servers
    return ()


def _outcome(result: pycares.DNSResult | None, code: int | None) -> LookupOutcome:
    if result is None or code is not None:
        return LookupOutcome(code=ares.ARES_EBADRESP if code is None else code)
    addresses = tuple(
        (_FAMILIES[record.type], record.data.addr)
        for record in result.answer
        if isinstance(record.data, pycares.ARecordData | pycares.AAAARecordData)
    )
    ttl = min((record.ttl for record in result.answer), default=0)
    is_ns = any(isinstance(record.data, pycares.NSRecordData) for record in result.answer)
    return LookupOutcome(addresses=addresses, ttl=ttl, code=None if addresses or is_ns else ares.ARES_ENODATA)


def _sorted(addresses: Sequence[Address]) -> tuple[Address, ...]:
    """Return IPv6 addresses first if this machine has a route to them (RFC 6724, 6, rules 1 and 6)."""
    six = [address for address in addresses if address[0] == socket.AF_INET6]
    four = [address for address in addresses if address[0] == socket.AF_INET]
    if six and four:
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                probe.connect((six[0][1], 443))  # of a datagram socket: nothing is sent
        except OSError:
            return (*four, *six)
    return (*six, *four)
