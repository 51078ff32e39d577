"""Audit of a run that several workers share: the lines in all folders that are here, against its frontier.

Rules
- Each URL has one line over all folders; the lines of a worker are compared with its own sums.
- The lines of a folder that is not here are counted by the sums of its worker, and told as unchecked.
- A worker that lives writes on meanwhile: its file may be longer than what it had committed.
- `summary.json` is of the run as it was when that worker ended, so it is compared with nothing.
Runs on: the main thread, blocking.
"""

from collections.abc import Iterator, Sequence

from crawler.core.leases_and_commits import Totals
from crawler.core.text import counted, safe
from crawler.run.recount import UNSHOWN, FirstFew, Recount
from crawler.run.verify import Audit, AuditVerdict, compare_rejected
from crawler.run.worker_folders import OwnFolder, Part

_HAS_LIST = 1  # the number of the worker that has the list in its folder
_PAGES = "pages.jsonl"


def verify_shared(audit: Audit, parts: Sequence[Part]) -> AuditVerdict:
    """Audit a run whose workers have these parts in it."""
    findings = list(audit.problems())
    unchecked: list[str] = []
    lines = printed = elsewhere = 0
    for part in parts:
        sums = audit.sums(part.worker.id)
        finished = sums.done + sums.failed
        if part.folder is None:
            elsewhere += finished
            if finished:
                unchecked.append(f"worker {part.worker.id}: {counted(finished, 'line')} not checked: {part.lack}")
        elif part.folder.facts.config.output.to_stdout and _PAGES not in audit.files(part.worker.id):
            printed += finished
        else:
            found, problems = _compare(audit, part, part.folder, sums)
            lines += found
            findings += problems
    findings += _compare_rest(audit, printed + elsewhere)
    return AuditVerdict(lines, tuple(findings), audit.totals().pending, unchecked=tuple(unchecked), elsewhere=elsewhere)


def _compare(audit: Audit, part: Part, own: OwnFolder, sums: Totals) -> tuple[int, list[str]]:
    """Return the number of lines in a folder, and everything wrong with its files."""
    folder, number = own.path, part.worker.id
    label = f"{safe(str(folder.path), 200)}/"
    committed = audit.files(number).get(folder.pages.name, 0)
    recount = Recount(audit, folder.pages, committed, label=label, grows=part.worker.is_live)
    findings = [*recount.lines_findings(), *recount.rest(), *recount.sums_findings(sums)]
    if damage := folder.seeds_damage(own.facts):
        findings.append(f"{label}{damage}")
    if number == _HAS_LIST:
        rejected = audit.reports.rejected()
        findings += compare_rejected(folder.rejected, rejected, is_closed=False, label=label)
    return recount.lines, findings


def _compare_rest(audit: Audit, elsewhere: int) -> Iterator[str]:
    """Yield the URLs that are finished and have no line, if so many lines are elsewhere."""
    if not elsewhere:
        few = FirstFew(_PAGES)
        for url in audit.unshown():
            yield from few.tell(None, UNSHOWN, url)
        yield from few.rest()
    elif (found := sum(1 for _ in audit.unshown())) > elsewhere:
        yield f"{_PAGES}: {found} finished URLs have no line here, but only {elsewhere} lines are elsewhere"
