"""The report of `crawler models --gil`, and what each kind of work does to the GIL, as its figures tell.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median
from textwrap import wrap

from crawler.core.text import counted
from crawler.models.gil_figures import GilFacts, Lateness
from crawler.report.indented import indented

_WIDTH = 80
_WAITED = 0.1  # of a call, or of the switch interval: later than this, the heartbeat had to wait for it


def gil_json(facts: GilFacts) -> bytes:
    """The figures in seconds, and what they say."""
    works = {work: holds(rows) for work, rows in by_work(facts)}
    return indented({"schema": 1, "facts": facts, "speed_ups": _speed_ups(facts), "says": [gains(facts), works]})


def gil_text(facts: GilFacts) -> str:
    """Both measurements, each with its sentences."""
    return "\n".join([_title(facts), "", *_speeds(facts), "", *_lateness(facts)])


def holds(rows: Sequence[Lateness]) -> str:
    """What one kind of work does to the GIL; `rows` has it at each switch interval."""
    call = rows[0].call
    if call is not None:
        late = median(row.median for row in rows)
        if late >= _WAITED * call:
            return f"holds the GIL to its end: a call takes {ms(call)} ms, and the heartbeat waits for it"
        return f"lets go of the GIL: a call takes {ms(call)} ms, and the heartbeat is {ms(late)} ms late"
    if all(row.median >= _WAITED * row.interval for row in rows):
        return "hands the GIL over when the switch interval ends, and no sooner"
    return "does not keep the heartbeat waiting for as long as the switch interval"


def gains(facts: GilFacts) -> str:
    """What more threads and more processes brought."""
    best = {
        kind: max(facts.speed_up(one) for one in facts.speeds if one.kind == kind and one.count > 1)
        for kind in _kinds(facts)
    }
    said = ", ".join(f"more {kind} are at best {gain:.1f} times as quick" for kind, gain in best.items())
    return f"Than one thread, {said}; there are {counted(facts.cores, 'core')}."


def by_work(facts: GilFacts) -> Iterator[tuple[str, list[Lateness]]]:
    """The heartbeat's rows for each kind of work."""
    return ((work, list(rows)) for work, rows in groupby(facts.lateness, key=lambda row: row.work))


def ms(seconds: float) -> str:
    """Milliseconds with two digits that say something."""
    return f"{seconds * 1000:.2f}" if seconds < 0.00995 else f"{seconds * 1000:.0f}"


def _kinds(facts: GilFacts) -> list[str]:
    return list(dict.fromkeys(one.kind for one in facts.speeds))


def _title(facts: GilFacts) -> str:
    has = "with a GIL" if facts.enabled else "without a GIL"
    return f"{facts.python}, {facts.build} build, {has}; {counted(facts.cores, 'core')}"


def _speeds(facts: GilFacts) -> Iterator[str]:
    yield "The same reading, shared      how many  seconds  times as quick  cores used"
    for one in facts.speeds:
        figures = f"{one.count:>9}{one.seconds:>9.2f}{facts.speed_up(one):>16.2f}{one.cores:>12.2f}"
        yield f"  among {one.kind:<21}{figures}"
    yield from wrap(gains(facts), _WIDTH)


def _lateness(facts: GilFacts) -> Iterator[str]:
    intervals = list(dict.fromkeys(row.interval for row in facts.lateness))
    yield "A heartbeat's lateness in ms, median and worst, while another thread works"
    yield f"{'  at a switch interval of':<28}" + "".join(f"{f'{ms(interval)} ms':>17}" for interval in intervals)
    for work, rows in by_work(facts):
        yield f"  {work:<26}" + "".join(f"{f'{ms(row.median)} {ms(row.worst):>6}':>17}" for row in rows)
        yield from wrap(holds(rows), _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _speed_ups(facts: GilFacts) -> dict[str, dict[str, float]]:
    return {
        kind: {str(one.count): facts.speed_up(one) for one in facts.speeds if one.kind == kind}
        for kind in _kinds(facts)
    }
