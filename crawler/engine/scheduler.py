"""Scheduler: starts each request as soon as its host, the rate, the budget and a place allow it.

Rules
- A place is free before a task exists: a slot for a request to a host that answers at once, a place outside for any
  other, which takes a slot when its answer begins (`runtime/slots.py`).
- A new origin is first asked for its robots.txt, as a request of its host like any other.
- A page of the budget is reserved before its URL is dispatched. Without a page, the URL is set aside until one is free.
- While the loop lags, nothing is dialled: its lag would count as latency of the hosts.
- Where several workers share the run, nothing is started when the term of the leases is about to end.
Runs on: the loop. Nothing polls: the scheduler wakes on an event or at the next due time.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from crawler.core.budget import Budget
from crawler.core.protocols import Board, Clock
from crawler.core.rate_limits import RateGate
from crawler.engine.leases import LeaseRefiller
from crawler.engine.own_share import OwnShare
from crawler.engine.politeness import Politeness
from crawler.engine.visit import Visits
from crawler.engine.workbench import Taken, Workbench
from crawler.runtime.slots import Places, Work
from crawler.runtime.tasks import Alarm

_BURST = 32  # tasks started between two turns of the loop, each for 0.3 ms: with 5,000 free slots a turn takes 10 ms
_DIALS = 16  # between two turns: they take 5 ms
_BUSY = 0.05  # seconds for a turn; with fewer dials meanwhile, latencies stay those of the hosts


@dataclass(kw_only=True, eq=False, repr=False)
class Scheduler:
    """Dispatcher of one run; `wake` tells it that something has changed."""

    workbench: Workbench
    places: Places
    rate: RateGate
    budget: Budget
    leases: LeaseRefiller
    board: Board
    politeness: Politeness
    visits: Visits
    clock: Clock
    wake: Alarm
    share: OwnShare | None = None
    _moment: float | None = field(default=None, init=False)
    _is_busy: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.places.on_change(self.wake.set)

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Start requests until `is_over`, which is asked before each."""
        started = dialled = 0
        while not is_over():
            now = self._now()
            if begun := self.next_work(now):
                work, in_slot = begun
                if in_slot:
                    await self.places.start(work)
                else:
                    self.places.start_outside(work)
                    dialled += 1
                started += 1
                if started % _BURST == 0 or (not in_slot and dialled % _DIALS == 0):
                    await self._yield()
                continue
            if self.places.relieve(now):
                continue  # a request that has waited for long gave its room, which is free at once
            if (dial := self.workbench.next_dial(now)) is not None and dial <= now:
                self.places.evict(now)
            has_room = self.places.free > 0 or self._may_dial(now)
            if self._wants_more and has_room and self._has_nothing_due(now):
                self.leases.idle()
            if self._is_busy:
                await self._yield()
            await self.wake.wait(self._pause())

    async def _yield(self) -> None:
        """Let all others have a turn of the loop; how long it takes tells how busy the loop is."""
        before = self.clock.monotonic()
        await asyncio.sleep(0)
        self._is_busy = self.clock.monotonic() - before > _BUSY

    def _now(self) -> float:
        """Return one moment for a whole turn of the loop: no task of the turn begins before its end."""
        if self._moment is None:
            self._moment = self.clock.monotonic()
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._moment

    def _end_turn(self) -> None:
        self._moment = None

    # --- the next request ----------------------------------------------------------------------------------------

    def next_work(self, now: float) -> tuple[Work, bool] | None:
        """Return the next work to start, and whether it begins in a slot; None = nothing can be started now."""
        if self.workbench.has_aside and not self.budget.is_full:
            self.workbench.recall(now)
        if self.rate.due(now) > now or self._is_held_back:
            return None
        while taken := self.workbench.take(now, self.places.free, may_dial=self._may_dial(now)):
            if work := self._dispatch(taken, now):
                return work, taken.in_slot
        return None

    def _dispatch(self, taken: Taken, now: float) -> Work | None:
        """Return the work for a request whose host is due; None = it was set aside, for want of a page."""
        request = taken.request
        if self.politeness.needs_robots(request):
            self.workbench.robots_first(request, taken.since)
            self.rate.pass_through(now)
            return partial(self.visits.fetch_robots, request)
        if not self.budget.reserve(request.id):
            self.workbench.set_aside(request)
            return None
        self.leases.taken(request)
        self.board.enter(request.id)
        host = request.url.host_port
        if refusal := self.politeness.refusal(request):
            self.workbench.release(host)
            return partial(self.visits.refuse, refusal)
        self.workbench.send(host, now)
        self.rate.pass_through(now)
        return partial(self.visits.visit, request, now - taken.since)

    @property
    def _is_held_back(self) -> bool:
        """Nothing can be started: every page is held by a URL in flight, or the term of the leases is about to end."""
        if self.share is not None and not self.share.may_start:
            return True
        return self._awaits_pages

    @property
    def _awaits_pages(self) -> bool:
        return self.budget.is_full and not self.budget.awaited

    @property
    def _wants_more(self) -> bool:
        """More leased URLs could be of use."""
        if self.share is None:
            return not self._awaits_pages
        return self.share.may_start and (self.share.is_done or not self._awaits_pages)

    def _may_dial(self, now: float) -> bool:
        return not self._is_busy and self.places.may_dial(now)

    # --- nothing to start ----------------------------------------------------------------------------------------

    def _has_nothing_due(self, now: float) -> bool:
        """Return whether no queued request will be due by the time when the rate allows the next one."""
        if (allowed := self.rate.due(now)) <= now:
            return True  # or it would have begun
        due = self.workbench.next_due(now, self.places.free, may_dial=self._may_dial(now))
        return due is None or due > allowed

    def _pause(self) -> float | None:
        """Return the seconds until something is due by itself; None = only an event can change anything."""
        now, places = self.clock.monotonic(), self.places
        moments = []
        if not self._is_held_back:
            due = self.workbench.next_due(now, places.free, may_dial=self._may_dial(now))
            if due is not None:
                moments.append(max(due, self.rate.due(now)))
            if (change := places.next_change(now)) is not None:
                moments.append(change)
            if (change := places.next_eviction()) and (dial := self.workbench.next_dial(now)):
                moments.append(max(change, dial))
            if self._is_busy:
                moments.append(now + _BUSY)
        if self.budget.deadline is not None:
            moments.append(self.budget.deadline)
        first = min(moments, default=math.inf)
        return None if first == math.inf else max(0.0, first - now)
