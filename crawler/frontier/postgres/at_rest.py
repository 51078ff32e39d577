"""The frontier of a run in PostgreSQL, opened for reading; see `frontier.at_rest.FrontierAtRest`.

Rules
- All that is read is of one moment: a transaction that is read only, at REPEATABLE READ, on a connection of its own.
- Workers go on meanwhile; no row is locked, and nothing is changed.
- It may take as long as it needs, also between two questions.
Runs on: the main thread, blocking.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import msgspec

from crawler.core.errors import StorageDamaged, UrlError
from crawler.core.frontier_reports import WorkerReport
from crawler.core.text import counted, safe
from crawler.core.urls import Host, parse
from crawler.frontier.letters import Letter
from crawler.frontier.postgres.connection import Connection, shown
from crawler.frontier.postgres.errors import database_gate
from crawler.frontier.postgres.keys import PostgresKeys
from crawler.frontier.postgres.runs import connected
from crawler.frontier.postgres.tables import PostgresTables
from crawler.frontier.postgres.workers import lines_of
from crawler.frontier.tables import Row

_PATIENT = (
    "SET idle_in_transaction_session_timeout TO 0",
    "SET statement_timeout TO 0",
    "SET lock_timeout TO '30s'",  # only those wait for each other who drop a table
)
_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_OWNERS = "SELECT name, worker.id FROM host JOIN worker ON worker.life = host.owner"
_SINCE = "extract(epoch FROM clock_timestamp() - %s)::double precision"
_WORKERS = (
    f"SELECT id, place, CASE WHEN life IS NOT NULL THEN {_SINCE % 'lease_until'} END, {_SINCE % 'seen'},"  # noqa: S608
    f" hosts, {lines_of('worker.id')}, groups FROM worker ORDER BY id"
)
_KEYS = "SELECT url.key, url.url, host.name FROM url JOIN host ON host.id = url.host"
_LOST_HOSTS = (
    "SELECT count(*), min(name) FROM host WHERE owner IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM worker WHERE life = host.owner)"
)
_LOST_LETTERS = "SELECT count(*) FROM letter WHERE NOT EXISTS (SELECT 1 FROM host WHERE id = letter.host)"
_NO_WORKERS = (
    "SELECT DISTINCT worker FROM {0} WHERE NOT EXISTS (SELECT 1 FROM worker WHERE id = {0}.worker) ORDER BY worker"
)


class PostgresAtRest:
    """The frontier with which `db` works, within the transaction that it has begun; `name` is shown for it."""

    is_closed = False  # the files of a folder are each worker's own matter

    def __init__(self, db: Connection, name: str) -> None:
        self.tables = PostgresTables(db)
        self.keys = PostgresKeys(self.tables, {})
        self.name = name

    def gate(self) -> AbstractContextManager[None]:
        """Map the errors of psycopg within the block, and those of columns that hold what they should not."""
        return _reading_gate(self.name)

    def owners(self) -> Mapping[Host, int]:
        """Return the number of the worker that has each host now; the others are free."""
        return dict(self.tables.rows(_OWNERS))

    def workers(self) -> Sequence[WorkerReport]:
        """Return the workers that share the run, in order."""
        return [WorkerReport(*row) for row in self.tables.rows(_WORKERS)]

    def letters(self) -> int:
        """Return the number of finds that are on their way to the worker of their host."""
        (count,) = self._one("SELECT count(*) FROM letter")
        return int(count)

    def problems(self) -> Iterator[str]:
        """Yield the faults of its keys, and of its workers' sums, hosts and letters."""
        yield from self._compare_keys()
        hosts, first = self._one(_LOST_HOSTS)
        if hosts:
            yield f"accounting: {counted(hosts, 'host')} owned by a worker that has ended, such as {first}"
        (letters,) = self._one(_LOST_LETTERS)
        if letters:
            yield f"accounting: {counted(letters, 'letter')} to a host that has no row"
        unread = sum(not _is_letter(body) for (body,) in self.tables.scan("SELECT body FROM letter"))
        if unread:
            yield f"accounting: {counted(unread, 'letter')} that cannot be read"
        for table, what in (("tally", "sums"), ("file", "files")):
            for (worker,) in self.tables.rows(_NO_WORKERS.format(table)):
                yield f"accounting: {what} of worker {worker}, which has no row"

    def _compare_keys(self) -> Iterator[str]:
        """Parse every URL again: a key that is not its digest, or stands at another host, is never found."""
        wrong, first = 0, ""
        for key, url, host in self.tables.scan(_KEYS):
            try:
                parsed = parse(url)
                is_found = parsed.key == bytes(key) and parsed.host_port == host
            except UrlError:
                is_found = False
            if not is_found:
                wrong, first = wrong + 1, first or url
        if wrong:
            yield f"accounting: {counted(wrong, 'URL')} not to be found by its key, such as {safe(first, 200)}"

    def _one(self, query: str) -> Row:
        (row,) = self.tables.rows(query)
        return row


def _is_letter(body: bytes) -> bool:
    try:
        msgspec.msgpack.decode(body, type=Letter)
    except msgspec.DecodeError:
        return False
    return True


@contextmanager
def _reading_gate(name: str) -> Iterator[None]:
    try:
        with database_gate(name):
            yield
    except (ValueError, TypeError, OverflowError) as error:
        raise StorageDamaged(f"{name}: damaged ({error}); restore the run, or start a new one") from error


@contextmanager
def at_rest(dsn: str, run: str) -> Iterator[PostgresAtRest]:
    """Open a run for reading within the block.

    Raises:
        UsageError: there is no such run.
        StorageError: the database cannot be used.
        StorageDamaged: its tables are of another version.
    """
    with connected(dsn, run) as db:
        for statement in (*_PATIENT, _SNAPSHOT):
            db.execute(statement)
        yield PostgresAtRest(db, f"{shown(dsn)} run {run}")
