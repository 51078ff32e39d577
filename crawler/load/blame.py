"""The question of whether a client that was the limit may be to blame for a threshold that was missed.

Rules
- A late client only lengthens times, so a limit that is kept in spite of it is kept.
- Failures of the server, and times that the client's part cannot explain, are the server's although the client was the
  limit. A client without a core of its own, or out of files or ports, may be to blame for all.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable

from crawler.core.reasons import Reason
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import Threshold

BUSY = 0.9  # of a core: such a client may hold the server up


def is_clients(result: LoadResult, missed: Iterable[Threshold]) -> bool:
    """Return whether the client may be to blame for the thresholds that were missed."""
    if result.verdict is not LoadVerdict.CLIENT_BOUND:
        return False
    if Reason.CLIENT_LIMIT in result.total.failures or max(client.cpu for client in result.clients) >= BUSY:
        return True
    parts = result.client_share
    for limit in missed:
        if limit.is_share:
            return False
        is_known = limit.share is not None and limit.scope is None and limit.sign in {"<", "<="}
        time = result.percentile((limit.share or 0.0) * 100) if is_known else None
        if time is not None and time * (1 - parts.get(limit.figure, max(parts.values(), default=0.0))) > limit.limit:
            return False
    return True
