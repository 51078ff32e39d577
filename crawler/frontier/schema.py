"""The tables of `frontier.sqlite`, and what each column promises.

Rules
- `url.state` is a `State`; leases are never stored. A pending row that waits for no retry and is no suspect is *ready*.
- `url.deaths` counts how often the process died while this URL was in flight; from `SUSPECT_DEATHS` on it runs alone.
- `url.foreign_hop` says that only redirects from another origin lead here.
- `host.ready` is the number of its ready rows; `tally` holds every sum that a summary shows. Both change in the same
  transaction as the rows that they count; `crawler verify` counts again.
- Columns that no code fills yet (`in_scope`, `down`, `failures`, `failing_since`, `pages`) are what scope by host and
  the state of dead hosts need, so that a run made today can be resumed then.
Runs on: the storage thread.
"""

import sqlite3

from crawler.core.errors import StorageDamaged

APPLICATION_ID = 0x63726C72  # "crlr"
VERSION = 1

SUSPECT_DEATHS = 2
PARKED_DEATHS = 4

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (name TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tally (kind TEXT, name TEXT, n NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
CREATE TABLE rejected (line INTEGER PRIMARY KEY, reason TEXT NOT NULL, message TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    named INTEGER NOT NULL DEFAULT 0,
    in_scope INTEGER NOT NULL DEFAULT 1,
    due REAL NOT NULL DEFAULT 0,
    ready INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    down TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since REAL
);
CREATE INDEX host_ready ON host (due, id) WHERE ready > 0;
CREATE TABLE robots (
    origin TEXT PRIMARY KEY,
    host INTEGER NOT NULL,
    fetched_at REAL NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX robots_host ON robots (host);
CREATE TABLE url (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    url TEXT NOT NULL,
    host INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    depth INTEGER NOT NULL,
    hops INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    seed INTEGER NOT NULL DEFAULT 0,
    foreign_hop INTEGER NOT NULL DEFAULT 0,
    line INTEGER,
    referrer INTEGER,
    not_before REAL,
    reason TEXT
);
CREATE INDEX url_ready ON url (host, depth, id) WHERE state = 0 AND not_before IS NULL AND deaths < {SUSPECT_DEATHS};
CREATE INDEX url_waiting ON url (not_before) WHERE state = 0 AND not_before IS NOT NULL;
CREATE INDEX url_suspect ON url (depth, deaths, id) WHERE state = 0 AND deaths >= {SUSPECT_DEATHS};
"""

READY = f"state = 0 AND not_before IS NULL AND deaths < {SUSPECT_DEATHS}"
SUSPECT = f"state = 0 AND deaths >= {SUSPECT_DEATHS}"


def create(db: sqlite3.Connection) -> None:
    """Make the tables within the open transaction; a file that holds any is left as it is."""
    if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        for statement in TABLES.split(";"):
            db.execute(statement)


def check(db: sqlite3.Connection, name: str) -> None:
    """Refuse a database that is no frontier of this version.

    Raises:
        StorageDamaged: it says which.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StorageDamaged(f"{name}: this is not a frontier; restore the file, or start a new run")
    if version != VERSION:
        raise StorageDamaged(f"{name}: made by another version (format {version}, ours is {VERSION})")
