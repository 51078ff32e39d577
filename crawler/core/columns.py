"""Lists that are tables: the column that holds the URL, and its value in a row.

Rules
- A column is named by its number, from 1, or by its name in the first line of its list that is neither blank nor a
  comment; that line is then a comment, too.
- The separator is the list's own: a tab, semicolon, comma or vertical bar, whichever its first line has most of.
- Fields may be quoted as in CSV (RFC 4180), but for line ends within them: a row is a line.
Runs on: anywhere (pure).
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from crawler.core.errors import UrlError, UsageError
from crawler.core.lines import read
from crawler.core.reasons import Reason
from crawler.core.text import safe

Separator = Literal["\t", ";", ",", "|"]

_NUMBER = re.compile(r"[0-9]{1,6}")
_SEPARATORS: tuple[Separator, ...] = ("\t", ";", ",", "|")
_LOOKED_AT = 20  # fields of a line that may be a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One list within a list of lists, from its first line on.

    Attributes:
        column: the one with the URLs, from 1; None = its lines are no rows.
        header: the line that names the columns; None = none does.
    """

    first_line: int
    column: int | None = None
    separator: Separator = ","
    header: int | None = None

    def value(self, row: str) -> str:
        """Return the field of a row in the column.

        Raises:
            UrlError: it has nothing there.
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
    """Decide how the list `name` is read; `lines` are its first, up to the one that is neither blank nor a comment.

    Raises:
        UsageError: its first line names no such column.
    """
    if column is None:
        return Table(first_line=first_line)
    row = lines[-1] if lines else ""
    separator = max(_SEPARATORS, key=row.count) if any(map(row.count, _SEPARATORS)) else ","
    if _NUMBER.fullmatch(column):
        if not int(column):
            raise UsageError("--column 0: columns are counted from 1")
        return Table(first_line=first_line, column=int(column), separator=separator)
    names = [field.strip() for field in _fields(row, separator)]
    found = [number for number, own in enumerate(names, 1) if own.lower() == column.strip().lower()]
    if not found:
        shown = ", ".join(safe(own, 40) for own in names[:_LOOKED_AT])
        raise UsageError(f"--column: {safe(name)} has no column {safe(column, 40)!r}; its first line has {shown}")
    header = first_line + len(lines) - 1
    return Table(first_line=first_line, column=found[0], separator=separator, header=header)


def at_line(tables: Sequence[Table], line: int) -> Table | None:
    """Find the table that a line lies in."""
    place = bisect_right(tables, line, key=lambda table: table.first_line)
    return tables[place - 1] if place else None


def hint(line: str) -> str:
    """Advise on a refused line that is a row with a URL in it; empty = it is none."""
    for separator in filter(line.__contains__, _SEPARATORS):
        for number, field in enumerate(islice(_fields(line, separator), _LOOKED_AT), 1):
            if _is_url(field.strip()):
                return f"; --column {number} reads such rows"
    return ""


def _is_url(field: str) -> bool:
    try:
        read(field)
    except UrlError:
        return False
    return True


def _fields(row: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([row], delimiter=separator, skipinitialspace=separator != "\t"), [])
    except csv.Error:
        return row.split(separator)
