"""The sums of a run, kept in the same transaction as the rows that they count.

Rules
- Additions are written with the transaction and count only after its COMMIT; a rollback drops them.
- A sum is named by its kind and a name: ('state', 'done'), ('failed', 'tls_expired'), ('status', '404'), ...
Runs on: the storage thread.
"""

from collections import Counter, defaultdict

from crawler.core.leases_and_commits import Totals
from crawler.core.visits import State
from crawler.frontier.tables import Tables

_NUMBERED = {"status", "latency"}  # kinds of which every name is a number; the second has hundreds


class Tally:
    """The sums of the run in the database `db`, of all its workers; this process adds to those of `worker`.

    `is_alone`: only those of `worker` are read.
    """

    def __init__(self, db: Tables, worker: int, *, is_alone: bool = False) -> None:
        self._db = db
        self._worker = worker
        self._of = ("WHERE worker = ?", worker) if is_alone else ("",)
        self._committed: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._numbered: defaultdict[str, dict[int, int]] = defaultdict(dict)  # the kinds whose names are numbers
        self._added: Counter[tuple[str, str]] = Counter()
        self.read()

    def read(self) -> None:
        """Read the committed sums."""
        self._committed.clear()
        self._numbered.clear()
        where, *values = self._of
        for kind, name, n in self._db.rows(f"SELECT kind, name, n FROM tally {where}", *values):  # noqa: S608
            self._take(kind, name, n)

    @property
    def pending(self) -> int:
        """Return the number of committed URLs that are not finished."""
        return int(self._committed["state"].get(State.PENDING.name, 0))

    def add(self, kind: str, name: str, n: float = 1) -> None:
        """Count within the open transaction."""
        self._added[kind, name] += n  # type: ignore[assignment]  # a Counter of floats works; its stub says int

    def skip(self, reason: str, n: int = 1) -> None:
        """Count skipped URLs."""
        self.add("state", State.SKIPPED.name, n)
        self.add("skipped", reason, n)

    def write(self) -> None:
        """Write the additions into the transaction."""
        rows = [(self._worker, kind, str(name), n) for (kind, name), n in self._added.items() if n]
        self._db.add("tally", ("worker", "kind", "name"), "n", rows)

    def keep(self) -> None:
        """Take over the additions of the committed transaction."""
        for (kind, name), n in self._added.items():
            self._take(kind, name, n)
        self._added.clear()

    def _take(self, kind: str, name: str, n: float) -> None:
        if kind in _NUMBERED:
            counts = self._numbered[kind]
            counts[int(name)] = counts.get(int(name), 0) + int(n)
        else:
            sums = self._committed[kind]
            sums[name] = sums.get(name, 0) + n

    def forget(self) -> None:
        """Drop the additions of the transaction that was rolled back."""
        self._added.clear()

    def totals(self) -> Totals:
        """Return the account as of the last commit."""
        states, sums = self._committed["state"], self._committed["sum"]
        return Totals(
            discovered=int(sum(states.values())),
            done=int(states.get(State.DONE.name, 0)),
            failed=int(states.get(State.FAILED.name, 0)),
            pending=self.pending,
            unread=self._whole("unread"),
            skipped=self._whole("skipped"),
            failures=self._whole("failed"),
            statuses=self._numbered["status"].copy(),
            lines=self._whole("line"),
            readings=self._whole("reading"),
            bytes=int(sums.get("bytes", 0)),
            retries=int(sums.get("retries", 0)),
            seconds=sums.get("seconds", 0.0),
            latency=self._numbered["latency"].copy(),
        )

    def _whole(self, kind: str) -> dict[str, int]:
        return {name: int(n) for name, n in self._committed[kind].items() if n}
