"""What an answer to /robots.txt means.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass

from crawler.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What asking for a robots.txt brought: its rules are known now, or there is a `reason` why not."""

    reason: Reason | None = None
    message: str = ""
    retry_after: float | None = None
