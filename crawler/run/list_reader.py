"""Reader of URL lists: bytes become lines, and each line a find, a blank, a comment or a refusal with a reason.

Rules
- One URL per line; blank lines and lines that begin with `#` are counted and skipped; CRLF is fine, and so is a byte
  order mark, which stands within the text where lists were put together.
- `run/list_line.py` reads a line; of a row of a table, `run/list_table.py` reads one column.
- Every line is accounted for once: no line is dropped without a reason.
- A line longer than `LONGEST_LINE` is never held whole in memory.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

from crawler.core.discovery import Way
from crawler.core.errors import UrlError
from crawler.core.finds import Find, Guess
from crawler.core.leases_and_commits import RejectedLine, SeedBatch
from crawler.core.reasons import Reason
from crawler.run.list_line import read, uncommented
from crawler.run.list_table import Table, at_line, hint

LONGEST_LINE = 65_536
_SHOWN = 200
_ADVISED = 20  # rejected lines of a batch that are looked at as rows: a table has one advice for all, and it costs
_WHITE_TEXT = " \t\r\f\v"
_WHITE = _WHITE_TEXT.encode()
_PERHAPS_ROWS = frozenset({Reason.NOT_A_URL, Reason.RELATIVE_URL, Reason.UNSUPPORTED_SCHEME})
_SPLITS = re.compile(r"[\t\r]")
_BOM = b"\xef\xbb\xbf"
_SCHEME = re.compile(rb"(?:https?|ftps?|sftp|ssh|wss?)://|(?:mailto|xmpp|sips?):", re.IGNORECASE)
_ADDRESS = re.compile(rb"(?:mailto|xmpp|sips?):[^:;/?#%@\\\s]+@[^@]*", re.IGNORECASE)


class LineSplitter:
    """Splitter of blocks of bytes into lines, each with its end as an offset in the file."""

    def __init__(self, offset: int = 0) -> None:
        self._offset = offset
        self._start = b""
        self._overlong = 0  # bytes of the current line that were dropped

    def feed(self, block: bytes) -> Iterator[tuple[bytes | None, int]]:
        """Yield each finished line, without its newline, and the offset behind it; None = it was too long."""
        *lines, rest = (self._start + block).split(b"\n")
        for line in lines:
            self._offset += self._overlong + len(line) + 1
            yield (None if self._overlong or len(line) > LONGEST_LINE else line), self._offset
            self._overlong = 0
        if self._overlong or len(rest) > LONGEST_LINE:
            self._overlong, rest = self._overlong + len(rest), b""
        self._start = rest

    def finish(self) -> Iterator[tuple[bytes | None, int]]:
        """Yield the last line, if the file does not end with a newline."""
        if self._start or self._overlong:
            self._offset += self._overlong + len(self._start)
            yield (None if self._overlong else self._start), self._offset


class BatchBuilder(msgspec.Struct):
    """Collector of judged lines for the next `SeedBatch`.

    Attributes:
        tables: the tables among the lists, by their first lines; none = every list is read line by line.
    """

    line: int = 0
    offset: int = 0
    tables: Sequence[Table] = ()
    _lines: int = 0
    _blank: int = 0
    _comments: int = 0
    _guessed: int = 0
    _unwrapped: int = 0
    _finds: list[Find] = msgspec.field(default_factory=list)
    _rejected: list[RejectedLine] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return self._lines

    def add(self, raw: bytes | None, offset: int) -> None:
        """Judge one line; `offset` is where it ends in the file."""
        self.line += 1
        self._lines += 1
        self.offset = offset
        if raw is None:
            self._reject(Reason.LINE_TOO_LONG, f"longer than {LONGEST_LINE} bytes", b"")
            return
        line = raw.removeprefix(_BOM).strip(b" \r\f\v")
        table = at_line(self.tables, self.line) if self.tables else None
        if not (shown := line.strip(_WHITE)):
            self._blank += 1
        elif shown.startswith(b"#") or (table and table.header is not None and self.line <= table.header):
            self._comments += 1
        else:
            self._judge(line, table)

    def _judge(self, line: bytes, table: Table | None) -> None:
        if b"\0" in line:
            message = "zero bytes, as UTF-16 has beside each letter: save the whole list as UTF-8"
            self._reject(Reason.NOT_UTF8, message, line)
            return
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            message = f"byte {error.start + 1} of the line is not UTF-8: save the list as UTF-8"
            self._reject(Reason.NOT_UTF8, message, line)
            return
        try:
            value = table.value(text) if table else text
            found = read(_one_url(value.strip(_WHITE_TEXT)))
        except UrlError as error:
            is_plain = (table is None or table.column is None) and len(self._rejected) < _ADVISED
            more = hint(text) if is_plain and error.reason in _PERHAPS_ROWS else ""
            shown = b"" if error.reason is Reason.CREDENTIALS_IN_URL else line.strip(_WHITE)
            self._reject(error.reason, f"{error}{more}", shown)
            return
        guess = Guess.WRITTEN
        if found.is_guess:
            guess, self._guessed = Guess.GUESSED, self._guessed + 1
        if found.is_unwrapped:
            self._unwrapped += 1
        find = Find(url=found.url, way=Way(seed=True, sitemap=found.sitemap), named=True, line=self.line, guess=guess)
        self._finds.append(find)

    def _reject(self, reason: Reason, message: str, raw: bytes) -> None:
        text = _masked(raw)[:_SHOWN].decode("utf-8", "backslashreplace")
        self._rejected.append(RejectedLine(line=self.line, reason=reason, message=message, text=text))

    def build(self, *, last: bool) -> SeedBatch:
        """Return the lines since the build before, as one batch."""
        batch = SeedBatch(
            cursor=self.offset,
            line=self.line,
            lines=self._lines,
            blank=self._blank,
            comments=self._comments,
            finds=tuple(self._finds),
            rejected=tuple(self._rejected),
            guessed=self._guessed,
            unwrapped=self._unwrapped,
            last=last,
        )
        self._lines = self._blank = self._comments = self._guessed = self._unwrapped = 0
        self._finds, self._rejected = [], []
        return batch


def _one_url(text: str) -> str:
    """Refuse a text of two columns or two lines: a browser would drop the tab or CR, and join them to one URL."""
    if ("\t" in text or "\r" in text) and _SPLITS.search(uncommented(text)):
        raise UrlError(Reason.NOT_A_URL, "a tab or carriage return in the middle: one URL per line")
    return text


def _masked(raw: bytes) -> bytes:
    """Mask what may be a password: all before the line's last @, except a scheme and the name in an e-mail address."""
    before, at, host = raw.rpartition(b"@")
    if not at or _ADDRESS.fullmatch(raw):
        return raw
    scheme = _SCHEME.match(before)
    return (scheme[0] if scheme else b"") + b"***@" + host
