"""One URL of one run, as the question why it was fetched or not is put.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass

from crawler.core.budget import spent_by_all_lives
from crawler.core.config import RunConfig
from crawler.core.reasons import Reason
from crawler.core.stored import StoredUrl, UrlHistory
from crawler.core.urls import Url
from crawler.core.visits import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question.

    Attributes:
        text: as it was typed.
        folder: the run's, as a command names it.
        agent: the product token that a robots.txt addresses.
        follows: the run follows links.
        listed: where the URL stands in the list, in words; None = it does not.
        now: wall clock.
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
    """The question, what is stored, and what was configured."""

    asked: Question
    history: UrlHistory
    config: RunConfig

    @property
    def row(self) -> StoredUrl | None:
        """Its row; None = it was never seen."""
        return self.history.row

    def was_skipped_for(self, *reasons: Reason) -> bool:
        """Whether it is skipped, for one of these."""
        return self.row is not None and self.row.state is State.SKIPPED and self.row.reason in reasons

    @property
    def lines(self) -> int:
        """Lines of output of the whole run."""
        return self.history.totals.done + self.history.totals.failed

    @property
    def spent(self) -> str | None:
        """The budget of the whole run that is spent, in its option's words."""
        return spent_by_all_lives(self.config.budget, self.history.totals)

    @property
    def most_of_host(self) -> str:
        """The budget of its host, in its option's words."""
        return f"--max-pages-per-host {self.config.budget.max_pages_per_host}"
