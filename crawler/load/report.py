"""The report of a load test as text, for 80 columns: the verdict first, then the figures behind it.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from crawler.core.histogram import FINE, mean, middle
from crawler.core.tables import columns, paragraph
from crawler.core.text import counted, duration, safe, size
from crawler.load.counts import merged
from crawler.load.figures import label, percent
from crawler.load.intervals import MOST_CHECKS, OTHER_CHECKS
from crawler.load.manner import manner
from crawler.load.quantiles import MAIN_SHARES, SHARES, Quantile, quantile
from crawler.load.result import LoadResult
from crawler.load.verdict import failed_logins

_INDENT = 13
_LATENCY, _STEPS, _PARTS = (_INDENT, *(9,) * 6), (20, 8, 9, 9, 9), (16, 7, 12, 8, 8, 9, 9)  # widths of columns
_GROUPS = (32, 10, 10, 8, 9, 9)
_MANY = 5  # kinds of failures
_MOST_GROUPS = 20


def load_text(result: LoadResult, gates: Sequence[tuple[str, bool, str]] = ()) -> str:
    """Return the report; each gate is a threshold, whether it was kept, and the figure."""
    lines = [*_verdict(result), *gate_text(gates), *_load(result), *_times(result)]
    lines += [
        *_outcomes(result),
        *_logins(result),
        *_checks(result),
        *_connections(result),
        *_steps(result),
        *_parts(result),
        *_groups(result),
    ]
    lines += _client(result)
    return "\n".join(lines)


def _row(title: str, text: str) -> list[str]:
    """Return a title and its text."""
    return paragraph(text, f"{title:<{_INDENT}}")


def _verdict(result: LoadResult) -> Iterator[str]:
    yield from _row("Verdict", f"{result.verdict} ({result.because})")
    if result.advice:
        yield from _row("Next", result.advice)
    if result.interrupted:
        yield from _row("", "interrupted: this is what was measured until then")
    if result.aborted_by:
        yield from _row("", f"ended early: {safe(result.aborted_by)} could not be met any more (--abort)")
    if result.gave_up:
        yield from _row("", "ended early: not one connection could be opened")
    if not result.total.is_whole:
        yield from _row("", "THE COUNTS BELOW DO NOT ADD UP: please report this")


def gate_text(gates: Sequence[tuple[str, bool, str]]) -> Iterator[str]:
    """Yield the lines of the gates, one gate after the other."""
    for text, is_kept, figure in gates:
        yield from _row("Gate", f"{'kept  ' if is_kept else 'MISSED'} {text}: {figure}")


def _load(result: LoadResult) -> Iterator[str]:
    asked = result.asked
    yield from _row("Target", safe(f"{asked.method} {asked.url} at {asked.address}".strip(), 300))
    if asked.targets is not None:
        yield from _row("", safe(asked.targets, 300))
    for note in asked.notes:
        yield from _row("", safe(note, 300))
    parts = ["open loop" if asked.is_open else "closed loop"]
    if asked.is_open:
        parts.append(f"{asked.rate:,.12g}/s" if asked.rate else "stages" if asked.stages else "the times of the file")
        gaps = {"poisson": f"Poisson, seed {asked.seed}", "regular": "constant gaps"}
        parts += [gaps[asked.arrivals]] if asked.arrivals in gaps else []
    if asked.has_user_stages:
        parts.append(f"stages of users, {asked.connections:,} at most")
    else:
        each = f" to each of {asked.hosts} hosts" if asked.hosts > 1 else ""
        parts.append(counted(asked.connections, "connection") + each)
    parts.append("1 process" if asked.processes == 1 else f"{asked.processes} processes")
    parts += [] if asked.keep_alive else ["no keep-alive"]
    parts += [f"{counted(most, 'request')} per connection"] if (most := asked.requests_per_connection) else []
    parts += [f"warm-up {duration(asked.warmup)}"] if asked.warmup else []
    parts += manner(asked)
    yield from _row("Load", ", ".join(parts))
    rate_text = f"{result.requests_per_second:,.1f} requests/s over {duration(result.seconds)}"
    yield from _row("Rate", f"{rate_text}, {size(result.total.bytes / max(result.seconds, 1e-9))}/s received")
    if asked.allowed_host:
        yield from _row("", f"{safe(asked.allowed_host)} is not this machine; --i-may-test was given")
    if asked.insecure:
        yield from _row("", "certificates were not verified (--insecure)")


def _times(result: LoadResult) -> Iterator[str]:
    yield columns(("Latency, ms", *map(label, MAIN_SHARES), "max", "mean"), _LATENCY)
    unanswered = result.unanswered
    if result.asked.is_open:
        yield _latency("  response", result.response, unanswered)
        yield _latency("  service", result.service)
        yield _latency("  sent late", result.total.pacing)
        if result.total.waiting:
            yield _latency("  waited", result.total.waiting)
    else:
        yield _latency("  service", result.service, unanswered)
    if result.total.failed:
        yield _latency("  failed", result.total.failed)
    yield _latency("  loop lag", result.lag)
    found = [(share, result.quantile(share)) for share in SHARES]
    beyond = [f"{label(share)} {_value(one)}" for share, one in found if one and share not in MAIN_SHARES]
    if beyond:
        yield from _row("  beyond", f"{', '.join(beyond)} ({_judged(result)})")
    sure = [
        f"{label(share)} " + (f">={_ms(one.low)}" if one.at_least else f"{_ms(one.low)} - {_ms(one.high)}")
        for share, one in found
        if one
    ]
    if sure:
        yield from _row("  95 % sure", ", ".join(sure))
    missing = next((share for share, one in found if one is None), None)
    if missing is not None:
        yield from _row("  not shown", f"{label(missing)} and beyond: {result.wanting(missing)}")


def _latency(title: str, table: Mapping[int, int], bounds: Mapping[int, int] | None = None) -> str:
    both = merged(table, bounds or {})
    cells = [_value(quantile(table, share, bounds)) for share in MAIN_SHARES]
    if both:
        most = max(both)
        cells += [f"{'>=' if bounds and most in bounds else ''}{_ms(middle(most, FINE))}", _ms(mean(both, FINE) or 0)]
    else:
        cells += ["-", "-"]
    return columns((title, *cells), _LATENCY)


def _value(one: Quantile | None) -> str:
    return f"{'>=' if one.at_least else ''}{_ms(one.value)}" if one else "-"


def _ms(nanoseconds: float) -> str:
    value = nanoseconds / 1e6
    digits = 3 if value < 10 else 2 if value < 100 else 1 if value < 10_000 else 0
    return f"{value:.{digits}f}"


def _judged(result: LoadResult) -> str:
    """Return the name of the time that the percentiles are of: in a closed loop, a request is due when it is sent."""
    return "response" if result.asked.is_open else "service"


def _outcomes(result: LoadResult) -> Iterator[str]:
    total = result.total
    if result.asked.is_open:
        free, waited = sum(total.pacing.values()), sum(total.waiting.values())
        parts = [f"{free:,} over a connection that was free (sent late)"]
        parts += [f"{waited:,} after all had been busy (waited)"] if waited else []
        late = f"{total.late:,} of these {free + waited:,} more than 1 ms after the due moment"
        yield from _row("Sent", f"{', '.join(parts)}; {late}")
    ended = total.outcomes
    sums = " + ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ended.items())
    yield from _row("Outcome", f"{total.scheduled:,} scheduled = {sums}")
    unanswered = sum(ended[name] for name in ("timed_out", "shed", "in_flight"))
    if unanswered:
        yield from _row(
            "", f"without an answer: {unanswered:,}; each counts in the {_judged(result)} time with what it had waited"
        )
    statuses = merged(total.fresh.statuses, total.reused.statuses)
    if statuses:
        yield from _row("  answers", ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items())))
    kinds = sorted(total.failures.items(), key=lambda item: -item[1].count)
    for kind, failure in kinds[:_MANY]:
        first, last, worst = failure.first, failure.last, failure.worst
        when = f"first {first.at / 1e9:.2f} s, last {last.at / 1e9:.2f} s, worst {_ms(worst.took)} ms"
        port = f", port {worst.port}" if worst.port else ""
        yield from _row("  failed", f"{kind} {failure.count:,}: {when}{port}; {safe(worst.detail)}")
    if len(kinds) > _MANY:
        yield from _row("", f"and {counted(len(kinds) - _MANY, 'more kind')}: see the JSON")


def _logins(result: LoadResult) -> Iterator[str]:
    if (logins := result.logins) is None:
        return
    failed = failed_logins(logins).removeprefix("log-in ")
    yield from _row("Log-in", failed or f"{logins.ok:,} of {counted(logins.scheduled, 'request')} ok")


def _checks(result: LoadResult) -> Iterator[str]:
    total = result.total
    if not total.checked:
        return
    yield from _row("Checks", f"{total.failed_checks:,} of {total.checked:,} failed")
    checks = sorted(total.checks.items(), key=lambda item: -item[1].count)
    for name, check in checks[:_MANY]:
        when = f"first {check.first.at / 1e9:.2f} s, last {check.last.at / 1e9:.2f} s"
        yield from _row("  failed", f"{safe(name)} {check.count:,}: {when}; {safe(check.first.detail)}")
    if len(checks) > _MANY:
        yield from _row("", f"and {counted(len(checks) - _MANY, 'more check')}: see the JSON")
    if OTHER_CHECKS in total.checks:
        yield from _row("", f"there are more than {MOST_CHECKS} names: those beyond are {OTHER_CHECKS!r}")


def _connections(result: LoadResult) -> Iterator[str]:
    asked = result.asked
    most = asked.requests_per_connection if asked.keep_alive else 1
    scheduled = sum(phase.scheduled for phase in result.phases)
    least = asked.connections * asked.hosts
    ideal = least if most is None else max(least, ceil(scheduled / most))
    opened = sum(phase.opened for phase in result.phases)
    closed = sum(phase.closed_by_server for phase in result.phases)
    surplus = sum(phase.surplus for phase in result.phases)
    parts = [f"{opened:,} opened (ideal {ideal:,})", f"{closed:,} closed by the server"]
    parts += [f"{surplus:,} dropped for bytes behind the answer"] if surplus else []
    again = sum(phase.asked_again for phase in result.phases)
    parts += [f"{counted(again, 'request')} asked again, since a kept connection had ended"] if again else []
    yield from _row("Connections", ", ".join(parts))


def _steps(result: LoadResult) -> Iterator[str]:
    total = result.total
    connect = merged(*(phase.connect for phase in result.phases))
    tls = merged(*(phase.tls for phase in result.phases))
    rows = [
        ("connect", connect),
        ("TLS", tls),
        ("first byte, new", merged(total.fresh.whole, total.fresh.first_byte)),
        ("body, new", total.fresh.body),
        ("first byte, reused", merged(total.reused.whole, total.reused.first_byte)),
        ("body, reused", total.reused.body),
    ]
    if any(table for _, table in rows):
        yield columns(("Steps, ms", "count", "p50", "p99", "max"), _STEPS)
    for name, table in rows:
        if table:
            middling, far = quantile(table, 0.5), quantile(table, 0.99)
            cells = [_ms(one.value) if one else "-" for one in (middling, far)]
            count = f"{sum(table.values()):,}"
            yield columns((f"  {name}", count, *cells, _ms(middle(max(table), FINE))), _STEPS)


def _parts(result: LoadResult) -> Iterator[str]:
    if len(result.phases) < 2:
        return
    yield columns(
        (result.asked.parts.capitalize(), "seconds", "requests/s", "ok", "not ok", "p50, ms", "p99, ms"), _PARTS
    )
    for phase in result.phases:
        table = phase.response if result.asked.is_open else phase.service()
        cells = [quantile(table, share, phase.unanswered()) for share in (0.5, 0.99)]
        counts = (f"{phase.ok:,}", f"{phase.scheduled - phase.ok:,}")
        figures = (f"{phase.seconds:.1f}", f"{phase.rate:,.1f}", *counts, *map(_value, cells))
        yield columns((f"  {phase.name[:14]}", *figures), _PARTS)


def _groups(result: LoadResult) -> Iterator[str]:
    if not result.groups:
        return
    yield columns(("Targets", "requests", "ok", "not ok", "p50, ms", "p99, ms"), _GROUPS)
    for group in sorted(result.groups, key=lambda group: -group.scheduled)[:_MOST_GROUPS]:
        table = group.response if result.asked.is_open else group.service()
        cells = [_value(quantile(table, share, group.unanswered())) for share in (0.5, 0.99)]
        counts = (f"{group.scheduled:,}", f"{group.ok:,}", f"{group.scheduled - group.ok:,}")
        yield columns((f"  {safe(group.name, 29)}", *counts, *cells), _GROUPS)
    if len(result.groups) > _MOST_GROUPS:
        yield from _row("", f"and {counted(len(result.groups) - _MOST_GROUPS, 'more group')}: see the JSON")


def _client(result: LoadResult) -> Iterator[str]:
    cpu = ", ".join(f"{client.cpu * 100:.0f} %" for client in result.clients)
    each, pauses = result.cpu_per_request, result.pauses
    parts = [f"CPU {cpu} of a core" + (f" ({each:.1f} us per request)" if each else "")]
    if pauses:
        most = middle(max(pauses), FINE)
        parts.append(f"{counted(sum(pauses.values()), 'GC pause')}, longest {_ms(most)} ms")
    else:
        parts.append("no GC pause")
    if shares := result.client_share:
        own = ", ".join(f"{percent(part)} of {name}" for name, part in shares.items())
        parts.append(f"up to {own} is the client's own")
    if result.asked.shares_machine:
        parts.append(f"the server shares this machine's {counted(result.asked.cores, 'core')}")
    yield from _row("Client", "; ".join(parts))
