"""The robots.txt copies of a run, read while nobody works on it; nothing in its folder is changed.

Runs on: the main thread, blocking.
"""

from pathlib import Path

from crawler.core.handover import RobotsCopy
from crawler.frontier import schema
from crawler.frontier.reading import reading
from crawler.frontier.sqlite_errors import storage_gate


def stored_robots(path: Path, origin: str) -> RobotsCopy | None:
    """The copy that the frontier in `path` has of this origin's robots.txt; None = it has none.

    Raises:
        RunInUse: another process works on the run.
        StorageDamaged: the file is no frontier, or cannot be read.
    """
    with storage_gate(path.name), reading(path) as (db, _):
        schema.check(db, path.name)
        row = db.execute(
            "SELECT fetched_at, expires_at, status, body FROM robots WHERE origin = ?", (origin,)
        ).fetchone()
    if row is None:
        return None
    fetched_at, expires_at, status, body = row
    return RobotsCopy(fetched_at=fetched_at, expires_at=expires_at, status=status, body=body)
