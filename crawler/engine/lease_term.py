"""Term of a worker's lease: until when its hosts are its own, where several workers share a run.

Rules
- No request is started in the last sixth of the term as it was when it was renewed, and none is written after its end.
- What is in flight at the end is broken off: its host may be another worker's by then. No attempt is counted, and the
  URL stays pending.
- Each lease and each commit renews the term, and everything goes on.
- The term counts while the machine sleeps (`runtime.clock.boot_time`), since the other workers go on meanwhile.
Runs on: the loop.
"""

from collections.abc import Callable

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response
from crawler.core.protocols import Fetcher, Room
from crawler.core.reasons import Reason
from crawler.runtime.breakable import BreakableWaits, BrokenOff
from crawler.runtime.clock import boot_time
from crawler.runtime.tasks import Alarm

_MARGIN = 1 / 6  # of the term: a request that is started then has time to be written


class LeaseTerm:
    """The term, which begins with the first `renew`; `now` is seconds, those included in which the machine slept.

    Attributes:
        until: the moment at which it ends.
    """

    def __init__(self, now: Callable[[], float] = boot_time) -> None:
        self.until = float("-inf")
        self._starts_until = float("-inf")
        self._now = now
        self._renewed = Alarm()

    def __repr__(self) -> str:
        return f"<LeaseTerm ends in {self.until - self._now():.1f} s>"

    @property
    def may_start(self) -> bool:
        """Return whether a request may be started."""
        return self._now() < self._starts_until

    @property
    def is_over(self) -> bool:
        """Return whether nothing may be sent."""
        return self._now() >= self.until

    def renew(self, until: float) -> None:
        """Let the term last until then."""
        now = self._now()
        if now >= self.until:
            self._renewed.set()
        if until > self.until:
            self.until, self._starts_until = until, until - _MARGIN * (until - now)

    def check(self) -> None:
        """Refuse to send a request after the end; called just before it is written.

        Raises:
            FetchError: the term is over; the attempt does not count.
        """
        if self.is_over:
            raise _over()

    async def follow(self, ended: Callable[[], object]) -> None:
        """Call `ended` whenever the term ends, until cancelled."""
        while True:
            while not self.is_over:
                await self._renewed.wait(self.until - self._now())
            ended()
            await self._renewed.wait()


class LeasedFetcher:
    """A fetcher that asks `inner` within the term only, and breaks off what is under way at its end."""

    def __init__(self, inner: Fetcher, term: LeaseTerm) -> None:
        self.term = term
        self._inner = inner
        self._waits = BreakableWaits()

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the response; see `core.protocols.Fetcher`.

        Raises:
            FetchError: as `inner`, or the term has ended.
        """
        self.term.check()
        try:
            return await self._waits.wait(self._inner.fetch(request, room))
        except BrokenOff:
            raise _over() from None

    async def follow(self) -> None:
        """Break off whatever is under way at each end of the term, until cancelled."""
        await self.term.follow(self._waits.break_off)


def _over() -> FetchError:
    message = "the lease of its host ended before it was renewed"
    return FetchError(Reason.CLIENT_LIMIT, message, counted=False)
