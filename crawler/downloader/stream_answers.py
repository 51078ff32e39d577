"""The answers of a stream that are there and not read, as they come or by the number of their URL.

Rules
- At most so many as there are slots wait for the reader without a place; any other keeps its place meanwhile.
- In an ordered stream the answers that wait for an earlier one do not count, since they would hold the places that it
  needs. MOST_CONTENT bytes of them are enough: then no further URL is read.
Runs on: the event loop.
"""

from collections import deque

from crawler.downloader.fetched import Fetched
from crawler.downloader.stream_turn import StreamTurn
from crawler.runtime.tasks import Alarm

MOST_CONTENT = 256 * 1024 * 1024  # bytes of answers that wait for an earlier one


class Answers:
    """The answers that are there and not read: as they come, or by the number of their URL.

    Attributes:
        read: how many were read.
    """

    def __init__(self, most: int, *, ordered: bool) -> None:
        self.read = 0
        self._most = most
        self._ordered = ordered
        self._came = 0
        self._there: dict[int, Fetched | Exception] = {}
        self._size = 0
        self._held: deque[StreamTurn] = deque()
        self._reader = Alarm()

    def __repr__(self) -> str:
        return f"<Answers {self.read} read, {len(self._there)} wait, {len(self._held)} of them in their places>"

    @property
    def is_full(self) -> bool:
        """Return whether so many wait, or so large ones, that no further URL is to be read."""
        if self.read in self._there:
            return len(self._there) >= self._most
        return self._size > MOST_CONTENT

    def put(self, number: int, answer: Fetched | Exception, turn: StreamTurn) -> None:
        """Keep the answer for the reader; its turn leaves its place as soon as few wait for the reader."""
        self._there[number if self._ordered else self._came] = answer
        self._came += 1
        self._size += _size(answer)
        self._held.append(turn)
        self._let_go()
        self.wake()

    def wake(self) -> None:
        """Let the reader look again."""
        self._reader.set()

    async def next(self) -> Fetched | None:
        """The next answer; None = look whether there are more.

        Raises:
            Exception: what its turn ended with, if that has no name.
        """
        if self.read not in self._there:
            await self._reader.wait()
            return None
        answer = self._there.pop(self.read)
        self.read += 1
        self._size -= _size(answer)
        self._let_go()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _let_go(self) -> None:
        """Take answers out of their places; those behind one that is not there must not be in its way."""
        while self._held and (self.read not in self._there or len(self._there) - len(self._held) < self._most):
            self._held.popleft().leave()


def _size(answer: Fetched | Exception) -> int:
    return len(answer.content) if isinstance(answer, Fetched) else 0
