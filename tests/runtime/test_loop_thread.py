"""runtime.loop_thread: results of a loop beside the caller's thread."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextvars import ContextVar
from types import FrameType

import pytest

from crawler.runtime.loop_thread import AHEAD, iterate


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """After each test there are as many threads as before."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


async def doubled(items: AsyncIterator[int]) -> AsyncGenerator[int, None]:
    """Yield each item twice as large."""
    async for item in items:
        await asyncio.sleep(0)
        yield 2 * item


def test_results_come_in_the_order_of_the_generator() -> None:
    """More items than go in one batch, and more results than may wait."""
    assert list(iterate(doubled, range(1000))) == list(range(0, 2000, 2))


def test_items_are_read_in_the_callers_thread() -> None:
    """An iterable may belong to its thread; the generator runs in another one, in the caller's context."""
    name, threads = ContextVar("name", default=""), set[int]()
    name.set("mine")

    def items() -> Iterator[int]:
        threads.add(threading.get_ident())
        yield 1

    async def work(given: AsyncIterator[int]) -> AsyncGenerator[tuple[int, str], None]:
        async for _ in given:
            yield threading.get_ident(), name.get()

    [(beside, context)] = iterate(work, items())

    assert threads == {threading.get_ident()}
    assert beside != threading.get_ident()
    assert context == "mine"


def test_a_slow_reader_is_not_run_away_from() -> None:
    """Only so many results wait; the rest is made when there is room."""
    made = []

    async def work(_: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        for number in range(10 * AHEAD):
            made.append(number)
            yield number

    results = iterate(work, ())
    first = next(results)
    threading.Event().wait(0.05)  # not to wait for something: whatever may run ahead, may run now
    ahead = len(made)
    results.close()

    assert first == 0
    assert ahead <= AHEAD + 2


def test_an_endless_iterable_is_read_as_it_is_needed() -> None:
    """The caller's thread reads no item between two results, and few beyond the generator's."""
    read = list[int]()

    def items() -> Iterator[int]:
        while True:
            read.append(len(read))
            yield read[-1]

    results = iterate(doubled, items())
    first = [next(results) for _ in range(3)]
    count = len(read)
    threading.Event().wait(0.05)
    later = len(read)
    results.close()

    assert first == [0, 2, 4]
    assert count == later <= 2 * AHEAD


@pytest.mark.parametrize("way", ["close", "error"])
def test_leaving_early_ends_the_generator(way: str) -> None:
    """It is cancelled where it waits, and has ended when the caller goes on."""
    ended = []

    async def work(_: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.sleep(60)
            yield 2
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    results = iterate(work, ())
    next(results)
    if way == "close":
        results.close()
    else:
        with pytest.raises(ZeroDivisionError):
            results.throw(ZeroDivisionError())

    assert ended == [True]


@pytest.mark.parametrize("error", [KeyError("mine"), SystemExit(3), asyncio.CancelledError()])
def test_an_error_of_the_generator_is_the_callers(error: BaseException) -> None:
    """It is raised as itself, after the results before it."""

    async def work(_: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        yield 1
        raise error

    results = iterate(work, ())
    first = next(results)
    with pytest.raises(type(error)) as raised:
        next(results)

    assert first == 1
    assert raised.value is error


def test_an_error_of_the_items_is_raised_where_the_generator_asks() -> None:
    """The items before it come first."""

    def items() -> Iterator[int]:
        yield 1
        raise KeyError("mine")

    results = iterate(doubled, items())
    first = next(results)
    with pytest.raises(KeyError, match="mine"):
        next(results)

    assert first == 2


def test_an_interrupt_while_items_are_read_is_raised_at_once() -> None:
    """Ctrl-C is no error of the items."""

    def items() -> Iterator[int]:
        raise KeyboardInterrupt
        yield 1

    with pytest.raises(KeyboardInterrupt):
        next(iterate(doubled, items()))


def test_what_a_signal_handler_raises_leaves_the_call() -> None:
    """Any exception, while the caller waits; the loop beside it ends."""

    class AlarmRang(Exception):
        pass

    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise AlarmRang

    async def work(items: AsyncIterator[int]) -> AsyncGenerator[int, None]:
        async for item in items:  # so the caller waits for the loop
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(60)
            yield item

    before = signal.signal(signal.SIGUSR1, ring)
    try:
        with pytest.raises(AlarmRang):
            next(iterate(work, [1]))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_process_that_exits_ends_what_was_left_half_read() -> None:
    """Neither the loop's thread nor its generator holds up the end, and the generator is closed."""
    text = """
import asyncio
from crawler.runtime.loop_thread import iterate
async def work(items):
    try:
        for number in range(1000):
            yield number
    finally:
        print("closed")
results = iterate(work, ())
print(next(results))
"""

    ended = subprocess.run([sys.executable, "-c", text], timeout=30, check=False, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\nclosed\n", "")
