"""frontier.schema: a way is stored in the columns of a URL's row, and comes out as it was."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from crawler.core.discovery import Way
from crawler.frontier.columns import WAY, way_of
from crawler.frontier.sqlite import schema

WAYS = st.builds(
    Way,
    seed=st.booleans(),
    depth=st.integers(0, 2**40),
    hops=st.integers(0, 20),
    chain=st.integers(0, 20),
    foreign=st.booleans(),
    sitemap=st.booleans(),
    lastmod=st.none() | st.sampled_from(["", "null", "true", "0", "2024-05-01T00:00:00Z"]),
)


@given(way=WAYS)
def test_a_way_comes_out_of_its_row_as_it_was(way: Way) -> None:
    """Every field has a column, and keeps its type."""
    db = sqlite3.connect(":memory:")
    schema.create(db)
    columns, marks = ", ".join(WAY), ", ?" * len(WAY)
    db.execute(f"INSERT INTO url (shape, url, host, {columns}) VALUES ('0', 'u', 1{marks})", astuple(way))  # noqa: S608

    stored = way_of(db.execute(f"SELECT {columns} FROM url").fetchone())  # noqa: S608
    db.close()

    assert stored == way
    assert list(map(type, astuple(stored))) == list(map(type, astuple(way)))
