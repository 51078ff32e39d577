"""Exact budgets: a page is reserved before its URL is dispatched, so a limit of 100 means 100 lines.

Rules
- reserved + written never exceeds the limit; a reservation is kept through retries and given back by a skipped URL.
- Once every page is written or reserved, only URLs that hold one go on: those in flight, and those awaiting a retry.
- Bytes and time are not reserved: once spent, no URL is dispatched any more, and the fetches in flight are finished.
- A worker of a run that several share has a grant of pages, which its own lines and reservations never exceed; the sums
  of all workers say when the run's pages are spent. It holds itself to a smaller grant from the moment it asks for one.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from crawler.core.config import BudgetConfig
from crawler.core.leases_and_commits import Totals
from crawler.core.urls import Host


class Budget:
    """Pages, bytes and seconds that a run may still spend.

    Attributes:
        deadline: the monotonic moment after which nothing is dispatched; None = no limit.
    """

    def __init__(self, config: BudgetConfig) -> None:
        self.deadline: float | None = None
        self._config = config
        self._pages = 0
        self._size = 0
        self._own = 0  # lines of this worker; those of the run where it has no other
        self._limit = config.max_pages  # of `_own` and `_reserved` together
        self._reserved: set[int] = set()
        self._awaited: dict[int, Host] = {}

    def begin(self, totals: Totals, now: float, own: int | None = None) -> None:
        """Start the clock of this life; earlier lives have spent these totals.

        `own`: lines of this worker's earlier lives, which has no page more until `grant`; None = there is no other.
        """
        self.heed(totals)
        self._own = self._pages if own is None else own
        if own is not None and self._config.max_pages is not None:
            self._limit = own
        self.deadline = None if self._config.max_time is None else now + self._config.max_time

    def reserve(self, url_id: int) -> bool:
        """Take a page for this URL; False when there is none left for it now."""
        self._awaited.pop(url_id, None)
        if self._limit is None or url_id in self._reserved:
            return True
        if self.is_full:
            return False
        self._reserved.add(url_id)
        return True

    def put_off(self, url_id: int, host: Host) -> None:
        """Keep the page of a URL of this host that waits for another try."""
        if url_id in self._reserved:
            self._awaited[url_id] = host

    @property
    def awaited(self) -> AbstractSet[int]:
        """Return the URLs that hold a page and wait for another try."""
        return self._awaited.keys()

    @property
    def is_full(self) -> bool:
        """Return True when every page is written or reserved."""
        return self._limit is not None and self.used >= self._limit

    @property
    def used(self) -> int:
        """Return the number of pages that this worker has written or reserved."""
        return self._own + len(self._reserved)

    # --- shared by several workers -------------------------------------------------------------------------------

    def heed(self, totals: Totals) -> None:
        """Take over the sums of the whole run."""
        self._pages = totals.done + totals.failed
        self._size = totals.bytes

    def ask(self, ahead: int) -> int:
        """Return the pages to ask for: those written and reserved, and so many ahead. A larger grant ends here."""
        wanted = self.used + ahead
        if self._limit is not None:
            self._limit = min(self._limit, wanted)
        return wanted

    def grant(self, pages: int | None) -> None:
        """Allow so many lines in all, with those that are written; None = any number."""
        self._limit = pages

    def release(self, hosts: Iterable[Host]) -> None:
        """Give back the pages of the URLs of these hosts that wait for another try, which is another worker's."""
        gone = set(hosts)
        for url_id in [url_id for url_id, host in self._awaited.items() if host in gone]:
            self._leave(url_id)

    # --- committed lines -----------------------------------------------------------------------------------------

    def write(self, url_id: int, size: int) -> None:
        """Count the committed line of a URL, with `size` body bytes."""
        self._leave(url_id)
        self._own += 1
        self._pages += 1
        self._size += size

    def give_back(self, url_id: int) -> bool:
        """Release the page of a URL that ended without a line; return True when it held one."""
        if url_id in self._reserved:
            self._leave(url_id)
            return True
        return False

    def _leave(self, url_id: int) -> None:
        self._reserved.discard(url_id)
        self._awaited.pop(url_id, None)

    def spent(self, now: float) -> str | None:
        """Return the spent limit, as the option says it; None = there is budget left."""
        limits = self._config
        if limits.max_pages is not None and self._pages >= limits.max_pages:
            return f"--max-pages {limits.max_pages}"
        if limits.max_bytes is not None and self._size >= limits.max_bytes:
            return f"--max-bytes {limits.max_bytes}"
        if self.deadline is not None and now >= self.deadline:
            return f"--max-time {limits.max_time:.12g}"
        return None

    @property
    def closed(self) -> str | None:
        """Return the limit per host, as the option says it: full hosts leave URLs pending; None = there is no limit."""
        limit = self._config.max_pages_per_host
        return None if limit is None else f"--max-pages-per-host {limit}"


def spent_by_all_lives(config: BudgetConfig, totals: Totals) -> str | None:
    """Return the spent limit of a whole run, as the option says it; the time is each life's own."""
    budget = Budget(config)
    budget.begin(totals, 0.0)
    return budget.spent(0.0)
