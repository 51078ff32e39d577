"""Lanes, and checks that no process or thread is left."""

import multiprocessing
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from crawler.runtime import worker_lane
from crawler.runtime.processes import Lanes
from support.lanes import PATIENT


@pytest.fixture(autouse=True)
def no_orphans() -> Iterator[None]:
    """After each test no process is left."""
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
async def lanes() -> AsyncIterator[Lanes]:
    """One lane: two batches deep, and nowhere to hide."""
    async with Lanes(1, limits=PATIENT) as lanes:
        yield lanes


@pytest.fixture
async def two_lanes() -> AsyncIterator[Lanes]:
    """Two of them."""
    async with Lanes(2, limits=PATIENT) as lanes:
        yield lanes


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the number of items in each batch."""
    sizes: list[int] = []
    send = worker_lane.Worker.send

    def noting_send(worker: worker_lane.Worker, calls: Sequence[Any]) -> Any:
        sizes.append(len(calls))
        return send(worker, calls)

    monkeypatch.setattr(worker_lane.Worker, "send", noting_send)
    return sizes


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    """After each test, the threads are those of before."""
    before = set(threading.enumerate())
    yield
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left == set()
