"""The rows of `robots`: one stored robots.txt for each origin.

Runs on: the thread that has the connection.
"""

from collections.abc import Mapping

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.urls import parse
from crawler.frontier.host_rows import HostRows
from crawler.frontier.letters import Post
from crawler.frontier.tables import Tables

_COPY = ("fetched_at", "expires_at", "status", "body")


def robots_copies(db: Tables, condition: str, *values: object) -> dict[str, RobotsCopy]:
    """Return the stored copies by origin: those of the rows that `condition` on the columns of `robots` chooses."""
    rows = db.rows(f"SELECT origin, {', '.join(_COPY)} FROM robots WHERE {condition}", *values)  # noqa: S608
    return {
        origin: RobotsCopy(fetched_at=fetched_at, expires_at=expires_at, status=status, body=body)
        for origin, fetched_at, expires_at, status, body in rows
    }


def write_robots(db: Tables, hosts: HostRows, copies: Mapping[str, RobotsCopy], post: Post) -> None:
    """Store these copies, by origin, in the place of older ones, unless their hosts are away."""
    names = {origin: parse(origin).host_port for origin in copies}
    post.claim(names.values())
    rows = [
        (origin, hosts.id(names[origin]), copy.fetched_at, copy.expires_at, copy.status, copy.body)
        for origin, copy in copies.items()
        if not post.is_away(names[origin])
    ]
    db.put("robots", ("origin",), ("host", *_COPY), rows)
