"""testing.clock: the time that a test moves."""

from crawler.testing import FakeClock


async def test_sleeping_moves_the_time_and_takes_none() -> None:
    """An hour of sleep passes at once on both hands, and is noted; a negative one moves nothing."""
    clock = FakeClock()
    wall = clock.wall()

    await clock.sleep(3600)
    await clock.sleep(-1)

    assert clock.monotonic() == 4600
    assert clock.wall() == wall + 3600
    assert clock.slept == [3600, -1]
