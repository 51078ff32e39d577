"""A timeline as a picture: one SVG file for light and dark backgrounds.

Rules
- Drawing goes from top to bottom; each part takes the height that it needs.
- Rows are shaded where the trace of a long run has gaps; curves have none.
Runs on: anywhere (pure).
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from crawler.core.text import safe
from crawler.timeline.reader import Bar, BarRow, Timeline
from crawler.timeline.svg_paths import LEFT, PLOT, RIGHT, WIDTH, Picture, Scale, class_of, xml
from crawler.timeline.words import CURVES, KINDS, SLOTS, STORAGE, UNLUCKY, WORKERS, legend, sentences

_MOST_SLOTS = 256
_SLOTS_HEIGHT = 340
_CURVE_HEIGHT = 28
_TICKS = 8


def timeline_svg(timeline: Timeline, begin: float = 0.0, end: float | None = None) -> str:
    """Return the picture of the stretch from `begin` to `end`, in seconds; None = the end of the run."""
    scale = Scale(*timeline.stretch(begin, end))
    picture = Picture(scale, list(_gaps(scale, timeline)))
    picture.text(24, 32, _title(timeline), "h")
    picture.y = 52
    for sentence in sentences(timeline):
        picture.text(24, picture.y, sentence, "m")
        picture.y += 18
    picture.y += 12
    top = picture.y
    picture.y += 8
    _slots(picture, timeline)
    if timeline.workers:
        _rows(picture, WORKERS, timeline.workers[:16])
    _rows(picture, STORAGE, [timeline.storage])
    _curves(picture, timeline)
    _grid(picture, top)
    _legend(picture, timeline)
    height = picture.y + 14
    body = "\n".join(picture.done())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}"'
        f' height="{height:.0f}" role="img" aria-label="{xml(_title(timeline))}">\n<style>{_STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="10" class="ground"/>\n{body}\n</svg>\n'
    )


def _title(timeline: Timeline) -> str:
    return safe(f"crawler {timeline.command}", 100)


_LIGHT = """text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1d2430}
.h{font-size:17px;font-weight:650}.s{font-size:13px;font-weight:650}.m{fill:#5d6878}.t{font-size:11px;fill:#5d6878}
.ground{fill:#fff}.lane{fill:#f5f7fa}.grid{stroke:#dfe5ec}.shade{fill:#8a94a6;opacity:.22}
.c{fill:#8fb4f5;opacity:.45}.l{fill:none;stroke:#2f62d0;stroke-width:1.3}"""
_DARK = """text{fill:#e3e8f0}.m,.t{fill:#98a3b5}.ground{fill:#12161d}.lane{fill:#191f29}.grid{stroke:#2a3240}
.shade{fill:#000;opacity:.45}.c{fill:#3f6fc4;opacity:.5}.l{stroke:#82aaff}"""

_LIGHT_KINDS = "\n".join(f".{class_of(name)}{{stroke:{kind.light}}}" for name, kind in KINDS.items())
_DARK_KINDS = "\n".join(f".{class_of(name)}{{stroke:{kind.dark}}}" for name, kind in KINDS.items())
_STYLE = f"{_LIGHT}\n{_LIGHT_KINDS}\n@media(prefers-color-scheme:dark){{{_DARK}\n{_DARK_KINDS}}}"


def _grid(picture: Picture, top: float) -> None:
    """Draw the times at the top, and below each a line down to the current height."""
    scale = picture.scale
    step = tick_step((scale.end - scale.begin) / _TICKS)
    for at in range(-(-scale.begin // step) * step, scale.end + 1, step):
        x, seconds = scale.x(at), f"{at / 1e6:.6f}".rstrip("0").rstrip(".")
        picture.text(x, top, f"{seconds} s", "t", "middle")
        picture.behind(f'<path class="grid" d="M{x:.1f} {top + 8:.1f}V{picture.y:.1f}"/>')


def tick_step(least: float) -> int:
    """Return the first of 1, 2, 5, 10, 20, ... microseconds that is not below `least`."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10


def _title_row(picture: Picture, title: tuple[str, str], height: float) -> None:
    """Draw a title with its explanation, and the background of the rows below it."""
    picture.y += 22
    picture.text(24, picture.y - 3, title[0], "s")
    picture.text(24 + 8 * len(title[0]), picture.y - 3, title[1], "m")
    picture.y += 6
    if height:
        picture.ground(height)


def _slots(picture: Picture, timeline: Timeline) -> None:
    rows = timeline.slots[:_MOST_SLOTS]
    pitch = min(14.0, _SLOTS_HEIGHT / max(1, len(rows)))
    height = pitch - 2 if pitch > 6 else pitch * 0.85
    _title_row(picture, SLOTS, pitch * len(rows))
    labelled = max(1, round(14 / pitch)) if pitch < 14 else 1
    for number, row in enumerate(rows):
        y = picture.y + number * pitch + (pitch - height) / 2
        if number % labelled == 0:
            picture.text(LEFT - 8, y + height / 2 + 4, row.name, "t", "end")
        for bar in row.bars:
            _bar(picture, bar, y, height)
    picture.y += pitch * len(rows)
    if (more := len(timeline.slots) - len(rows)) > 0:
        picture.text(LEFT - 8, picture.y + 12, f"and {more:,} more", "t", "end")
        picture.y += 14


def _bar(picture: Picture, bar: Bar, y: float, height: float) -> None:
    if not picture.scale.shows(bar.begin, bar.end):
        return
    if bar.name in KINDS:
        picture.bar(bar.name, bar.begin, bar.end, y, height)
    for name, begin, end in bar.steps:
        picture.bar(name, begin, end, y, height)
    if bar.told.outcome in UNLUCKY:
        picture.bar("bad", bar.begin, bar.end, y + height * 0.7, height * 0.3)


def _rows(picture: Picture, title: tuple[str, str], rows: Sequence[BarRow]) -> None:
    pitch, scale = 24.0, picture.scale
    _title_row(picture, title, pitch * len(rows))
    for row in rows:
        busy = f" · {row.busy(scale.begin, scale.end):.0%} busy" if picture.is_whole else ""
        picture.text(LEFT - 8, picture.y + 16, row.name + busy, "t", "end")
        for bar in row.bars:
            _bar(picture, bar, picture.y + 2, pitch - 4)
        picture.y += pitch


def _curves(picture: Picture, timeline: Timeline) -> None:
    if not timeline.curves:
        return
    gap = 8
    _title_row(picture, CURVES, 0)
    for name, points in timeline.curves.items():
        picture.behind(f'<rect x="{LEFT}" y="{picture.y:.1f}" width="{PLOT}" height="{_CURVE_HEIGHT}" class="lane"/>')
        most = max(value for _, value in points)
        picture.text(LEFT - 8, picture.y + 12, name, "t", "end")
        picture.text(LEFT - 8, picture.y + 24, f"most {most:,.4g}", "t", "end")
        foot, tall = picture.y + _CURVE_HEIGHT, (_CURVE_HEIGHT - 3) / (most or 1)
        shown = [(picture.scale.x(at), foot - max(0.0, value) * tall) for at, value in _cut(points, picture.scale)]
        if shown:
            line = "L".join(f"{x:.1f} {y:.1f}" for x, y in shown)
            area = f"M{shown[0][0]:.1f} {foot:.1f}L{line}L{shown[-1][0]:.1f} {foot:.1f}z"
            picture.front(f'<path class="c" d="{area}"/><path class="l" d="M{line}"/>')
        picture.y += _CURVE_HEIGHT + gap


def _cut(points: Sequence[tuple[int, float]], scale: Scale) -> Iterator[tuple[float, float]]:
    """Yield the points in view, and the points where the line crosses the edges."""
    for (before, low), (after, high) in pairwise(points):
        for edge in (scale.begin, scale.end):
            if before < edge < after:
                yield edge, low + (high - low) * (edge - before) / (after - before)
        if scale.shows(after, after):
            yield after, high


def _gaps(scale: Scale, timeline: Timeline) -> Iterator[tuple[int, int]]:
    """Yield the stretches that the trace left out; the whole view if they are finer than pixels."""
    cycle = timeline.window * timeline.stride
    if timeline.stride == 1:
        return
    if (scale.end - scale.begin) / cycle > PLOT / 4:
        yield scale.begin, scale.end
    else:
        for start in range(scale.begin // cycle * cycle, scale.end, cycle):
            yield start + timeline.window, start + cycle


def _legend(picture: Picture, timeline: Timeline) -> None:
    picture.y += 20
    for (title, _), names in zip((SLOTS, WORKERS, STORAGE), (names for _, names in legend(timeline)), strict=True):
        if not names:
            continue
        picture.text(24, picture.y, title.partition(" ·")[0], "s")
        x = LEFT + 14.0
        for name in names:
            words = KINDS[name].meaning
            width = 19 + 5.7 * len(words) + 16
            if x + width > WIDTH - RIGHT:
                x, picture.y = LEFT + 14.0, picture.y + 20
            line = f"M{x:.0f} {picture.y - 4:.1f}h13"
            picture.front(f'<path class="{class_of(name)}" stroke-width="12" d="{line}"/>')
            picture.text(x + 19, picture.y, words, "t")
            x += width
        picture.y += 20
