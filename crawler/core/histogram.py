"""Latencies as bucket counts: constant memory, a known error, merged by adding.

Strategy: a value's bucket is its leading bits and how far they were shifted. This is the layout of HDR histograms: with
`FINE` a bucket number is the index into the counts of one with three significant digits, so nothing is lost between.
Rules
- With b bits, values below 2^(b+1) are exact and every larger bucket is at most 1/2^b of its value wide.
- A bucket table is a plain mapping from bucket number to count: it can be stored, added and compared.
- Merging is adding counts; its order never matters.
Runs on: anywhere (pure).
"""

from collections.abc import Iterable, Mapping

COARSE = 7  # less than 1 % error, few buckets: for stored latencies
FINE = 10  # less than 0.1 % error: for load tests


def bucket(value: int, bits: int = COARSE) -> int:
    """Return the bucket number of a value (0 or more, any unit)."""
    shift = max(0, value.bit_length() - bits - 1)
    return (shift << bits) + (value >> shift)


def lowest(number: int, bits: int = COARSE) -> int:
    """Return the smallest value of a bucket."""
    shift = max(0, (number >> bits) - 1)
    return (number - (shift << bits)) << shift


def middle(number: int, bits: int = COARSE) -> int:
    """Return the value in the middle of a bucket: within half the bucket's width of every value in it."""
    shift = max(0, (number >> bits) - 1)
    return lowest(number, bits) + ((1 << shift) >> 1)


def percentile(counts: Mapping[int, int], share: float, bits: int = COARSE) -> int | None:
    """Return the value that `share` (0 to 1) of the recorded ones do not exceed; None when nothing was recorded."""
    total = sum(counts.values())
    if not total:
        return None
    number = bucket_at(counts, max(1, int(-(-share * total // 1))))
    return middle(number, bits)


def bucket_at(counts: Mapping[int, int], rank: int) -> int:
    """Return the bucket of the value that is `rank`-th smallest (1 = the smallest)."""
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            return number
    raise AssertionError("a rank lies within its table")


def add_to(total: dict[int, int], tables: Iterable[Mapping[int, int]]) -> None:
    """Merge tables into `total`, without loss."""
    for table in tables:
        for number, count in table.items():
            if count:
                total[number] = total.get(number, 0) + count


def mean(counts: Mapping[int, int], bits: int = COARSE) -> float | None:
    """Return the mean of the recorded values; None when there are none."""
    total = sum(counts.values())
    return sum(middle(number, bits) * count for number, count in counts.items()) / total if total else None
