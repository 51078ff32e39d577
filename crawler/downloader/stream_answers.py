"""The answers of a stream that wait for its reader, in order of arrival or of their URLs.

Rules
- At most as many answers as there are slots wait without a place; the others keep their places meanwhile.
- In an ordered stream the answers behind a late one do not count, since they would hold the places that it needs.
  Past MOST_CONTENT bytes of them, no further URL is read.
Runs on: the event loop.
"""

from collections import deque

from crawler.downloader.fetched import Fetched
from crawler.downloader.stream_turn import StreamTurn
from crawler.runtime.tasks import Alarm

MOST_CONTENT = 256 * 1024 * 1024  # bytes of answers that wait for an earlier one


class WaitingAnswers:
    """The answers that wait for the reader.

    Attributes:
        read: the number of answers that were read.
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
        """Return whether so many answers wait, or so large ones, that no further URL is to be read."""
        if self.read in self._there:
            return len(self._there) >= self._most
        return self._size > MOST_CONTENT

    def put(self, number: int, answer: Fetched | Exception, turn: StreamTurn) -> None:
        """Store an answer; its turn leaves its place as soon as few answers wait."""
        self._there[number if self._ordered else self._came] = answer
        self._came += 1
        self._size += _size(answer)
        self._held.append(turn)
        self._let_go()
        self.wake()

    def wake(self) -> None:
        """Make a waiting reader look again."""
        self._reader.set()

    async def next(self) -> Fetched | None:
        """Return the next answer; None = look again whether more will come.

        Raises:
            Exception: the unexpected error that ended the turn.
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
        """Free the places of answers: all of them while the reader waits for an earlier one, which may need a place."""
        while self._held and (self.read not in self._there or len(self._there) - len(self._held) < self._most):
            self._held.popleft().leave()


def _size(answer: Fetched | Exception) -> int:
    return len(answer.content) if isinstance(answer, Fetched) else 0
