"""The name of a run as commands take it, `DIR|DSN`: a folder, or the database where several workers share it.

Rules
- In a command that is shown, ` --name NAME` stands behind a database that has several runs.
Runs on: anywhere (pure).
"""

import shlex

from crawler.core.text import safe

_DATABASES = ("embedded:", "env:", "file:")  # a private one, and references to a name that holds a password


def is_database(run: str) -> bool:
    """Return whether this names a database, and no folder."""
    return "://" in run or run.startswith(_DATABASES)


def quoted_run(run: str) -> str:
    """Return the name of a run as it is typed in a shell."""
    if not is_database(run):
        return shlex.quote(safe(run))
    database, option, name = run.partition(" --name ")
    return f"{shlex.quote(safe(database))}{option}{name}"
