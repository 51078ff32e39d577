"""Counts by bucket of a histogram: the one table in which a load test keeps its times.

Runs on: anywhere (pure).
"""

from collections import defaultdict
from collections.abc import Mapping

from crawler.core.histogram import FINE, add_to, bucket

Table = defaultdict[int, int]
"""Counts by bucket number, or by another small whole number."""


def new_table() -> Table:
    """Return an empty table."""
    return defaultdict(int)


def note(table: Table, nanoseconds: int) -> int:
    """Count one time in its bucket, and return the bucket's number."""
    number = bucket(nanoseconds, FINE)
    table[number] += 1
    return number


def merged(*tables: Mapping[int, int]) -> Table:
    """Return the sum of these tables."""
    total = new_table()
    add_to(total, tables)
    return total
