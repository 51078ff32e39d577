"""A feed: rows of values for the columns that templates name, from a CSV file with a header or from JSON lines.

Rules
- A row is taken in the order of the file. A value of a JSON line that is no text is written as JSON writes it; null and
  a missing key are the empty text.
- A row with another number of values than the header is refused: which of them is missing cannot be known.
Runs on: anywhere (pure).
"""

import csv
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import safe
from crawler.load.targets.line import from_json

_SEPARATORS = ",;\t|"
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[str])
_JSON = msgspec.json.Decoder(dict[str, object])


class Feed:
    """Rows of values, packed: a million rows take no object each.

    Attributes:
        columns: their names, in the order in which they were met.
        lines: the number of each row's line in the file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.columns: tuple[str, ...] = ()
        self.lines = array("I")
        self._packed = bytearray()
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, line: int, values: Sequence[str]) -> None:
        """Add a row, with a value for each column that is known so far."""
        self._packed += _ENCODER.encode(values)
        self._ends.append(len(self._packed))
        self.lines.append(line)

    def values(self, row: int) -> dict[str, str]:
        """Return the values of a row, by column."""
        values = _DECODER.decode(memoryview(self._packed)[self._ends[row] : self._ends[row + 1]])
        return dict(zip_longest(self.columns, values, fillvalue=""))


def feed_of(name: str, lines: Iterable[str]) -> Feed:
    """Return the feed that these lines are.

    Raises:
        UsageError: a line cannot be read, or there is no row.
    """
    feed, rest = Feed(safe(name)), iter(lines)
    number, first = next(((n, line) for n, line in enumerate(rest, 1) if line.strip()), (1, ""))
    try:
        if first.lstrip().startswith("{"):
            _add_json(feed, chain([first], rest), number)
        else:
            _add_csv(feed, first, rest, number)
    except _FeedProblem as problem:
        raise UsageError(f"{feed.name}:{problem.number}: {problem}") from None
    if not len(feed):
        raise UsageError(f"--feed: {feed.name}: no rows: expected a CSV file with a header, or JSON lines")
    return feed


class _FeedProblem(Exception):
    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


def _add_csv(feed: Feed, head: str, rest: Iterable[str], number: int) -> None:
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(chain([head], rest), delimiter=separator, strict=True)
    try:
        for row in reader:
            line = number + reader.line_num - 1
            if not feed.columns:
                feed.columns = _checked(line, [cell.strip() for cell in row])
            elif row:
                if len(row) != len(feed.columns):
                    raise _FeedProblem(line, f"{len(row)} values for {len(feed.columns)} columns")
                feed.add(line, row)
    except csv.Error as error:
        raise _FeedProblem(number + reader.line_num - 1, f"it is no CSV: {error}") from None


def _checked(line: int, columns: Sequence[str]) -> tuple[str, ...]:
    if not all(columns) or len(set(columns)) < len(columns):
        raise _FeedProblem(line, "a column of the header has no name, or the name of another one")
    return tuple(columns)


def _add_json(feed: Feed, lines: Iterable[str], number: int) -> None:
    columns: dict[str, None] = {}
    for line, text in enumerate(lines, number):
        if text.strip():
            try:
                row = from_json(_JSON, text)
            except ValueError as error:
                raise _FeedProblem(line, str(error)) from None
            columns |= dict.fromkeys(row)
            feed.add(line, [_text(row.get(name)) for name in columns])
    feed.columns = tuple(columns)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
