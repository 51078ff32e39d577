"""What an audit asks of a frontier that nobody works on: its integrity, and all its sums counted again.

Runs on: the main thread, blocking; takes the run's lock for as long as it is open.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.core.errors import StorageDamaged
from crawler.core.models import State
from crawler.core.urls import parse
from crawler.frontier import schema
from crawler.frontier.gate import storage_gate
from crawler.frontier.tally import Tally


class FrontierAudit:
    """The frontier in `path`, opened for reading."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        with storage_gate(self._path.name):
            if not self._path.exists():
                raise StorageDamaged(f"{self._path.name} is missing; restore it, or start a new run")
            uri = f"{self._path.absolute().as_uri()}?mode=rw"
            self._db = sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)
            try:
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._db.execute("BEGIN EXCLUSIVE")
                schema.check(self._db, self._path.name)
                self._tally = Tally(self._db)
            except BaseException:
                self._db.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def files(self) -> dict[str, int]:
        """File name to committed length."""
        with storage_gate(self._path.name):
            return dict(self._db.execute("SELECT name, length FROM file"))

    def counts(self) -> dict[State, int]:
        """Rows by state."""
        with storage_gate(self._path.name):
            found = dict(self._db.execute("SELECT state, count(*) FROM url GROUP BY state"))
        return {state: found.get(state, 0) for state in State}

    def state_of(self, url: str) -> State | None:
        """The state of a URL; None = it is not in the frontier."""
        with storage_gate(self._path.name):
            row = self._db.execute("SELECT state FROM url WHERE key = ?", (parse(url).key,)).fetchone()
        return State(row[0]) if row else None

    def problems(self) -> Iterator[str]:
        """What is wrong within the frontier."""
        with storage_gate(self._path.name):
            for (answer,) in self._db.execute("PRAGMA integrity_check(10)"):
                if answer != "ok":
                    yield f"{self._path.name}: {answer}"
            yield from self._compare_states()
            yield from self._compare_ready()
            yield from self._compare_lines()

    def _compare_states(self) -> Iterator[str]:
        totals, counts = self._tally.totals(), self.counts()
        kept = {State.PENDING: totals.pending, State.DONE: totals.done, State.FAILED: totals.failed}
        kept[State.SKIPPED] = sum(totals.skipped.values())
        for state, n in kept.items():
            if counts[state] != n:
                yield f"accounting: {counts[state]} URLs are {state.name.lower()}, but the sum says {n}"
        for kind, state, sums in (
            ("failed", State.FAILED, totals.failures),
            ("skipped", State.SKIPPED, totals.skipped),
        ):
            rows = dict(self._db.execute("SELECT reason, count(*) FROM url WHERE state = ? GROUP BY reason", (state,)))
            if rows != dict(sums):
                yield f"accounting: {kind} by reason is {rows}, but the sums say {dict(sums)}"

    def _compare_ready(self) -> Iterator[str]:
        counted = f"SELECT count(*) FROM url WHERE url.host = host.id AND {schema.READY}"  # noqa: S608
        (wrong,) = self._db.execute(f"SELECT count(*) FROM host WHERE ready != ({counted})").fetchone()  # noqa: S608
        if wrong:
            yield f"accounting: the number of ready URLs is wrong for {wrong} hosts"

    def _compare_lines(self) -> Iterator[str]:
        lines = dict(self._tally.totals().lines)
        read = lines.pop("read", 0)
        if sum(lines.values()) != read:
            yield f"accounting: {read} lines were read, but {sum(lines.values())} are accounted for"
