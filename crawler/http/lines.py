"""The lines of a body that flows.

Rules
- A line ends with LF, CR or CRLF, and with no other character that `str.splitlines` knows, as in event streams and
  files. The last line needs no end.
- A line is complete with its CR, whether a LF follows or not: it does not wait for the next piece.
- A line beyond the limit is an error, which comes with the next call if complete lines are in front of it.
Runs on: anywhere (pure).
"""

from codecs import IncrementalDecoder
from typing import AnyStr, Generic

from crawler.core.errors import FetchError
from crawler.core.reasons import Reason

MAX_LINE = 16 * 1024 * 1024  # characters


class LineReader:
    """A reader of text lines: `feed` each piece of the body, then `finish`; `decoder` is that of its charset."""

    def __init__(self, decoder: IncrementalDecoder, limit: int = MAX_LINE) -> None:
        self._decoder = decoder
        self._splitter = LineSplitter("\r", "\n", limit)

    def __repr__(self) -> str:
        return f"<LineReader {self._splitter!r}>"

    def feed(self, piece: bytes) -> list[str]:
        """Return the lines that end in this piece, without their ends.

        Raises:
            FetchError: BODY_LIMIT, a line is longer than the limit.
        """
        return self._checked(self._splitter.split(self._decoder.decode(piece)))

    def finish(self) -> list[str]:
        """Return the last lines, the one without an end included; raise as `feed` does."""
        lines = self._splitter.split(self._decoder.decode(b"", final=True))
        if not self._splitter.is_over and (rest := self._splitter.rest()):
            lines.append(rest)
        return self._checked(lines)

    def _checked(self, lines: list[str]) -> list[str]:
        if self._splitter.is_over and not lines:
            raise FetchError(Reason.BODY_LIMIT, f"a line of it is longer than {self._splitter.limit} characters")
        return lines


class LineSplitter(Generic[AnyStr]):
    """The splitting of text, or of bytes that are ASCII where lines end.

    Attributes:
        limit: of a line, in characters or bytes.
        is_over: a line is longer; nothing more is taken.
    """

    def __init__(self, cr: AnyStr, lf: AnyStr, limit: int) -> None:
        self.limit = limit
        self.is_over = False
        self._cr: AnyStr = cr
        self._lf: AnyStr = lf
        self._nothing: AnyStr = cr[:0]
        self._after_cr = False
        self._begun: list[AnyStr] = []  # the pieces of a line that has not ended
        self._begun_size = 0

    def __repr__(self) -> str:
        return f"{self._begun_size} characters of a line{', which is too long' if self.is_over else ''}"

    def split(self, piece: AnyStr) -> list[AnyStr]:
        """Return the lines that end in this piece, without their ends, up to one that is too long."""
        cr, lf = self._cr, self._lf
        if self._after_cr and piece:
            piece = piece.removeprefix(lf)
            self._after_cr = False
        if self.is_over or not piece:
            return []
        self._after_cr = piece.endswith(cr)
        longest = self._begun_size + len(piece)
        lines: list[AnyStr] = piece.replace(cr + lf, lf).replace(cr, lf).split(lf)
        rest = lines.pop()
        if lines:
            lines[0] = self.rest() + lines[0]
        self._begun.append(rest)
        self._begun_size += len(rest)
        if longest > self.limit:
            return self._up_to_limit(lines)
        return lines

    def rest(self) -> AnyStr:
        """Return the line that has begun, and forget it."""
        rest: AnyStr = self._nothing.join(self._begun)
        self._begun.clear()
        self._begun_size = 0
        return rest

    def _up_to_limit(self, lines: list[AnyStr]) -> list[AnyStr]:
        good = next((place for place, line in enumerate(lines) if len(line) > self.limit), len(lines))
        if good < len(lines) or self._begun_size > self.limit:
            self.is_over = True
            self.rest()
        return lines[:good]
