"""The audit of a frontier at rest: its integrity, all its sums counted again, each row against its line of output.

Rules
- Nothing in the run's folder is changed, whatever state its last life left it in (`frontier/reading.py`).
- Memory is bounded: of each URL one bit is kept.
Runs on: the main thread, blocking; holds the run's lock for as long as it is open.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from crawler.core.errors import StorageDamaged
from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.core.urls import parse
from crawler.core.visits import State
from crawler.frontier import schema
from crawler.frontier.reading import reading
from crawler.frontier.run_reports import RunReports
from crawler.frontier.seen_keys import SeenKeys
from crawler.frontier.shapes import shape_of
from crawler.frontier.sqlite_errors import reading_gate
from crawler.frontier.tally import Tally

_UNREAD = frozenset(reason for reason in Reason if reason.is_unread)
_STATES = {state.value: state.name.lower() for state in State}
_COMPARED = ("outcome", "reason", "number of attempts")
_NO_REASON = {"read", "blank", "comment", "url"}  # outcomes of a line of the list other than a rejection


class FrontierAudit:
    """The frontier in `path`, opened for reading.

    Attributes:
        is_closed: the last life of the run ended in order; otherwise the files that a life writes last are missing.
        reports: the reports about the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shown = _Ids()

    def __enter__(self) -> Self:
        with self._gate(), ExitStack() as stack:
            self._db, self.is_closed = stack.enter_context(reading(self._path))
            self._tally = Tally(self._db)
            try:
                self._keys = SeenKeys(self._db)
            except UnicodeError as error:
                raise StorageDamaged(f"{self._path.name}: a URL in it is none: {safe(str(error), 100)}") from error
            self.reports = RunReports(self._db, self._tally, self._gate)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _gate(self) -> AbstractContextManager[None]:
        return reading_gate(self._path.name)

    def files(self) -> dict[str, int]:
        """Return the committed length of each file, by name."""
        with self._gate():
            return {name: int(length) for name, length in self._db.execute("SELECT name, length FROM file")}

    def totals(self) -> Totals:
        """Return the account as it is stored."""
        with self._gate():
            return self._tally.totals()

    def counts(self) -> dict[State, int]:
        """Return the number of rows of each state."""
        with self._gate():
            found = dict(self._db.execute("SELECT state, count(*) FROM url GROUP BY state"))
        return {state: found.get(state, 0) for state in State}

    def are_hosts_closed(self, most: int) -> bool:
        """Return True when every pending URL is of a host that has its `most` lines of output."""
        with self._gate():
            pending = "SELECT 1 FROM url JOIN host ON host.id = url.host WHERE state = 0 AND pages < ? LIMIT 1"
            is_list_read = self._db.execute("SELECT 1 FROM meta WHERE key = 'seeds_finished' AND value").fetchone()
            return bool(is_list_read) and self._db.execute(pending, (most,)).fetchone() is None

    def dispute(self, url: str, outcome: str, reason: str, attempts: int) -> tuple[str, str] | None:
        """Return the fault of a line of output, in general and in particular; None = the frontier agrees.

        Raises:
            UrlError: the line holds no URL.
        """
        key = parse(url).key
        with self._gate():
            found = "SELECT id, url, state, reason, attempts FROM url WHERE id = ?"
            row = self._db.execute(found, (self._keys.find(key),)).fetchone()
        if row is None:
            return "not in the frontier", ""
        url_id, spelling, state, *rest = row
        if not self._shown.add(url_id):
            return "twice in the output", ""
        if url != spelling:
            return "another spelling than in the frontier", f"instead of {spelling}"
        kept = (_STATES.get(state, state), *rest)
        for field, shown, stored in zip(_COMPARED, (outcome, reason, attempts), kept, strict=True):
            if shown != stored:
                return f"another {field} than in the frontier", f"{shown} instead of {stored}"
        return None

    def unshown(self) -> Iterator[str]:
        """Yield the URLs that are done or failed and have no line that `dispute` was asked about."""
        with self._gate():
            for url_id, url in self._db.execute("SELECT id, url FROM url WHERE state IN (1, 2) ORDER BY id"):
                if url_id not in self._shown:
                    yield url

    def problems(self) -> Iterator[str]:
        """Yield the faults within the frontier."""
        with self._gate():
            for (answer,) in self._db.execute("PRAGMA integrity_check(10)"):
                if answer != "ok":
                    yield f"{self._path.name}: {answer}"
            yield from self._compare_states()
            yield from self._compare_keys()
            homeless = "FROM url WHERE NOT EXISTS (SELECT 1 FROM host WHERE host.id = url.host)"
            n, first = self._db.execute(f"SELECT count(*), min(url) {homeless}").fetchone()
            if n:
                yield f"accounting: {n} URLs belong to no host, so the crawl would never request them, such as {first}"
            counted = f"SELECT count(*) FROM url WHERE url.host = host.id AND {schema.READY}"  # noqa: S608
            (wrong,) = self._db.execute(f"SELECT count(*) FROM host WHERE ready != ({counted})").fetchone()  # noqa: S608
            if wrong:
                yield f"accounting: the number of ready URLs is wrong for {wrong} hosts"
            yield from self._compare_lines()
            # A try that was not to be counted is a retry all the same, so there may be more of these than are noted.
            (noted,) = self._db.execute(
                "SELECT total(max(0, attempts - (state IN (1, 2) AND reason != ?))) FROM url", (Reason.SUSPECT,)
            ).fetchone()
            if noted > (retries := self._tally.totals().retries):
                yield f"accounting: {noted:.0f} further tries are noted, but the sum says {retries}"

    def _compare_states(self) -> Iterator[str]:
        totals, counts = self._tally.totals(), self.counts()
        kept = {State.PENDING: totals.pending, State.DONE: totals.done, State.FAILED: totals.failed}
        kept[State.SKIPPED] = sum(totals.skipped.values())
        for state, n in kept.items():
            if counts[state] != n:
                yield f"accounting: {counts[state]} URLs are {state.name.lower()}, but the sum says {n}"
        for kind, state, sums in (
            ("unread", State.DONE, totals.unread),
            ("failed", State.FAILED, totals.failures),
            ("skipped", State.SKIPPED, totals.skipped),
        ):
            rows = dict(self._db.execute("SELECT reason, count(*) FROM url WHERE state = ? GROUP BY reason", (state,)))
            if kind == "unread":
                rows = {reason: n for reason, n in rows.items() if reason in _UNREAD}
            if rows != dict(sums):
                yield f"accounting: {kind} by reason is {rows}, but the sums say {dict(sums)}"

    def _compare_keys(self) -> Iterator[str]:
        (rows,) = self._db.execute("SELECT count(*) FROM url").fetchone()
        if rows != (keys := self._keys.count()):
            yield f"accounting: {rows} URLs have a row, but {keys} have a key"
        (strange,) = self._db.execute(
            "SELECT count(*) FROM seen WHERE NOT EXISTS (SELECT 1 FROM url WHERE id = seen.url AND shape = seen.shape)"
        ).fetchone()
        if strange:
            yield f"accounting: {strange} keys tell of another row than there is"
        way = ", ".join(schema.WAY)
        refusal = f"iif(state = {State.SKIPPED:d} AND reason != '{Reason.ROBOTS_DENIED}', reason, NULL)"
        kinds = self._db.execute(f"SELECT count(*), shape, guess, {refusal}, {way} FROM url GROUP BY 2, 3, 4, {way}")  # noqa: S608
        wrong = sum(
            n
            for n, shape, guess, reason, *columns in kinds
            if shape != shape_of(schema.way_of(columns), guess, reason and Reason(reason))
        )
        if wrong:
            yield f"accounting: {wrong} URLs are known in another shape than that of their rows"

    def _compare_lines(self) -> Iterator[str]:
        lines = dict(self._tally.totals().lines)
        read = lines.get("read", 0)
        if (sum_ := sum(lines.values()) - read) != read:
            yield f"accounting: {read} lines were read, but {sum_} are accounted for"
        rejected = dict(self._db.execute("SELECT reason, count(*) FROM rejected GROUP BY reason"))
        sums = {name: n for name, n in lines.items() if name not in _NO_REASON}
        if rejected != sums:
            yield f"accounting: rejected lines by reason are {rejected}, but the sums say {sums}"
        (own,) = self._db.execute(
            "SELECT count(*) FROM url WHERE line IS NOT NULL AND line NOT IN (SELECT line FROM rejected)"
        ).fetchone()
        if own != lines.get("url", 0):
            yield f"accounting: {own} lines became a URL, but the sum says {lines.get('url', 0)}"


class _Ids:
    """A set of row ids: where they are dense, as they are, one bit each."""

    _WIDTH = 1024

    def __init__(self) -> None:
        self._blocks: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        block, place = divmod(number, self._WIDTH)
        return bool(self._blocks.get(block, 0) >> place & 1)

    def add(self, number: int) -> bool:
        """Put it in; False = it was in before."""
        block, place = divmod(number, self._WIDTH)
        before = self._blocks.get(block, 0)
        self._blocks[block] = before | 1 << place
        return not before >> place & 1
