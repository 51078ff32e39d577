"""A timeline as one self-contained HTML page: no network, no other file.

Rules
- Text from the run reaches the page as JSON without characters that could end the script, and the screen as text only.
- The page's Content-Security-Policy forbids it to load anything.
Runs on: anywhere; it reads the page's template beside this file.
"""

import re
from collections.abc import Mapping
from dataclasses import astuple
from html import escape
from pathlib import Path

import msgspec

from crawler.core.text import safe
from crawler.timeline.reader import BarRow, Timeline
from crawler.timeline.words import CURVES, KINDS, SLOTS, STORAGE, WORKERS, legend, sentences

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def timeline_page(timeline: Timeline, begin: float = 0.0, end: float | None = None) -> str:
    """Return the page, which opens at the stretch from `begin` to `end`, in seconds; None = the end of the run."""
    data = msgspec.json.encode(_PageData(timeline).all(*timeline.stretch(begin, end))).decode()
    for character, stands_for in _ESCAPES.items():
        data = data.replace(character, stands_for)
    here = Path(__file__)
    parts = {
        "title": escape(safe(f"crawler {timeline.command}", 100)),
        "script": here.with_name("page.js").read_text("utf-8"),
        "data": data,
    }
    page = here.with_name("page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], page)  # one pass: inserted text is not searched


class _PageData:
    """The input of the page's script, as plain values; each name of a step appears once."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._names: dict[str, int] = {}

    def all(self, begin: int, end: int) -> Mapping[str, object]:
        timeline = self._timeline
        return {
            "begin": begin,
            "end": end,
            "length": timeline.length,
            "window": timeline.window,
            "stride": timeline.stride,
            "says": tuple(sentences(timeline)),
            "words": {"slots": SLOTS, "workers": WORKERS, "storage": STORAGE, "curves": CURVES},
            "kinds": {name: astuple(kind) for name, kind in KINDS.items()},
            "legend": legend(timeline),
            "slots": [self._row(row) for row in timeline.slots],
            "workers": [self._row(row) for row in timeline.workers],
            "storage": self._row(timeline.storage),
            "curves": timeline.curves,
            "names": tuple(self._names),
        }

    def _row(self, row: BarRow) -> Mapping[str, object]:
        bars = []
        for bar in row.bars:
            told = {name: value for name in bar.told.__slots__ if (value := getattr(bar.told, name)) not in (None, {})}
            steps = [(self._names.setdefault(name, len(self._names)), begin, end) for name, begin, end in bar.steps]
            span = {"name": bar.name, "begin": bar.begin, "end": bar.end}
            bars.append({**span, "told": told, "steps": steps, "group": bar.group})
        return {"name": row.name, "bars": bars}
