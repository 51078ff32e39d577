"""The head of a page: the verdict with its reason and the next step, the gates, and the headline figures.

Rule: the verdict comes first, in words; its colour and its sign only repeat it.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Iterator, Sequence

from crawler.core.text import counted, duration
from crawler.load.figures import label, percent
from crawler.load.page.distributions import interval
from crawler.load.page.markup import Html, joined, tag
from crawler.load.page.scales import NONE, number, share
from crawler.load.page.scales import time as shown
from crawler.load.result import LoadResult

TONES = {
    "OK": "good",
    "SERVER-BOUND": "info",
    "NOTHING-OK": "bad",
    "FAILING": "bad",
}  # the others are warnings: their figures say less than they seem to
_SIGNS = {
    "good": "M8.5 15.5l4.5 4.5 8.5-9.5",
    "info": "M15 14v7.5M15 9v.2",
    "warn": "M15 8v8M15 21v.2",
    "bad": "M10 10l10 10M20 10l-10 10",
}
_SHARES = (0.5, 0.99, 0.999)


def verdict_card(word: str, tone: str, lines: Iterable[object], gates: Sequence[tuple[str, bool, str]] = ()) -> Html:
    """Return the card of a verdict; each gate is a threshold, whether it was kept, and the figure."""
    sign = (
        f'<svg viewBox="0 0 30 30" aria-hidden="true"><circle cx="15" cy="15" r="15"/><path d="{_SIGNS[tone]}"/></svg>'
    )
    head = tag("p", Html(sign), tag("span", word), class_="call")
    items = [
        tag(
            "li",
            tag("span", "kept" if is_kept else "MISSED", class_=f"chip {'kept' if is_kept else 'missed'}"),
            tag("span", tag("code", text), f" {figure}"),
        )
        for text, is_kept, figure in gates
    ]
    listed = tag("ul", *items, class_="gates", aria_label="gates") if items else ""
    return tag("div", head, *lines, listed, class_=f"verdict {tone}")


def load_verdict(result: LoadResult, gates: Sequence[tuple[str, bool, str]]) -> Html:
    """Return the verdict on a load test."""
    lines = [tag("p", _sentence(result.because))]
    if result.advice:
        lines.append(next_step(result.advice))
    if result.interrupted:
        lines.append(next_step("Interrupted: this is what was measured until then.", "Note"))
    if result.aborted_by:
        lines.append(next_step(f"Ended early: {result.aborted_by} could not be met any more (--abort).", "Note"))
    if result.gave_up:
        lines.append(next_step("Ended early: not one connection could be opened.", "Note"))
    if not result.total.is_whole:
        lines.append(next_step("THE COUNTS DO NOT ADD UP: please report this.", "Note"))
    tone = TONES.get(str(result.verdict), "warn")
    if tone in {"good", "info"} and not all(is_kept for _, is_kept, _ in gates):
        tone = "warn"
    return verdict_card(str(result.verdict), tone, lines, gates)


def next_step(text: str, name: str = "Next") -> Html:
    """Return a line that begins with its name."""
    return tag("p", tag("b", f"{name}: "), text, class_="next")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def tiles(result: LoadResult) -> Html:
    """Return the headline figures: rate, percentiles with their intervals, and the share that failed."""
    return tag("dl", joined(_tiles(result)), class_="tiles")


def _tiles(result: LoadResult) -> Iterator[Html]:
    total, kind = result.total, "response" if result.asked.is_open else "service"
    due = f" of {number(total.scheduled / total.seconds)} due" if result.asked.is_open and total.seconds else ""
    ended = f"{counted(total.answered, 'request')} ended in {duration(total.seconds)}"
    yield tile("rate", number(result.requests_per_second), f"/s{due}", ended)
    for rank in _SHARES:
        one = result.quantile(rank)
        if one is None:
            yield tile(f"{label(rank)} {kind} time", NONE, "", f"not shown: {result.wanting(rank)}")
            continue
        value, _, unit = shown(one.value).partition(" ")
        text = f"95 % sure: {interval(one)}"
        yield tile(f"{label(rank)} {kind} time", f"{'≥ ' if one.at_least else ''}{value}", unit, text)
    ended_badly = [(name, total.outcomes[name]) for name in ("failed", "timed_out", "shed")]
    told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in ended_badly if count)
    value, _, unit = share(result.error_rate).rpartition(" ")
    yield tile("failed", value, unit, told or f"none of {counted(total.scheduled, 'request')}")


def tile(name: str, value: str, unit: str, text: str) -> Html:
    """Return one headline figure."""
    return tag(
        "div", tag("dt", name), tag("dd", value, tag("span", unit) if unit else ""), tag("p", text), class_="tile"
    )


def client_note(result: LoadResult) -> Html:
    """Return the client's own part of the percentiles, in words."""
    parts = ", ".join(f"{percent(part)} of the {name}" for name, part in result.client_share.items())
    busiest = max((client.cpu for client in result.clients), default=0.0)
    told = f"Up to {parts} is the client's own. " if parts else ""
    return tag("p", f"{told}Its busiest process used {share(busiest)} of a core.", class_="note")
