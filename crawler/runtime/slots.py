"""Places for tasks that wait for servers: a slot for each that is being answered, a place outside for each that is not.

Why this model: under one semaphore, the slowest servers decide. A task that waits for a server that may be dead would
hold a slot for its whole time limit, and a quarter of such servers would hold all slots most of the time.
Rules
- A task begins in a slot, or outside. One that began outside takes a slot when its answer begins (`Place.take_slot`).
- The last quarter of the slots is for tasks that begin there: thousands of hosts whose answers begin at once and then
  trickle would fill all slots for PATIENCE seconds each, and keep them from the hosts that are quick.
- Outside there are waiting places: for dialling, for the wait for a slot, and for tasks that gave their slot up. Their
  number is bounded, and so is the number of tasks that began there within the last second (`window`): thousands of
  dials at once would overrun this process, its network and its name server.
- A task that has held its slot for PATIENCE seconds gives it up as soon as another task wants one (`relieve`). At most
  half as many tasks as there are waiting places have done so. Such a task waits outside even where all waiting places
  are taken (`most`), so dials keep no page from a slot. It takes a slot again when its answer begins.
- Where all waiting places are taken, the oldest dial of more than EVICTION seconds can be broken off (`evict`).
Strategy: asyncio's semaphore serves its waiters in order, so a task outside waits for a slot no longer than its turn.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from crawler.runtime.loop import open_files
from crawler.runtime.tasks import ScopedTasks

PATIENCE = 2.0  # seconds; a browser's user begins to wonder about then
EVICTION = 3.0  # seconds; the second SYN of a dial is sent after one, the third after three (RFC 6298)
YOUNG = 1.0  # seconds in which nearly every server that lives begins to answer

_SPARE_FILES = 256  # open files that are no connections: a run's own, its workers, and 128 name lookups; half at most
_DIALS_PER_SLOT = 16  # a dead host is dialled for 10 s, a page takes half a second: a third of all may be dead
_MOST_DIALS = 4096  # 30 KiB each
_MOST_IDLE = 8192  # about 15 KiB each
_WINDOW = 4  # dials of the last second, for each slot: most answer within a quarter

Work = Callable[["Place"], Coroutine[Any, Any, object]]
"""A task's function, which gets its place."""


def most_slots(files: int) -> int:
    """Return how many slots `files` open files allow: the rest is for dials, and for idle connections."""
    return max(1, _for_connections(files) * 2 // 5)


def files_for(slots: int) -> int:
    """Return how many open files are enough for `slots` slots; see `most_slots`."""
    return slots * 5  # half of few, and two fifths of it


def _for_connections(files: int) -> int:
    return files - min(_SPARE_FILES, files // 2)


def idle_for() -> int:
    """Return how many connections may wait for their next request: half of this process's open files.

    They make room for new ones where files run short (`downloader/sockets.py`).
    """
    return min(_for_connections(open_files()) // 2, _MOST_IDLE)


def wanted_dials(slots: int) -> int:
    """Return how many places outside there are for dials, where open files are many."""
    return min(slots * _DIALS_PER_SLOT, max(_MOST_DIALS, slots))


def dials_for(slots: int) -> int:
    """Return how many places outside there are for dials, as far as this process's open files allow.

    Each takes two sockets, since a name has two addresses; half as many fetches that gave their slots up have one.
    """
    files = _for_connections(open_files()) - slots
    return max(1, min(wanted_dials(slots), files * 2 // 5))


def places_for(slots: int, *, now: Callable[[], float], is_relieved: bool = True) -> "Places":
    """Return `slots` slots, and room for dials as far as this process's open files allow."""
    return Places(slots, outside=dials_for(slots), window=slots * _WINDOW, now=now, is_relieved=is_relieved)


class Places(ScopedTasks):
    """`slots` slots and `outside` waiting places; `window` = dials of the last second, at the most.

    `now` is the monotonic clock; `is_relieved` False = a task keeps its slot, however long it takes.

    Attributes:
        waiting: number of tasks outside: those that dial, wait for a slot, or gave theirs up.
    """

    def __init__(
        self, slots: int, *, outside: int, window: int, now: Callable[[], float], is_relieved: bool = True
    ) -> None:
        super().__init__()
        self.limit = slots
        self.outside = outside
        self.waiting = 0
        self._window = window
        self._now = now
        self._is_relieved = is_relieved
        self._slots = asyncio.Semaphore(slots)
        self._open_slots = slots - slots // 4  # for tasks that began outside
        self._seats = asyncio.Semaphore(self._open_slots)
        self._held = 0  # slots
        self._seated = 0  # of these by tasks that began outside
        self._coming = 0  # tasks that may take a slot and have yet to do so
        self._moving: dict[Place, None] = {}  # they may be asked for their slots; oldest first, as in the next three
        self._dialling: dict[Place, None] = {}
        self._young: dict[Place, None] = {}
        self._queueing: dict[Place, None] = {}  # their answers have begun, and they wait for a slot
        self._stalled: dict[Place, None] = {}  # they gave their slots up
        self._leaving: dict[Place, None] = {}  # they were broken off
        self._changed: Callable[[], object] = lambda: None

    def __repr__(self) -> str:
        outside = f"{self.waiting} of {self.outside} outside"
        return f"<Places {self.fetching} of {self.limit} slots taken, {outside}, peak {self.peak}>"

    @property
    def fetching(self) -> int:
        """Number of tasks that hold a slot."""
        return self._held

    @property
    def most(self) -> int:
        """Largest number of tasks in slots and outside."""
        return self.limit + self.outside + self.outside // 2

    @property
    def free(self) -> int:
        """Number of slots that no task holds or is about to take."""
        return self.limit - self._held - self._coming

    def on_change(self, changed: Callable[[], object]) -> None:
        """Call `changed` whenever a place has become free."""
        self._changed = changed

    def may_dial(self, now: float) -> bool:
        """Return whether one more task may begin outside."""
        self._age(now)
        is_room = self.waiting < self.outside and len(self._young) < self._window
        return is_room and len(self._queueing) < self.limit

    async def start(self, work: Work) -> None:
        """Run `work` as a task in a slot; waits only if none is free."""
        place = await self.enter(None)
        self._run(place, work(place))

    def start_outside(self, work: Work) -> None:
        """Run `work` as a task that takes a slot once its answer begins.

        Raises:
            RuntimeError: all places outside are taken; ask `may_dial` first.
        """
        place = self.enter_outside(None)
        self._run(place, work(place))

    def _run(self, place: "Place", coroutine: Coroutine[Any, Any, object]) -> None:
        place.task = self.run(coroutine, partial(self.leave, place))

    async def enter(self, task: "asyncio.Task[Any] | None") -> "Place":
        """Give a task that runs already a slot, until it leaves; waits only if none is free."""
        await self._slots.acquire()
        place = Place(self, self._now(), task)
        self._take(place)
        return place

    def enter_outside(self, task: "asyncio.Task[Any] | None") -> "Place":
        """Give a task that runs already a place outside, until it leaves.

        Raises:
            RuntimeError: all places outside are taken; ask `may_dial` first.
        """
        if self.waiting >= self.outside:
            raise RuntimeError("a place outside is free before a task gets it: ask may_dial() first")
        place = Place(self, self._now(), task)
        self._move(place, self._dialling)
        self._young[place] = None
        return place

    # --- room for others -----------------------------------------------------------------------------------------

    def relieve(self, now: float) -> bool:
        """Take as many slots as others want from tasks that have held theirs for long; True = there were some."""
        wanted, was_any = self._wanted, False
        while wanted > 0 and self._may_relieve() and (place := next(iter(self._moving))).since + PATIENCE <= now:
            del self._moving[place]
            self._move(place, self._stalled)
            self._release(place)
            wanted -= 1
            was_any = True
        return was_any

    @property
    def _wanted(self) -> int:
        """Number of slots that tasks wait for beyond the free ones, or one for the next task."""
        free = self.limit - self._held
        return max(1 - free, len(self._queueing) - min(free, self._open_slots - self._seated))

    def _may_relieve(self) -> bool:
        is_room = len(self._stalled) < self.outside // 2 and self.limit + self.waiting < self.most
        return bool(self._moving) and self._is_relieved and is_room

    def evict(self, now: float) -> bool:
        """Break off the oldest dial, if all places outside are taken and it has taken long; its task is cancelled."""
        moment = self.next_eviction()
        if moment is None or moment > now:
            return False
        next(iter(self._dialling)).break_off()
        return True

    def next_eviction(self) -> float | None:
        """Return when `evict` can break off a dial; None = not by waiting alone, or the last one has yet to leave."""
        if self.waiting < self.outside or not self._dialling or self._leaving:
            return None
        return next(iter(self._dialling)).since + EVICTION

    async def wind_down(self) -> None:
        """Wait until no task is left; dials that take long are broken off."""
        while self.in_flight:
            now, left = self._now(), None
            for place in tuple(self._dialling):
                if (left := place.since + EVICTION - now) > 0:
                    break
                place.break_off()
            with suppress(TimeoutError):
                async with asyncio.timeout(left if self._dialling else None):
                    await self.idle()

    def next_change(self, now: float) -> float | None:
        """Return when waiting alone brings a place; None = it does not."""
        self._age(now)
        moments = []
        if self._wanted > 0 and self._may_relieve():
            moments.append(next(iter(self._moving)).since + PATIENCE)
        if self._young and len(self._young) >= self._window:
            moments.append(next(iter(self._young)).since + YOUNG)
        return min(moments, default=None)

    def _age(self, now: float) -> None:
        while self._young and (place := next(iter(self._young))).since + YOUNG <= now:
            del self._young[place]

    # --- for a place ---------------------------------------------------------------------------------------------

    async def seat(self, place: "Place") -> float:
        """Wait for a slot; see `Place.take_slot`."""
        began = self._now()
        self._move(place, self._queueing)
        await self._seats.acquire()
        self._coming += 1
        try:
            await self._slots.acquire()
        except BaseException:
            self._seats.release()
            raise
        finally:
            self._coming -= 1
        self._move(place, None)
        self._seated += 1
        place.is_seated = True
        self._take(place)
        self._changed()
        return self._now() - began

    def hold(self, place: "Place") -> None:
        """Keep a task's slot for it; see `Place.hold`."""
        self._moving.pop(place, None)

    def resume(self, place: "Place") -> None:
        """Let others take its slot from now on; see `Place.resume`."""
        place.since = self._now()
        self._moving[place] = None

    def finish(self, place: "Place") -> None:
        """Break the task off no more; see `Place.finish`."""
        self._moving.pop(place, None)
        if not place.has_slot and not place.is_broken_off:
            self._move(place, self._stalled)

    def break_off(self, place: "Place") -> None:
        """Note that a dial is cancelled; see `Place.break_off`."""
        self._move(place, self._leaving)

    def leave(self, place: "Place") -> None:
        """Make a task's place free, whichever it is."""
        self._moving.pop(place, None)
        self._move(place, None)
        if place.has_slot:
            self._release(place)
        self._changed()

    def _take(self, place: "Place") -> None:
        self._held += 1
        self._moving[place] = None
        place.has_slot = True
        place.since = self._now()

    def _release(self, place: "Place") -> None:
        place.has_slot = False
        self._held -= 1
        self._slots.release()
        if place.is_seated:
            place.is_seated = False
            self._seated -= 1
            self._seats.release()

    def _move(self, place: "Place", to: "dict[Place, None] | None") -> None:
        """Move a task to one of the groups outside; None = it has left."""
        if place.group is None:
            self.waiting += to is not None
        else:
            self._young.pop(place, None)
            del place.group[place]
            self.waiting -= to is None
        place.group = to
        if to is not None:
            to[place] = None


class Place:
    """One task's place.

    Attributes:
        group: its group outside; None = it is in none.
        has_slot: it holds a slot; otherwise it is outside.
        is_seated: it came into its slot from outside.
        since: when it began to wait, or took its slot (monotonic).
        is_broken_off: its task was cancelled to make room, and for no other reason.
    """

    __slots__ = ("_places", "group", "has_slot", "is_broken_off", "is_seated", "since", "task")

    def __init__(self, places: Places, since: float, task: asyncio.Task[Any] | None) -> None:
        self._places = places
        self.group: dict[Place, None] | None = None
        self.has_slot = False
        self.since = since
        self.is_seated = False
        self.is_broken_off = False
        self.task = task

    def __repr__(self) -> str:
        return f"<Place {'in a slot' if self.has_slot else 'outside'} since {self.since:.3f}>"

    async def take_slot(self) -> float:
        """Wait for a slot, now that the answer begins; returns the seconds waited."""
        return 0.0 if self.has_slot else await self._places.seat(self)

    def hold(self) -> None:
        """Keep the slot while the task waits for this process, and not for the server."""
        if self.has_slot:
            self._places.hold(self)

    def resume(self) -> None:
        """End a `hold`."""
        if self.has_slot:
            self._places.resume(self)

    def finish(self) -> None:
        """Note that the task waits for the server no more: it is not broken off, and keeps its slot if it has one."""
        self._places.finish(self)

    def break_off(self) -> None:
        """Cancel the task, which dials, and note the reason."""
        self.is_broken_off = True
        self._places.break_off(self)
        assert self.task is not None  # noqa: S101 - it runs
        self.task.cancel()
