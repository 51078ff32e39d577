"""ASSEMBLES the frontier of a run that several workers share: it is begun, joined and opened here.

Rules
- What every worker must know stands in the database: the options, but no secret.
- A private database (`embedded:DIR`) runs for as long as the block that uses it.
Runs on: the main thread.
"""

import shlex
import socket
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from crawler.core.config import SharedConfig
from crawler.core.errors import UsageError
from crawler.core.protocols import Clock, Frontier
from crawler.core.text import counted, safe
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.policy import FrontierPolicy
from crawler.run.folder import RunFacts, RunFolder, facts_from, facts_text
from crawler.runtime.clock import SharedClock

try:
    from crawler.frontier.postgres import runs
    from crawler.frontier.postgres.at_rest import at_rest
    from crawler.frontier.postgres.connection import is_dsn, shown
    from crawler.frontier.postgres.frontier import PostgresFrontier
    from crawler.frontier.postgres.private_server import is_made, private_server
    from crawler.frontier.postgres.session import Session
    from crawler.frontier.postgres.workers import Membership
except ModuleNotFoundError as missing:
    if missing.name != "psycopg":
        raise
    raise UsageError("--frontier: a run in a database needs psycopg: pip install 'crawler[postgres]'") from None

EMBEDDED = "embedded:"
_FACTS = "config.toml"


@contextmanager
def reachable(frontier: str, *, may_make: bool = False) -> Iterator[str]:
    """Yield the name of the database, which `embedded:DIR` starts within the block.

    `may_make`: a private database that is not there is made.

    Raises:
        UsageError: it names none, there is none in the folder, or there is no server that can serve it.
        StorageError: the server does not start.
    """
    if frontier.startswith(EMBEDDED) and frontier != EMBEDDED:
        folder = Path(frontier.removeprefix(EMBEDDED))
        if not (may_make or is_made(folder)):
            shown = safe(str(folder), 200)
            raise UsageError(f"{shown}: no run is there: `crawler crawl ... --frontier embedded:{shown}` begins one")
        with private_server(folder) as dsn:
            yield dsn
    elif is_dsn(frontier):
        yield frontier
    else:
        raise UsageError("--frontier: expected postgresql://USER@HOST/DB or embedded:DIR")


def begin_shared(dsn: str, folder: RunFolder, facts: RunFacts) -> RunFacts:
    """Make the run in the database; return its facts, with the number of its first worker."""
    shared = facts.config.shared
    run = shared.name or _name_of(folder.path)
    facts = replace(facts, config=replace(facts.config, shared=replace(shared, name=run)))
    max_pages = facts.config.budget.max_pages
    worker = runs.begin_run(dsn, run, _common(facts), max_pages=max_pages, place=_place(folder))
    return replace(facts, worker=worker)


def change_pages(dsn: str, facts: RunFacts) -> None:
    """Give the whole run the budget of pages in these facts; workers that are at work keep to the one before."""
    if (pages := facts.config.budget.max_pages) is not None:
        runs.change_run(dsn, facts.config.shared.name or "", _common(facts), max_pages=pages)


def _common(facts: RunFacts) -> dict[str, str]:
    """Return what every worker of the run must know."""
    secrets = {name: value for name, value in facts.secrets.items() if name != "frontier"}
    needs = tuple(name for name in facts.needs if name != "frontier")
    common = replace(facts, sources=(), seeds_bytes=0, secrets=secrets, needs=needs, worker=None)
    return {_FACTS: facts_text(common)}


def facts_of(dsn: str, run: str | None) -> RunFacts:
    """Return the facts of a run, for one more worker; None = the only one there is."""
    run = run or runs.only_run(dsn)
    text = runs.facts_of(dsn, run).get(_FACTS, "")
    return facts_from(tomllib.loads(text), f"run {run}")


def join_shared(dsn: str, folder: RunFolder, facts: RunFacts) -> RunFacts:
    """Make one more worker of a run, which works in this folder; return its facts."""
    return replace(facts, worker=runs.join_run(dsn, facts.config.shared.name or "", _place(folder)))


class SharedStore:
    """The place of a run's frontier for one of its workers: `build.Store`."""

    def __init__(self, dsn: str, facts: RunFacts) -> None:
        self._dsn = dsn
        self._facts = facts

    @property
    def _shared(self) -> SharedConfig:
        return self._facts.config.shared

    def clock(self) -> Clock:
        """Return a clock that tells the database's time."""
        return SharedClock(runs.clock_ahead(self._dsn, time.time))

    def frontier(self, board: MappedBoard, policy: FrontierPolicy) -> Frontier:
        """Return the frontier of this worker, to be opened."""
        worker, config = self._facts.worker or 0, self._facts.config
        session = Session(self._dsn, self._shared.name or "", worker, self._shared.lease)
        rate, pages = config.politeness.rate, config.budget.max_pages
        return PostgresFrontier(session, Membership(worker, max_pages=pages, rate=rate), board, policy)

    def greeting(self) -> str:
        """Return a line about the run that this worker takes part in, with the command for others."""
        run, stored = self._shared.name or "", self._facts.secrets.get("frontier")
        named = shown(self._dsn) if stored is None else str(stored)  # without its password, where it has one
        joining = f"crawler join {shlex.quote(safe(named, 500))} --name {run}"
        return f"worker {self._facts.worker} of the run {run}; others take part by: {joining}"

    def share(self) -> str:
        """Return a line about the part of the run that is this worker's.

        Raises:
            StorageError: the database cannot be used.
        """
        with at_rest(self._dsn, self._shared.name or "") as frontier:
            workers = frontier.workers()
        own = sum(worker.lines for worker in workers if worker.id == self._facts.worker)
        every = sum(worker.lines for worker in workers)
        of = f"worker {self._facts.worker} of {len(workers)} in the run {self._shared.name}"
        return f"{of} wrote {own:,} of {counted(every, 'line')}"


def _name_of(folder: Path) -> str:
    """Return a name for a run like that of its folder."""
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in folder.name.lower())
    return kept[:48] or "run"


def _place(folder: RunFolder) -> str:
    return safe(f"{socket.gethostname()}:{folder.path.absolute()}", 4000)
