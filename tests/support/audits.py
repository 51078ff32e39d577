"""Audits of a run of six pages, which a test tampers with: fixtures in `tests/run/conftest.py`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from crawler import inspection
from crawler.core.config import configure
from crawler.frontier.sqlite.at_rest import at_rest
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import SeedList
from crawler.run.verify import AuditVerdict

HOST = "http://h:8000"
LINES = [*(f"{HOST}/{number}" for number in range(6)), "", "nonsense", f"{HOST}/0", "# done", "ftp://h/"]


def verify(folder: Path, **options: object) -> AuditVerdict:
    """Audit a run that was begun with these options."""
    size = sum(len(line) + 1 for line in LINES)
    facts = RunFacts(command="fetch", sources=(SeedList("list", 1),), config=configure(options), seeds_bytes=size)
    with at_rest(folder / "frontier.sqlite") as frontier:
        return inspection.verify(frontier, RunFolder(folder), facts)


def findings(folder: Path, about: str) -> list[str]:
    """Return the findings about one file, without its name."""
    return [found.removeprefix(about).lstrip(": ") for found in verify(folder).findings if found.startswith(about)]


def execute(folder: Path, statement: str) -> None:
    """Change the frontier behind its back."""
    with closing(sqlite3.connect(folder / "frontier.sqlite")) as db:
        db.executescript(statement)
