"""Recount of `pages.jsonl`: each line against its URL's row, all lines together against the sums.

Rules
- A finding names its line; of each kind the first few are told one by one, the rest as a number.
- Memory is bounded, however many lines there are and however long one is.
Runs on: the main thread, blocking.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from crawler.core.leases_and_commits import Totals
from crawler.core.records import MAX_LINE
from crawler.core.text import safe
from crawler.run.disk import size_of

_AT_ONCE = 500  # lines that are compared with their rows in one question
_SHOWN = 5  # findings of one kind that are told one by one

UNSHOWN = "no line for a URL that is done or failed"
"""The finding about a URL whose line is missing."""

_Size = Annotated[int, Meta(ge=0)]


class _LineTiming(msgspec.Struct):
    total: float | None


class PageLine(msgspec.Struct):
    """Checked fields of a line of `pages.jsonl`; more may be there."""

    url: str
    outcome: str
    status: Annotated[int, Meta(ge=0, le=999)] | None
    reason: str
    bytes: _Size | None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None
    attempts: _Size
    timing: _LineTiming
    file: str | None = None


class Rows(Protocol):
    """Rows of a frontier, as the recount asks for them; see `frontier.audit`."""

    def disputes(self, lines: Sequence[PageLine]) -> Sequence[tuple[str, str] | None]:
        """Return the kind and the detail of the difference between each line and its URL's row; None = none."""
        ...

    def unshown(self) -> Iterator[str]:
        """Yield the URLs that are done or failed and that no call of `disputes` named."""
        ...


class FirstFew:
    """Findings about the file `name`: the first few of each kind one by one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: Counter[str] = Counter()

    def tell(self, line: int | None, kind: str, what: str) -> Iterator[str]:
        """Yield the finding as a sentence, unless enough of its kind were told."""
        self._found[kind] += 1
        if self._found[kind] <= _SHOWN:
            where = self._name if line is None else f"{self._name} line {line}"
            yield f"{where}: {kind}{what and ': '}{safe(what, 300)}"

    def rest(self) -> Iterator[str]:
        """Yield the number of each kind of finding that was not told in full."""
        for kind, n in self._found.items():
            if n > _SHOWN:
                yield f"{self._name}: {kind}: {n} times in all"


def lines_of(path: Path, until: int | None = None) -> Iterator[bytes]:
    """Yield the lines within the first `until` bytes, all of them if it is None; a missing file has none."""
    if not path.exists():
        return
    read = 0
    with path.open("rb") as file:
        while raw := file.readline(MAX_LINE):
            read += len(raw)
            if until is not None and read > until:
                return
            yield raw


class Recount:
    """Audit of the file `pages`, of which `committed` bytes count.

    `label` stands before the file's name in findings. `grows`: a worker writes to it just now.
    """

    def __init__(self, rows: Rows, pages: Path, committed: int, *, label: str = "", grows: bool = False) -> None:
        self._rows = rows
        self._pages = pages
        self._name = f"{label}{pages.name}"
        self._committed = committed
        self._grows = grows
        self._few = FirstFew(self._name)
        self._decoder = msgspec.json.Decoder(PageLine)
        self._outcomes: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._bytes = 0
        self._timed = 0
        self.lines = 0

    def findings(self, totals: Totals) -> Iterator[str]:
        """Yield everything wrong with the only file of a run; read it to its end."""
        yield from self.lines_findings()
        for url in self._rows.unshown():
            yield from self._few.tell(None, UNSHOWN, url)
        yield from self._few.rest()
        yield from self.sums_findings(totals)

    def lines_findings(self) -> Iterator[str]:
        """Yield everything wrong with single lines; read the file to its end."""
        name, size = self._name, size_of(self._pages)
        if size < self._committed:
            yield f"{name}: {size} bytes, but {self._committed} were committed: lines are missing"
        if size > self._committed and not self._grows:
            yield f"{name}: {size - self._committed} bytes after the last commit; `crawler resume` cuts them off"
        raws = lines_of(self._pages, self._committed)
        while batch := [self._decoded(raw) for raw in islice(raws, _AT_ONCE)]:
            disputes = iter(self._rows.disputes([line for line in batch if isinstance(line, PageLine)]))
            for line in batch:
                self.lines += 1
                problem = self._check(line, next(disputes)) if isinstance(line, PageLine) else line
                if problem is not None:
                    yield from self._few.tell(self.lines, *problem)

    def rest(self) -> Iterator[str]:
        """Yield the number of each kind of finding that was not told in full."""
        return self._few.rest()

    def sums_findings(self, totals: Totals) -> Iterator[str]:
        """Yield the sums that the lines do not confirm."""
        name, finished = self._name, totals.done + totals.failed
        if self.lines != finished:
            yield f"{name}: {self.lines} lines, but {finished} URLs are done or failed"
        for outcome, n in (("done", totals.done), ("failed", totals.failed)):
            if self._outcomes[outcome] != n:
                yield f"{name}: {self._outcomes[outcome]} lines are {outcome}, but the sum says {n}"
        if self._bytes != totals.bytes:
            yield f"{name}: {self._bytes} bytes of bodies in all its lines, but the sum says {totals.bytes}"
        for status in sorted(self._statuses.keys() | totals.statuses.keys()):
            if self._statuses[status] != (n := totals.statuses.get(status, 0)):
                yield f"{name}: status {status} in {self._statuses[status]} lines, but the sum says {n}"
        if self._timed != (n := sum(totals.latency.values())):
            yield f"{name}: {self._timed} lines have a latency, but the sum says {n}"

    def _decoded(self, raw: bytes) -> PageLine | tuple[str, str]:
        """Return a line and count it; or its fault and the detail, if it is none."""
        if not raw.endswith(b"\n"):
            return "cut off", f"{len(raw)} bytes without an end"
        try:
            line = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return "not a record", str(error)
        self._outcomes["failed" if line.outcome == "failed" else "done"] += 1
        self._bytes += line.bytes or 0
        if line.status is not None:
            self._statuses[line.status] += 1
            self._timed += line.timing.total is not None
        return line

    def _check(self, line: PageLine, dispute: tuple[str, str] | None) -> tuple[str, str] | None:
        """Return the kind of a line's fault and its detail; None = it has none."""
        if dispute is not None:
            return dispute[0], f"{safe(line.url, 200)} {dispute[1]}".rstrip()
        if (line.sha256 is None) != (line.bytes is None):
            return "a digest without bytes, or bytes without a digest", line.url
        return self._check_file(line) if line.file is not None else None

    def _check_file(self, line: PageLine) -> tuple[str, str] | None:
        """Return the fault of the file that a line names, as `_check` does."""
        path = self._pages.parent / str(line.file)
        if ".." in path.parts or not path.is_relative_to(self._pages.parent):
            return "a file outside the run's folder", str(line.file)
        if path.is_symlink() or not path.is_file():
            return "its file is missing", str(line.file)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return None if digest == line.sha256 else ("its file holds other bytes", str(line.file))
