"""A display of a capacity search, as the search sees it, and the one that shows nothing.

Runs on: the loop of the process that shows, a few times a second.
"""

from typing import Protocol

from crawler.load.capacity.result import CapacityRow
from crawler.load.capacity.windows import Window
from crawler.load.progress import Progress


class SearchView(Protocol):
    """A display of a search; `seconds` is the pace of its looks."""

    seconds: float

    def begin(self, window: Window, left: float) -> None:
        """Take a window that begins; the search is likely to take so many seconds still, this window included."""

    def look(self, seconds: float, progress: Progress) -> None:
        """Show a moment of the window, so many seconds after its start."""

    def end(self, row: CapacityRow) -> None:
        """Show a window that has ended."""


class SearchSilence:
    """A view that shows nothing (`--quiet`, and the library)."""

    seconds = 3600.0

    def begin(self, window: Window, left: float) -> None:
        """Show nothing."""

    def look(self, seconds: float, progress: Progress) -> None:
        """Show nothing."""

    def end(self, row: CapacityRow) -> None:
        """Show nothing."""
