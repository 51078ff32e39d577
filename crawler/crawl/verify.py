"""The audit of a run: does its output hold exactly what its frontier says, and do the sums add up?

Rules
- It changes nothing, and works on a finished run and on an interrupted one alike.
- Every finding is one sentence; none = clean.
Runs on: the main thread, blocking.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol

import msgspec

from crawler.core.errors import UrlError
from crawler.core.models import State
from crawler.core.text import safe

_SHOWN = 5  # findings of one kind that are shown one by one


class Audit(Protocol):
    """What the audit asks a frontier; see `frontier.audit`."""

    def problems(self) -> Iterator[str]:
        """What is wrong within the frontier: its integrity, its indexes, its sums."""
        ...

    def files(self) -> dict[str, int]:
        """File name to committed length."""
        ...

    def counts(self) -> dict[State, int]:
        """Rows by state."""
        ...

    def state_of(self, url: str) -> State | None:
        """The state of a URL; None = it is not in the frontier."""
        ...


class Line(msgspec.Struct):
    """The fields of a line of `pages.jsonl` that the audit reads; more may be there."""

    url: str
    outcome: str
    status: int | None
    reason: str
    bytes: int | None
    sha256: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit found.

    Attributes:
        lines: lines of output that were read.
        findings: everything that is wrong, one sentence each; empty = clean.
        pending: URLs that a resume would go on with.
    """

    lines: int
    findings: tuple[str, ...]
    pending: int


def verify(audit: Audit, pages: Path) -> Verdict:
    """Audit a run's frontier against its `pages.jsonl`, which may be absent when nothing was saved there."""
    findings = list(audit.problems())
    counts = audit.counts()
    lines = 0
    committed = audit.files().get(pages.name)
    if committed is not None:
        reader = _Reader(audit, pages, committed)
        findings += reader.findings()
        lines = reader.lines
        expected = counts[State.DONE] + counts[State.FAILED]
        if lines != expected:
            findings.append(f"{pages.name}: {lines} lines, but {expected} URLs are done or failed")
    return Verdict(lines, tuple(findings), counts[State.PENDING])


class _Reader:
    """Reads the lines one by one: memory holds one hash per line."""

    def __init__(self, audit: Audit, pages: Path, committed: int) -> None:
        self._audit = audit
        self._pages = pages
        self._committed = committed
        self._decoder = msgspec.json.Decoder(Line)
        self._seen: set[int] = set()
        self._found: Counter[str] = Counter()
        self.lines = 0

    def findings(self) -> Iterator[str]:
        """Everything wrong with the file, the first few of each kind one by one."""
        size = self._pages.stat().st_size if self._pages.exists() else 0
        if size < self._committed:
            yield f"{self._pages.name}: {size} bytes, but {self._committed} were committed: lines are missing"
        if size > self._committed:
            extra = size - self._committed
            yield f"{self._pages.name}: {extra} bytes after the last commit; `crawler resume` cuts them off"
        read = 0
        with self._pages.open("rb") if size else BytesIO() as file:
            for raw in file:
                read += len(raw)
                if read > self._committed:
                    break
                self.lines += 1
                yield from self._first_few(self._check(raw))
        for kind, count in self._found.items():
            if count > _SHOWN:
                yield f"{self._pages.name}: {kind}: {count} lines in all"

    def _first_few(self, problem: tuple[str, str] | None) -> Iterator[str]:
        if problem is not None:
            kind, what = problem
            self._found[kind] += 1
            if self._found[kind] <= _SHOWN:
                yield f"{self._pages.name} line {self.lines}: {kind}: {what}"

    def _check(self, raw: bytes) -> tuple[str, str] | None:
        """What is wrong with one line, as its kind and the case."""
        if not raw.endswith(b"\n"):
            return "cut off", f"{len(raw)} bytes without an end"
        try:
            line = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return "not a record", safe(str(error), 120)
        problem = self._compare(line)
        return (problem, safe(line.url, 200)) if problem else None

    def _compare(self, line: Line) -> str | None:
        key = hash(line.url)
        if key in self._seen:
            return "twice in the output"
        self._seen.add(key)
        try:
            state = self._audit.state_of(line.url)
        except UrlError:
            return "a URL that is none"
        if state is None:
            return "not in the frontier"
        if state.name.lower() != line.outcome:
            return f"another outcome than the frontier's {state.name.lower()}"
        if (line.sha256 is None) != (line.bytes is None) or (line.sha256 and len(line.sha256) != 64):
            return "a digest that is none"
        return None
