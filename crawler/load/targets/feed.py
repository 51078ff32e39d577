"""A feed: rows of values for the columns that templates name, from a CSV file with a header or from JSON lines.

Rules
- A row is taken in the order of the file. A value of a JSON line that is no text is written as JSON writes it; null and
  a missing key are the empty text.
- A row with another number of values than the header is refused: which of them is missing cannot be known.
Runs on: anywhere (pure).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.load.targets.line import json_problem

_SEPARATORS = ",;\t|"


class Feed(msgspec.Struct, frozen=True):
    """Rows of values; each is a mapping from column to value, with the line it stands in."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def values(self, row: int) -> dict[str, str]:
        """Return the values of a row, by column."""
        return dict(zip(self.columns, self.rows[row], strict=True))


def feed_of(name: str, lines: Iterable[str]) -> Feed:
    """Return the feed that these lines are.

    Raises:
        UsageError: a line cannot be read, or there is no row.
    """
    rest = iter(lines)
    first = next((line for line in rest if line.strip()), "")
    read = _json_rows if first.lstrip().startswith("{") else _csv_rows
    try:
        found = list(read(chain([first], rest)))
    except _FeedProblem as problem:
        raise UsageError(f"{safe(name)}:{problem.number}: {problem}") from None
    if not found:
        raise UsageError(f"--feed: {safe(name)}: no rows: expected a CSV file with a header, or JSON lines")
    return Feed(safe(name), found[0][1], tuple(row for _, _, row in found), tuple(number for number, _, _ in found))


class _FeedProblem(Exception):
    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


_Row = tuple[int, tuple[str, ...], tuple[str, ...]]


def _csv_rows(lines: Iterable[str]) -> Iterator[_Row]:
    rest = iter(lines)
    head = next(rest)
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(chain([head], rest), delimiter=separator, strict=True)
    columns: tuple[str, ...] = ()
    try:
        for row in reader:
            if not columns:
                columns = _checked([cell.strip() for cell in row])
            elif row:
                if len(row) != len(columns):
                    raise _FeedProblem(reader.line_num, f"{len(row)} values for {len(columns)} columns")
                yield reader.line_num, columns, tuple(row)
    except csv.Error as error:
        raise _FeedProblem(reader.line_num, f"it is no CSV: {error}") from None


def _checked(columns: Sequence[str]) -> tuple[str, ...]:
    if not all(columns) or len(set(columns)) < len(columns):
        raise _FeedProblem(1, "a column of the header has no name, or the name of another one")
    return tuple(columns)


def _json_rows(lines: Iterable[str]) -> Iterator[_Row]:
    found: list[tuple[int, dict[str, object]]] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = msgspec.json.decode(line, type=dict[str, object])
            except msgspec.DecodeError as error:
                raise _FeedProblem(number, json_problem(error)) from None
            found.append((number, row))
            columns |= dict.fromkeys(row)
    names = tuple(columns)
    for number, row in found:
        yield number, names, tuple(_text(row.get(name)) for name in names)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
