"""The manner of a load test in words: how its users behave, and in which way its requests follow each other.

Runs on: anywhere (pure).
"""

from crawler.core.text import duration, safe
from crawler.load.result import LoadSetup


def manner(asked: LoadSetup) -> list[str]:
    """Return what a test does besides sending one request over and over, a part for each option."""
    parts = []
    if asked.replay is not None and asked.replay != 1:
        parts.append(f"{asked.replay:,.6g} times as fast as the file")
    if asked.shuffle:
        parts.append("shuffled")
    if asked.steps:
        parts.append("each user sends all targets in order")
    if asked.think is not None:
        low, high = asked.think
        parts.append(f"think time {duration(low)}" + (f" to {duration(high)}" if high > low else ""))
    if asked.login is not None:
        parts.append(f"log-in by {safe(asked.login, 100)}")
    if asked.user_cookies:
        parts.append("users keep cookies")
    if asked.feed is not None:
        parts.append(f"rows of {safe(asked.feed, 100)}")
    return parts
