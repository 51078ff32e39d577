"""The unit of time within a load test: whole nanoseconds, which neither drift nor lose digits when they are added.

Runs on: anywhere (pure).
"""

MILLISECOND = 1_000_000
SECOND = 1_000_000_000


def nanoseconds(seconds: float) -> int:
    """Return this time in whole nanoseconds."""
    return round(seconds * SECOND)
