"""One name's lookup: asked, and asked again beside that, until an answer comes or the time is over.

Rules
- Both kinds of address are asked for at once. When one has come, the other is waited for half a second (as RFC 8305, 3,
  has it, but nobody sits in front of a screen); what lacks is asked for again soon.
- A question without an answer is asked again after two seconds, of the next server where there are several. The answer
  to either counts, so a lost packet is repaired and an answer that takes three seconds is taken.
- A server that cannot be reached, or says that it failed (SERVFAIL, REFUSED), has had its turn: the next one is asked
  at once. The lookup fails when all have failed.
- Each lookup has channels of its own, one per server that it asks, and a socket each. A channel of c-ares that lives on
  allows for an answer five times what answers took before, at the least 0.25 s, and drops what comes later.
- Ending it closes its sockets; what comes for it afterwards is not heard.
Strategy: c-ares without a thread; the loop watches its sockets. Its callbacks only schedule: c-ares must not be called,
let alone closed, from inside of them. Neither `lookups` nor `getaddrinfo` is used: pycares 5.2 frees the text of the
one before c-ares reads it, and without it the other reads the whole of /etc/hosts for every channel.
Runs on: the event loop.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import pycares
from pycares import errno as ares

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

Address = tuple[socket.AddressFamily, str]


@dataclass(frozen=True, slots=True)
class LookupOutcome:
    """How a lookup ended.

    Attributes:
        addresses: in the order in which they are best tried; none = it failed.
        ttl: seconds for which they hold, as the name server says.
        code: the failure, a number of c-ares; None = there was none.
    """

    addresses: tuple[Address, ...] = ()
    ttl: float = 0.0
    code: int | None = None

    @property
    def is_answer(self) -> bool:
        """A name server knew, be it that there is no such name."""
        return self.code is None or self.is_no_name

    @property
    def is_no_name(self) -> bool:
        """There is no such name, or it has no address."""
        return self.code in _NO_SUCH_NAME

    @property
    def is_silence(self) -> bool:
        """No name server said anything in time."""
        return self.code == _SILENCE

    @property
    def is_unreachable(self) -> bool:
        """No name server listens, or no socket could be opened to ask one."""
        return self.code in {ares.ARES_ECONNREFUSED, ares.ARES_EFILE}

    @property
    def problem(self) -> str:
        """The failure in words."""
        return "" if self.code is None else str(ares.strerror(self.code))


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupQuestion:
    """Something to ask, and whom.

    Attributes:
        name: whose addresses are wanted; None = the servers of the root, which only tells who answers.
        servers: as ADDRESS:PORT, at least one, the best first.
    """

    name: str | None
    servers: tuple[str, ...]


class Lookup:
    """A question under way, with `limit` seconds; `done` is called once with the lookup, never from the constructor.

    Attributes:
        began: monotonic moment at which it was asked first; `asked`, last.
        server: the one that answered.
    """

    def __init__(
        self, question: LookupQuestion, limit: float, now: Callable[[], float], done: Callable[["Lookup"], None]
    ) -> None:
        self.began = self.asked = now()
        self.server: str | None = None
        self._name = question.name or _ROOT
        self._servers = question.servers
        self._now = now
        self._done = done
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._pause = min(_AGAIN_SECONDS, limit * _AGAIN_SHARE)
        self._heard = {kind: LookupOutcome(code=_SILENCE) for kind in ((_AAAA, _A) if question.name else (_NS,))}
        self._channels: dict[str, _Channel] = {}
        self._tries = 0
        self._pending = 0
        self._is_over = False
        self._deadline = self._loop.call_later(limit, self._end)
        self._again = self._loop.call_soon(self._try)

    @property
    def was_answered(self) -> bool:
        """A name server knew at least a part."""
        return self.server is not None

    @property
    def outcome(self) -> LookupOutcome:
        """Return what is known by now."""
        outcomes = self._heard.values()
        found = [outcome for outcome in outcomes if outcome.code is None]
        if not found:  # any word of failure says more than silence, and silence more than that one kind is not there
            return min(outcomes, key=lambda outcome: (outcome.is_no_name, outcome.is_silence))
        ttl = min(outcome.ttl for outcome in found)
        is_whole = all(outcome.is_answer for outcome in outcomes)
        addresses = [address for outcome in found for address in outcome.addresses]
        return LookupOutcome(addresses=_sorted(addresses), ttl=ttl if is_whole else min(ttl, _PARTIAL_TTL))

    def close(self) -> None:
        """End it without a word."""
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
            self._end_or_turn()
        elif outcome.code is None:
            self._deadline.cancel()
            self._deadline = self._loop.call_later(_OTHER_KIND_SECONDS, self._end)

    def _end_or_turn(self) -> None:
        """All that was asked for has come: that is the end, unless it failed and another server may know."""
        if self.outcome.is_answer or self._tries >= len(self._servers):
            self._end()
        else:
            self._try()

    def _end(self) -> None:
        self.close()
        self._done(self)


class _Channel:
    """One server's channel of c-ares, whose sockets the loop watches."""

    def __init__(self, server: str, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched: set[int] = set()
        self._is_closed = False
        self._channel: pycares.Channel | None = None
        with suppress(pycares.AresError):  # no file is left to read the system's configuration from
            self._channel = pycares.Channel(sock_state_cb=self._watch, servers=[server], timeout=patience, tries=1)

    def ask(self, name: str, kind: int, hear: Callable[[LookupOutcome], None]) -> None:
        """Send the question; `hear` is called once with what comes of it, in a later turn of the loop."""
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
    """The name servers of /etc/resolv.conf, as it is now; none where it names none, or no file is left to read it."""
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
    """IPv6 first, if it leads anywhere from here (RFC 6724, 6, rules 1 and 6)."""
    is_mixed = len({family for family, _ in addresses}) > 1
    is_six_last = is_mixed and not _has_route(next(text for family, text in addresses if family == socket.AF_INET6))
    return tuple(sorted(addresses, key=lambda address: (address[0] == socket.AF_INET6) == is_six_last))


def _has_route(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 443))  # of a datagram socket: nothing is sent
    except OSError:
        return False
    return True
