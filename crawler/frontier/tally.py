"""The sums of a run, kept in the same transaction as the rows that they count.

Rules
- What is added is written with the transaction and becomes known only after its COMMIT; a rollback forgets it.
- Of each reason for skipping, and for not reading, the first EXAMPLES URLs are kept, too.
- A sum is named by its kind and a name: ('state', 'done'), ('failed', 'tls_expired'), ('status', '404'), ...
Runs on: the storage thread.
"""

import sqlite3
from collections import Counter

from crawler.core.models import State, Totals

EXAMPLES = 3


class Tally:
    """All sums of the run in the database `db`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[str, dict[str, float]] = {}
        self._added: Counter[tuple[str, str]] = Counter()
        for kind, name, n in db.execute("SELECT kind, name, n FROM tally"):
            self._known.setdefault(kind, {})[name] = n
        self._examples: dict[str, list[str]] = {}
        self._new_examples: list[tuple[str, str]] = []
        for reason, url in db.execute("SELECT reason, url FROM example"):
            self._examples.setdefault(reason, []).append(url)

    @property
    def pending(self) -> int:
        """Committed URLs that are not finished."""
        return int(self._known.get("state", {}).get(State.PENDING.name, 0))

    def add(self, kind: str, name: str, n: float = 1) -> None:
        """Count within the open transaction."""
        self._added[kind, name] += n  # type: ignore[assignment]  # a Counter of floats works; its stub says int

    def skip(self, reason: str, url: str) -> None:
        """Count a skipped URL."""
        self.add("state", State.SKIPPED.name)
        self.add("skipped", reason)
        self._keep_example(reason, url)

    def leave_unread(self, reason: str, url: str) -> None:
        """Count a done URL that was not read, or not in full."""
        self.add("unread", reason)
        self._keep_example(reason, url)

    def _keep_example(self, reason: str, url: str) -> None:
        new = sum(reason == other for other, _ in self._new_examples)
        if len(self._examples.get(reason, ())) + new < EXAMPLES:
            self._new_examples.append((reason, url))

    def write(self) -> None:
        """Put what was added into the transaction."""
        self._db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET n = n + excluded.n",
            [(kind, name, n) for (kind, name), n in self._added.items() if n],
        )
        self._db.executemany("INSERT INTO example VALUES (?, ?)", self._new_examples)

    def keep(self) -> None:
        """The transaction is committed: what was added is known from now on."""
        for (kind, name), n in self._added.items():
            names = self._known.setdefault(kind, {})
            names[name] = names.get(name, 0) + n
        self._added.clear()
        for reason, url in self._new_examples:
            self._examples.setdefault(reason, []).append(url)
        self._new_examples.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._added.clear()
        self._new_examples.clear()

    def totals(self) -> Totals:
        """The account as of the last commit."""
        states = self._known.get("state", {})
        sums = self._known.get("sum", {})
        skipped, unread = self._whole("skipped"), self._whole("unread")
        return Totals(
            discovered=int(sum(states.values())),
            done=int(states.get(State.DONE.name, 0)),
            failed=int(states.get(State.FAILED.name, 0)),
            pending=self.pending,
            unread=unread,
            skipped=skipped,
            examples={
                reason: tuple(urls) for reason, urls in self._examples.items() if reason in skipped or reason in unread
            },
            failures=self._whole("failed"),
            statuses={int(name): n for name, n in self._whole("status").items()},
            lines=self._whole("line"),
            bytes=int(sums.get("bytes", 0)),
            retries=int(sums.get("retries", 0)),
            seconds=sums.get("seconds", 0.0),
            latency={int(name): n for name, n in self._whole("latency").items()},
        )

    def _whole(self, kind: str) -> dict[str, int]:
        return {name: int(n) for name, n in self._known.get(kind, {}).items() if n}
