"""runtime.breakable: waits are broken off, and their tasks go on."""

import asyncio

import pytest

from crawler.runtime.breakable import BreakableWaits, BrokenOff

pytestmark = pytest.mark.both_loops


async def _told(waits: BreakableWaits, gate: asyncio.Event) -> str:
    try:
        await waits.wait(gate.wait())
    except BrokenOff:
        await asyncio.sleep(0)  # a cancellation that is left over would end this
        return "broken off"
    return "done"


async def test_each_wait_under_way_is_broken_off_and_no_later_one() -> None:
    """The tasks go on, and may wait again."""
    waits, gate = BreakableWaits(), asyncio.Event()
    tasks = [asyncio.create_task(_told(waits, gate)) for _ in range(3)]
    await asyncio.sleep(0)

    waits.break_off()
    waits.break_off()

    assert await asyncio.gather(*tasks) == ["broken off"] * 3
    gate.set()
    assert await _told(waits, gate) == "done"


async def test_a_cancellation_for_another_reason_is_not_swallowed() -> None:
    """A task that is cancelled and broken off at once is cancelled."""
    waits = BreakableWaits()
    task = asyncio.create_task(_told(waits, asyncio.Event()))
    await asyncio.sleep(0)

    waits.break_off()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert task.cancelled()
