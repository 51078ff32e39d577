"""A stream: many URLs fetched at once, read from an iterable as places become free.

Rules
- Each URL is a task; silent hosts delay no others, as long as there are places outside (`stream_turn.py`).
- A URL is read when less than a quarter of `concurrency` URLs wait for their first place, few answers wait for the
  reader (`stream_answers.py`), and fewer than MOST_BEGUN URLs were begun whose answers were not read.
- The bodies that come and those that wait for the reader take MEMORY bytes together; past that, connections wait. The
  oldest, for which an ordered stream waits, may always go on.
- Leaving the stream early ends all of its tasks.
Runs on: the event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import cast

from crawler.core.errors import UsageError
from crawler.downloader.fetched import Fetched
from crawler.downloader.request_options import ClientRequest
from crawler.downloader.stream_answers import WaitingAnswers
from crawler.downloader.stream_turn import Sender, StreamBounds, StreamTurn
from crawler.runtime.loop import open_files
from crawler.runtime.slot_order import Placement
from crawler.runtime.slots import most_slots, places_for
from crawler.runtime.tasks import Alarm, ByteBudget, ScopedTasks, background

MOST_BEGUN = 8192  # 10 KiB each while they wait
MEMORY = 64 * 1024 * 1024  # bytes

Asked = Iterable[str | ClientRequest] | AsyncIterable[str | ClientRequest]
"""URLs, or requests, of a stream."""


class Stream:
    """One stream; `answer` gives the answer for a URL, an error included."""

    def __init__(
        self,
        answer: Callable[[str | ClientRequest, Sender], Awaitable[Fetched]],
        bounds: StreamBounds,
        *,
        ordered: bool,
    ) -> None:
        self._answer = answer
        self._ordered = ordered
        self._bounds = bounds
        slots = min(bounds.concurrency, most_slots(open_files()))
        self._places = places_for(slots, now=bounds.now, is_relieved=ordered or not bounds.is_throttled)
        self._placement = Placement(self._places, bounds.now)
        self._memory = ByteBudget(MEMORY)
        self._answers = WaitingAnswers(slots, self._memory, ordered=ordered)
        self._begun = self._placed = 0
        self._may_read = Alarm()
        self._end: tuple[BaseException | None] | None = None  # set once the URLs have ended, by an error or not

    def __repr__(self) -> str:
        return f"<Stream {self._begun} begun, {self._answers!r}, {self._placement!r}>"

    async def answers(self, urls: Asked) -> AsyncGenerator[Fetched, None]:
        """Yield each answer once; then raise the error of `urls`, if there was one."""
        async with ScopedTasks() as turns, background(self._placement.run), background(self._feed, urls, turns):
            while not (self._end and self._answers.read == self._begun):
                answer = await self._answers.next()
                self._may_read.set()
                if answer is not None:
                    yield answer
        if self._end[0] is not None:
            raise self._end[0]

    async def _feed(self, urls: Asked, turns: ScopedTasks) -> None:
        """Start a turn for each URL; an error goes to the reader, since raised here it would cancel it."""
        end = None
        try:
            await self._room()
            async for url in _each(urls):
                turns.run(self._take_turn(url, self._begun), lambda: None)  # its answer says all
                self._begun += 1
                await self._room()
        except (Exception, asyncio.CancelledError) as error:
            if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                raise
            end = error
        self._end = (end,)
        self._answers.wake()

    async def _room(self) -> None:
        """Wait until a further URL may be read."""
        ahead = max(1, self._places.limit // 4)
        while (
            self._begun - self._placed >= ahead
            or self._begun - self._answers.read >= MOST_BEGUN
            or self._answers.is_full
        ):
            await self._may_read.wait()

    async def _take_turn(self, url: str | ClientRequest, number: int) -> None:
        turn = StreamTurn(self._bounds, self._placement, self._memory, self._note_placed, ordered=self._ordered)
        answer: Fetched | BaseException
        try:
            answer = await self._answer(url, turn)
        except (Exception, asyncio.CancelledError) as error:  # raised where the answer is read
            if cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                turn.give_up()
                turn.memory.close()
                raise
            answer = error
        if not turn.was_placed:
            self._note_placed()
        self._answers.put(number, answer, turn)

    def _note_placed(self) -> None:
        self._placed += 1
        self._may_read.set()


async def _each(urls: Asked) -> AsyncIterator[str | ClientRequest]:
    if isinstance(urls, str):
        raise UsageError("urls must be a list, not a string: write [url]")
    if isinstance(urls, AsyncIterable):
        async for url in urls:
            yield url
    else:
        for url in urls:
            yield url
