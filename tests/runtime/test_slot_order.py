"""runtime.placement: the order in which tasks get places."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from crawler.runtime.slot_order import Placement
from crawler.runtime.slots import EVICTION, Place, Places
from crawler.runtime.tasks import background
from crawler.testing import FakeClock

pytestmark = pytest.mark.both_loops


class Asking:
    """Tasks that ask for places and keep them; `got` has their names in the order of getting."""

    def __init__(self, clock: FakeClock, slots: int, outside: int) -> None:
        self.clock = clock
        self.places = Places(slots, outside=outside, window=100, now=clock.monotonic)
        self.placement = Placement(self.places, clock.monotonic)
        self.got: list[str] = []
        self.held: dict[str, Place] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def ask(self, name: str, *, key: str | None = None, in_slot: bool = False, again: bool = False) -> None:
        """Let a task of this name ask; each has a key of its own, unless told."""
        work = self._ask(name, key or name, in_slot=in_slot, again=again)
        self.tasks[name] = asyncio.get_running_loop().create_task(work)

    async def _ask(self, name: str, key: str, *, in_slot: bool, again: bool) -> None:
        self.held[name] = place = await self.placement.enter(key, in_slot=in_slot, again=again)
        self.got.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            del self.held[name]
            self.placement.leave(place, key)

    async def end(self, *names: str) -> None:
        """Let these tasks leave."""
        for name in names:
            self.tasks[name].cancel()
        await settled()


async def settled() -> None:
    """Let everything that can happen happen."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def asking(slots: int = 2, outside: int = 2) -> AsyncIterator[Asking]:
    """Tasks, and what gives them places."""
    them = Asking(FakeClock(), slots, outside)
    async with background(them.placement.run):
        yield them
        await them.end(*them.tasks)
    assert (them.places.fetching, them.places.waiting) == (0, 0)
    assert repr(them.placement).startswith("<Placement 0 asking, 0 beyond")


async def test_slots_and_places_outside_are_two_lines() -> None:
    """A task that wants a slot waits for a slot alone, and the other way round."""
    async with asking() as them:
        for name in ("a", "b", "c"):
            them.ask(f"slot {name}", in_slot=True)
            them.ask(name)
        await settled()
        assert sorted(them.got) == ["a", "b", "slot a", "slot b"]

        await them.end("slot b")
        assert them.got[4:] == ["slot c"]
        await them.end("a")
        assert them.got[5:] == ["c"]


async def test_those_that_ask_again_come_last() -> None:
    """They get a place outside when nobody asks for the first time."""
    async with asking(outside=1) as them:
        for name in ("a", "again", "b"):
            them.ask(name, again=name == "again")
            await settled()
        await them.end("a")
        assert them.got == ["a", "b"]

        await them.end("b")
        assert them.got == ["a", "b", "again"]


async def test_one_key_has_no_more_places_than_slots() -> None:
    """Those beyond are in nobody's way, and come when one of theirs leaves."""
    async with asking(outside=10) as them:
        for name in ("a", "b", "c", "d"):
            them.ask(name, key="one host")
        them.ask("other")
        await settled()
        assert them.got == ["a", "b", "other"]

        await them.end("c", "a")
        assert them.got == ["a", "b", "other", "d"]


async def test_a_dial_is_broken_off_for_those_that_ask_first() -> None:
    """The oldest one that took long, one for each, and none for a task that asks again."""
    async with asking() as them:
        them.ask("a")
        them.ask("b")
        await settled()
        them.clock.advance(EVICTION)
        them.ask("again", again=True)
        await settled()
        assert them.got == ["a", "b"]

        them.ask("c")
        await settled()
        assert them.got == ["a", "b", "c"]
        assert list(them.held) == ["b", "c"]


@pytest.mark.parametrize("key", ["a", "b"], ids=["same key", "other key"])
@pytest.mark.parametrize("turns", range(5))
async def test_cancelling_leaves_nothing_taken(key: str, turns: int) -> None:
    """Neither while a task waits, nor in the turn in which it gets what it waits for."""
    async with asking(slots=1) as them:
        them.ask("a", in_slot=True)
        them.ask("b", in_slot=True, key=key)
        await settled()
        them.tasks["a"].cancel()
        for _ in range(turns):
            await asyncio.sleep(0)
        them.tasks["b"].cancel()
        await settled()

        them.ask("c", in_slot=True, key=key)
        await settled()

        assert list(them.held) == ["c"]
