"""The chain of decisions about one URL: each step asks the same judge as the crawl.

Rules
- The rules stay with the judges; this file repeats none.
- The stored reason decides: the step that it names stops the URL, even if the judge would pass it today.
- A URL that was never found is judged as if a page linked to it.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator

from msgspec.structs import replace

from crawler.core import traps
from crawler.core.frontier_reports import HostReport, StoredUrl
from crawler.core.reasons import Reason
from crawler.core.scope import LinkJudge, Scope, ScopeMode
from crawler.core.text import counted, duration
from crawler.core.visits import State
from crawler.report.why.case import Case
from crawler.report.why.chain import Step, StepVerdict
from crawler.report.why.phrases import FAMILIES, SHAPES, SKIPPED, distance, moment, outcome, quoted, some
from crawler.robots.rules import ruling

PASSES, STOPS, OPEN, TELLS = StepVerdict.PASSES, StepVerdict.STOPS, StepVerdict.OPEN, StepVerdict.TELLS


def steps_of(case: Case) -> Iterator[Step]:
    """Yield every step, in the order in which a crawl checks them."""
    if case.question.text != case.question.url.href:
        yield Step("asked for", TELLS, case.question.text, details=(f"becomes {case.question.url}",))
    yield _found(case)
    if not case.question.follows:
        yield Step("scope", PASSES, "a list is fetched as it is: scope, patterns, depth and traps do not apply")
    elif case.row and case.row.way.seed:
        yield Step("scope", PASSES, "a seed is always fetched: scope, patterns, depth and traps do not apply")
    else:
        yield from (_scope(case), _patterns(case), _depth(case), _traps(case))
    yield _robots(case)
    if case.history.host:
        yield _host(case, case.history.host)
    yield _budget(case)
    if case.row:
        yield _tries(case, case.row)
        target = case.history.target
        if target is not None and target.row.url == case.row.url:
            yield Step("redirect", TELLS, "it leads to itself")
        elif target is not None:
            known = "was known already" if target.was_known else "was new"
            became = f"{target.row.state.name.lower()}: {outcome(target.row)}" if target.row.reason else "pending"
            yield Step("redirect", TELLS, f"to {target.row.url} which {known} and is {became}")
        yield Step("state", TELLS, ": ".join(part for part in (case.row.state.name.lower(), case.row.reason) if part))


# --- the link, the scope, the traps -------------------------------------------------------------------------------


def _found(case: Case) -> Step:
    row, leader, listed, n = case.row, case.history.leader, case.question.listed, case.history.linked_from
    if row is None:
        return Step("found", TELLS, "on no page that was read")
    if leader is None:
        told = listed or ("in robots.txt, which names it as a sitemap" if row.way.sitemap else "in the list")
    else:
        how = "by a redirect of" if leader.redirects else "in the sitemap" if leader.sitemap else "by a link on"
        told = f"{how} {leader.url}" + (f", and {listed}" if listed else "")
    told += "" if n is None else f"; {counted(n, 'page')} {'leads' if n == 1 else 'lead'} to it"
    if row.reason and case.was_skipped_for(Reason.NOFOLLOW, Reason.HOP_LIMIT, Reason.SITEMAP_LIMIT):
        return Step("found", STOPS, f"{told}; {SKIPPED[row.reason]}", row.reason)
    return Step("found", TELLS, told)


def _scope(case: Case) -> Step:
    scope, mode, url = case.history.scope, case.config.scope.scope, case.question.url
    if case.row and case.row.way.sitemap:
        return Step("scope", PASSES, "a sitemap is always read")
    if mode == ScopeMode.ALL:
        return Step("scope", PASSES, "--scope all: links are followed anywhere")
    if scope.place is None or case.was_skipped_for(Reason.OUT_OF_SCOPE):
        brought, own = some(scope.places, scope.all_places) or "nothing", Scope(mode).brings(url)
        told = f"--scope {mode}: the seeds opened {brought}; the URL is in {own}"
        return Step("scope", STOPS, told, Reason.OUT_OF_SCOPE)
    return Step("scope", PASSES, f"--scope {mode}: it lies in {scope.place}")


def _patterns(case: Case) -> Step:
    scope = case.config.scope
    if scope.traps and traps.refusal(case.question.url):
        return Step("patterns", OPEN, "not checked: the URL's shape is refused first")
    refusal, pattern = LinkJudge(scope).by_pattern(case.question.url)
    if refusal is Reason.EXCLUDED:
        return Step("patterns", STOPS, f"--exclude '{pattern}' matches", refusal)
    if refusal and case.row and case.row.way.sitemap:
        return Step("patterns", PASSES, "no --exclude matches, and a sitemap need not match --include")
    if refusal:
        return Step("patterns", STOPS, f"no --include matches: {quoted(scope.include)}", refusal)
    if pattern is not None:
        return Step("patterns", PASSES, f"--include '{pattern}' matches")
    told = f"no --exclude matches: {quoted(scope.exclude)}" if scope.exclude else "no --include or --exclude is given"
    return Step("patterns", PASSES, told)


def _depth(case: Case) -> Step:
    row, most = case.row, case.config.scope.max_depth
    limit = "there is no --max-depth" if most is None else f"--max-depth {most}"
    if row is None:
        return Step("depth", PASSES if most is None else OPEN, f"not known before a page links to it; {limit}")
    judge = LinkJudge(replace(case.config.scope, traps=False, include=(), exclude=()))
    is_listed = row.way.depth == 0 and not row.way.seed  # by a sitemap, or by a robots.txt as one
    told = f"{'no link from a seed' if is_listed else distance(row.way.depth, row.way.hops)}; {limit}"
    if case.was_skipped_for(Reason.DEPTH_LIMIT) or judge.refusal(case.question.url, row.way.depth):
        return Step("depth", STOPS, told, Reason.DEPTH_LIMIT)
    return Step("depth", PASSES, told)


def _traps(case: Case) -> Step:
    if not case.config.scope.traps:
        return Step("traps", PASSES, "--no-traps: traps are not checked")
    if shape := traps.refusal(case.question.url):
        return Step("traps", STOPS, SHAPES[shape], shape)
    scope, row = case.history.scope, case.row
    full = scope.full if row is None else row.reason if case.was_skipped_for(*FAMILIES) else None
    for family, n in scope.families:
        if family.reason is full:
            weight = f"; this one would count as {family.weight}" if family.weight > 1 else ""
            told = f"{n:,} {FAMILIES[full]} were found; the limit is {family.limit:,}{weight}"
            return Step("traps", STOPS, told, full)
    family, n = max(scope.families, key=lambda grown: grown[1] / grown[0].limit)
    return Step("traps", PASSES, f"an ordinary shape; {n:,} of {family.limit:,} {FAMILIES[family.reason]}")


# --- the host -----------------------------------------------------------------------------------------------------


def _robots(case: Case) -> Step:
    copy = case.history.robots
    if not case.config.politeness.robots:
        return Step("robots.txt", PASSES, "--no-robots: robots.txt is not requested")
    if copy is None:
        return Step("robots.txt", OPEN, f"none of {case.question.url.origin} is stored")
    now = case.question.now
    stale = ", to be requested again" if now >= copy.expires_at else ""
    about = f"({copy.status}, fetched {duration(max(0.0, now - copy.fetched_at))} ago{stale})"
    if copy.status >= 500 or copy.status == 429:
        return Step("robots.txt", STOPS, f"it could not be fetched, so no URL may be requested {about}")
    if copy.status >= 300:
        return Step("robots.txt", PASSES, f"there is none, so everything is allowed {about}")
    found = ruling(copy.body, case.question.url, case.question.agent)
    rule = f'line {found.line}, "{found.rule}", for the agent {found.group}' if found.line else "no rule matches it"
    was_denied = case.was_skipped_for(Reason.ROBOTS_DENIED)
    if found.allowed and not was_denied:
        return Step("robots.txt", PASSES, f"{rule} {about}")
    since = "it forbade it then; now " if found.allowed else ""
    return Step("robots.txt", STOPS, f"{since}{rule} {about}", Reason.ROBOTS_DENIED)


def _host(case: Case, host: HostReport) -> Step:
    state, now = host.state, case.question.now
    told = [f"{host.host}: {counted(host.pages, 'page')}, {host.failed:,} failed, {host.pending:,} pending"]
    if state.delay is not None:
        told.append(f"a request each {duration(state.delay)} ({state.cause})" if state.delay else "no delay")
    if state.window is not None:
        told.append(f"at most {max(1, int(state.window))} at once")
    if state.due > now:
        told.append(f"the next in {duration(state.due - now)}")
    if state.failures:
        since = f" since {moment(state.failing_since)}" if state.failing_since else ""
        told.append(f"not reached {counted(state.failures, 'time')} in a row{since}")
    if state.down:
        told.append(f"given up: {state.down}")
    return Step("host", STOPS if state.down else TELLS, "; ".join(told), state.down)


def _budget(case: Case) -> Step:
    limits = case.config.budget
    if spent := case.spent:
        return Step("budget", STOPS, f"{spent} is spent: the output has {counted(case.lines, 'line')}")
    if case.history.is_host_closed:
        return Step("budget", STOPS, f"{case.host_budget} is spent, so its host is closed")
    given = [
        f"--{name} {limit}"
        for name, limit in (
            ("max-pages", limits.max_pages),
            ("max-pages-per-host", limits.max_pages_per_host),
            ("max-bytes", limits.max_bytes),
        )
        if limit is not None
    ]
    return Step("budget", PASSES, f"{', '.join(given)}: not spent" if given else "no limit is set")


# --- the outcome --------------------------------------------------------------------------------------------------


def _tries(case: Case, row: StoredUrl) -> Step:
    told = [
        f"{moment(one.at)}: {one.reason}, again after {duration(max(0.0, one.not_before - one.at))}"
        for one in case.history.tries
    ]
    if row.state in {State.DONE, State.FAILED} and row.attempts:
        told.append(f"the last: {outcome(row)}" if told else outcome(row))
    if len(told) <= 1:
        return Step("tries", TELLS, f"{row.attempts}: {told[0]}" if told else "none")
    return Step("tries", TELLS, f"{row.attempts}", details=tuple(told))
