"""Why a URL was fetched, or was not: the chain of decisions, the whole in a sentence, and what would change it.

Runs on: anywhere (pure).
"""

import shlex
from collections.abc import Sequence

from crawler.core.config import RunConfig
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge, Scope, ScopeMode
from crawler.core.stored import StoredUrl, UrlHistory
from crawler.core.visits import State
from crawler.report.why.case import Case, Question
from crawler.report.why.chain import Answer, Step, StepVerdict
from crawler.report.why.phrases import FAMILIES, SHAPES, SKIPPED, UNREAD, going_on, moment, outcome, quoted, tries
from crawler.report.why.steps import chain


def explain(asked: Question, history: UrlHistory, config: RunConfig) -> Answer:
    """The answer for one URL of one run."""
    case = Case(asked, history, config)
    row, steps = case.row, tuple(chain(case))
    refusals = _refusals(case, steps)
    return Answer(
        url=asked.url.href,
        state=row.state.name.lower() if row else None,
        reason=row.reason if row else None,
        status=row.status if row else None,
        conclusion=_known(case, row) if row else _supposed(case, steps, refusals),
        steps=steps,
        change=_change(case, refusals),
    )


def _refusals(case: Case, steps: Sequence[Step]) -> list[Reason]:
    """Why it is not asked for: what is stored, and whatever else would keep a new run from it."""
    stored = [case.row.reason] if case.row and case.row.reason else []
    return list(dict.fromkeys([*stored, *(step.reason for step in steps if step.reason in SKIPPED and step.reason)]))


# --- the whole in a sentence --------------------------------------------------------------------------------------


def _known(case: Case, row: StoredUrl) -> str:
    if row.state is State.DONE:
        unread = UNREAD.get(row.reason) if row.reason else None
        but = f", but not read in full: {unread}" if unread else ""
        return f"Fetched: {outcome(row)}{_led(case)}{but}."
    if row.state is State.FAILED:
        return f"Failed: {outcome(row)}, after {tries(row.attempts)}."
    if row.state is State.SKIPPED:
        return f"Not fetched: {SKIPPED[row.reason] if row.reason else 'no reason is stored'}."
    return f"Not fetched yet: {_awaited(case, row)}."


def _led(case: Case) -> str:
    row, target = case.row, case.history.target
    if row is None or target is None or row.reason is not Reason.REDIRECT:
        return ""
    known = " which was known already, so it is a duplicate of that" if target.was_known else ""
    return f" to {target.row.url}{known}"


def _awaited(case: Case, row: StoredUrl) -> str:
    if spent := case.spent:
        return f"{spent} is spent"
    if case.history.is_host_closed:
        return f"{case.most_of_host} is spent for its host"
    if row.is_suspect:
        return "the process died repeatedly while it was in flight, so it runs alone, last of all"
    if row.not_before is not None and row.not_before > case.asked.now:
        return f"it waits until {moment(row.not_before)} for its next try"
    return "the run ended before its turn came"


def _supposed(case: Case, steps: Sequence[Step], refusals: Sequence[Reason]) -> str:
    if not case.asked.follows:
        return "Never seen: it is not in the list."
    if refusals:
        why = "; ".join(SKIPPED[reason] for reason in refusals)
        return f"Never seen. If a page linked to it, it would not be fetched: {why}."
    opened = [step.question for step in steps if step.verdict is StepVerdict.OPEN]
    sure = f", as far as is known (see {' and '.join(opened)})" if opened else ""
    return f"Never seen. If a page linked to it, it would be fetched{sure}."


# --- what would change it -----------------------------------------------------------------------------------------

_LARGER = {
    Reason.BODY_LIMIT: "--max-body",
    Reason.DECODED_LIMIT: "--max-decoded",
    Reason.PARSE_TIMEOUT: "--parse-timeout",
}


def _change(case: Case, refusals: Sequence[Reason]) -> tuple[str, ...]:
    row = case.row
    by_itself = f"crawler fetch {shlex.quote(case.asked.url.href)}"
    if row is None and not case.history.is_list_read:
        return (going_on(case.asked.folder, None),)
    if row is None and not refusals:
        return ("a page that links to it", by_itself) if case.asked.follows else (by_itself,)
    if row is None or row.state is State.SKIPPED:
        anew = f"a new run {' and '.join(_begun(case, reason) for reason in refusals)}"
        return (anew,) if Reason.ROBOTS_DENIED in refusals else (anew, by_itself)
    if row.state is State.DONE:
        larger = _LARGER.get(row.reason) if row.reason else None
        return (f"a new run with a larger {larger}" if larger else "nothing: it is done",)
    if row.state is State.FAILED:
        return (by_itself,)
    stopped_by = case.spent or (case.most_of_host if case.history.is_host_closed else None)
    return (going_on(case.asked.folder, stopped_by),)


def _begun(case: Case, reason: Reason) -> str:
    """How a run would have to begin for this refusal not to be."""
    url, scope = case.asked.url, case.config.scope
    plain = {
        Reason.DEPTH_LIMIT: f"with --max-depth {case.row.depth if case.row else 'N'}",
        Reason.HTTP_INSTEAD: "with the scheme in front",
        Reason.NOT_INCLUDED: f"with an --include that matches it besides {quoted(scope.include)}",
        **dict.fromkeys((Reason.ROBOTS_DENIED, Reason.NOFOLLOW), "with --no-robots, if the site is yours"),
        **dict.fromkeys((*SHAPES, *FAMILIES), "with --no-traps"),
    }
    if reason is Reason.OUT_OF_SCOPE:
        return f"with --scope {_wider(case)}"
    if reason is Reason.EXCLUDED:
        return f"without --exclude '{LinkJudge(scope).by_pattern(url)[1]}'"
    return plain.get(reason, "from another page")


def _wider(case: Case) -> ScopeMode:
    """The narrowest scope in which a seed's host and this URL's come together."""
    for mode in (ScopeMode.HOST, ScopeMode.DOMAIN):
        scope = Scope(mode)
        if scope.site(case.asked.url.host_port) in {scope.site(host) for host in case.history.borders.named}:
            return mode
    return ScopeMode.ALL
