"""The page of a comparison: for each metric the interval of its ratio beside the tolerance, and the blocks over time.

Rules
- Rows are plain values, so any comparison can be drawn: a ratio of 1.05 is 5 % more in B than in A.
- Judgements are the comparison's own words, and so are their signs; the page judges nothing itself.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crawler.load.page.chart import Chart, Points, figure, legend
from crawler.load.page.head import next_step, verdict_card
from crawler.load.page.markup import Html, document, facts, joined, section, table, tag
from crawler.load.page.scales import NONE, Scale, Tick, between, clock, linear, number, round_number

_MOST_CHARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRow:
    """One metric of a comparison.

    Attributes:
        unit: "ms", "/s", "%" or another short word.
        a, b: the metric of each side; None = a side has none.
        ratio: b to a, with its 95 % interval from `low` to `high`; of shares the difference b - a.
        smallest_change: the smallest change that this comparison could have seen, as a share: 0.02 is 2 %.
        judgement: such as "regression", "no difference", "undecided".
        sign: "worse", "better", or "" for any other judgement.
    """

    name: str
    unit: str
    a: float | None
    b: float | None
    ratio: float | None
    low: float | None
    high: float | None
    smallest_change: float | None
    judgement: str
    sign: str = ""
    is_ratio: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRow:
    """One block of requests to one side; its values by the name of their metric."""

    side: str
    begin_s: float
    seconds: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareView:
    """A comparison that has ended.

    Attributes:
        a, b: the two sides as the user named them.
        verdict: in a word or two; `tone` is good, info, warn or bad.
        tolerance: the change that does not matter, as a share.
        note: what else there is to say of the comparison.
        sentence: the answer in one plain sentence.
    """

    a: str
    b: str
    verdict: str
    tone: str
    because: str
    advice: str
    tolerance: float
    rows: Sequence[CompareRow]
    blocks: Sequence[BlockRow]
    setup: Mapping[str, str]
    note: str = ""
    sentence: str = ""


def compare_page(view: CompareView) -> str:
    """Return the page."""
    steps = ((view.advice, "Next"), (view.note, "Note"))
    lines = [
        tag("p", tag("b", view.sentence)),
        tag("p", view.because),
        *(next_step(text, name) for text, name in steps if text),
    ]
    sides = facts([("A", view.a), ("B", view.b)])
    return document(
        f"{view.verdict}: {view.a} and {view.b}",
        tag("h1", "Comparison of ", tag("b", view.a), " with ", tag("b", view.b)),
        verdict_card(view.verdict, view.tone, lines),
        section("Change from A to B", sides, _ratios(view), _metrics(view)),
        section("Blocks over time", joined(_block_charts(view))) if view.blocks else "",
        section("Setup", facts(view.setup.items())),
        section("How to read it", tag("p", _HOW, class_="note")),
    )


_HOW = (
    "Each bar is the 95 % interval of the change from A to B; the dot is the best estimate, and the shaded stretch"
    " around no change is the tolerance. A bar wholly beyond the stretch is a change that matters, and a bar wholly"
    " within it is no difference. Any other bar cannot tell: a longer run would shorten it. Below, each dot is one"
    " block; when both sides wander together the machine changed, and the comparison has allowed for it."
)


def _ratios(view: CompareView) -> Html:
    known = [row for row in view.rows if row.is_ratio and None not in (row.ratio, row.low, row.high)]
    if not known:
        return tag("p", "No metric has a ratio.", class_="note")
    ends = [end for row in known for end in (row.low, row.high) if end is not None]
    reach = max(view.tolerance * 2, *(abs(end - 1) for end in ends)) * 1.08
    reach = min(reach, 1.0) if min(ends) > 0 else 1.0
    scale = _around_one(reach, max(reach, *(end - 1 for end in ends)))
    items = [_ratio(row, scale, view.tolerance) for row in known]
    axis = tag("div", tag("span", "ratio B / A"), _axis(scale), class_="ratio axis")
    return tag("figure", tag("div", tag("h3", "Interval of each change"), class_="head"), *items, axis)


def _around_one(below: float, above: float) -> Scale:
    low, high = 1 - below, 1 + above
    scale, marks = Scale(low=low, high=high), linear(max(below, above) / 1.2, number, 2)
    step = marks.high / (len(marks.ticks) - 1)
    ticks = [1 + n * step for n in range(-9, 10) if low <= 1 + n * step <= high]
    return Scale(low=low, high=high, ticks=tuple(Tick(scale(tick), _change(tick)) for tick in ticks))


def _ratio(row: CompareRow, scale: Scale, tolerance: float) -> Html:
    low, high, middle = (f"{scale(value or 1.0) * 100:.4g}%" for value in (row.low, row.high, row.ratio))
    begin, end = scale(1 - tolerance), scale(1 + tolerance)
    one = f"{scale(1.0) * 100:.4g}%"
    drawn = (
        f'<rect x="{begin * 100:.4g}%" width="{(end - begin) * 100:.4g}%" height="34" class="tolerance"/>'
        f'<line x1="{one}" x2="{one}" y2="34" class="edge"/>'
        f'<line x1="{low}" x2="{high}" y1="17" y2="17" class="whisker"/><circle cx="{middle}" cy="17" r="5"/>'
    )
    told = f"{row.name}: {_change(row.ratio)}, 95 % from {_change(row.low)} to {_change(row.high)}; {row.judgement}"
    picture = tag("svg", Html(drawn), role="img", aria_label=told, class_=f"interval-row {row.sign}".rstrip())
    return tag("div", tag("span", row.name), picture, class_="ratio")


def _axis(scale: Scale) -> Html:
    ticks = (f'<text x="{tick.at * 100:.4g}%" y="14">{tick.text}</text>' for tick in scale.ticks)
    return tag("svg", Html("".join(ticks)), aria_hidden="true", class_="interval-row")


def _metrics(view: CompareView) -> Html:
    head = ("metric", "A", "B", "change", "95 % interval", "smallest change it could see", "judgement")
    rows = [
        (
            row.name,
            _value(row.a, row.unit),
            _value(row.b, row.unit),
            _shift(row, row.ratio),
            NONE if row.low is None or row.high is None else f"{_shift(row, row.low)} to {_shift(row, row.high)}",
            NONE
            if row.smallest_change is None
            else f"{row.smallest_change * 100:.2g} {'%' if row.is_ratio else 'points'}",
            row.judgement,
        )
        for row in view.rows
    ]
    return table(f"Metrics, with a tolerance of {view.tolerance * 100:g} %", head, rows, words=(0, 6))


def _block_charts(view: CompareView) -> Iterable[Html]:
    axis = clock(max(block.begin_s + block.seconds for block in view.blocks))
    for row in view.rows[:_MOST_CHARTS]:
        points = [_points(view.blocks, side, row.name) for side in ("A", "B")]
        values = [value for side in points for _, value in side if value is not None]
        if not any(values):
            continue  # no error in any block
        chart = Chart(
            f"{row.name} of each block of A and B over time",
            axis,
            between(min(values), max(values), round_number, 3),
            120,
        )
        for side, style in zip(points, ("c-a", "c-b"), strict=True):
            chart.line(side, style)
            chart.dots(side, style)
        keys = [("line c-a", "A"), ("line c-b", "B")]
        yield figure(row.name, f"{row.unit}, by block", legend(keys), chart)


def _points(blocks: Sequence[BlockRow], side: str, name: str) -> Points:
    return [
        (block.begin_s + block.seconds / 2, block.values[name])
        for block in blocks
        if block.side.upper() == side and name in block.values
    ]


def _value(value: float | None, unit: str) -> str:
    return NONE if value is None else f"{number(value)} {unit}".rstrip()


def _shift(row: CompareRow, value: float | None) -> str:
    """Return the change of a metric: of a ratio in percent, of shares in percentage points."""
    return _change(value) if row.is_ratio or value is None else _change(value + 1).replace("%", "points")


def _change(ratio: float | None) -> str:
    """Return a ratio as a change: 1.05 is +5 %."""
    return NONE if ratio is None else f"{(ratio - 1) * 100:+.3g} %".replace("-", "\u2212").replace("+0 %", "0 %")
