"""The chain of steps about one URL, as text for a terminal and as JSON.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass
from enum import StrEnum

from crawler.core.reasons import Reason
from crawler.core.tables import paragraph
from crawler.core.text import safe

_LONGEST = 2200  # characters of a line; a URL has at most 8,192, and a longer one than this is a trap


class StepVerdict(StrEnum):
    """The effect of a step on the URL."""

    PASSES = "passes"
    STOPS = "stops"
    OPEN = "open"  # not known
    TELLS = "tells"  # decides nothing

    @property
    def mark(self) -> str:
        """Return the mark in front of the answer."""
        return {StepVerdict.PASSES: "ok", StepVerdict.STOPS: "no", StepVerdict.OPEN: "?"}.get(self, "")


@dataclass(frozen=True, slots=True)
class Step:
    """One question about the URL, and its answer.

    Attributes:
        reason: of a verdict that stops, as in the files of the run; None = the files have no word for it.
        details: further lines, below the answer.
    """

    question: str
    verdict: StepVerdict
    answer: str
    reason: Reason | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer about one URL; the contract of `crawler why --json`.

    Attributes:
        state: None = the URL was never seen.
        conclusion: the answer in one sentence.
        steps: in the order in which a crawl checks them.
        change: ways to change the outcome; each alone is enough.
    """

    url: str
    state: str | None
    reason: str | None
    status: int | None
    conclusion: str
    steps: tuple[Step, ...]
    change: tuple[str, ...]


def chain_text(answer: Answer) -> list[str]:
    """Return the lines of an answer."""
    width = max(len(step.question) for step in answer.steps)
    lines = [safe(answer.url, _LONGEST), *_wrapped(answer.conclusion), ""]
    for step in answer.steps:
        lines += _wrapped(step.answer, f"  {step.verdict.mark:<2}  {step.question:<{width}}  ")
        for detail in step.details:
            lines += _wrapped(detail, " " * (width + 8))
    lines.append("")
    for number, text in enumerate(answer.change):
        lines += _wrapped(text, "          or: " if number else "to change it: ")
    return lines


def _wrapped(text: str, head: str = "") -> list[str]:
    """Wrap a text behind its head; a command stays on one line, so that a user can copy it."""
    shown = safe(text, _LONGEST)
    return [head + shown] if text.startswith("crawler ") else paragraph(shown, head, copyable=True)
