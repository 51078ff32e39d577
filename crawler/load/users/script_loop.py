"""The closed loop of users who run a script: callbacks of the connections on one side, coroutines on the other.

Rules
- A user's script begins anew whenever it ends, while the user takes part. A user that leaves stops at its next request,
  and goes on there if it comes back.
- Checks count in records of their own, one for each phase beside those of its groups. A run of the script that ends
  well without one counts as a check that held.
- At the end of the test each script goes on until it asks for its next request, so the checks of the last answers
  count. A user who thinks then is hurried, once: a script that only thinks would never end.
- A script that ends without a request and without thinking waits a moment, or it would stop the loop for all.
Runs on: the loop that loads; one task per user, none per request.
"""

from collections.abc import Sequence

from crawler.core.errors import CrawlerError, FetchError
from crawler.core.reasons import Reason
from crawler.core.text import safe
from crawler.http.framing import ResponseReader
from crawler.load.config import RequestConfig
from crawler.load.exchange import KeepingReader, Request
from crawler.load.intervals import SCRIPT_ERROR, check_name
from crawler.load.loop_setup import LoopSetup
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.records import Example, Phase
from crawler.load.targets.groups import MOST, OTHER
from crawler.load.users.answer import LoadAnswer
from crawler.load.users.loop import Behaviour, UserLoop
from crawler.load.users.script import LoadUser, Script
from crawler.load.users.stages import Stay
from crawler.load.users.user import User
from crawler.load.wire import Connection
from crawler.runtime.one_shot import OneShot
from crawler.runtime.tasks import TaskSet

SCRIPT_RUN = "script_run"  # a run that ended well without a check
_PAUSE = 100 * MILLISECOND  # after a script that failed or did nothing


class ScriptLoop(UserLoop):
    """A closed loop of users who run a script.

    Attributes:
        check_counts: of each name of a check, how many passed and failed since the start.
    """

    def __init__(
        self,
        setup: LoopSetup,
        behaviour: Behaviour,
        users: Sequence[tuple[User, Sequence[Stay]]],
        script: Script,
        asked: RequestConfig,
        tasks: TaskSet,
    ) -> None:
        super().__init__(setup, behaviour, users)
        self._script = script
        self._asked = asked
        self._tasks = tasks
        self._replies: dict[int, OneShot[LoadAnswer]] = {}
        self._absent: dict[int, OneShot[None]] = {}
        self._pauses: dict[OneShot[None], int] = {}  # of which user
        self._hurried: set[int] = set()  # users whose pause the end of the test has cut short
        self._alive = 0  # scripts that have not ended
        self._settled: OneShot[None] | None = None
        self._made = [Phase(name=span.name, measured=span.measured, begin=span.begin) for span in setup.spans]
        self._check_cell = self._made[0]
        self.check_counts: dict[str, list[int]] = {}
        self._numbers: dict[str, int] = {}
        self._answers: dict[int, LoadAnswer] = {}

    @property
    def records(self) -> list[list[Phase]]:
        """Return the records of each phase, that of its checks last."""
        return [[*cells, made] for cells, made in zip(super().records, self._made, strict=True)]

    def begin_phase(self, cells: Sequence[Phase]) -> None:
        """Let the users send the requests of this phase, and count their checks in it."""
        super().begin_phase(cells)
        self._check_cell = self._made[self._current]

    async def settle(self) -> None:
        """Wait, after the end, until each script has ended or waits for what does not come any more."""
        for pause, place in self._pauses.items():
            self._hurried.add(place)
            pause.set(None)
        self._pauses.clear()
        if self._is_running:
            self._settled = OneShot[None]()
            await self._settled

    @property
    def _is_running(self) -> bool:
        """Return whether a script runs: it has what it waited for, or is about to have it."""
        return self._alive > len(self._replies) + len(self._absent) + len(self._pauses)

    def _note_rest(self) -> None:
        """Tell whoever waits for the end that no script runs any more."""
        if self._settled is not None and not self._is_running:
            self._settled.set(None)

    def go_on(self, place: int, _moment: int = 0) -> None:
        """Let a user go on with its script, or begin it."""
        user, _ = self._users[place]
        if (absent := self._absent.pop(place, None)) is not None:
            absent.set(None)
        elif user.is_idle:
            user.is_idle = False
            self._alive += 1
            self._tasks.start(self._live, place)

    def enter(self, place: int, _moment: int = 0) -> None:
        """Let a user take part."""
        self._users[place][0].is_present = True
        self.go_on(place)

    async def _live(self, place: int) -> None:
        try:
            await self._run_script(place)
        finally:
            self._alive -= 1
            self._note_rest()

    async def _run_script(self, place: int) -> None:
        user, _ = self._users[place]
        visitor = LoadUser(self, place, user, self._asked, tuple(self.behaviour.origins))
        while not self.is_over:
            before, began, made = user.step, self.now(), visitor.checks_made
            try:
                await self._script(visitor)
                if visitor.checks_made == made:
                    self.checked(SCRIPT_RUN, None)
            except FetchError:
                pass  # counted when it happened
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
                said = str(error) if isinstance(error, CrawlerError) else f"{type(error).__name__}: {error}"
                self.checked(SCRIPT_ERROR, f"user {user.number}: {safe(said, 100)}")
                await self.wait(place, _PAUSE)
            if user.step == before and self.now() - began < MILLISECOND:
                await self.wait(place, _PAUSE)

    # What a script calls

    def group_of(self, name: str) -> int:
        """Return the number of a group of the report, which may be a new one; the last one is for all that follow."""
        if name not in self._numbers and len(self._numbers) >= MOST - 1:
            name = OTHER
        if name not in self._numbers:
            self._numbers[name] = self.add_group(name)
        return self._numbers[name]

    async def ask(self, place: int, request: Request) -> LoadAnswer:
        """Send a request of a user, and return the answer.

        Raises:
            FetchError: no whole answer came.
        """
        user, _ = self._users[place]
        if place in self._replies:
            raise RuntimeError("a user sends one request at a time: await the first one before the next")
        while self.is_over or not user.is_present or not self.left:
            self._absent[place] = absent = OneShot[None]()
            self._note_rest()
            await absent  # for ever, if the test is over: the task is cancelled then
        user.step += 1
        self._replies[place] = reply = OneShot[LoadAnswer]()
        self.send(place, request)
        return await reply

    async def wait(self, place: int, nanoseconds: int) -> None:
        """Let a user wait; after the end of the test not at all, and the next time for ever."""
        if self.is_over and place not in self._hurried:
            self._hurried.add(place)
            return
        over = OneShot[None]()
        self._pauses[over] = place
        if not self.is_over:
            self.setup.timers.at(self.now() + nanoseconds, lambda _: self._end_pause(over))
        self._note_rest()
        await over

    def _end_pause(self, over: OneShot[None]) -> None:
        self._pauses.pop(over, None)
        over.set(None)

    def checked(self, what: str, trouble: str | None) -> None:
        """Count a check; `trouble` is an example of its failure, None = it held."""
        closed = self.log.closed
        second = closed[-1] if self.is_over and closed else self.second  # the last answer is checked after the end
        self._check_cell.checked += 1
        second.checked += 1
        counts = self.check_counts.setdefault(check_name(what, self.check_counts), [0, 0])
        counts[trouble is not None] += 1
        if trouble is not None:
            at = self.now() - self.origin
            self._check_cell.fail_check(what, Example(at=at, took=0, port=None, detail=trouble))
            second.fail_check(what)

    # What the connections call

    def pause_of(self, user: User) -> int:
        """Return 0: a script decides itself when it thinks."""
        return 0

    def ended(self, connection: Connection) -> None:
        """Give the answer, or the reason why there is none, to the script that waits for it."""
        reply = self._replies.pop(connection.user)
        if (answer := self._answers.pop(connection.user, None)) is not None:
            reply.set(answer)
        else:
            reply.fail(connection.trouble or FetchError(Reason.CONNECTION_LOST, "no answer came"))

    def take_answer(self, connection: Connection, reader: ResponseReader) -> None:
        """Keep the answer and its cookies."""
        super().take_answer(connection, reader)
        if reader.head is not None and isinstance(reader, KeepingReader):
            self._answers[connection.user] = LoadAnswer(
                status=reader.head.status,
                fields=reader.head.headers,
                content=reader.decoded(),
                seconds=(self.now() - connection.sent) / 1e9,
            )
