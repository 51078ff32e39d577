"""A chart as SVG that fills any width, while its text keeps its size.

Strategy: two layers. Axes and words stand in an outer SVG, placed in percent across and in pixels down. The curves
stand in an inner one that is stretched to the outer's width; their strokes are not stretched (`vector-effect`).
Rules
- The values under the pointer are `<title>` elements, one for each column: no script is needed.
- The SVG is one image to a screen reader, with a label that says what it shows.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from crawler.load.page.markup import Html, escaped, joined, tag
from crawler.load.page.scales import Scale

_WIDE = 1000  # units of the inner layer
_BELOW = 24  # pixels for the ticks of x
_ROOM, _NARROW_ROOM = 0.065, 0.2  # of the width, that a label needs on a wide and on a narrow page


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the x axis that is marked, from its begin to its end: the warm-up, or a stage."""

    begin: float
    end: float
    name: str
    is_hatched: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of the x axis, and what it tells under the pointer."""

    begin: float
    end: float
    text: str


Points = Sequence[tuple[float, float | None]]
"""Places on x and values on y; None = a gap."""


class Chart:
    """A chart under construction; each method that draws returns the chart."""

    def __init__(self, label: str, x: Scale, y: Scale, height: int = 170) -> None:
        self._label = label
        self.x = x
        self.y = y
        self._height = height
        self._under: list[str] = []
        self._inner: list[str] = []
        self._over: list[str] = []

    def bands(self, bands: Iterable[Band], *, named: bool = False) -> Self:
        """Mark parts of the x axis, with their names where these have room."""
        for band in bands:
            begin, end = self.x(band.begin), self.x(band.end)
            if band.is_hatched:
                self._under.append(
                    f'<rect x="{_percent(begin)}" width="{_percent(end - begin)}" height="{self._height}"'
                    ' fill="url(#hatch)"/>'
                )
            if begin > 0:
                self._under.append(
                    f'<line {_across(begin)} y1="{-18 if named else 0}" y2="{self._height}" class="edge"/>'
                )
            if named and end - begin > _ROOM:
                kind = "name" if end - begin > _NARROW_ROOM else "name minor"
                self._under.append(
                    f'<text x="{_percent(begin)}" dx="5" y="-7" class="{kind}">{escaped(band.name, 24)}</text>'
                )
        return self

    def tint(self, begin: float, end: float) -> Self:
        """Shade a part of the x axis."""
        left, right = self.x(begin), self.x(end)
        self._under.append(
            f'<rect x="{_percent(left)}" width="{_percent(right - left)}" height="{self._height}" class="tint"/>'
        )
        return self

    def line(self, points: Points, style: str) -> Self:
        """Draw a line through the points; a point without neighbours is a dot."""
        return self._path("".join(self._run(run) for run in _runs(points)), f"line {style}")

    def dots(self, points: Points, style: str) -> Self:
        """Draw each point as a dot."""
        path = "".join(f"M{self._at(x, y)}h0" for x, y in points if y is not None)
        return self._path(path, f"dots {style}")

    def area(self, points: Points, style: str, floor: Points | None = None) -> Self:
        """Fill the space between the points and the floor, which is the x axis unless it is given."""
        if floor is not None:
            lower = "".join(f"L{self._at(x, y or 0)}" for x, y in reversed(floor))
            return self._path(f"M{self._run(points)[1:]}{lower}z" if points else "", f"area {style}")
        path = "".join(
            f"{self._run(run)}V{self._height}H{self._across(run[0][0])}z" for run in _runs(points) if len(run) > 1
        )
        return self._path(path, f"area {style}")

    def level(self, value: float, text: str) -> Self:
        """Mark a value on y by a dashed line with its name."""
        y = self._down(value)
        self._over.append(f'<line x2="100%" y1="{y}" y2="{y}" class="level"/>')
        self._over.append(f'<text x="100%" dx="-2" y="{float(y) - 5:g}" class="end halo">{escaped(text, 60)}</text>')
        return self

    def mark(self, x: float, y: float, style: str, title: str) -> Self:
        """Draw one sign at a point: `style` is "yes", a disc, or "no", a cross."""
        across, down, told = _percent(self.x(x)), self._down(y), f"<title>{escaped(title)}</title>"
        shape = '<circle r="5"' if style == "yes" else '<path d="M-4.5-4.5l9 9m0-9l-9 9"'
        closing = "circle" if style == "yes" else "path"
        self._over.append(f'<svg x="{across}" y="{down}" class="mark {style}">{shape}>{told}</{closing}></svg>')
        return self

    def raw(self, inner: str) -> Self:
        """Add markup of the inner layer: 1000 units wide, as high as the chart."""
        self._inner.append(inner)
        return self

    def hits(self, hits: Iterable[Hit]) -> Self:
        """Tell something of each of these columns under the pointer."""
        for hit in hits:
            begin, end = self._across(hit.begin), self._across(hit.end)
            width = f"{float(end) - float(begin):.1f}"
            self._inner.append(
                f'<rect x="{begin}" width="{width}" height="{self._height}"><title>{escaped(hit.text)}</title></rect>'
            )
        return self

    def html(self) -> Html:
        """Return the chart."""
        height = self._height
        grid = []
        for tick in self.y.ticks:
            y = f"{height * (1 - tick.at):.4g}"
            grid.append(f'<line x2="100%" y1="{y}" y2="{y}" class="grid"/>')
            grid.append(f'<text x="-8" y="{y}" dy="4" class="end">{escaped(tick.text)}</text>')
        for tick in self.x.ticks:
            minor = " minor" if tick.is_minor else ""
            grid.append(f'<line {_across(tick.at)} y1="{height}" y2="{height + 4}" class="tick"/>')
            grid.append(
                f'<text x="{_percent(tick.at)}" y="{height + 18}" class="middle{minor}">{escaped(tick.text)}</text>'
            )
        inner = (
            f'<svg width="100%" height="{height}" viewBox="0 0 {_WIDE} {height}" preserveAspectRatio="none"'
            f' class="inner">{"".join(self._inner)}</svg>'
        )
        whole = "".join([*self._under, *grid, inner, *self._over])
        return tag(
            "div",
            tag("svg", Html(whole), class_="chart", height=height + _BELOW, role="img", aria_label=self._label),
            class_="plot",
        )

    def _path(self, path: str, style: str) -> Self:
        if path:
            self._inner.append(f'<path d="{path}" class="{style}"/>')
        return self

    def _run(self, run: Points) -> str:
        """Return a path through points without a gap."""
        if len(run) == 1:
            return f"M{self._at(run[0][0], run[0][1] or 0)}h0"
        return "M" + "L".join(self._at(x, y or 0) for x, y in run)

    def _at(self, x: float, y: float) -> str:
        return f"{self._across(x)} {self._down(y)}"

    def _across(self, x: float) -> str:
        return _short(self.x(x) * _WIDE)

    def _down(self, y: float) -> str:
        return _short((1 - self.y(y)) * self._height)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _percent(place: float) -> str:
    return f"{place * 100:.5g}%"


def _across(place: float) -> str:
    return f'x1="{_percent(place)}" x2="{_percent(place)}"'


def _runs(points: Points) -> list[list[tuple[float, float | None]]]:
    """Return the stretches of points without a gap."""
    return [list(run) for has_value, run in groupby(points, key=lambda point: point[1] is not None) if has_value]


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """Return the names of what a chart shows, each behind a sample; an entry is a style and a name."""
    samples = {
        "area": '<rect y="3" width="18" height="8" class="{}"/>',
        "dots": '<path d="M3 7h0M15 7h0" class="{}"/>',
        "sign": '<svg x="9" y="7" class="mark {}"><circle r="5"/><path d="M-4.5-4.5l9 9m0-9l-9 9"/></svg>',
    }
    parts = []
    for style, name in entries:
        drawn = samples.get(style.split()[0], '<path d="M0 7h18" class="{}"/>').format(style)
        parts.append(tag("li", Html(f'<svg class="sample" aria-hidden="true">{drawn}</svg>'), name))
    return tag("ul", joined(parts), class_="legend")


def figure(title: str, unit: str, key: object, chart: Chart, *, named: bool = False) -> Html:
    """Return a chart under its title, unit and key; `named` leaves room for the names of its bands."""
    head = tag("div", tag("h3", title, " ", tag("small", unit)), key, class_="head")
    return tag("figure", head, chart.html(), **{"class": "named"} if named else {})
