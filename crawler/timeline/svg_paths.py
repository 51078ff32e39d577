"""SVG elements for a timeline's picture: microseconds become pixels, bars become paths, text becomes XML.

Rules
- All bars of one colour and height are one path of thick lines: a picture of ten thousand bars has 200 KB.
- A bar narrower than a third of a pixel is merged with its neighbour.
Runs on: anywhere (pure).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from crawler.timeline.words import KINDS

WIDTH = 1400
LEFT, RIGHT = 150, 24
PLOT = WIDTH - LEFT - RIGHT
_THINNEST = 0.3


@dataclass(frozen=True, slots=True)
class Scale:
    """The mapping from microseconds to pixels."""

    begin: int
    end: int

    def x(self, at: float) -> float:
        """Return the x of a moment; a moment out of view is at the edge."""
        at = min(max(at, self.begin), self.end)
        return LEFT + (at - self.begin) / (self.end - self.begin) * PLOT

    def shows(self, begin: int, end: int) -> bool:
        """Return whether any part of a span is in view."""
        return end >= self.begin and begin <= self.end


class Picture:
    """A drawing that grows from top to bottom; `y` is the current height."""

    def __init__(self, scale: Scale, gaps: Sequence[tuple[int, int]]) -> None:
        self.scale = scale
        self.gaps = gaps
        self.y = 0.0
        self._paths: dict[tuple[str, float], list[str]] = defaultdict(list)
        self._reach: dict[tuple[str, float], float] = {}
        self._texts: list[str] = []
        self._behind: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Return whether the trace of this stretch has no gaps."""
        return not self.gaps

    def ground(self, height: float) -> None:
        """Draw the background of rows of this height, and shade the gaps of the trace."""
        place = f'y="{self.y:.1f}" height="{height:.1f}"'
        self._behind.append(f'<rect x="{LEFT}" {place} width="{PLOT}" class="lane"/>')
        for begin, end in self.gaps:
            left = self.scale.x(begin)
            width = f'width="{self.scale.x(end) - left:.1f}"'
            self._texts.append(f'<rect x="{left:.1f}" {place} {width} class="shade"/>')

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """Draw a line of text; `anchor` names the end at `x`."""
        self._texts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{xml(text)}</text>')

    def behind(self, element: str) -> None:
        """Add an element behind the bars."""
        self._behind.append(element)

    def front(self, element: str) -> None:
        """Add an element before the bars."""
        self._texts.append(element)

    def bar(self, kind: str, begin: int, end: int, y: float, height: float) -> None:
        """Draw a bar, unless it is too narrow to be seen beside its neighbour."""
        if not self.scale.shows(begin, end):
            return
        left, right = self.scale.x(begin), self.scale.x(end)
        if right - left < _THINNEST:
            if self._reach.get((kind, y), -1.0) > left - _THINNEST:
                return
            right = left + _THINNEST
        self._reach[kind, y] = right
        self._paths[kind, height].append(f"M{left:.1f} {y + height / 2:.1f}h{right - left:.1f}")

    def done(self) -> Iterator[str]:
        """Yield all elements, from the back to the front."""
        yield from self._behind
        for (kind, height), pieces in self._paths.items():
            yield f'<path class="{class_of(kind)}" stroke-width="{height:.1f}" d="{"".join(pieces)}"/>'
        yield from self._texts


def class_of(kind: str) -> str:
    """Return the CSS class of a kind of bar."""
    return "k-" + (kind if kind in KINDS else "asking").replace(" ", "-")


def xml(text: str) -> str:
    """Return text escaped for XML, without the two non-characters that XML forbids."""
    return escape("".join(c for c in text if c not in "\ufffe\uffff"))
