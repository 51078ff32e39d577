"""Of each reason for skipping the first URLs that are skipped for it, as they are now.

They are looked up when they are shown, since what was skipped may be wanted later. A reason that is rare is looked for
through all rows: seconds, where there are tens of millions.
Runs on: the storage thread.
"""

import sqlite3
from collections.abc import Iterable

from crawler.core.models import State

EXAMPLES = 3


def examples(db: sqlite3.Connection, reasons: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The first URLs for each of these reasons, in the order of discovery."""
    query = "SELECT url FROM url WHERE state = ? AND +reason = ? ORDER BY id LIMIT ?"  # + keeps it to the order of ids
    return {reason: tuple(url for (url,) in db.execute(query, (State.SKIPPED, reason, EXAMPLES))) for reason in reasons}
