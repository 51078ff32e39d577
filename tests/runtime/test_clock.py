import time

from crawler.runtime.clock import SystemClock


async def test_the_clock_tells_both_times_and_waits() -> None:
    """Monotonic time passes by at least what was slept; wall time is the machine's."""
    clock = SystemClock()

    before = clock.monotonic()
    await clock.sleep(0.01)

    assert clock.monotonic() - before >= 0.009  # a loop may round to whole milliseconds
    assert abs(clock.wall() - time.time()) < 5
