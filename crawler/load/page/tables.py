"""The tables of the page: steps, statuses, failures, checks, targets, stages, and the setup.

Rules
- A figure that the sample cannot carry is a dash.
- At most a hundred groups of targets are shown, those with the most requests; the last line says how many are left out.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping, Sequence

from crawler.core.histogram import FINE, middle
from crawler.core.text import counted, duration
from crawler.load.counts import merged
from crawler.load.manner import manner
from crawler.load.page.markup import Html, facts, table, tag
from crawler.load.page.scales import NONE, Scale, logarithmic, number, round_time, share
from crawler.load.page.scales import time as shown
from crawler.load.quantiles import Quantile, quantile
from crawler.load.records import LoadFailure, Phase
from crawler.load.result import LoadResult

_MOST_GROUPS = 100


def steps_table(result: LoadResult) -> Html | None:
    """Return the times of each step of a request; None = none was timed."""
    total = result.total
    steps = [
        ("connect", merged(*(phase.connect for phase in result.phases))),
        ("TLS", merged(*(phase.tls for phase in result.phases))),
        ("first byte, new connection", merged(total.fresh.whole, total.fresh.first_byte)),
        ("rest of the body, new connection", total.fresh.body),
        ("first byte, reused connection", merged(total.reused.whole, total.reused.first_byte)),
        ("rest of the body, reused connection", total.reused.body),
        ("sent late (the client's own)", total.pacing),
        ("waited for a connection", total.waiting),
    ]
    steps = [(name, times) for name, times in steps if times]
    if not steps:
        return None
    ends = [middle(edge, FINE) for _, times in steps for edge in (min(times), max(times))]
    scale = logarithmic(max(1_000, min(ends)), max(ends), round_time)
    rows = []
    for name, times in steps:
        found = [quantile(times, rank) for rank in (0.5, 0.9, 0.99)]
        most = middle(max(times), FINE)
        cells = [_value(one) for one in found]
        rows.append((name, _range(scale, found, most), f"{sum(times.values()):,}", *cells, shown(most)))
    head = ("step", "p50 to p99, then max (log)", "count", "p50", "p90", "p99", "max")
    return table("Steps of a request", head, rows, words=(0, 1), is_pictured=True)


def _range(scale: Scale, found: Sequence[Quantile | None], most: int) -> Html:
    values = [one.value for one in found if one] or [most]
    low, high, end = (f"{scale(value) * 100:.4g}%" for value in (values[0], values[-1], most))
    drawn = (
        f'<line x1="{low}" x2="{end}" y1="7" y2="7" class="rest"/>'
        f'<line x1="{end}" x2="{end}" y1="3" y2="11" class="rest"/>'
        f'<line x1="{low}" x2="{high}" y1="7" y2="7"/><circle cx="{low}" cy="7" r="4"/>'
    )
    return tag("svg", Html(drawn), class_="range", aria_hidden="true")


def _value(one: Quantile | None) -> str:
    return f"{'≥ ' if one.at_least else ''}{shown(one.value)}" if one else NONE


def outcomes_table(result: LoadResult) -> Html:
    """Return how the requests ended."""
    total = result.total
    names = {
        "ok": "answered well",
        "failed": "failed",
        "timed_out": "timed out",
        "shed": "never sent (shed)",
        "in_flight": "in flight at the end",
    }
    rows = [
        (names[name], *_counted(count, total.scheduled, is_bad=name != "ok"))
        for name, count in total.outcomes.items()
        if count or name == "ok"
    ]
    return table(
        f"Outcome of {counted(total.scheduled, 'request')}",
        ("outcome", "", "share", "requests"),
        rows,
        is_pictured=True,
    )


def statuses_table(result: LoadResult) -> Html | None:
    """Return the answers by status, good or not; None = there was no answer."""
    total = result.total
    bad = {int(kind[7:]): one.count for kind, one in total.failures.items() if kind.startswith("status_")}
    statuses = merged(total.fresh.statuses, total.reused.statuses, bad)
    if not statuses:
        return None
    whole = sum(statuses.values())
    rows = [(str(status), *_counted(count, whole, is_bad=status in bad)) for status, count in sorted(statuses.items())]
    return table("Answers by status", ("status", "", "share", "answers"), rows, is_pictured=True)


def _counted(count: int, whole: int, *, is_bad: bool) -> tuple[object, str, str]:
    part = count / whole if whole else 0.0
    kind = ' class="k0"' if is_bad else ""
    bar = f'<rect width="100%" y="4" height="6" rx="3"/><rect width="{part * 100:.4g}%" y="4" height="6" rx="3"{kind}/>'
    return tag("svg", Html(bar), class_="bar", aria_hidden="true"), share(part), f"{count:,}"


def failures_table(result: LoadResult) -> Html | None:
    """Return the kinds of failures with examples; None = nothing failed."""
    kinds = sorted(result.total.failures.items(), key=lambda item: -item[1].count)
    if not kinds:
        return None
    rows = [_failure(kind, one, result.total.scheduled) for kind, one in kinds]
    head = ("kind", "requests", "share", "first at", "last at", "slowest", "slowest example")
    return table("Failures by kind", head, rows, words=(0, 6))


def _failure(kind: str, one: LoadFailure, scheduled: int) -> list[object]:
    port = f" (local port {one.worst.port})" if one.worst.port else ""
    moments = [f"{example.at / 1e9:.2f} s" for example in (one.first, one.last)]
    part = share(one.count / scheduled) if scheduled else NONE
    return [kind, f"{one.count:,}", part, *moments, shown(one.worst.took), f"{one.worst.detail}{port}"]


def checks_table(result: LoadResult) -> Html | None:
    """Return the checks of the script that failed, with examples; None = none did."""
    total = result.total
    checks = sorted(total.checks.items(), key=lambda item: -item[1].count)
    if not checks:
        return None
    rows = [
        (
            name,
            f"{check.count:,}",
            share(check.count / total.checked) if total.checked else NONE,
            *(f"{example.at / 1e9:.2f} s" for example in (check.first, check.last)),
            check.first.detail,
        )
        for name, check in checks
    ]
    head = ("check", "count", "share", "first at", "last at", "first example")
    title = f"Checks that failed: {total.failed_checks:,} of {total.checked:,}"
    return table(title, head, rows, words=(0, 5))


def groups_table(result: LoadResult) -> Html | None:
    """Return the figures by group of targets; None = there is one group."""
    if not result.groups:
        return None
    groups = sorted(result.groups, key=lambda group: -group.scheduled)
    rows = [_phase(group, result) for group in groups[:_MOST_GROUPS]]
    left = len(groups) - len(rows)
    more = f"; {counted(left, 'group')} with fewer requests not shown" if left > 0 else ""
    return table(f"Measured requests by target{more}", ("target", *_PHASE_HEAD), rows)


def parts_table(result: LoadResult) -> Html | None:
    """Return the figures by stage, or of the warm-up and what is measured; None = there is one phase."""
    if len(result.phases) < 2:
        return None
    rows = [(one.name, *_phase(one, result)[1:], f"{one.seconds:.1f} s") for one in result.phases]
    part = result.asked.parts.removesuffix("s")
    return table(f"Requests by {part}", (part, *_PHASE_HEAD, "length"), rows)


_PHASE_HEAD = ("requests", "per second", "not ok", "p50", "p99", "p99.9", "max")


def _phase(phase: Phase, result: LoadResult) -> list[str]:
    times, bounds = phase.response if result.asked.is_open else phase.service(), phase.unanswered()
    cells = [_value(quantile(times, rank, bounds)) for rank in (0.5, 0.99, 0.999)]
    bad = (phase.scheduled - phase.ok) / phase.scheduled if phase.scheduled else 0.0
    most = shown(middle(max(merged(times, bounds)), FINE)) if times or bounds else NONE
    return [phase.name, f"{phase.scheduled:,}", number(phase.rate), share(bad), *cells, most]


def setup_facts(result: LoadResult, about: Mapping[str, str]) -> Html:
    """Return what was asked for, and by which program."""
    return facts([*_asked(result), *about.items()])


def _asked(result: LoadResult) -> Iterator[tuple[str, object]]:
    asked = result.asked
    yield "request", f"{asked.method} {asked.url}".strip()
    yield "server", asked.address
    if asked.targets is not None:
        yield "targets", "; ".join([asked.targets, *asked.notes])
    if asked.is_open:
        rate = f"{asked.rate:,.12g} per second" if asked.rate else "stages" if asked.stages else "the times of the file"
        arrivals = {"poisson": f", Poisson arrivals, seed {asked.seed}", "regular": ", constant gaps"}
        yield "load", f"open loop, {rate}{arrivals.get(asked.arrivals or '', '')}"
    else:
        yield "load", "closed loop: each user sends when it is answered"
    if parts := manner(asked):
        yield "manner", ", ".join(parts)
    if asked.stages:
        unit = " users" if asked.has_user_stages else "/s"
        yield "stages", ", ".join(f"{duration(seconds)} to {end:g}{unit}" for seconds, end in asked.stages)
    opened = sum(phase.opened for phase in result.phases)
    each = f" to each of {asked.hosts} hosts" if asked.hosts > 1 else ""
    kept = "kept alive" if asked.keep_alive else "a new one for each request"
    most = f", {counted(asked.requests_per_connection, 'request')} each" if asked.requests_per_connection else ""
    yield "connections", f"{asked.connections:,}{each}, {kept}{most}; {opened:,} opened"
    yield "processes", f"{asked.processes} on a machine of {counted(asked.cores, 'core')}"
    limits = [f"measured {duration(result.seconds)}", *([f"warm-up {duration(asked.warmup)}"] if asked.warmup else [])]
    limits += [f"at most {counted(asked.requests, 'request')}"] if asked.requests else []
    yield "length", ", ".join(limits)
    yield "limits", f"timeout {duration(asked.timeout)}, grace {duration(asked.grace)}"
    yield "good answer", asked.good
    if asked.insecure:
        yield "certificates", "not verified (--insecure)"
    if asked.allowed_host:
        yield "other machine", f"{asked.allowed_host}, allowed by --i-may-test"
    elif asked.shares_machine:
        yield "server's machine", "this one: client and server compete for its cores"
