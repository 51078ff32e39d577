"""The runs of a database: beginning one, joining one, and a look at its workers.

Runs on: the main thread, before or beside a run.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

from crawler.core.errors import UsageError
from crawler.frontier.postgres import schema
from crawler.frontier.postgres.connection import Connection, shown
from crawler.frontier.postgres.errors import database_gate
from crawler.frontier.postgres.workers import lines_of

_QUESTIONS = 5  # for the time: a question over a network takes some milliseconds


@contextmanager
def connected(dsn: str, run: str | None = None) -> Iterator[Connection]:
    """Connect within the block, and work with the tables of a run, if it is named.

    Raises:
        UsageError: there is no such run.
        StorageError: the database cannot be used.
    """
    with database_gate(shown(dsn)), closing(Connection(dsn)) as db:
        if run is not None:
            if run not in (there := schema.runs(db)):
                named = f"; there are {', '.join(there[:10])}" if there else ", and no other either"
                raise UsageError(f"{shown(dsn)}: there is no run {run}{named}")
            schema.use(db, schema.schema_of(run))
            schema.check(db, run)
        yield db


def only_run(dsn: str) -> str:
    """Return the name of the only run of a database.

    Raises:
        UsageError: there is none, or more than one.
    """
    with connected(dsn) as db:
        there = schema.runs(db)
    if len(there) == 1:
        return there[0]
    if not there:
        raise UsageError(f"{shown(dsn)}: there is no run; `crawler crawl ... --frontier {shown(dsn)}` begins one")
    raise UsageError(f"{shown(dsn)}: there are several runs; name one with --name: {', '.join(there[:10])}")


def begin_run(dsn: str, run: str, facts: Mapping[str, str], *, max_pages: int | None, place: str) -> int:
    """Make a run with these facts for those who join; return the number of its first worker.

    Raises:
        UsageError: there is one of this name.
    """
    with connected(dsn) as db:
        if run in schema.runs(db):
            raise UsageError(f"{shown(dsn)}: there is a run {run} already: take part by `crawler join`, or give --name")
        db.begin()
        try:
            schema.create(db, schema.schema_of(run))
            db.execute_each("INSERT INTO facts VALUES (?, ?)", list(facts.items()))
            pages = max_pages or 0
            db.execute("INSERT INTO meta VALUES ('rate', 0), ('max_pages', ?), ('pages_left', ?)", pages, pages)
            worker = _enter(db, place)
            db.commit()
        except BaseException:
            db.roll_back()
            raise
    return worker


def join_run(dsn: str, run: str, place: str) -> int:
    """Return the number of a new worker of a run."""
    with connected(dsn, run) as db:
        db.begin()
        db.execute("SELECT value FROM meta WHERE key = 'rate' FOR UPDATE")  # two that join get two numbers
        worker = _enter(db, place)
        db.commit()
    return worker


def change_run(dsn: str, run: str, facts: Mapping[str, str], *, max_pages: int) -> None:
    """Give a run another budget of pages, and these facts for those who join from now on."""
    with connected(dsn, run) as db:
        db.begin()
        try:
            ((before,),) = db.rows("SELECT value FROM meta WHERE key = 'max_pages' FOR UPDATE")
            if not before:  # no page has been counted so far
                db.execute(f"UPDATE worker SET pages = {lines_of('worker.id')}")  # noqa: S608
                db.execute("UPDATE meta SET value = -(SELECT sum(pages) FROM worker) WHERE key = 'pages_left'")
            db.execute("UPDATE meta SET value = value + ? WHERE key = 'pages_left'", max_pages - before)
            db.execute("UPDATE meta SET value = ? WHERE key = 'max_pages'", max_pages)
            db.execute_each("UPDATE facts SET value = ? WHERE name = ?", [(text, name) for name, text in facts.items()])
            db.commit()
        except BaseException:
            db.roll_back()
            raise


def _enter(db: Connection, place: str) -> int:
    query = "INSERT INTO worker (id, place) SELECT coalesce(max(id), 0) + 1, ? FROM worker RETURNING id"
    ((worker,),) = db.rows(query, place)
    return int(worker)


def facts_of(dsn: str, run: str) -> dict[str, str]:
    """Return the facts of a run."""
    with connected(dsn, run) as db:
        return dict(db.rows("SELECT name, value FROM facts"))


def clock_ahead(dsn: str, wall: Callable[[], float]) -> float:
    """Return by how many seconds the database's clock is ahead of `wall`, this machine's.

    Connecting takes its time, so each question is timed by itself: its answer was true in the middle of it, and the
    quickest of several is nearest to the truth. A clock that is ahead of the others' sends requests too early.
    """
    with connected(dsn) as db:
        return min(_ahead(db, wall) for _ in range(_QUESTIONS))[1]


def _ahead(db: Connection, wall: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds that the database took to tell its time, and those by which it is ahead."""
    asked = wall()
    ((now,),) = db.rows("SELECT extract(epoch FROM clock_timestamp())::double precision")
    told = wall()
    return told - asked, float(now) - (asked + told) / 2
