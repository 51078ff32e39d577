"""Own share: the part of a run that this worker has for now, where several workers share the run.

Rules
- Each lease brings the share anew: the term of the lease, the pages that may be written, the rate, and the number of
  hosts to hand back.
- A host is given up once nothing of it is in flight or uncommitted: its URLs may be another worker's from then on.
- A host to hand back gets no new request meanwhile, and its queued ones are returned.
Runs on: the loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from crawler.core.budget import Budget
from crawler.core.leases_and_commits import Committed, Share, Totals
from crawler.core.messages import Request
from crawler.core.rate_limits import RateGate
from crawler.core.urls import Host
from crawler.core.visits import Retry, Visit
from crawler.engine.lease_term import LeasedFetcher
from crawler.engine.politeness import Politeness
from crawler.runtime.tasks import Alarm


@dataclass(eq=False, repr=False)
class OwnShare:
    """This worker's share, which moves the `budget`, the `rate` and the term of the `fetcher`, and hands hosts back.

    Attributes:
        lacks_pages: the last share had fewer pages than were asked for, so it is of no use to lease more URLs.
    """

    fetcher: LeasedFetcher
    budget: Budget
    rate: RateGate
    politeness: Politeness
    lacks_pages: bool = field(default=False, init=False)
    _asked: int = field(default=0, init=False)  # pages
    _rate: float | None = field(default=0.0, init=False)
    _used: int = field(default=0, init=False)  # pages, when some were last asked for
    _open: dict[Host, set[int]] = field(default_factory=dict, init=False)  # URLs dispatched and not yet committed
    _granted: Alarm = field(default_factory=Alarm, init=False)
    _told: Callable[[Totals], object] = field(default=lambda _: None, init=False)

    def __post_init__(self) -> None:
        self.rate.change(0.0)  # until the first share comes

    def on_totals(self, told: Callable[[Totals], object]) -> None:
        """Call `told` with the sums of all workers whenever they come."""
        self._told = told

    async def follow_term(self) -> None:
        """Break off what is in flight whenever the term ends, until cancelled."""
        await self.fetcher.follow()

    @property
    def may_start(self) -> bool:
        """Return whether a request may be started: the term is not about to end."""
        return self.fetcher.term.may_start

    @property
    def is_done(self) -> bool:
        """Return whether every request leased so far has been dispatched, and pages may be had for others."""
        return not self.lacks_pages and not self.politeness.workbench.queued

    async def granted(self) -> None:
        """Wait until pages may have been granted."""
        await self._granted.wait()

    # --- what the frontier says ----------------------------------------------------------------------------------

    def heed(self, share: Share) -> bool:
        """Keep to this share from now on; return whether it makes sense to ask for another at once."""
        self.fetcher.term.renew(share.until)
        if share.rate != self._rate:
            self._rate = share.rate
            self.rate.change(share.rate)
        if share.totals is not None:
            self._told(share.totals)
        if share.surplus:
            self.politeness.hand_back(share.surplus)
            self.budget.release(self.politeness.workbench.leaving)
        was_full = self.budget.is_full
        self.budget.grant(share.pages)
        self.lacks_pages = share.pages is not None and share.pages < self._asked
        self._granted.set()
        if self.budget.is_full:
            return not self.lacks_pages and self.politeness.workbench.queued > 0
        return was_full

    def committed(self, committed: Committed) -> None:
        """Note what is durable, and the longer term that comes with it."""
        if committed.until is not None:
            self.fetcher.term.renew(committed.until)
        group = committed.group
        ended: list[Visit | Retry] = [*group.visits, *group.retries]
        for request in (*(entry.request for entry in ended), *group.returned):
            if (urls := self._open.get(host := request.url.host_port)) is not None:
                urls.discard(request.id)
                if not urls:
                    del self._open[host]
        self.budget.release(self.politeness.workbench.leaving)  # another try of their URLs is another worker's
        self._told(committed.totals)

    # --- what it is asked ----------------------------------------------------------------------------------------

    def dispatched(self, request: Request) -> None:
        """Note a URL whose host stays this worker's until it is committed."""
        self._open.setdefault(request.url.host_port, set()).add(request.id)

    def pages(self, *, is_last: bool) -> int:
        """Return the pages to ask for: a worker with nothing queued, or that ends, leaves the rest to the others."""
        bench, used = self.politeness.workbench, self.budget.used
        ahead = 2 * max(bench.capacity, used - self._used) if bench.queued and not is_last else 0
        self._used = used
        self._asked = self.budget.ask(ahead)
        return self._asked

    def give_up(self, now: float) -> tuple[Host, ...]:
        """Forget the hosts that are idle, and return them: they may be another worker's from now on."""
        gone = self.politeness.workbench.forget(now, keep=self._open)
        self.budget.release(gone)
        return gone
