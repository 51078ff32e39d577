"""The answer of `crawler why`: the chain of decisions, a one-sentence conclusion, and ways to change the outcome.

Runs on: anywhere (pure).
"""

import shlex
from collections.abc import Sequence

from crawler.core.config import RunConfig
from crawler.core.frontier_reports import StoredUrl, UrlHistory
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge, Scope, ScopeMode
from crawler.core.visits import State
from crawler.report.why.case import Case, Question
from crawler.report.why.chain import Answer, Step, StepVerdict
from crawler.report.why.phrases import FAMILIES, SHAPES, SKIPPED, UNREAD, moment, outcome, quoted, resume_command, tries
from crawler.report.why.steps import steps_of


def explain(question: Question, history: UrlHistory, config: RunConfig) -> Answer:
    """Return the answer for one URL of one run."""
    case = Case(question, history, config)
    row, steps = case.row, tuple(steps_of(case))
    # The stored reason first, then all others that would keep a new run from the URL, each once.
    reasons = (row.reason if row else None, *(step.reason for step in steps if step.reason in SKIPPED))
    refusals = list(dict.fromkeys(reason for reason in reasons if reason))
    return Answer(
        url=question.url.href,
        state=row.state.name.lower() if row else None,
        reason=row.reason if row else None,
        status=row.status if row else None,
        conclusion=_conclusion(case, row) if row else _expectation(case, steps, refusals),
        steps=steps,
        change=_change(case, refusals),
    )


# --- the conclusion, in one sentence ------------------------------------------------------------------------------


def _conclusion(case: Case, row: StoredUrl) -> str:
    if row.state is State.DONE:
        target, unread = case.history.target, UNREAD.get(row.reason) if row.reason else None
        led = ""
        if target and row.reason is Reason.REDIRECT:
            known = " which was known already, so it is a duplicate of that" if target.was_known else ""
            led = f" to {target.row.url}{known}"
        return f"Fetched: {outcome(row)}{led}{f', but not read in full: {unread}' if unread else ''}."
    if row.state is State.FAILED:
        if not row.attempts and row.reason is not Reason.SUSPECT:
            return f"Failed: {outcome(row)}; its host was given up before this URL was asked for."
        return f"Failed: {outcome(row)}, after {tries(row.attempts)}."
    if row.state is State.SKIPPED:
        return f"Not fetched: {SKIPPED[row.reason] if row.reason else 'no reason is stored'}."
    return f"Not fetched yet: {_pending_reason(case, row)}."


def _pending_reason(case: Case, row: StoredUrl) -> str:
    if spent := case.spent:
        return f"{spent} is spent"
    if case.history.is_host_closed:
        return f"{case.host_budget} is spent for its host"
    if row.is_suspect:
        return "the process died repeatedly while fetching it, so it is fetched alone, last of all"
    if row.not_before is not None and row.not_before > case.question.now:
        return f"it waits until {moment(row.not_before)} for its next try"
    return "the run ended before its turn came"


def _expectation(case: Case, steps: Sequence[Step], refusals: Sequence[Reason]) -> str:
    if not case.question.follows:
        return "Never seen: it is not in the list."
    if refusals:
        why = "; ".join(SKIPPED[reason] for reason in refusals)
        return f"Never seen. If a page linked to it, it would not be fetched: {why}."
    opened = [step.question for step in steps if step.verdict is StepVerdict.OPEN]
    sure = f", as far as is known (see {' and '.join(opened)})" if opened else ""
    return f"Never seen. If a page linked to it, it would be fetched{sure}."


# --- ways to change the outcome -----------------------------------------------------------------------------------

_LARGER = {
    Reason.BODY_LIMIT: "--max-body",
    Reason.DECODED_LIMIT: "--max-decoded",
    Reason.PARSE_TIMEOUT: "--parse-timeout",
}


def _change(case: Case, refusals: Sequence[Reason]) -> tuple[str, ...]:
    row = case.row
    by_itself = f"crawler fetch {shlex.quote(case.question.url.href)}"
    if row is None and not case.history.is_list_read:
        return (resume_command(case.question.folder, None),)
    if row is None and not refusals:
        return ("a page that links to it", by_itself) if case.question.follows else (by_itself,)
    if row is None or row.state is State.SKIPPED:
        anew = f"a new run {' and '.join(_new_run_options(case, reason) for reason in refusals)}"
        return (anew,) if Reason.ROBOTS_DENIED in refusals else (anew, by_itself)
    if row.state is State.DONE:
        larger = _LARGER.get(row.reason) if row.reason else None
        return (f"a new run with a larger {larger}" if larger else "nothing: it is done",)
    if row.state is State.FAILED:
        return (by_itself,)
    stopped_by = case.spent or (case.host_budget if case.history.is_host_closed else None)
    return (resume_command(case.question.folder, stopped_by),)


def _new_run_options(case: Case, reason: Reason) -> str:
    """Return the options of a new run that would lift this refusal."""
    url, scope = case.question.url, case.config.scope
    plain = {
        Reason.DEPTH_LIMIT: f"with --max-depth {case.row.way.depth if case.row else 'N'}",
        Reason.HTTP_INSTEAD: "with the scheme in front",
        Reason.NOT_INCLUDED: f"with an --include that matches it besides {quoted(scope.include)}",
        **dict.fromkeys((Reason.ROBOTS_DENIED, Reason.NOFOLLOW), "with --no-robots, if the site is yours"),
        **dict.fromkeys((*SHAPES, *FAMILIES), "with --no-traps"),
    }
    if reason is Reason.OUT_OF_SCOPE:
        for mode in (ScopeMode.HOST, ScopeMode.DOMAIN):  # the narrowest that holds both a seed's host and this URL's
            site = Scope(mode).site
            if site(url.host_port) in set(map(site, case.history.scope.named)):
                return f"with --scope {mode}"
        return f"with --scope {ScopeMode.ALL}"
    if reason is Reason.EXCLUDED:
        return f"without --exclude '{LinkJudge(scope).by_pattern(url)[1]}'"
    return plain.get(reason, "from another page")
