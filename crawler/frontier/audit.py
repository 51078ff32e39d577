"""The audit of a frontier at rest: its integrity, all its sums counted again, each row against its line of output.

Rules
- Nothing is changed, whatever state the last life left the run in.
- Memory is bounded: of each URL one bit is kept.
Runs on: the main thread, blocking.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crawler.core.errors import UrlError
from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import Reason
from crawler.core.urls import Url, parse
from crawler.core.visits import State
from crawler.frontier.at_rest import FrontierAtRest
from crawler.frontier.columns import AMONG, READY, WAY, way_of
from crawler.frontier.run_reports import RunReports
from crawler.frontier.shapes import shape_of
from crawler.frontier.tables import Row
from crawler.frontier.tally import Tally
from crawler.run.recount import PageLine

_FOUND = f"SELECT id, url, state, reason, attempts FROM url WHERE id {AMONG}"  # noqa: S608
_UNREAD = frozenset(reason for reason in Reason if reason.is_unread)
_STATES = {state.value: state.name.lower() for state in State}
_NO_WORKER = 0  # nothing is added
_COMPARED = ("outcome", "reason", "number of attempts")
_NOTED = (
    "SELECT coalesce(sum(n), 0) FROM"
    " (SELECT attempts - CASE WHEN state IN (1, 2) AND reason != ? THEN 1 ELSE 0 END AS n FROM url) AS t WHERE n > 0"
)
_NO_REASON = {"read", "blank", "comment", "url"}  # outcomes of a line of the list other than a rejection


class FrontierAudit:
    """The audit of a frontier `at_rest`.

    Attributes:
        is_closed: the last life of the run ended in order; otherwise the files that a life writes last are missing.
        reports: the reports about the run.
    """

    def __init__(self, at_rest: FrontierAtRest) -> None:
        self._db = at_rest.tables
        self._at_rest = at_rest
        self._gate = at_rest.gate
        with self._gate():
            self._tally = Tally(self._db, _NO_WORKER)
            self._keys = at_rest.keys
        self._shown = _Ids()
        self.is_closed = at_rest.is_closed
        self.reports = RunReports(self._db, self._tally, at_rest.gate)

    def files(self, worker: int) -> dict[str, int]:
        """Return the committed length of each file of a worker's folder, by name."""
        query = "SELECT name, length FROM file WHERE worker = ?"
        with self._gate():
            return {name: int(length) for name, length in self._db.rows(query, worker)}

    def totals(self) -> Totals:
        """Return the account as it is stored."""
        with self._gate():
            return self._tally.totals()

    def counts(self) -> dict[State, int]:
        """Return the number of rows of each state."""
        with self._gate():
            found = dict(self._db.rows("SELECT state, count(*) FROM url GROUP BY state"))
        return {state: found.get(state, 0) for state in State}

    def are_hosts_closed(self, most: int) -> bool:
        """Return True when every pending URL is of a host that has its `most` lines of output."""
        with self._gate():
            pending = "SELECT 1 FROM url JOIN host ON host.id = url.host WHERE state = 0 AND pages < ? LIMIT 1"
            is_list_read = self._db.row("SELECT 1 FROM meta WHERE key = 'seeds_finished' AND value = 1")
            return bool(is_list_read) and self._db.row(pending, most) is None

    def sums(self, worker: int) -> Totals:
        """Return the account of one worker, as it is stored."""
        with self._gate():
            return Tally(self._db, worker, is_alone=True).totals()

    def disputes(self, lines: Sequence[PageLine]) -> list[tuple[str, str] | None]:
        """Return the fault of each line of output, in general and in particular; None = the frontier agrees."""
        parsed = [_parsed(line.url) for line in lines]
        with self._gate():
            ids = {key: url_id for key, url_id, _ in self._keys.shapes({url.key: url.href for url in parsed if url})}
            rows = {url_id: row for url_id, *row in self._db.rows(_FOUND, self._db.among(ids.values()))}
        return [
            ("not a URL", "") if url is None else self._dispute(line, ids.get(url.key, 0), rows)
            for line, url in zip(lines, parsed, strict=True)
        ]

    def _dispute(self, line: PageLine, url_id: int, rows: Mapping[int, Sequence[Any]]) -> tuple[str, str] | None:
        if url_id not in rows:
            return "not in the frontier", ""
        if not self._shown.add(url_id):
            return "twice in the output", ""
        spelling, state, *rest = rows[url_id]
        if line.url != spelling:
            return "another spelling than in the frontier", f"instead of {spelling}"
        told, kept = (line.outcome, line.reason, line.attempts), (_STATES.get(state, state), *rest)
        for field, shown, stored in zip(_COMPARED, told, kept, strict=True):
            if shown != stored:
                return f"another {field} than in the frontier", f"{shown} instead of {stored}"
        return None

    def unshown(self) -> Iterator[str]:
        """Yield the URLs that are done or failed and have no line that `disputes` was asked about."""
        with self._gate():
            for url_id, url in self._db.scan("SELECT id, url FROM url WHERE state IN (1, 2) ORDER BY id"):
                if url_id not in self._shown:
                    yield url

    def problems(self) -> Iterator[str]:
        """Yield the faults within the frontier."""
        with self._gate():
            yield from self._at_rest.problems()
            yield from self._compare_states()
            yield from self._compare_shapes()
            homeless = "FROM url WHERE NOT EXISTS (SELECT 1 FROM host WHERE host.id = url.host)"
            n, first = self._one(f"SELECT count(*), min(url) {homeless}")
            if n:
                yield f"accounting: {n} URLs belong to no host, so the crawl would never request them, such as {first}"
            counted = f"SELECT count(*) FROM url WHERE url.host = host.id AND {READY}"  # noqa: S608
            (wrong,) = self._one(f"SELECT count(*) FROM host WHERE ready != ({counted})")  # noqa: S608
            if wrong:
                yield f"accounting: the number of ready URLs is wrong for {wrong} hosts"
            yield from self._compare_lines()
            # A try that was not to be counted is a retry all the same, so there may be more of these than are noted.
            (noted,) = self._one(_NOTED, Reason.SUSPECT)
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
            found = self._db.rows("SELECT reason, count(*) FROM url WHERE state = ? GROUP BY reason", state)
            rows = dict(found)
            if kind == "unread":
                rows = {reason: n for reason, n in rows.items() if reason in _UNREAD}
            if rows != dict(sums):
                yield f"accounting: {kind} by reason is {rows}, but the sums say {dict(sums)}"

    def _compare_shapes(self) -> Iterator[str]:
        way = ", ".join(WAY)
        refusal = f"CASE WHEN state = {State.SKIPPED:d} AND reason != '{Reason.ROBOTS_DENIED}' THEN reason END"
        kinds = self._db.rows(f"SELECT count(*), shape, guess, {refusal}, {way} FROM url GROUP BY 2, 3, 4, {way}")  # noqa: S608
        wrong = sum(
            n
            for n, shape, guess, reason, *columns in kinds
            if shape != shape_of(way_of(columns), guess, reason and Reason(reason))
        )
        if wrong:
            yield f"accounting: {wrong} URLs are known in another shape than that of their rows"

    def _one(self, query: str, *values: object) -> Row:
        row = self._db.row(query, *values)
        assert row is not None  # noqa: S101 - aggregates
        return row

    def _compare_lines(self) -> Iterator[str]:
        lines = dict(self._tally.totals().lines)
        read = lines.get("read", 0)
        if (sum_ := sum(lines.values()) - read) != read:
            yield f"accounting: {read} lines were read, but {sum_} are accounted for"
        rejected = dict(self._db.rows("SELECT reason, count(*) FROM rejected GROUP BY reason"))
        sums = {name: n for name, n in lines.items() if name not in _NO_REASON}
        if rejected != sums:
            yield f"accounting: rejected lines by reason are {rejected}, but the sums say {sums}"
        (own,) = self._one(
            "SELECT count(*) FROM url WHERE line IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM rejected WHERE line = url.line)"
        )
        if own != lines.get("url", 0):
            yield f"accounting: {own} lines became a URL, but the sum says {lines.get('url', 0)}"


def _parsed(url: str) -> Url | None:
    try:
        return parse(url)
    except UrlError:
        return None


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
