"""runtime.payloads: large bytes travel beside their call."""

import asyncio
import os
import threading
import tracemalloc
import zlib
from pathlib import Path
from unittest.mock import Mock

import pytest
from runtime import jobs

from crawler.runtime.payloads import ROOM, Payloads
from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import Death
from support.lanes import PATIENT, kinds

MIB = 1 << 20


@pytest.mark.both_loops
async def test_a_payload_comes_with_its_item(two_lanes: Lanes) -> None:
    """Payloads of all sizes come whole, each with its own item, among items that have none."""
    payloads = [os.urandom(size) for size in (0, 1, 5 * MIB, 65536, 3 * MIB + 1, 17)]
    trips = [two_lanes.run(jobs.weigh, number, payload) for number, payload in enumerate(payloads)]

    weighed, doubled = await asyncio.gather(
        asyncio.gather(*trips), asyncio.gather(*(two_lanes.run(jobs.double, number) for number in range(40)))
    )

    assert weighed == [(number, len(data), zlib.crc32(data)) for number, data in enumerate(payloads)]
    assert doubled == [2 * number for number in range(40)]


async def test_no_batch_overwrites_another(two_lanes: Lanes) -> None:
    """Batches that fill the shared memory again and again, two at a time, each bring their own payloads."""
    payloads = [os.urandom(ROOM // 3) for _ in range(40)]

    weighed = await asyncio.gather(*(two_lanes.run(jobs.weigh, 0, payload) for payload in payloads))

    assert [crc for _, _, crc in weighed] == [zlib.crc32(payload) for payload in payloads]


async def test_a_batch_without_payloads_turns_no_memory(lanes: Lanes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a greeting between two full batches would free the memory of one that is not read yet."""
    turned = Mock()
    monkeypatch.setattr(Payloads, "begin_batch", turned)

    await lanes.start()
    await lanes.run(jobs.double, 1)
    turned.assert_not_called()

    await lanes.run(jobs.weigh, 0, b"body")
    turned.assert_called_once()


async def test_small_payloads_need_no_thread(lanes: Lanes) -> None:
    """They lie in the shared memory; only what does not fit in goes through the pipe."""
    await asyncio.gather(*(lanes.run(jobs.weigh, number, bytes(1000)) for number in range(100)))
    assert "payloads" not in {thread.name for thread in threading.enumerate()}

    await lanes.run(jobs.weigh, 0, bytes(ROOM + 1))
    assert "payloads" in {thread.name for thread in threading.enumerate()}


async def test_where_no_memory_can_be_shared_all_go_through_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no memory without a name, or refuses it."""
    for failure in (AttributeError, OSError):
        monkeypatch.setattr(os, "memfd_create", Mock(side_effect=failure))
        async with Lanes(1, limits=PATIENT) as lanes:
            weighed = await asyncio.gather(*(lanes.run(jobs.weigh, n, bytes(n)) for n in range(40)))

        assert [result[:2] for result in weighed] == [(n, n) for n in range(40)]


async def test_large_payloads_travel_one_by_one(two_lanes: Lanes, sizes: list[int]) -> None:
    """A batch has a number of items and a weight; small payloads share one."""
    await asyncio.gather(*(two_lanes.run(jobs.weigh, number, bytes(MIB)) for number in range(6)))
    assert sizes == [1] * 6

    await asyncio.gather(*(two_lanes.run(jobs.weigh, number, bytes(MIB // 4)) for number in range(8)))
    assert sizes[6:] == [4, 2, 1, 1]


async def test_a_payload_is_not_copied(two_lanes: Lanes) -> None:
    """On this side of the pipe nothing is added to what holds it."""
    payload = bytes(32 * MIB)
    await two_lanes.start()

    tracemalloc.start()
    results = await asyncio.gather(*(two_lanes.run(jobs.weigh, number, payload) for number in range(6)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert {size for _, size, _ in results} == {len(payload)}
    assert peak < 2 * MIB


async def test_a_payload_without_its_call_is_read_over(lanes: Lanes) -> None:
    """An item that cannot be pickled leaves its payload in the pipe, and the next item still gets its own."""
    results = await asyncio.gather(
        lanes.run(jobs.weigh, lambda: None, bytes(ROOM + 1)),
        *(lanes.run(jobs.weigh, number, bytes(ROOM + 2 + number)) for number in range(4)),
        return_exceptions=True,
    )

    assert "pickle" in str(results[0])
    assert [result[:2] for result in results[1:] if isinstance(result, tuple)] == [(n, ROOM + 2 + n) for n in range(4)]
    assert not lanes.deaths


async def test_a_payload_goes_again_with_its_item(lanes: Lanes, tmp_path: Path) -> None:
    """The second chance in a new process includes it, and what waited behind it comes through."""
    size, weighed = await asyncio.gather(
        lanes.run(jobs.crash_once_with, str(tmp_path / "marker"), bytes(3 * MIB)),
        lanes.run(jobs.weigh, 1, bytes(2 * MIB)),
    )

    assert (size, weighed[1]) == (3 * MIB, 2 * MIB)
    assert lanes.deaths == {Death.CRASH: 1}


async def test_no_thread_outlives_its_worker() -> None:
    """Neither that of a worker which dies while the next payload is being written, nor that of one which is closed."""
    before = set(threading.enumerate())

    async with Lanes(1, limits=PATIENT) as lanes:
        results = await asyncio.gather(
            lanes.run(jobs.fault_with, "kill", bytes(8 * MIB)),
            lanes.run(jobs.weigh, 1, bytes(8 * MIB)),
            return_exceptions=True,
        )
    writing = [thread for thread in threading.enumerate() if thread.name == "payloads" and thread not in before]
    for thread in writing:
        await asyncio.to_thread(thread.join, 5)

    assert kinds(results) == [Death.CRASH, None]
    assert not any(thread.is_alive() for thread in writing)
