"""Audit of a run: its output against its frontier, line by line and as sums.

Rules
- It changes nothing, and works on a finished run and on an interrupted one alike.
- Every finding is one sentence; none = clean.
- A killed run may lack the files that only an orderly end writes: `rejected.jsonl` and `summary.json`.
Runs on: the main thread, blocking.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

import msgspec

from crawler.core.leases_and_commits import RejectedLine, Totals
from crawler.core.protocols import Reports
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.recount import FirstFew, Recount, Rows, lines_of

_ALONE = 1  # the number of the only worker of a run in a folder
_ANEW = "; `crawler resume` writes it anew"


class Audit(Rows, Protocol):
    """Frontier of a run, as the audit asks it; see `frontier.audit`."""

    @property
    def is_closed(self) -> bool:
        """Return whether its last life ended in order."""
        ...

    def problems(self) -> Iterator[str]:
        """Yield the faults within the frontier: of its integrity, its indexes, its sums."""
        ...

    def files(self, worker: int) -> dict[str, int]:
        """Return the committed length of each file of a worker's folder by its name."""
        ...

    def totals(self) -> Totals:
        """Return the account as it is stored."""
        ...

    def sums(self, worker: int) -> Totals:
        """Return the account of one worker, as it is stored."""
        ...

    @property
    def reports(self) -> Reports:
        """Reports about the run, as of its last commit."""
        ...


class _Rejected(msgspec.Struct):
    """Fields of a line of `rejected.jsonl` that the frontier has, too."""

    line: int
    reason: str
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Result of an audit.

    Attributes:
        lines: number of lines of output that were read.
        findings: one sentence for each fault; empty = clean.
        pending: number of URLs that a resume would go on with.
        spent: the budget that keeps a resume from them, in its option's words; None = none does.
        unchecked: one sentence for each worker of a shared run whose lines are not here.
        elsewhere: number of these lines.
    """

    lines: int
    findings: tuple[str, ...]
    pending: int
    spent: str | None = None
    unchecked: tuple[str, ...] = ()
    elsewhere: int = 0


def verify(audit: Audit, folder: RunFolder, facts: RunFacts, summary: Mapping[str, object]) -> AuditVerdict:
    """Audit the run in `folder`; `summary` is what `summary.json` must say if its last life ended in order."""
    findings = list(audit.problems())
    if damage := folder.seeds_damage(facts):
        findings.append(damage)
    totals = audit.totals()
    lines = 0
    committed = audit.files(_ALONE).get(folder.pages.name)
    if committed is not None or not facts.config.output.to_stdout:
        recount = Recount(audit, folder.pages, committed or 0)
        findings += recount.findings(totals)
        lines = recount.lines
    findings += compare_rejected(folder.rejected, audit.reports.rejected(), is_closed=audit.is_closed)
    if audit.is_closed and folder.summary.exists():
        name = folder.summary.name
        try:
            found = msgspec.json.decode(folder.summary.read_bytes(), type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            findings.append(f"{name}: not a summary: {error}{_ANEW}")
        else:
            findings += [
                f"{name}: {key} is {found.get(key)}, but the frontier says {value}{_ANEW}"
                for key, value in summary.items()
                if found.get(key) != value
            ]
    return AuditVerdict(lines, tuple(findings), totals.pending)


def compare_rejected(
    path: Path, committed: Iterable[RejectedLine], *, is_closed: bool, label: str = ""
) -> Iterator[str]:
    """Compare the file's lines with the frontier's; a life that was killed may have committed more of them.

    `label` stands before the file's name in findings.
    """
    few = FirstFew(f"{label}{path.name}")
    found = missing = 0
    for number, (raw, kept) in enumerate(zip_longest(lines_of(path), committed), 1):
        if raw is None:
            missing += 1
            continue
        found += 1
        try:
            line = msgspec.json.decode(raw, type=_Rejected)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield from few.tell(number, "not a record", str(error))
            continue
        if kept is None:
            yield from few.tell(number, "more lines than the frontier has", line.text)
        elif line != _Rejected(kept.line, kept.reason, kept.message, kept.text):
            yield from few.tell(number, "another line than the frontier's", f"{kept.line} {kept.reason} {kept.text}")
    yield from few.rest()
    if missing and is_closed:
        yield f"{path.name}: {found} lines, but {found + missing} lines of the list were rejected{_ANEW}"
