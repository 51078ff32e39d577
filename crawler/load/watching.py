"""The watch over a running load test: each look has a verdict, and goes to the display and to the metrics.

Rules
- With metrics there are at least two looks a second; the display is shown at its own pace all the same.
- The text of the metrics is made once per look, so a scraper in a hurry costs next to nothing.
Runs on: the loop of the process that shows.
"""

from collections.abc import Callable
from dataclasses import dataclass

from crawler.load.progress import Progress
from crawler.load.prometheus import metrics_text
from crawler.load.result import LoadSetup
from crawler.load.so_far import verdict_so_far
from crawler.load.verdict import Judgement

_FRESH = 0.5  # seconds

View = Callable[[float, Progress, Judgement | None], None]
"""A display, called with the seconds since the start, the progress of all processes, and the verdict of the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsPort:
    """A port for the metrics, 0 = any free one; `told` is called with the one that is served."""

    port: int
    told: Callable[[int], None]


class Watch:
    """The latest look at a test, which `view` is shown every `seconds`.

    Attributes:
        pace: seconds between two looks.
    """

    def __init__(self, asked: LoadSetup, view: View, seconds: float, *, has_metrics: bool) -> None:
        self.pace = min(seconds, _FRESH) if has_metrics else seconds
        self._asked = asked
        self._view = view
        self._seconds = seconds
        self._due = seconds - self.pace / 2
        self._latest: tuple[float, Progress] = (0.0, Progress())
        self._text = ""

    def look(self, seconds: float, progress: Progress) -> None:
        """Take a look, and show it if the display's time has come."""
        self._latest, self._text = (seconds, progress), ""
        if seconds >= self._due:
            self._due = seconds + self._seconds - self.pace / 2
            self._view(seconds, progress, verdict_so_far(self._asked, progress))

    def metrics(self) -> str:
        """Return the latest look as text for Prometheus."""
        if not self._text:
            self._text = metrics_text(self._asked, *self._latest, verdict_so_far(self._asked, self._latest[1]))
        return self._text
