"""ASSEMBLES the views of a run whose frontier is opened for reading: its hosts, the reasons about a URL, an audit.

Runs on: the main thread. Nothing of the run is changed (`frontier/at_rest.py`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from msgspec import to_builtins

from crawler.build import agent_of, policy_of
from crawler.core.budget import spent_by_all_lives
from crawler.core.frontier_reports import UrlHistory
from crawler.core.leases_and_commits import RobotsCopy, Totals
from crawler.core.reasons import Reason
from crawler.core.text import counted
from crawler.core.urls import Url, parse
from crawler.frontier.at_rest import FrontierAtRest
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.host_reports import HostReports
from crawler.frontier.robots_rows import robots_copies
from crawler.frontier.url_history import FrontierHistory
from crawler.report.hosts import HostRow, host_row
from crawler.report.summary import MOST_HOSTS, Summary, summarize
from crawler.report.why.answer import explain
from crawler.report.why.case import Question
from crawler.report.why.chain import Answer
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import place_of
from crawler.run.verify import AuditVerdict
from crawler.run.verify import verify as compare
from crawler.run.verify_shared import verify_shared as compare_all
from crawler.run.worker_folders import Part
from crawler.runtime.clock import SystemClock


def verify(frontier: FrontierAtRest, folder: RunFolder, facts: RunFacts) -> AuditVerdict:
    """Audit the run in `folder`, which was started with `facts`; see `run.verify`.

    Raises:
        StorageDamaged: the frontier cannot be read at all.
    """
    audit = FrontierAudit(frontier)
    summary = to_builtins(_account(audit, facts, None))
    for of_a_life in ("peak_rss_mb", "stopped_by"):
        del summary[of_a_life]
    return replace(compare(audit, folder, facts, summary), spent=_spent(audit, facts))


def verify_shared(frontier: FrontierAtRest, facts: RunFacts, parts: Sequence[Part]) -> AuditVerdict:
    """Audit a run with these facts whose workers have these parts in it; see `run.verify_shared`.

    Raises:
        StorageError: the frontier cannot be read.
    """
    audit = FrontierAudit(frontier)
    return replace(compare_all(audit, parts), spent=_spent(audit, facts))


def summary(frontier: FrontierAtRest, facts: RunFacts) -> Summary:
    """Return the account of a run with these facts, of all its workers and lives; its peak memory is not known.

    Raises:
        StorageError: the frontier cannot be read.
    """
    audit = FrontierAudit(frontier)
    if live := sum(worker.is_live for worker in frontier.workers()):
        state: str | None = f"{counted(live, 'worker')} at work"
    elif audit.totals().pending or frontier.letters():
        state = _spent(audit, facts) or "not at its end"
    else:
        state = None
    return _account(audit, facts, state)


def _account(audit: FrontierAudit, facts: RunFacts, stopped_by: str | None) -> Summary:
    return summarize(
        audit.totals(),
        peak_rss_mb=0,
        stopped_by=stopped_by,
        hosts=audit.reports.hosts(agent_of(facts.config), MOST_HOSTS),
        examples=audit.reports.examples(),
        lost_seeds=audit.reports.lost_seeds(),
    )


def _spent(audit: FrontierAudit, facts: RunFacts) -> str | None:
    """Return the budget that keeps a run from going on, in its option's words; None = none does."""
    budget = facts.config.budget
    most = budget.max_pages_per_host
    closed = f"--max-pages-per-host {most}" if most is not None and audit.are_hosts_closed(most) else None
    return spent_by_all_lives(budget, audit.totals()) or closed


def totals(frontier: FrontierAtRest) -> Totals:
    """Return the account of a run, of all its workers.

    Raises:
        StorageError: the frontier cannot be read.
    """
    return FrontierAudit(frontier).totals()


def stored_robots(frontier: FrontierAtRest, url: Url) -> RobotsCopy | None:
    """Return the stored robots.txt of this URL's origin; None = there is none.

    Raises:
        StorageDamaged: the frontier cannot be read.
    """
    with frontier.gate():
        return robots_copies(frontier.tables, "origin = ?", url.origin).get(url.origin)


def hosts(frontier: FrontierAtRest, facts: RunFacts) -> list[HostRow]:
    """Return every host of a run with these facts, the busiest first.

    Raises:
        StorageDamaged: the frontier cannot be read.
    """
    with frontier.gate():
        owners = frontier.owners()
        return [host_row(report, owners) for report in HostReports(frontier.tables, agent_of(facts.config)).all()]


def why(frontier: FrontierAtRest, facts: RunFacts, run: str, url: Url, text: str, *, is_guess: bool = False) -> Answer:
    """Explain why this URL, typed as `text`, was fetched or not in the run with these facts, which is named `run`.

    If its scheme is a guess and the run asked for it over http, explain that URL.

    Raises:
        StorageDamaged: the frontier cannot be read.
    """
    config, follows, now = facts.config, facts.command == "crawl", SystemClock().wall()
    policy, agent = policy_of(config, follows=follows), agent_of(config)
    with frontier.gate():
        year = datetime.fromtimestamp(now, UTC).year
        histories = FrontierHistory(frontier.tables, frontier.keys, policy, agent, year)
        history = histories.of(url)
        if is_guess and (history.row is None or history.row.reason is Reason.HTTP_INSTEAD):
            over_http = parse(f"http{url.href.removeprefix('https')}")
            if (found := histories.of(over_http)).row:
                url, history = over_http, found
        line = _line_of(histories, history, url)
    asked = Question(
        text=text,
        url=url,
        folder=run,
        agent=agent,
        follows=follows,
        listed=None if line is None else place_of(facts.sources, line),
        now=now,
    )
    return explain(asked, history, config)


def _line_of(histories: FrontierHistory, history: UrlHistory, url: Url) -> int | None:
    """Return the URL's line in `seeds.txt`; if it was asked for instead of a guess over https, the guess's line."""
    row = history.row
    if (
        row is not None
        and row.line is None
        and row.way.seed
        and history.leader is None
        and url.href.startswith("http:")
    ):
        row = histories.of(parse(f"https{url.href.removeprefix('http')}")).row
    return None if row is None else row.line
