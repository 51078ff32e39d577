"""frontier.shapes: the short text in the index of keys says what a find is compared with."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.core.discovery import Way
from crawler.core.merging import UrlRow, merged
from crawler.core.reasons import Reason
from crawler.frontier.shapes import row_of, shape_of
from support.ways import a_find

DATES = st.none() | st.sampled_from(["2024", "2025"])
WAYS = st.builds(
    Way,
    seed=st.booleans(),
    depth=st.integers(0, 3),
    hops=st.integers(0, 2),
    chain=st.integers(0, 2),
    foreign=st.booleans(),
    sitemap=st.booleans(),
    lastmod=DATES,
)
REFUSALS = st.none() | st.sampled_from([Reason.OUT_OF_SCOPE, Reason.NOFOLLOW, Reason.HTTP_INSTEAD, Reason.DEPTH_LIMIT])
ROWS = st.builds(UrlRow, WAYS, st.none() | st.integers(1, 3), st.integers(0, 2), REFUSALS)


@given(row=ROWS)
def test_a_shape_tells_all_of_a_row_but_its_line_and_date(row: UrlRow) -> None:
    """The rest comes out as it went in, and equal shapes give one object."""
    told = row_of(shape_of(row.way, row.guess, row.refusal))

    assert told == row._replace(way=replace(row.way, lastmod=None), line=None)
    assert told is row_of(shape_of(row.way, row.guess, row.refusal))


@given(row=ROWS, way=WAYS, refusal=REFUSALS)
def test_a_find_that_a_shape_settles_brings_its_row_nothing(row: UrlRow, way: Way, refusal: Reason | None) -> None:
    """A shape may tell less than its row, and never more."""
    find = a_find("http://h/", **{name: getattr(way, name) for name in Way.__struct_fields__})

    if merged(row_of(shape_of(row.way, row.guess, row.refusal)), find, refusal) is None:
        assert merged(row, find, refusal) is None


def test_the_shape_of_most_rows_is_their_depth() -> None:
    """It stands in an index of millions, so it is short."""
    assert shape_of(Way(depth=12), 0, None) == "12"
    assert shape_of(Way(depth=1), 0, Reason.NOFOLLOW) == "1 0 0 0 0 0 0 nofollow"
