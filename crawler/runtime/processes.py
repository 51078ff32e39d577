"""Lanes: worker processes for CPU-heavy work, each of which may hang or die.

Why this model: the GIL lets one thread at a time run Python, so threads do not make computing faster; processes do,
each with a GIL of its own. The price is the trip: calls and results are pickled through a pipe, so small items share
one, and bytes go beside it (`payloads.py`). Spawned, never forked: a fork copies locks that other threads hold
and files that have one owner.
Rules
- Two batches deep: while one is worked on, the next already waits in the pipe, so a worker never waits for the loop.
- A batch holds the items that wait together, up to a number of items and 1 MiB of payloads. An item that waits alone
  travels alone, at once.
- The items of a batch that is lost, for whatever cause, run again one by one, each with a lane to itself. An item that
  is lost again is the culprit: it fails with `WorkerDied`, its lane gets a new process, and no other item notices.
Runs on: the event loop, which should be the main thread's. One lane is `lane.py`, the worker's own side `worker.py`.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from crawler.runtime.payloads import ROOM
from crawler.runtime.tasks import Slots
from crawler.runtime.worker import CallOutcome
from crawler.runtime.worker_lane import USUAL, CannotStart, Death, Lane, LaneJob, Limits, WorkerDied

T = TypeVar("T")
R = TypeVar("R")


class Lanes:
    """`await lanes.run(func, item)` calls a module-level function with one item in one of `count` processes.

    Processes start when first needed, or all at once by `start`. `prepare`, a module-level function, is called once in
    each new process, outside all limits.
    """

    def __init__(
        self,
        count: int,
        *,
        limits: Limits = USUAL,
        batch: int = 16,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        self._lanes = [Lane(limits, prepare) for _ in range(count)]
        self._batch = batch
        self._waiting: deque[_WaitingJob] = deque()
        self._suspects: deque[_WaitingJob] = deque()  # of batches that were lost; they go first, and alone
        self._trips: dict[asyncio.Task[None], list[_WaitingJob]] = {}
        self._is_open = False
        self._is_up = False

    def __repr__(self) -> str:
        busy = sum(lane.load > 0 for lane in self._lanes)
        waiting = len(self._waiting) + len(self._suspects)
        deaths = ", ".join(f"{count} {kind}" for kind, count in self.deaths.items()) or "none"
        return f"<Lanes {busy} busy, {len(self._lanes) - busy} idle, {waiting} items wait, deaths: {deaths}>"

    @property
    def is_up(self) -> bool:
        """A process has been ready, or could not be started: no item needs to wait for a first start any more."""
        return self._is_up

    @property
    def is_busy(self) -> bool:
        """An item waits, or is under way."""
        return bool(self._waiting or self._suspects or any(self._trips.values()))

    @property
    def deaths(self) -> Counter[Death]:
        """Processes that died before their time, by kind; each was replaced."""
        return sum((lane.deaths for lane in self._lanes), Counter())

    @property
    def pids(self) -> list[int]:
        """Ids of the processes that live now."""
        return [lane.worker.pid for lane in self._lanes if lane.worker]

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        _fail([*self._waiting, *self._suspects, *chain.from_iterable(self._trips.values())], _closed())
        for trip in self._trips:
            trip.cancel()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            async with asyncio.TaskGroup() as closing:
                for lane in self._lanes:
                    closing.create_task(lane.close(at_once=lane.load > 0))

    async def start(self) -> None:
        """Start all processes now; returns when each is ready."""
        if not self._is_open:
            raise _closed()
        async with Slots(len(self._lanes)) as starting:
            for lane in self._lanes:
                await starting.acquire()
                starting.start(lane.work, [])
        self._is_up = True

    def begin(self) -> None:
        """Begin to start all processes, and return at once; an item that fails for it will tell why."""
        for lane in self._lanes:
            if lane.worker is None and lane.load == 0:
                self._depart(lane, [], alone=False)

    async def run(self, func: Callable[..., R], item: object, payload: bytes | None = None) -> R:
        """Return what `func(item)` returns in a worker, or raise what it raises.

        With a `payload` it is `func(item, payload)`. Bytes travel so for a fifth of the price of a pickle. Large ones
        are not copied, and few travel at a time.

        Raises:
            WorkerDied: the item ended its process; the lanes go on.
            JobError: `func` raised something that cannot travel.
            CannotStart: no worker could be started.
            RuntimeError: the lanes are closed.
        """
        if not self._is_open:
            raise _closed()
        waiting = _WaitingJob(LaneJob(func, item, payload), self._loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._loop.call_soon(self._dispatch)  # soon: items of the same turn of the loop travel together
        answer: R = await waiting.answer
        return answer

    def _dispatch(self) -> None:
        """Fill the lanes, emptiest first."""
        while self._is_open:
            lane = min(self._lanes, key=lambda lane: lane.load)
            if self._suspects:
                if lane.load > 0:
                    return
                self._send(lane, [self._suspects.popleft()], alone=True)
            elif self._waiting and lane.has_room:
                # A lane takes its share of the waiting jobs, at most a batch.
                most = min(self._batch, math.ceil(len(self._waiting) / len(self._lanes)))
                share = [self._waiting.popleft()]
                weight = share[0].weight
                while len(share) < most and (weight := weight + self._waiting[0].weight) <= ROOM:
                    share.append(self._waiting.popleft())
                self._send(lane, share, alone=False)
            else:
                return

    def _send(self, lane: Lane, jobs: "list[_WaitingJob]", *, alone: bool) -> None:
        wanted = [job for job in jobs if not job.answer.done()]
        if wanted:
            self._depart(lane, wanted, alone=alone)

    def _depart(self, lane: Lane, jobs: "list[_WaitingJob]", *, alone: bool) -> None:
        lane.book(alone=alone)
        trip = self._group.create_task(self._trip(lane, jobs, alone=alone))
        self._trips[trip] = jobs
        trip.add_done_callback(self._trips.pop)

    async def _trip(self, lane: Lane, jobs: "list[_WaitingJob]", *, alone: bool) -> None:
        try:
            outcomes = await lane.work([job.job for job in jobs])
        except CannotStart as error:
            _fail(jobs, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the culprit's
            is_false_start = isinstance(error, WorkerDied) and error.kind is Death.START
            if alone and not is_false_start:
                _fail(jobs, WorkerDied(Death.MEMORY) if isinstance(error, MemoryError) else error)
            else:
                self._suspects.extend(jobs)
        else:
            for job, outcome in zip(jobs, outcomes, strict=True):
                job.settle(outcome)
        self._is_up = True
        lane.leave(alone=alone)
        self._dispatch()


class _WaitingJob(msgspec.Struct, frozen=True):
    job: LaneJob
    answer: asyncio.Future[Any]

    @property
    def weight(self) -> int:
        return len(self.job.payload or b"")

    def settle(self, outcome: CallOutcome) -> None:
        if outcome.error is not None:
            self.fail(outcome.error)
        elif not self.answer.done():
            self.answer.set_result(outcome.value)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _fail(jobs: Iterable[_WaitingJob], error: Exception) -> None:
    for job in jobs:
        job.fail(error)


def _closed() -> RuntimeError:
    return RuntimeError("these lanes are closed")
