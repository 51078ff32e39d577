"""The columns and conditions that both stores of a frontier have, and what a row of `url` may be.

Rules
- A pending row that waits for no retry and is no suspect is *ready*; leases are never stored.
- Columns hold plain numbers and strings: a boolean is 0 or 1, an enum its value.
- `url.shape` is what a find is compared with (`frontier/shapes.py`). No two rows are of one URL.
- `url.deaths` counts how often a process died while this URL was in flight; from `SUSPECT_DEATHS` on it runs alone.
- `url.seed`, `depth`, `hops` and `foreign_hop` are of the best way that leads here, `chain` of the one with the fewest
  hops in a row, and `referrer` is where the best way comes from (`core/merging.py`).
- `url.leads_to` is the URL to which a redirect or a refresh leads; `url.sitemap` says that it was listed as a sitemap,
  `url.lastmod` is what a sitemap says of it, and `url.guess` whether its scheme was written (`core/scheme_guesses.py`).
- `host.ready` is the number of its ready rows; `tally` holds every sum that a summary shows, one row for each worker of
  the run. Both change in the same transaction as the rows that they count; `crawler verify` counts again.
- `host` also holds its state for politeness (`due` to `waited`, a `HostState`), and its pages: `pages`
  lines of output, `failed` of them without a response, the first and the last at `first_at` and `last_at` (wall clock).
- `host.site` is what hosts share that come into scope together, `place` holds what seeds brought into scope, `family`
  how far the families of URLs have grown that may be traps (`core/scope.py`, `core/traps.py`).
- `trouble` counts, per host and reason, the tries that failed: those that were repeated and those that were the last.
- `attempt` holds each try of a URL that was put off: when, why, and until when. The last try is the URL's own row.
- `edge` says which page leads to which URL, each pair once, and `bad_link` which links of a page are no URL; both are
  kept only for runs with `--check`.
- `file` is the committed length of each file of a worker's folder.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import astuple

from crawler.core.discovery import Way

SUSPECT_DEATHS = 2
PARKED_DEATHS = 4

WAITING = "state = 0 AND not_before IS NOT NULL"
READY = f"state = 0 AND not_before IS NULL AND deaths < {SUSPECT_DEATHS}"
SUSPECT = f"state = 0 AND deaths >= {SUSPECT_DEATHS}"

AMONG = "= ANY (?)"
"""The condition that a column has one of the values that `Tables.among` packs into one parameter, however many."""

WAY = tuple("foreign_hop" if field == "foreign" else field for field in Way.__struct_fields__)
"""The columns of a `Way`, in the order of its fields (FOREIGN is a word of SQL)."""


def way_of(columns: Sequence[object]) -> Way:
    """Return the way in the columns WAY of a row, which have numbers for booleans."""
    return msgspec.convert(columns, Way, strict=False)


@lru_cache(maxsize=1000)
def columns_of(way: Way) -> tuple[object, ...]:
    """Return the columns WAY of a way; sqlite3 takes a microsecond for a boolean, and none for a number."""
    return tuple(int(value) if isinstance(value, bool) else value for value in astuple(way))
