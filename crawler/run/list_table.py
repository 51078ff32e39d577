"""Tables among the lists: the column that holds the URL, and its value in a row.

Rules
- A user names a column by its number, from 1, or by its name in the first row of the list; that row is then a comment.
- The separator is the list's own: tab, semicolon, comma or vertical bar. Of those that the first row has outside of
  quotes, it is the one under which the column of the first rows reads as URLs, or else the most frequent one. A first
  line `sep=;`, as spreadsheets write it, decides alone.
- Fields may be quoted as in CSV (RFC 4180), except for line ends within them: a row is a line.
Runs on: anywhere (pure).
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal

import msgspec

from crawler.core.errors import UrlError, UsageError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.run.list_line import read

Separator = Literal["\t", ";", ",", "|"]

_NUMBER = re.compile(r"[0-9]{1,6}")
_SEPARATORS: tuple[Separator, ...] = ("\t", ";", ",", "|")
_LOOKED_AT = 20  # fields of a line that may be a row
ROWS = 20  # number of rows that decide about the separator
_SEP = re.compile(r'"?sep=([\t;,|])"?', re.IGNORECASE)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A list's way to be read, from its first line in `seeds.txt` on.

    Attributes:
        column: the one with the URLs, from 1; None = its lines are no rows.
        header: the line that names the columns or the separator; it and those before it are no rows. None = none does.
    """

    first_line: int
    column: int | None = None
    separator: Separator = ","
    header: int | None = None

    def value(self, row: str) -> str:
        """Return the field of a row in the column.

        Raises:
            UrlError: the row has nothing there.
        """
        if self.column is None:
            return row
        fields = _fields(row, self.separator)
        if len(fields) < self.column:
            raise UrlError(Reason.NO_COLUMN, f"the row has no column {self.column}: it ends with {len(fields)}")
        if not (value := fields[self.column - 1].strip()):
            raise UrlError(Reason.NO_COLUMN, f"column {self.column} of the row is empty")
        return value


def table_of(name: str, column: str | None, first_line: int, lines: Sequence[str]) -> Table:
    """Find the column and the separator of the list `name` from its first `lines`, the `ROWS` first rows among them.

    Raises:
        UsageError: the first row names no such column.
    """
    if column is None:
        return Table(first_line=first_line)
    numbered = [(line, text) for line, text in enumerate(lines, first_line) if is_row(text)]
    header, separators = None, _SEPARATORS
    if numbered and (found := _SEP.fullmatch(numbered[0][1].strip(" "))):
        header, separators = numbered[0][0], tuple(one for one in _SEPARATORS if one == found[1])
        del numbered[0]
    rows = [text for _, text in numbered]
    if _NUMBER.fullmatch(column):
        if not int(column):
            raise UsageError("--column 0: columns are counted from 1")
        separator = _separator(rows, dict.fromkeys(separators, int(column)))
        return Table(first_line=first_line, column=int(column), separator=separator, header=header)
    wanted, places = column.strip().lower(), dict[Separator, int]()  # the number of the named column by separator
    for one in separators:
        names = [field.strip().lower() for field in _fields(rows[0] if rows else "", one)]
        if wanted in names:
            places[one] = names.index(wanted) + 1
    if not places:
        names = _fields(rows[0], _separator(rows[:1], dict.fromkeys(separators, 1))) if rows else [""]
        shown = ", ".join(safe(own.strip(), 40) for own in names[:_LOOKED_AT])
        raise UsageError(f"--column: {safe(name)} has no column {safe(column, 40)!r}; its first line has {shown}")
    separator = _separator(rows, places)
    return Table(first_line=first_line, column=places[separator], separator=separator, header=numbered[0][0])


def is_row(line: str) -> bool:
    """Return whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _separator(rows: Sequence[str], places: Mapping[Separator, int]) -> Separator:
    """Choose among the separators, each with the number of its column."""
    used = [separator for separator in places if rows and len(_fields(rows[0], separator)) > 1]
    default: Separator = "," if "," in places else next(iter(places))
    return max(used, key=lambda separator: _fit(rows, separator, places[separator]), default=default)


def _fit(rows: Sequence[str], separator: Separator, column: int) -> tuple[int, bool, int, int]:
    """Rate a separator: URLs in its column, rows of one length, number of fields, length of uncut values."""
    table = [_fields(row, separator) for row in rows]
    values = [fields[column - 1].strip() for fields in table if len(fields) >= column]
    worth = sum(map(_worth, values))
    return worth, len(set(map(len, table))) == 1, 0 if worth else len(table[0]), sum(map(len, values))


def _worth(field: str) -> int:
    """Return 2 for a whole URL, 1 for a host without a scheme, 0 for anything else."""
    try:
        return 1 if read(field).is_guess else 2
    except UrlError as error:
        return 2 if error.reason is Reason.CREDENTIALS_IN_URL else 0


def at_line(tables: Sequence[Table], line: int) -> Table | None:
    """Find the table that a line lies in."""
    place = bisect_right(tables, line, key=lambda table: table.first_line)
    return tables[place - 1] if place else None


def hint(line: str) -> str:
    """Return advice on a refused line that is a row with a URL in it; empty = it is none."""
    for separator in filter(line.__contains__, _SEPARATORS):
        for number, field in enumerate(islice(_fields(line, separator), _LOOKED_AT), 1):
            if _worth(field.strip()):
                return f"; --column {number} reads such rows"
    return ""


def _fields(row: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([row], delimiter=separator, skipinitialspace=separator != "\t"), [])
    except csv.Error:
        return row.split(separator)
