"""The tables of `frontier.sqlite`; `frontier/columns.py` says what each column means.

Rules
- `seen` has the shape of a row again by the digest of its URL, but for the newest rows, whose keys are in memory
  (`frontier/sqlite/seen_keys.py`).
- A run in this file has one worker, whose number is 1.
Runs on: the thread that has the connection.
"""

import sqlite3

from crawler.core.errors import StorageDamaged
from crawler.frontier.columns import READY, SUSPECT, WAITING

APPLICATION_ID = 0x63726C72  # "crlr"
VERSION = 10

TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (worker INTEGER, name TEXT, length INTEGER NOT NULL, PRIMARY KEY (worker, name)) WITHOUT ROWID;
CREATE TABLE tally (worker INTEGER, kind TEXT, name TEXT, n NOT NULL, PRIMARY KEY (worker, kind, name)) WITHOUT ROWID;
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
    leads_to TEXT,
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
