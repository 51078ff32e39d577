"""The name of a run as commands take it, `DIR|DSN`: a folder, or the database where several workers share it.

Runs on: anywhere (pure).
"""

_DATABASES = ("embedded:", "env:", "file:")  # a private one, and references to a name that holds a password


def is_database(run: str) -> bool:
    """Return whether this names a database, and no folder."""
    return "://" in run or run.startswith(_DATABASES)
