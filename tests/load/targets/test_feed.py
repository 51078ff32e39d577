"""load.targets.feed: rows of a CSV file or of JSON lines, with the line of each."""

import pytest

from crawler.core.errors import UsageError
from crawler.load.targets.feed import feed_of


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_csv_file_has_its_columns_in_the_header(separator: str) -> None:
    """Its separator is the one of the header; quoted values may hold it, and line breaks."""
    lines = ["id,first name\n", '1,"a,b"\n', "\n", '2,"two\n', 'lines"\n', "3,\n"]

    feed = feed_of("f", [line.replace(",", separator) for line in lines])

    assert feed.columns == ("id", "first name")
    rows = [feed.values(row) for row in range(len(feed))]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["first name"] for row in rows] == [f"a{separator}b", "two\nlines", ""]
    assert list(feed.lines) == [2, 5, 6]


def test_json_lines_may_have_different_keys() -> None:
    """A key that a row does not have, and null, are the empty text; numbers are written as JSON writes them."""
    feed = feed_of("f", ["\n", '{"a": 1, "b": "x"}\n', '{"b": null, "c": [1, 2.5], "a": true}\n'])

    assert feed.columns == ("a", "b", "c")
    assert feed.values(0) == {"a": "1", "b": "x", "c": ""}
    assert feed.values(1) == {"a": "true", "b": "", "c": "[1,2.5]"}
    assert list(feed.lines) == [2, 3]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--feed: f: no rows"),
        ("id\n", "--feed: f: no rows"),
        ("a,a\n1,2\n", "f:1: a column of the header has no name, or the name of another one"),
        ("a,\n1,2\n", "f:1: a column of the header has no name"),
        ("a,b\n1,2\n1,2,3\n", "f:3: 3 values for 2 columns"),
        ("\n\na,b\n1,2\n1\n", "f:5: 1 values for 2 columns"),
        ("\na,a\n", "f:2: a column of the header"),
        ('\na\n"x\n', "f:3: it is no CSV"),
        ('{"a":1}\n{"a"\n', "f:2: it is no JSON"),
        ('{"a":1}\n\n[1]\n', "f:3: expected `object`"),
    ],
)
def test_a_feed_that_cannot_be_read_is_refused(text: str, says: str) -> None:
    """The message has the line."""
    with pytest.raises(UsageError, match=says):
        feed_of("f", text.splitlines(keepends=True))
