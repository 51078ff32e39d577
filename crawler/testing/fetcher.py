"""The fake below the engine: a fetcher of single requests that answers from a mapping.

Runs on: a loop.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crawler.core.errors import FetchError
from crawler.core.messages import Request, Response, Timing
from crawler.core.protocols import Room
from crawler.core.reasons import Reason

Answer = Response | FetchError | tuple[int, bytes] | Callable[[Request], "Response | FetchError"]


@dataclass(slots=True)
class FakeFetcher:
    """A fetcher that answers from a mapping of URL to answer; any other URL gets `default`.

    An answer is a response, an error to raise, a pair of status and body, or a function of the request.

    Attributes:
        asked: every URL that was requested, in order.
        moments: the time of each request, on the loop's clock.
        peak: the largest number of requests that were in flight at once.
        gate: if given, every request waits for this event before it is answered.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    default: Answer = (200, b"")
    asked: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    peak: int = 0
    gate: asyncio.Event | None = None
    _in_flight: int = 0
    _awaited: dict[int, asyncio.Event] = field(default_factory=dict)

    async def fetch(self, request: Request, room: Room | None = None) -> Response:
        """Return the answer for the request's URL, or raise it."""
        self.asked.append(request.url.href)
        self.moments.append(asyncio.get_running_loop().time())
        self._in_flight += 1
        self.peak = max(self.peak, self._in_flight)
        if self.peak in self._awaited:
            self._awaited[self.peak].set()
        try:
            await (self.gate.wait() if self.gate else asyncio.sleep(0))
            response = _answer(self.answers.get(request.url.href, self.default), request)
            if room is not None:
                await room.answered()
                await room.grow(len(response.body))
            return response
        finally:
            self._in_flight -= 1

    async def in_flight(self, count: int) -> None:
        """Wait until `count` requests have been in flight at once."""
        if self.peak < count:
            await self._awaited.setdefault(count, asyncio.Event()).wait()

    def times(self) -> Counter[str]:
        """Return the number of requests for each URL."""
        return Counter(self.asked)


def _answer(answer: Answer, request: Request) -> Response:
    if isinstance(answer, tuple):
        status, body = answer
        answer = Response(request=request, status=status, body=body, timing=Timing(total=0.001))
    elif callable(answer):
        answer = answer(request)
    if isinstance(answer, FetchError):
        raise answer
    return answer


def refused(message: str = "connection refused") -> FetchError:
    """Return the error of a fetch whose connection is refused."""
    return FetchError(Reason.CONNECT_REFUSED, message)
