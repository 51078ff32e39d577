"""load.hdr_log: other tools read our histograms."""

from collections import Counter
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.histogram import FINE, bucket, lowest
from crawler.load.hdr_log import encoded, hdr_log

HOUR = 3_600_000_000_000


@given(st.lists(st.integers(1, HOUR), min_size=1, max_size=100))
def test_a_histogram_comes_back_count_by_count(values: list[int]) -> None:
    """The reference reader finds each value's count in the bucket where its own histogram would have put it."""
    own = HdrHistogram(1, 24 * HOUR, 3)
    for value in values:
        own.record_value(value)

    read = HdrHistogram.decode(encoded(Counter(bucket(value, FINE) for value in values)))

    assert read.get_total_count() == len(values)
    assert [read.get_count_at_index(n) for n in range(read.counts_len)] == [
        own.get_count_at_index(n) for n in range(own.counts_len)
    ]


@pytest.mark.parametrize("count", [1, 63, 64, 8191, 8192, 2**31, 2**40, 2**53])
def test_any_count_comes_back(count: int) -> None:
    """Counts of every length in bytes."""
    assert HdrHistogram.decode(encoded({5: count, 7: 1})).get_count_at_value(5) == count


def test_a_log_is_read_by_tags(tmp_path: Path) -> None:
    """A log has one histogram per tag, with its percentiles and its maximum in milliseconds."""
    path = tmp_path / "run.hlog"
    values = [n * 1_000_000 for n in range(1, 101)]
    path.write_text(hdr_log({"response": Counter(bucket(value, FINE) for value in values)}, seconds=10), "ascii")

    reader = HistogramLogReader(str(path), HdrHistogram(1, 24 * HOUR, 3))
    histogram = reader.get_next_interval_histogram()
    reader.close()

    assert histogram.get_total_count() == 100
    assert histogram.get_value_at_percentile(50) == pytest.approx(50_000_000, rel=0.001)
    assert f"Tag=response,0.000,10.000,{lowest(bucket(100_000_000, FINE), FINE) / 1e6:.3f}," in path.read_text("ascii")
