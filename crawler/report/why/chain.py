"""A chain of questions and answers about one URL, as a person reads it in 80 columns.

Runs on: anywhere (pure).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from textwrap import fill

from crawler.core.reasons import Reason
from crawler.core.text import safe

WIDTH = 80
_LONGEST = 2200  # characters of a line; a URL has at most 8,192, and what is longer than this is a trap


class StepVerdict(StrEnum):
    """What an answer means for the URL."""

    PASSES = "passes"
    STOPS = "stops"
    OPEN = "open"  # it cannot be told
    TELLS = "tells"  # it decides nothing

    @property
    def mark(self) -> str:
        """What stands in front of the answer."""
        return {StepVerdict.PASSES: "ok", StepVerdict.STOPS: "no", StepVerdict.OPEN: "?"}.get(self, "")


@dataclass(frozen=True, slots=True)
class Step:
    """One question.

    Attributes:
        reason: the word that the files of a run have for a verdict that stops; None = they have none.
        details: lines of their own below the answer.
    """

    question: str
    verdict: StepVerdict
    answer: str
    reason: Reason | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Why a URL was fetched or not; the contract of `crawler why --json`.

    Attributes:
        state: None = the URL was never seen.
        conclusion: the whole in a sentence.
        steps: in the order in which a crawl asks.
        change: what would change it; each of them alone.
    """

    url: str
    state: str | None
    reason: str | None
    status: int | None
    conclusion: str
    steps: tuple[Step, ...]
    change: tuple[str, ...]


def chain_text(answer: Answer) -> list[str]:
    """The lines of an answer."""
    width = max(len(step.question) for step in answer.steps)
    return [
        safe(answer.url, _LONGEST),
        *_wrapped(answer.conclusion, ""),
        "",
        *(line for step in answer.steps for line in _step(step, width)),
        "",
        *(
            line
            for number, text in enumerate(answer.change)
            for line in _wrapped(text, "          or: " if number else "to change it: ")
        ),
    ]


def _step(step: Step, width: int) -> Iterator[str]:
    yield from _wrapped(step.answer, f"  {step.verdict.mark:<2}  {step.question:<{width}}  ")
    for detail in step.details:
        yield from _wrapped(detail, " " * (width + 8))


def _wrapped(text: str, head: str) -> list[str]:
    """The text behind its head; neither a URL nor a command is broken, so that it can be copied."""
    shown = safe(text, _LONGEST)
    if not text.startswith("crawler "):
        shown = fill(shown, WIDTH - len(head), break_long_words=False, break_on_hyphens=False)
    return f"{head}{shown}".replace("\n", "\n" + " " * len(head)).splitlines()
