"""load.live: one moment of a load test, shown."""

from io import StringIO

from crawler.load.live import LoadLines
from crawler.load.shared_memory import Progress


def test_a_line_tells_the_rate_and_the_sums() -> None:
    """The rate counts every request that ended; a percentile that is not known is a dash."""
    out = StringIO()

    with LoadLines(out) as view:
        view.show(2.0, Progress(answered=90, failed=10, timed_out=3, in_flight=4, p50=1_500_000))

    assert out.getvalue() == (
        "2.0 s: 50 requests/s, 90 ok, 10 failed, 3 timed out, 4 in flight; "
        "p50 1.50 ms, p99 -; the client's loop lag -\n"
    )
