"""run.list_table: the column of a table that is read, decided at its beginning."""

import pytest

from crawler.core.errors import UsageError
from crawler.run.list_table import Table, at_line, table_of


@pytest.mark.parametrize(
    ("column", "lines", "table"),
    [
        ("2", ["1,a.com"], Table(first_line=5, column=2)),
        ("2", ["1\ta,b"], Table(first_line=5, column=2, separator="\t")),
        ("2", ["1;a.com"], Table(first_line=5, column=2, separator=";")),
        ("1", ["a.com"], Table(first_line=5, column=1)),
        ("1", [], Table(first_line=5, column=1)),
        ("host", ["rank,host"], Table(first_line=5, column=2, header=5)),
        ("HOST", ["", "# note", "rank; Host"], Table(first_line=5, column=2, separator=";", header=7)),
        ("the url", ['"rank","The URL"'], Table(first_line=5, column=2, header=5)),
        (None, ["rank,host"], Table(first_line=5)),
        ("2", ["1,http://h/?a=1;b=2;c=3"], Table(first_line=5, column=2)),
        ("2", ["1,http://h/?a=1;127.0.0.1/x;c=3"], Table(first_line=5, column=2)),  # a whole URL beats a host
        ("2", ["1,http://h/a|b|c"], Table(first_line=5, column=2)),
        ("2", ["1\thttp://h/a,b,c"], Table(first_line=5, column=2, separator="\t")),
        ("2", ["a,b,c;http://h/"], Table(first_line=5, column=2, separator=";")),
        ("1", ["http://h/a,b,c|1|2"], Table(first_line=5, column=1, separator="|")),
        ("1", ["http://h/a;b,1", "http://h/c,2"], Table(first_line=5, column=1)),  # rows of one length
        ("2", ["", "#", "rank,the;last;url", "1,http://h/"], Table(first_line=5, column=2)),  # by the second row
        ("2", ["1,http://me:secret@h/?a;b;c"], Table(first_line=5, column=2)),  # rejected later, for what it is
        ("url", ['"a;b;c;d",url', "1,http://h/"], Table(first_line=5, column=2, header=5)),
        ("url", ["a,b;url;c,d,e", "1;http://h/;3"], Table(first_line=5, column=2, separator=";", header=5)),
        ("2", ["sep=;", "1;a.com"], Table(first_line=5, column=2, separator=";", header=5)),
        ("url", ["", "sep=|", "url|a,b,c"], Table(first_line=5, column=1, separator="|", header=7)),
        ("1", ["sep=;", "http://h/a,b"], Table(first_line=5, column=1, separator=";", header=5)),
    ],
)
def test_a_table_is_known_by_its_first_lines(column: str | None, lines: list[str], table: Table) -> None:
    """Its separator, the number of the column, and whether the first row is a header."""
    assert table_of("list", column, 5, lines) == table


@pytest.mark.parametrize(
    ("column", "message"),
    [("url", "--column: list has no column 'url'; its first line has rank, host"), ("0", "--column 0: columns are")],
)
def test_a_column_that_is_not_there_is_refused(column: str, message: str) -> None:
    """The message lists those that are."""
    with pytest.raises(UsageError, match=message):
        table_of("list", column, 1, ["rank,host"])


def test_the_message_splits_the_first_line_outside_of_quotes() -> None:
    """RFC 4180, 2.6: a separator within quotes is none."""
    with pytest.raises(UsageError, match="its first line has a;b;c;d, url"):
        table_of("list", "host", 1, ['"a;b;c;d",url'])


def test_a_line_lies_in_the_table_that_begins_before_it() -> None:
    """Of an empty list, the next one has the line."""
    tables = (Table(first_line=1), Table(first_line=4, column=1), Table(first_line=4, column=2))

    assert [at_line(tables, line) for line in (1, 3, 4, 99)] == [tables[0], tables[0], tables[2], tables[2]]
    assert at_line((), 1) is None
