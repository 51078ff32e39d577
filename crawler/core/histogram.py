"""Latencies as bucket counts: constant memory, less than 1 % error, merged by adding.

Strategy: a value's bucket is its leading 8 bits and how far they were shifted (the layout of HDR histograms), so values
up to 255 are exact and every larger bucket is at most 1/128 of its value wide.
Rules
- A bucket table is a plain mapping from bucket number to count: it can be stored, added and compared.
- Merging is adding counts; its order never matters.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping

_BITS = 7
_SUB = 1 << _BITS


def bucket(value: int) -> int:
    """The bucket number of a value (0 or more, any unit)."""
    shift = max(0, value.bit_length() - _BITS - 1)
    return (shift << _BITS) + (value >> shift)


def middle(number: int) -> int:
    """The value in the middle of a bucket: within 1/256 of every value in it."""
    shift = max(0, (number >> _BITS) - 1)
    low = (number - (shift << _BITS)) << shift
    return low + ((1 << shift) >> 1)


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The value that `share` (0 to 1) of the recorded ones do not exceed; None when nothing was recorded."""
    total = sum(counts.values())
    if not total:
        return None
    rank = max(1, -(-share * total // 1))
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            return middle(number)
    raise AssertionError("the shares of a table add up to its total")
