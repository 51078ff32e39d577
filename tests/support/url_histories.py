"""Histories of a URL, and the answers of `crawler why` about them."""

from typing import Any

from msgspec.structs import replace

from crawler.core.config import configure
from crawler.core.discovery import Way
from crawler.core.frontier_reports import Leader, StoredUrl, UrlHistory, UrlScope
from crawler.core.leases_and_commits import Totals
from crawler.core.reasons import Reason
from crawler.core.traps import Family
from crawler.core.urls import Host, parse
from crawler.core.visits import State
from crawler.report.why.answer import explain
from crawler.report.why.case import Question
from crawler.report.why.chain import Answer, Step

NOW = 1_700_000_000.0
URL = "http://h/a"
FAMILY = Family(b"", 1, 250_000, Reason.TRAP_HOST_SIZE)


def a_row(**facts: Any) -> StoredUrl:
    """A page that was fetched, one link from a seed."""
    fetched = StoredUrl(
        url=URL,
        state=State.DONE,
        reason=Reason.OK,
        status=200,
        way=Way(depth=1),
        attempts=1,
        line=None,
        not_before=None,
        is_suspect=False,
    )
    return replace(fetched, **facts)


def a_history(**facts: Any) -> UrlHistory:
    """Its history."""
    scope = UrlScope(place="h", places=("h",), all_places=1, named=(Host("h:80"),), families=((FAMILY, 5),), full=None)
    known = UrlHistory(
        row=a_row(),
        leader=Leader(url="http://h/", redirects=False, sitemap=False),
        linked_from=None,
        scope=scope,
        robots=None,
        host=None,
        is_host_closed=False,
        tries=(),
        target=None,
        totals=Totals(),
        is_list_read=True,
    )
    return replace(known, **facts)


def ask(
    *, follows: bool = True, listed: str | None = None, options: dict[str, object] | None = None, **facts: Any
) -> Answer:
    """The answer for this history; `options` are those of the run."""
    asked = Question(
        text=URL, url=parse(URL), folder="my run", agent="crawler", follows=follows, listed=listed, now=NOW
    )
    return explain(asked, a_history(**facts), configure(options or {}))


def step(answer: Answer, question: str) -> Step:
    """One step of it."""
    return next(step for step in answer.steps if step.question == question)


def pending(**facts: Any) -> StoredUrl:
    """A row that waits."""
    return a_row(**{"state": State.PENDING, "reason": None, "status": None, "attempts": 0, **facts})


def skipped(reason: Reason) -> StoredUrl:
    """A row that was never asked for."""
    return a_row(state=State.SKIPPED, reason=reason, status=None, attempts=0)
