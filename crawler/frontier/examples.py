"""Of each reason for skipping, and for not reading, the first URLs that it holds for, as they are now.

They are looked up when they are shown, since what was skipped may be wanted later. A reason that is rare is looked for
through all rows: seconds, where there are tens of millions.
Runs on: the storage thread.
"""

import sqlite3

from crawler.core.handover import Totals
from crawler.core.visits import State

EXAMPLES = 3


def examples(db: sqlite3.Connection, totals: Totals) -> dict[str, tuple[str, ...]]:
    """The first URLs for each reason that these totals tell, in the order of discovery."""
    query = "SELECT url FROM url WHERE state = ? AND +reason = ? ORDER BY id LIMIT ?"  # + keeps it to the order of ids
    kinds = ((State.SKIPPED, totals.skipped), (State.DONE, totals.unread))
    return {
        reason: tuple(url for (url,) in db.execute(query, (state, reason, EXAMPLES)))
        for state, reasons in kinds
        for reason in reasons
    }
