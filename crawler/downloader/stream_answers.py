"""The answers of a stream that wait for its reader, in order of arrival or of their URLs.

Rules
- At most as many answers as there are slots wait without a place; the others keep their places meanwhile.
- In an ordered stream the answers behind a late one do not count, since they would hold the places that it needs. Once
  they fill the memory of the stream, no further URL is read.
- An answer that waits for the reader counts in the memory of the stream. In an ordered stream it does so as one that
  still comes: thus the late one is the oldest, which may always go on.
Runs on: the event loop.
"""

from collections import deque

from crawler.downloader.fetched import Fetched
from crawler.downloader.stream_turn import StreamTurn
from crawler.runtime.tasks import Account, Alarm, ByteBudget


class WaitingAnswers:
    """The answers that wait for the reader.

    Attributes:
        read: the number of answers that were read.
    """

    def __init__(self, most: int, memory: ByteBudget, *, ordered: bool) -> None:
        self.read = 0
        self._most = most
        self._memory = memory
        self._ordered = ordered
        self._came = 0
        self._there: dict[int, tuple[Fetched | BaseException, Account]] = {}
        self._held: deque[StreamTurn] = deque()
        self._reader = Alarm()

    def __repr__(self) -> str:
        return f"<Answers {self.read} read, {len(self._there)} wait, {len(self._held)} of them in their places>"

    @property
    def is_full(self) -> bool:
        """Return whether so many answers wait, or so large ones, that no further URL is to be read."""
        if self.read in self._there:
            return len(self._there) >= self._most
        return self._memory.used >= self._memory.limit

    def put(self, number: int, answer: Fetched | BaseException, turn: StreamTurn) -> None:
        """Store an answer; its turn leaves its place as soon as few answers wait."""
        turn.memory.hold(len(answer.content) if isinstance(answer, Fetched) else 0)
        if not self._ordered:
            turn.memory.settle()
        self._there[number if self._ordered else self._came] = answer, turn.memory
        self._came += 1
        self._held.append(turn)
        self._let_go()
        self.wake()

    def wake(self) -> None:
        """Make a waiting reader look again."""
        self._reader.set()

    async def next(self) -> Fetched | None:
        """Return the next answer; None = look again whether more will come.

        Raises:
            BaseException: the unexpected error that ended the turn.
        """
        if self.read not in self._there:
            await self._reader.wait()
            return None
        answer, memory = self._there.pop(self.read)
        memory.close()
        self.read += 1
        self._let_go()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _let_go(self) -> None:
        """Free the places of answers: all of them while the reader waits for an earlier one, which may need a place."""
        while self._held and (self.read not in self._there or len(self._there) - len(self._held) < self._most):
            self._held.popleft().give_up()
