"""runtime.places: slots for tasks that move, and places outside for those that wait for a stranger."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from crawler.runtime import slots as module
from crawler.runtime.slots import EVICTION, PATIENCE, YOUNG, Place, Places, most_slots, places_for
from crawler.testing import FakeClock

pytestmark = pytest.mark.both_loops


class Tasks:
    """Tasks that wait for two gates: one for the beginning of an answer, one for its end."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.answer, self.end = asyncio.Event(), asyncio.Event()
        self.seen: list[Place] = []
        self.broken_off = 0

    async def work(self, place: Place) -> None:
        """Wait, take a slot, wait again."""
        self.seen.append(place)
        try:
            await self.answer.wait()
            await place.take_slot()
            await self.end.wait()
            place.finish()
        except asyncio.CancelledError:
            self.broken_off += place.is_broken_off
            raise

    async def begin(self, in_slots: int, outside: int) -> None:
        """Start so many."""
        for _ in range(in_slots):
            await self.places.start(self.work)
        for _ in range(outside):
            self.places.start_outside(self.work)
        await settled()


async def settled() -> None:
    """Let everything that can happen happen."""
    for _ in range(20):
        await asyncio.sleep(0)


def some(clock: FakeClock, slots: int = 2, outside: int = 4, window: int = 4, *, is_relieved: bool = True) -> Places:
    """A few places."""
    return Places(slots, outside=outside, window=window, now=clock.monotonic, is_relieved=is_relieved)


async def with_places(body: Callable[[Places, Tasks, FakeClock], Awaitable[None]], *, is_relieved: bool = True) -> None:
    """Run `body`, then let its tasks end."""
    clock = FakeClock()
    async with some(clock, is_relieved=is_relieved) as places:
        tasks = Tasks(places)
        await body(places, tasks, clock)
        tasks.answer.set()
        tasks.end.set()
        await places.idle()
    assert (places.fetching, places.waiting, places.free) == (0, 0, 2)


async def test_a_task_outside_takes_a_slot_when_its_answer_begins() -> None:
    """Never more hold slots than there are, in the order in which their answers began."""

    async def body(places: Places, tasks: Tasks, _: FakeClock) -> None:
        await tasks.begin(0, 4)
        assert (places.fetching, places.waiting, places.free) == (0, 4, 2)

        tasks.answer.set()
        await settled()

        assert (places.fetching, places.waiting, places.free) == (2, 2, 0)
        assert [place.has_slot for place in tasks.seen] == [True, True, False, False]

    await with_places(body)


async def test_a_slot_that_is_waited_for_is_not_free() -> None:
    """A task that began outside comes before those that are started in a slot."""

    async def body(places: Places, tasks: Tasks, _: FakeClock) -> None:
        await tasks.begin(2, 1)
        assert places.free == 0
        tasks.answer.set()
        await settled()

        assert (places.fetching, places.waiting) == (2, 1)
        tasks.end.set()
        await settled()
        assert places.free == 2

    await with_places(body)


async def test_so_many_may_dial_and_no_more() -> None:
    """Bounded in all, and in those of the last second; who asks twice is refused."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        places._window = 2
        await tasks.begin(0, 2)
        assert not places.may_dial(clock.now)
        assert places.next_change(clock.now) == clock.now + YOUNG

        clock.advance(YOUNG)
        assert places.may_dial(clock.now)
        await tasks.begin(0, 2)

        clock.advance(YOUNG)
        assert not places.may_dial(clock.now)
        with pytest.raises(RuntimeError, match="may_dial"):
            places.start_outside(tasks.work)

    await with_places(body)


async def test_a_slot_that_is_held_for_long_is_given_up() -> None:
    """A task that moves is left alone, and one that has given its slot up takes one again for its answer."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 0)
        clock.advance(PATIENCE / 2)
        assert not places.relieve(clock.now)
        assert places.next_change(clock.now) == clock.now + PATIENCE / 2

        clock.advance(PATIENCE / 2)
        assert places.relieve(clock.now)
        assert (places.fetching, places.waiting, places.free) == (1, 1, 1)

        tasks.answer.set()
        await settled()
        assert (places.fetching, places.waiting) == (2, 0)

    await with_places(body)


async def test_no_more_slots_are_given_up_than_are_asked_for() -> None:
    """A slot that is free but not yet taken by the task that waits for it counts."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 0)
        await tasks.begin(0, 1)
        queueing = asyncio.ensure_future(tasks.seen[2].take_slot())
        await settled()
        clock.advance(PATIENCE)

        assert places.relieve(clock.now)
        assert not places.relieve(clock.now)
        assert places.next_change(clock.now) is None
        await queueing
        assert (places.fetching, places.waiting) == (2, 1)

    await with_places(body)


async def test_slots_are_kept_for_what_is_our_own_doing() -> None:
    """A task that waits for memory, or for its commit, is not slow."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 0)
        tasks.seen[0].hold()
        tasks.seen[1].finish()
        clock.advance(PATIENCE)
        assert not places.relieve(clock.now)

        tasks.seen[0].resume()
        assert not places.relieve(clock.now)
        clock.advance(PATIENCE)
        assert places.relieve(clock.now)
        assert not places.relieve(clock.now)

    await with_places(body)


async def test_half_of_the_places_outside_are_for_dials() -> None:
    """Half of them stay free for dials, for any number of slow fetches."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 0)
        for _ in range(2):
            clock.advance(PATIENCE)
            assert places.relieve(clock.now)
            await tasks.begin(1, 0)
        clock.advance(PATIENCE)

        assert places.waiting == 2
        assert not places.relieve(clock.now)

    await with_places(body)


async def test_a_quarter_of_the_slots_is_for_tasks_that_begin_there() -> None:
    """Any number of answers may begin outside; these take what is theirs as soon as it is given up."""
    clock = FakeClock()
    async with some(clock, slots=8, outside=16, window=16) as places:
        tasks = Tasks(places)
        tasks.answer.set()

        await tasks.begin(0, 10)
        assert (places.fetching, places.waiting, places.free) == (6, 4, 2)
        await tasks.begin(2, 0)
        assert (places.fetching, places.waiting, places.free) == (8, 4, 0)
        clock.advance(PATIENCE)
        assert places.relieve(clock.now)
        assert not places.relieve(clock.now)
        await settled()
        assert (places.fetching, places.waiting) == (8, 4)

        tasks.end.set()
        await places.idle()
    assert (places.fetching, places.waiting, places.free) == (0, 0, 8)


async def test_dials_keep_no_page_from_a_slot() -> None:
    """Slow fetches make room though dials take all places outside; the places know how many there are at most."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 4)
        for _ in range(2):
            clock.advance(PATIENCE)
            assert places.relieve(clock.now)
            await tasks.begin(1, 0)
        clock.advance(PATIENCE)

        assert not places.relieve(clock.now)
        assert places.in_flight == places.fetching + places.waiting == places.most == 8
        queueing = asyncio.ensure_future(tasks.seen[0].take_slot())
        await settled()
        assert not places.relieve(clock.now)  # what waits for a slot again is still outside
        queueing.cancel()

    await with_places(body)


async def test_a_limit_of_our_own_relieves_nothing() -> None:
    """A slow fetch is as it should be if the user bounds the bytes per second."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 0)
        clock.advance(10 * PATIENCE)

        assert not places.relieve(clock.now)
        assert places.next_change(clock.now) is None

    await with_places(body, is_relieved=False)


async def test_the_oldest_dial_makes_room() -> None:
    """Not before all places are taken, and not before it has taken long; its task knows why."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(0, 3)
        clock.advance(EVICTION)
        assert not places.evict(clock.now)

        await tasks.begin(0, 1)
        assert places.evict(clock.now)
        await settled()

        assert (tasks.broken_off, tasks.seen[0].is_broken_off, places.waiting) == (1, True, 3)
        await tasks.begin(0, 1)
        assert places.next_eviction() == clock.now
        assert places.evict(clock.now)
        assert not places.evict(clock.now)  # one place is enough, and is free as soon as that task has left
        assert places.next_eviction() is None
        await settled()
        assert not places.evict(clock.now)
        assert tasks.broken_off == 2

    await with_places(body)


async def test_an_answer_is_never_broken_off() -> None:
    """A task that waits for a slot, or is done with the stranger, stays."""

    async def body(places: Places, tasks: Tasks, clock: FakeClock) -> None:
        await tasks.begin(2, 4)
        tasks.seen[2].finish()
        tasks.answer.set()
        await settled()
        clock.advance(EVICTION)

        assert not places.evict(clock.now)

    await with_places(body)


async def test_winding_down_waits_for_answers_and_for_no_dial_that_takes_long() -> None:
    """Dials have EVICTION seconds in all; what is being answered has its own limits."""
    loop = asyncio.get_running_loop()
    began = loop.time() - EVICTION + 0.05
    async with Places(2, outside=4, window=4, now=lambda: loop.time() - began) as places:
        tasks = Tasks(places)
        places._now = lambda: 0.0
        await tasks.begin(1, 2)
        places._now = lambda: loop.time() - began
        tasks.seen[0].finish()
        loop.call_later(0.2, tasks.answer.set)
        loop.call_later(0.3, tasks.end.set)

        await places.wind_down()

    assert (tasks.broken_off, places.in_flight) == (2, 0)


async def test_whoever_waits_for_room_hears_of_it() -> None:
    """A task that ends, or that takes a slot and leaves its place outside, is heard of."""
    clock, heard = FakeClock(), asyncio.Event()
    async with some(clock) as places:
        places.on_change(heard.set)
        tasks = Tasks(places)
        await tasks.begin(0, 1)
        assert not heard.is_set()

        tasks.answer.set()
        await heard.wait()
        heard.clear()
        tasks.end.set()
        await heard.wait()

    assert "0 of 2 slots taken, 0 of 4 outside" in repr(places)


@pytest.mark.parametrize(
    ("files", "slots", "outside"),
    [
        (1024, 256, 204),
        (1024, 1, 16),
        (20_000, 256, 4096),
        (20_000, 5000, 5000),
        (400, 28, 68),
        (256, 51, 30),
        (64, 1, 12),
    ],
)
def test_there_are_as_many_places_as_open_files_allow(
    files: int, slots: int, outside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slots, two sockets for each dial, and some to spare; one of each at the least."""
    monkeypatch.setattr(module, "open_files", lambda: files)

    places = places_for(slots, now=FakeClock().monotonic)

    assert slots <= most_slots(files)
    assert (places.limit, places.outside) == (slots, outside)
