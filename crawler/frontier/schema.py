"""The tables of `frontier.sqlite`, and the meaning of each column.

Rules
- `url.state` is a `State`; leases are never stored. A pending row that waits for no retry and is no suspect is *ready*.
- `url.shape` is what a find is compared with (`frontier/shapes.py`). `seen` has it again by the digest of the URL, but
  for the newest rows, whose keys are in memory (`frontier/seen_keys.py`). No two rows are of one URL.
- `url.deaths` counts how often the process died while this URL was in flight; from `SUSPECT_DEATHS` on it runs alone.
- `url.seed`, `depth`, `hops` and `foreign_hop` are of the best way that leads here, `chain` of the one with the fewest
  hops in a row, and `referrer` is where the best way comes from (`core/merging.py`).
- `host.ready` is the number of its ready rows; `tally` holds every sum that a summary shows. Both change in the same
  transaction as the rows that they count; `crawler verify` counts again.
- `host` also holds its state for politeness (`due` to `waited`, a `HostState`), and its pages: `pages`
  lines of output, `failed` of them without a response, the first and the last at `first_at` and `last_at` (wall clock).
- `trouble` counts, per host and reason, the tries that failed: those that were repeated and those that were the last.
- `attempt` holds each try of a URL that was put off: when, why, and until when. The last try is the URL's own row.
- `url.leads_to` is where a redirect or a refresh leads; `url.sitemap` says that it was listed as a sitemap,
  `url.lastmod` is what a sitemap says of it, and `url.guess` whether its scheme was written (`core/scheme_guesses.py`).
- `host.site` is what hosts share that come into scope together, `place` holds what seeds brought into scope, `family`
  how far the families of URLs have grown that may be traps (`core/scope.py`, `core/traps.py`).
- `edge` says which page leads to which URL, each pair once, and `bad_link` which links of a page are no URL; both are
  kept only for runs with `--check`.
Runs on: the thread that has the connection.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import astuple

from crawler.core.discovery import Way
from crawler.core.errors import StorageDamaged

APPLICATION_ID = 0x63726C72  # "crlr"
VERSION = 9

SUSPECT_DEATHS = 2
PARKED_DEATHS = 4

WAITING = "state = 0 AND not_before IS NOT NULL"
READY = f"state = 0 AND not_before IS NULL AND deaths < {SUSPECT_DEATHS}"
SUSPECT = f"state = 0 AND deaths >= {SUSPECT_DEATHS}"

AMONG = "IN (SELECT value FROM json_each(?))"
"""The condition that a column has one of the values that `values` packs into one parameter, however many."""

WAY = tuple("foreign_hop" if field == "foreign" else field for field in Way.__struct_fields__)
"""The columns of a `Way`, in the order of its fields (FOREIGN is a word of SQL)."""

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tally (kind TEXT, name TEXT, n NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE rejected (line INTEGER PRIMARY KEY, reason TEXT NOT NULL, message TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    named INTEGER NOT NULL DEFAULT 0,
    site TEXT NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL DEFAULT 0,
    delay REAL,
    cause TEXT,
    window REAL,
    penalty REAL NOT NULL DEFAULT 0,
    latency REAL,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since REAL,
    robots_attempts INTEGER NOT NULL DEFAULT 0,
    down TEXT,
    rest_until REAL NOT NULL DEFAULT 0,
    waited REAL NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    first_at REAL,
    last_at REAL
);
CREATE TABLE trouble (host INTEGER, reason TEXT, n INTEGER NOT NULL, PRIMARY KEY (host, reason)) WITHOUT ROWID;
CREATE INDEX host_site ON host (site);
CREATE TABLE place (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE family (host INTEGER, key BLOB, n INTEGER NOT NULL, PRIMARY KEY (host, key)) WITHOUT ROWID;
CREATE TABLE edge (source INTEGER, target INTEGER, PRIMARY KEY (target, source)) WITHOUT ROWID;
CREATE TABLE bad_link (text TEXT, reason TEXT, source INTEGER, PRIMARY KEY (text, reason, source)) WITHOUT ROWID;
CREATE INDEX host_ready ON host (due, id) WHERE ready > 0;
CREATE TABLE robots (
    origin TEXT PRIMARY KEY,
    host INTEGER NOT NULL,
    fetched_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX robots_host ON robots (host);
CREATE TABLE url (
    id INTEGER PRIMARY KEY,
    shape TEXT NOT NULL,
    url TEXT NOT NULL,
    host INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    depth INTEGER NOT NULL,
    hops INTEGER NOT NULL DEFAULT 0,
    chain INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    seed INTEGER NOT NULL DEFAULT 0,
    foreign_hop INTEGER NOT NULL DEFAULT 0,
    line INTEGER,
    referrer INTEGER,
    not_before REAL,
    reason TEXT,
    status INTEGER,
    leads_to INTEGER,
    sitemap INTEGER NOT NULL DEFAULT 0,
    lastmod TEXT,
    guess INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE seen (key BLOB PRIMARY KEY, url INTEGER NOT NULL, shape TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE attempt (
    url INTEGER,
    at REAL,
    reason TEXT NOT NULL,
    not_before REAL NOT NULL,
    PRIMARY KEY (url, at)
) WITHOUT ROWID;
CREATE INDEX url_ready ON url (host, attempts > 0, depth, id) WHERE {READY};
CREATE INDEX url_outside ON url (host) WHERE reason = 'out_of_scope';
CREATE INDEX url_waiting ON url (not_before) WHERE {WAITING};
CREATE INDEX url_suspect ON url (depth, deaths, id) WHERE {SUSPECT};
"""


def values(found: Iterable[int | str]) -> str:
    """Pack values into the one parameter of AMONG."""
    return msgspec.json.encode(list(found)).decode()


def way_of(columns: Sequence[object]) -> Way:
    """Return the way in the columns WAY of a row, in which SQLite has numbers for booleans."""
    return msgspec.convert(columns, Way, strict=False)


@lru_cache(maxsize=1000)
def columns_of(way: Way) -> tuple[object, ...]:
    """Return the columns WAY of a way; sqlite3 takes a microsecond for a boolean, and none for a number."""
    return tuple(int(value) if isinstance(value, bool) else value for value in astuple(way))


def create(db: sqlite3.Connection) -> None:
    """Make the tables within the open transaction; a file that holds tables is left as it is."""
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        for statement in TABLES.split(";"):
            db.execute(statement)


def check(db: sqlite3.Connection, name: str) -> None:
    """Refuse a database that is no frontier of this version.

    Raises:
        StorageDamaged: the file is no frontier, or one of another version.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StorageDamaged(f"{name}: this is not a frontier; restore the file, or start a new run")
    if version != VERSION:
        raise StorageDamaged(f"{name}: made by another version (format {version}, ours is {VERSION})")
