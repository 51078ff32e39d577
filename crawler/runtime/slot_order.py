"""Placement: the order in which running tasks that ask for a place get one.

Rules
- A task asks for a slot or for a place outside (`runtime/slots.py`), each in the order of asking. Tasks that ask
  `again`, since their request before was in vain, come after all others that want a place outside.
- The tasks of one key hold `places.limit` places at the most, so a slow server does not get more because it is slow.
  Tasks beyond wait apart, and delay no other key.
- The oldest dial is broken off for a task that asks for the first time, but not for one that asks again.
Runs on: the event loop. Nothing polls: it wakes on an event or at the next due time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, cast

from crawler.runtime.slots import Place, Places
from crawler.runtime.tasks import Alarm

_DIALS = 16  # between two turns of the loop: they take 5 ms

_Asking = tuple[asyncio.Future[Place], asyncio.Task[Any]]


class Placement:
    """The order in which tasks that run already get places; `run` it in the background."""

    def __init__(self, places: Places, now: Callable[[], float]) -> None:
        self._places = places
        self._now = now
        self._alarm = Alarm()
        self._for_slot: deque[_Asking] = deque()
        self._outside: deque[_Asking] = deque()
        self._again: deque[_Asking] = deque()
        self._held: dict[Hashable, int] = {}  # places, those that are asked for included
        self._beyond: dict[Hashable, deque[asyncio.Future[None]]] = {}
        places.on_change(self._alarm.set)

    def __repr__(self) -> str:
        asking = len(self._for_slot) + len(self._outside) + len(self._again)
        return f"<Placement {asking} asking, {sum(map(len, self._beyond.values()))} beyond, {self._places!r}>"

    async def enter(self, key: Hashable, *, in_slot: bool, again: bool = False) -> Place:
        """Wait for a place; the task that asks holds it until it leaves, and may be cancelled there (`break_off`)."""
        await self._pass(key)
        line = self._for_slot if in_slot else self._again if again else self._outside
        given: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        line.append((given, cast("asyncio.Task[Any]", asyncio.current_task())))
        self._alarm.set()
        try:
            return await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self._places.leave(given.result())
            self._hand_on(key)
            raise

    def leave(self, place: Place, key: Hashable) -> None:
        """Give back a place that was entered with this key."""
        self._places.leave(place)
        self._hand_on(key)

    async def run(self) -> None:
        """Give out places until cancelled."""
        dialled = 0
        while True:
            now, places = self._now(), self._places
            if places.free > 0 and (asking := _first(self._for_slot)):
                asking[0].set_result(await places.enter(asking[1]))
            elif places.may_dial(now) and (asking := _first(self._outside) or _first(self._again)):
                asking[0].set_result(places.enter_outside(asking[1]))
                dialled += 1
                if dialled % _DIALS == 0:
                    await asyncio.sleep(0)
            elif not (places.free <= 0 and places.relieve(now)):
                moments = [places.next_change(now)]
                # A dial is broken off for tasks that ask for the first time.
                if any(not given.done() for given, _ in self._outside) and not places.evict(now):
                    moments.append(places.next_eviction())
                change = min((moment for moment in moments if moment is not None), default=None)
                await self._alarm.wait(None if change is None else max(0.0, change - now))

    async def _pass(self, key: Hashable) -> None:
        """Wait until this key may hold one place more."""
        if self._held.get(key, 0) < self._places.limit:
            self._held[key] = self._held.get(key, 0) + 1
            return
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._beyond.setdefault(key, deque()).append(passed)
        try:
            await passed
        except asyncio.CancelledError:
            if not passed.cancelled():
                self._hand_on(key)
            raise

    def _hand_on(self, key: Hashable) -> None:
        """Give a place that a task of this key has left to the next task of the key."""
        beyond = self._beyond.get(key, ())
        while beyond:
            passed = beyond.popleft()
            if not passed.done():
                passed.set_result(None)
                return
        self._beyond.pop(key, None)
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]


def _first(line: deque[_Asking]) -> _Asking | None:
    """Return the first task that still asks."""
    while line:
        asking = line.popleft()
        if not asking[0].done():
            return asking
    return None
