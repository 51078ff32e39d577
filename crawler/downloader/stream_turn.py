"""One URL's turn in a stream: its place among the fetches in flight, and the hosts that get a slot at once.

Rules
- A turn holds a place (`runtime/slots.py`) from a request to the answer, or to the pause before the next try: a slot
  if the host answered quickly the last time, otherwise a place outside, until the head of the answer takes a slot.
- A request to a host that has just failed comes after those of all others.
- A dial that is broken off to make room begins anew later; it does not count as a try.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Fetcher
from crawler.core.throttle import QUICK
from crawler.runtime.slot_order import Placement
from crawler.runtime.slots import Place
from crawler.runtime.tasks import ByteBudget

_HOSTS_REMEMBERED = 10_000


class Sender(Protocol):
    """Sends the requests for one URL."""

    async def fetch(self, request: Request) -> Response:
        """Return the response to one request; raise as `core.protocols.Fetcher` does."""
        ...

    async def leave(self) -> None:
        """Give up the place until the next request, and the answer to the one before."""
        ...


class QuickHosts:
    """The hosts whose last answer began within QUICK seconds; the last _HOSTS_REMEMBERED of them."""

    def __init__(self) -> None:
        self._hosts: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<QuickHosts {len(self._hosts)}>"

    def __contains__(self, host: str) -> bool:
        return host in self._hosts

    def note(self, host: str, latency: float | None) -> None:
        """Note the seconds after which the host began to answer; None = it did not."""
        self._hosts.pop(host, None)
        if latency is not None and latency <= QUICK:
            self._hosts[host] = None
            if len(self._hosts) > _HOSTS_REMEMBERED:
                del self._hosts[next(iter(self._hosts))]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBounds:
    """The fetcher and the hosts that all streams of a `Fetcher` share, and the bounds of each stream.

    Attributes:
        concurrency: fetches in flight of hosts that answer, as far as open files allow.
        is_throttled: a byte rate is set, so slow answers are our own doing.
    """

    http: Fetcher
    quick: QuickHosts
    now: Callable[[], float]
    concurrency: int
    is_throttled: bool


class StreamTurn:
    """One URL's turn: implements `Sender`, and `Room` for each of its requests.

    The oldest account of a budget may always grow. In an ordered stream that is the turn for which the reader waits, so
    accounts are opened in the order of the turns. In another one it has to be a turn whose answer comes, and not one
    that waits for a server or for its next try, so an account is opened when an answer begins.

    Attributes:
        memory: the bytes of its answer, from the first that comes until it is read.
    """

    def __init__(
        self,
        bounds: StreamBounds,
        placement: Placement,
        budget: ByteBudget,
        placed: Callable[[], None],
        *,
        ordered: bool,
    ) -> None:
        self.was_placed = False
        self.memory = budget.open() if ordered else budget.closed()
        self._budget = budget
        self._ordered = ordered
        self._bounds = bounds
        self._placement = placement
        self._placed = placed
        self._place: Place | None = None
        self._host = ""
        self._again = False

    async def fetch(self, request: Request) -> Response:
        """Wait for a place, send the request, and return the response."""
        response = None
        while response is None:
            self.give_up()
            self._host = host = request.url.host_port
            place = await self._placement.enter(host, in_slot=host in self._bounds.quick, again=self._again)
            self._place = place
            if not self.was_placed:
                self.was_placed = True
                self._placed()
            response = await self._try(request, place)
        return response

    async def leave(self) -> None:
        """Give up the place, and the memory of an answer that is of no use, until the next request."""
        self.give_up()
        if self._ordered:
            self.memory.hold(0)
        else:
            self.memory.close()

    def give_up(self) -> None:
        """Give up the place."""
        if self._place is not None:
            self._placement.leave(self._place, self._host)
            self._place = None

    async def answered(self) -> float:
        """Wait for a slot, and return the seconds waited."""
        assert self._place is not None  # noqa: S101 - the fetch holds one
        if not self._ordered:
            self.memory = self._budget.open()
        return await self._place.take_slot()

    async def grow(self, n: int, there: int = 0) -> float:
        """Take memory for the body, and return the seconds waited for it."""
        return await self.memory.grow(n, there)

    async def _try(self, request: Request, place: Place) -> Response | None:
        """Return the response; None = the dial was broken off to make room for others."""
        quick = self._bounds.quick
        self._again = True
        try:
            response = await self._bounds.http.fetch(request, self)
        except asyncio.CancelledError:
            if not place.is_broken_off or cast("asyncio.Task[None]", asyncio.current_task()).uncancel():
                raise
            return None
        except FetchError:
            quick.note(self._host, None)
            raise
        finally:
            place.finish()
        self._again = False
        quick.note(self._host, response.timing.first_byte)
        return response
