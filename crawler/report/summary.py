"""The summary of a run: `summary.json`, and the same figures as text.

Rules
- `discovered = done + failed + skipped + pending`, always; the text shows only figures of the JSON.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec
from msgspec.structs import replace

from crawler.core.frontier_reports import ChiefHosts, HostsInVain, LostSeeds
from crawler.core.histogram import percentile
from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import Reason
from crawler.core.run_names import quoted_run
from crawler.core.tables import WIDTH
from crawler.core.text import counted, duration, safe, size
from crawler.report.hosts import SORTS, HostRow, host_row, hosts_text
from crawler.report.indented import indented
from crawler.report.why.phrases import resume_command

MOST_HOSTS = 100
"""The most hosts in `summary.json`: the busiest, and those with errors."""

_SHOWN_LOST = 3  # reasons in the line about seeds
_OF_STATUS = frozenset({Reason.HTTP_STATUS, Reason.RETRY_STATUS})
_SHOWN_HOSTS = 8  # the most lines about hosts in the text


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The contract of `summary.json`; times in seconds, latency in milliseconds, `peak_rss_mb` in MiB.

    Attributes:
        stopped_by: the budget, signal or fault that ended the run early; None = nothing is pending.
        latency: from dispatch to the last byte, of URLs with a response; p50, p90, p99.
        lines: lines of the list by outcome; they add up to `read`.
        readings: lines that were corrected: `guessed` had no scheme, `unwrapped` had quotes or brackets.
        unread: done URLs that were not read, or not in full, by reason.
        lost_seeds: seeds that brought nothing, by reason and status, the most frequent first.
        examples: the first URLs that were skipped or not read, by reason.
        hosts: the busiest and those with the most errors, at most 100; `more_hosts` counts the others.
        given_up_hosts: the number of hosts that were given up.
        waiting_hosts: the number of hosts that were tried, have URLs left, and have neither answered nor been given up.
        in_vain: hosts whose requests took a second or more without an answer, and the sum of these seconds.
    """

    discovered: int
    done: int
    failed: int
    skipped: dict[str, int]
    pending: int
    bytes: int
    seconds: float
    pages_per_second: float
    peak_rss_mb: float
    latency: dict[str, float | None]
    failures: dict[str, int]
    unread: dict[str, int]
    statuses: dict[str, int]
    retries: int
    lines: dict[str, int]
    readings: dict[str, int]
    lost_seeds: list[LostSeeds]
    examples: dict[str, list[str]]
    stopped_by: str | None
    hosts: list[HostRow]
    more_hosts: int
    given_up_hosts: int
    waiting_hosts: int
    in_vain: HostsInVain


def summarize(
    totals: Totals,
    *,
    peak_rss_mb: float,
    stopped_by: str | None,
    hosts: ChiefHosts | None = None,
    examples: Mapping[str, Sequence[str]] | None = None,
    lost_seeds: Sequence[LostSeeds] = (),
) -> Summary:
    """Return the figures of a run over all its processes; the peak memory is that of this process."""
    chief = hosts or ChiefHosts()
    pages = totals.done + totals.failed
    latency = {f"p{share}": percentile(totals.latency, share / 100) for share in (50, 90, 99)}
    return Summary(
        discovered=totals.discovered,
        done=totals.done,
        failed=totals.failed,
        unread=dict(sorted(totals.unread.items())),
        skipped=dict(sorted(totals.skipped.items())),
        pending=totals.pending,
        bytes=totals.bytes,
        seconds=round(totals.seconds, 3),
        pages_per_second=round(pages / totals.seconds, 1) if totals.seconds else 0.0,
        peak_rss_mb=round(peak_rss_mb, 1),
        latency={name: None if value is None else round(value / 1e6, 3) for name, value in latency.items()},
        failures=dict(sorted(totals.failures.items())),
        statuses={str(status): n for status, n in sorted(totals.statuses.items())},
        retries=totals.retries,
        lines=dict(totals.lines),
        lost_seeds=list(lost_seeds),
        readings=dict(totals.readings),
        examples={reason: list(urls) for reason, urls in sorted((examples or {}).items())},
        stopped_by=stopped_by,
        hosts=[host_row(report) for report in chief.hosts],
        more_hosts=chief.more,
        given_up_hosts=chief.given_up,
        waiting_hosts=chief.waiting,
        in_vain=replace(chief.in_vain, seconds=round(chief.in_vain.seconds, 1)),
    )


def as_json(summary: Summary) -> bytes:
    """Return the content of `summary.json`."""
    return indented(summary)


def as_text(summary: Summary, folder: str | None) -> str:
    """Return the text at the end of a run; `folder` names the run in the commands that it shows."""
    skipped = sum(summary.skipped.values())
    by = summary.stopped_by or "complete"
    head = f"stopped by {by}" if by.startswith("--") else by
    account = f"{summary.done:,} done + {summary.failed:,} failed + {skipped:,} skipped + {summary.pending:,} pending"
    memory = f", peak memory {summary.peak_rss_mb:,.0f} MiB" if summary.peak_rss_mb else ""  # of a look back: unknown
    speed = f"{summary.pages_per_second:,.1f} pages/s{memory}"
    lines = [
        f"{head}: {counted(summary.discovered, 'URL')} = {account}",
        *([f"  {_lost_line(summary)}"] if summary.lost_seeds else []),
        f"  {size(summary.bytes)} in {duration(summary.seconds)}: {speed}",
    ]
    if summary.latency["p50"] is not None:
        shown = ", ".join(f"{name} {duration((value or 0) / 1000)}" for name, value in summary.latency.items())
        lines.append(f"  latency {shown}")
    reasons = (("failed", summary.failures), ("unread", summary.unread), ("skipped", summary.skipped))
    for title, counts in (("status", summary.statuses), *reasons):
        if counts:
            most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            lines.append(f"  {title:<8} {', '.join(f'{safe(name)} {n:,}' for name, n in most_first)}")
        examples = [(reason, summary.examples[reason][0]) for reason in counts if summary.examples.get(reason)]
        lines += [f"           {reason}: {safe(url, 100)}" for reason, url in examples]
    if summary.retries:
        lines.append(f"  retries  {summary.retries:,}")
    lines += [f"  {line}" for line in (*_unanswered_lines(summary), *_host_lines(summary, folder))]
    if not (summary.discovered or summary.stopped_by):
        lines.append("  nothing to fetch: the list holds no URL")
    lines += _list_lines(summary)
    if folder:
        more = f" (go on with: {resume_command(folder, summary.stopped_by)})" if summary.pending else ""
        lines.append(f"  {safe(folder)}{more}")
    return "\n".join(lines)


def _lost_line(summary: Summary) -> str:
    """Return the line about seeds that brought nothing, or not everything."""
    kinds: dict[str, LostSeeds] = {}  # by what is told of them
    for kind in summary.lost_seeds:
        name = f"status {kind.status}" if kind.reason in _OF_STATUS else kind.reason.value
        known = kinds.get(name)
        kinds[name] = replace(known, seeds=known.seeds + kind.seeds) if known else kind
    lost = sum(kind.seeds for kind in kinds.values())
    listed = max(lost, summary.lines.get("url", 0))
    told = [
        f"{name}{f': {kind.seeds:,}' if lost > 1 else ''} ({safe(kind.example, 100)})"
        for name, kind in islice(kinds.items(), _SHOWN_LOST)
    ]
    more = len(kinds) - len(told)
    rest = f" and {counted(more, 'other reason')}" if more else ""
    what = "not all" if all(kind.reason.is_unread for kind in summary.lost_seeds) else "nothing"
    return f"{what} from {lost:,} of {counted(listed, 'seed')}: {', '.join(told)}{rest}"


def _unanswered_lines(summary: Summary) -> list[str]:
    """Return the lines about hosts that were given up or have not answered yet, with the time spent on them."""
    lines = []
    if summary.given_up_hosts:
        lines.append(f"given up {counted(summary.given_up_hosts, 'host')}")
    if summary.waiting_hosts:
        have = "has" if summary.waiting_hosts == 1 else "have"
        lines.append(f"waiting  {counted(summary.waiting_hosts, 'host')} that {have} not answered yet")
    if summary.in_vain.hosts and (summary.given_up_hosts or summary.waiting_hosts):
        seconds = duration(summary.in_vain.seconds)
        beside = ", beside each other" if summary.in_vain.hosts > 1 else ""
        lines.append(f"waited   {seconds} in vain for {counted(summary.in_vain.hosts, 'host')}{beside}")
    return lines


def _host_lines(summary: Summary, folder: str | None) -> list[str]:
    """Return the first hosts of the table; none if there is one host without errors: all figures above are its own."""
    rows = summary.hosts
    if len(rows) + summary.more_hosts <= 1 and not any(row.is_troubled for row in rows):
        return []
    shown = len(rows)
    while len(found := hosts_text(_chief(rows, shown), WIDTH - 2)) > _SHOWN_HOSTS - 1 and shown > 1:
        shown -= 1
    rest = len(rows) + summary.more_hosts - shown
    more = f"{counted(rest, 'host')} more" + (f": crawler hosts {quoted_run(folder)}" if folder else "")
    return [*found, *([more] if rest else [])]


def _chief(rows: list[HostRow], most: int) -> list[HostRow]:
    """Choose up to half of the hosts for their errors, the others as they come; keep the order."""
    troubled = sorted((row for row in rows if row.is_troubled), key=SORTS["errors"])[: most // 2]
    chosen = {row.host for row in troubled}
    busy = [row.host for row in rows if row.host not in chosen]
    chosen.update(busy[: most - len(chosen)])
    return [row for row in rows if row.host in chosen]


def _list_lines(summary: Summary) -> list[str]:
    """Return the lines about the list: its lines by outcome, and the lines that were corrected."""
    lines = []
    if read := summary.lines.get("read"):
        rest = {name: n for name, n in summary.lines.items() if name != "read" and n}
        parts = sorted(rest.items(), key=lambda item: (item[0] != "url", item[0]))
        where = "; see rejected.jsonl" if rejected(summary.lines) else ""
        lines.append(f"  list     {counted(read, 'line')} = {' + '.join(f'{n:,} {name}' for name, n in parts)}{where}")
    corrected = []
    if guessed := summary.readings.get("guessed"):
        n = summary.skipped.get(Reason.HTTP_INSTEAD, 0)
        corrected.append(f"{guessed:,} without a scheme: https asked, and http instead for {n:,}")
    if unwrapped := summary.readings.get("unwrapped"):
        corrected.append(f"{unwrapped:,} in quotes or brackets, taken off")
    if corrected:
        lines.append(f"           {'; '.join(corrected)}")
    return lines


def list_problem(discovered: int, lines: Mapping[str, int]) -> str | None:
    """Return the problem of a list that was read to its end without a single URL; None = it has some, or is empty."""
    if discovered or not rejected(lines):
        return None
    return "the only line is no URL" if lines["read"] == 1 else f"none of the {lines['read']:,} lines is a URL"


def rejected(lines: Mapping[str, int]) -> int:
    """Return the number of lines of the list that are in `rejected.jsonl`."""
    return lines.get("read", 0) - sum(lines.get(name, 0) for name in ("url", "blank", "comment"))
