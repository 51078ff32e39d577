"""The question of `crawler why` about one URL of one run, with the stored facts to answer it.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass

from crawler.core.budget import spent_by_all_lives
from crawler.core.config import RunConfig
from crawler.core.frontier_reports import StoredUrl, UrlHistory
from crawler.core.reasons import Reason
from crawler.core.urls import Url
from crawler.core.visits import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One URL of one run, as the user asked about it.

    Attributes:
        text: the URL as typed.
        folder: the run's folder, as a command names it.
        agent: the product token of the run, for robots.txt.
        follows: the run follows links.
        listed: the place of the URL in the list, in words; None = it is not listed.
        now: wall-clock time, seconds.
    """

    text: str
    url: Url
    folder: str
    agent: str
    follows: bool
    listed: str | None
    now: float


@dataclass(frozen=True, slots=True)
class Case:
    """The question, the stored history of the URL, and the configuration of the run."""

    question: Question
    history: UrlHistory
    config: RunConfig

    @property
    def row(self) -> StoredUrl | None:
        """Return the row of the URL; None = it was never seen."""
        return self.history.row

    def was_skipped_for(self, *reasons: Reason) -> bool:
        """Return whether the URL was skipped for one of these reasons."""
        return self.row is not None and self.row.state is State.SKIPPED and self.row.reason in reasons

    @property
    def lines(self) -> int:
        """Return the number of output lines of the whole run."""
        return self.history.totals.done + self.history.totals.failed

    @property
    def spent(self) -> str | None:
        """Return the spent budget of the whole run, as its option; None = none is spent."""
        return spent_by_all_lives(self.config.budget, self.history.totals)

    @property
    def host_budget(self) -> str:
        """Return the budget of the URL's host, as its option."""
        return f"--max-pages-per-host {self.config.budget.max_pages_per_host}"
