"""The report of `crawler models --gil`: the figures, and the effect of each kind of work on the GIL.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median

from crawler.core.tables import columns, paragraph
from crawler.core.text import counted
from crawler.models.gil_figures import GilFacts, Lateness
from crawler.report.indented import indented

_WAITED = 0.1  # of a call, or of the switch interval: later than this, the heartbeat had to wait for it


def gil_json(facts: GilFacts) -> bytes:
    """Return the figures, in seconds, and their sentences as JSON."""
    works = {work: holds(rows) for work, rows in by_work(facts)}
    speed_ups = {
        kind: {str(one.count): facts.speed_up(one) for one in facts.speeds if one.kind == kind}
        for kind in _kinds(facts)
    }
    return indented({"schema": 1, "facts": facts, "speed_ups": speed_ups, "says": [gains(facts), works]})


def gil_text(facts: GilFacts) -> str:
    """Return both measurements, each with its sentences."""
    has = "with a GIL" if facts.enabled else "without a GIL"
    title = f"{facts.python}, {facts.build} build, {has}; {counted(facts.cores, 'core')}"
    widths: tuple[int, ...] = (29, 9, 9, 16, 12)
    head = columns(("The same reading, shared", "how many", "seconds", "times as quick", "cores used"), widths)
    lines = [title, "", head]
    for one in facts.speeds:
        figures = (f"{figure:.2f}" for figure in (one.seconds, facts.speed_up(one), one.cores))
        lines.append(columns((f"  among {one.kind}", f"{one.count}", *figures), widths))
    lines += [*paragraph(gains(facts)), ""]
    intervals = list(dict.fromkeys(row.interval for row in facts.lateness))
    widths = (28, *(17 for _ in intervals))
    lines.append("A heartbeat's lateness in ms, median and worst, while another thread works")
    lines.append(columns(("  at a switch interval of", *(f"{ms(interval)} ms" for interval in intervals)), widths))
    for work, rows in by_work(facts):
        lines.append(columns((f"  {work}", *(f"{ms(row.median)} {ms(row.worst):>6}" for row in rows)), widths))
        lines += paragraph(holds(rows), "    ")
    return "\n".join(lines)


def holds(rows: Sequence[Lateness]) -> str:
    """Return the effect of one kind of work on the GIL; `rows` has one row per switch interval."""
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
    """Return the best speed-up by more threads and by more processes."""
    best = {
        kind: max(facts.speed_up(one) for one in facts.speeds if one.kind == kind and one.count > 1)
        for kind in _kinds(facts)
    }
    said = ", ".join(f"more {kind} are at best {gain:.1f} times as quick" for kind, gain in best.items())
    return f"Than one thread, {said}; there are {counted(facts.cores, 'core')}."


def by_work(facts: GilFacts) -> Iterator[tuple[str, list[Lateness]]]:
    """Return the rows of the heartbeat per kind of work."""
    return ((work, list(rows)) for work, rows in groupby(facts.lateness, key=lambda row: row.work))


def ms(seconds: float) -> str:
    """Return milliseconds, rounded to about two significant digits."""
    return f"{seconds * 1000:.2f}" if seconds < 0.00995 else f"{seconds * 1000:.0f}"


def _kinds(facts: GilFacts) -> list[str]:
    return list(dict.fromkeys(one.kind for one in facts.speeds))
