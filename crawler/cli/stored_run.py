"""The run that a command looks back at: in a folder, in a database, or in the database of a worker's folder.

Runs on: the main thread.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import msgspec

from crawler.cli.references import look_up
from crawler.core.errors import UsageError
from crawler.core.run_names import is_database
from crawler.core.text import safe
from crawler.frontier.at_rest import FrontierAtRest
from crawler.run.folder import RunFacts, RunFolder

RUN = "DIR|DSN"

name_option: Callable[[click.decorators.FC], click.decorators.FC] = click.option(
    "--name", "run_name", metavar="NAME", help="Name of the run, where the database has several."
)


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose frontier is opened for reading.

    Attributes:
        name: the run in a command that goes on with it.
        folder: it, or that of one of its workers; None = a database was named.
    """

    name: str
    facts: RunFacts
    frontier: FrontierAtRest
    folder: RunFolder | None


@contextmanager
def opened_run(where: str, run: str | None = None) -> Iterator[StoredRun]:
    """Open a run for reading: in a folder or database; `run` is its name where the database has several.

    Raises:
        UsageError: there is no such run.
        RunInUse: another process works on the run in this folder.
        StorageError: its frontier cannot be read.
    """
    from crawler.runtime.loop import terminable

    with ExitStack() as stack:
        stack.enter_context(terminable())  # a copy of the frontier may have to be removed
        if is_database(where):
            yield stack.enter_context(_in_database(where, run))
            return
        if run is not None:
            raise UsageError(f"--name: {safe(where, 200)} is a folder, and holds one run: name a database, or no run")
        folder = RunFolder(Path(where))
        facts = folder.read_facts()
        if facts.worker is not None:
            dsn = _database_of(where, facts)
            shared = stack.enter_context(_in_database(dsn, facts.config.shared.name))
            yield msgspec.structs.replace(shared, name=where, facts=facts, folder=folder)
            return
        from crawler.frontier.sqlite.at_rest import at_rest

        frontier = stack.enter_context(at_rest(folder.frontier))
        yield StoredRun(name=where, facts=facts, frontier=frontier, folder=folder)


@contextmanager
def database(where: str) -> Iterator[str]:
    """Give the DSN of a database, which is looked up or started if its name says so.

    Raises:
        UsageError: it names none.
    """
    from crawler.sharing import EMBEDDED, reachable  # it says what to install where psycopg is missing

    name = str(look_up({"frontier": where}).values["frontier"])
    from crawler.frontier.postgres.connection import is_dsn, shown

    if not is_dsn(name) and (not name.startswith(EMBEDDED) or name == EMBEDDED):
        told = shown(name) if "://" in name else safe(where, 120)
        raise UsageError(f"{told} names no database: write postgresql://USER@HOST/DB or embedded:DIR")
    with reachable(name) as dsn:
        yield dsn


@contextmanager
def _in_database(where: str, run: str | None) -> Iterator[StoredRun]:
    with database(where) as dsn:
        from crawler.frontier.postgres.at_rest import at_rest
        from crawler.frontier.postgres.connection import is_dsn, shown
        from crawler.sharing import facts_of

        facts = facts_of(dsn, run)
        with at_rest(dsn, facts.config.shared.name or "") as frontier:
            name = (shown(where) if is_dsn(where) else where) + (f" --name {run}" if run else "")
            yield StoredRun(name=name, facts=facts, frontier=frontier, folder=None)


def _database_of(folder: str, facts: RunFacts) -> str:
    """Return the database of the run that a folder's worker takes part in.

    Raises:
        UsageError: it holds a password, which no folder stores.
    """
    if (stored := facts.secrets.get("frontier")) is None:
        raise UsageError(f"{safe(folder, 200)}: its database has a password, which no folder stores: name the database")
    return str(stored)
