"""How a crawl behaves towards a host: what it must know before it asks, what it hears, and what is remembered of it.

Rules
- A new origin is asked for its robots.txt before anything else; what that refuses costs no request. The sitemaps that
  it names are found with the first page of the origin whose turn comes.
- Every answer and every failure is heard by its host's pace, and what a later lease or life must know goes to the
  journal. A host that rests for long hands its leases back.
- Of a host that was given up nothing is asked: what is left of it fails with the cause.
- Where no server answers over https, no other guess is asked (`core/guesses.py`), and the host is not blamed: it may
  speak http on the same port. An origin that has answered is no guess any more.
Runs on: the loop.
"""

from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass, replace

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.finds import Guess
from crawler.core.guesses import is_settled
from crawler.core.messages import Request, Response, Timing
from crawler.core.protocols import Clock, Fetcher, Room
from crawler.core.reasons import Reason
from crawler.core.retry import RETRY_STATUSES, retry_after
from crawler.core.scope import LinkJudge
from crawler.core.sitemaps import discovered
from crawler.core.text import counted, safe
from crawler.core.throttle import ROBOTS_ATTEMPTS, Heard, HostThrottle
from crawler.core.urls import Host, Url
from crawler.core.visits import Visit
from crawler.engine import outcomes
from crawler.engine.journal import Journal
from crawler.engine.robots_cache import RobotsCache
from crawler.engine.workbench import Workbench
from crawler.robots.rules import RobotsOutcome

PUT_OFF = 3.0  # seconds that a host waits for its next turn after a request was broken off
_MOST_GUESSES = 10_000  # origins that are remembered; another is asked again
_NOTES = 5  # about hosts that cannot be had; the summary and `crawler hosts` name them


@dataclass(frozen=True, slots=True, kw_only=True)
class PolitenessOptions:
    """How one run behaves.

    Attributes:
        jitter: chance in [0, 1).
        say: where the user is told what happens once.
        retries: how many further tries a robots.txt gets.
        discover: judges the sitemaps that a robots.txt names; None = nobody reads them.
    """

    jitter: Callable[[], float]
    say: Callable[[str], None]
    retries: int
    discover: LinkJudge | None = None


class Politeness:
    """The behaviour towards all hosts of the `workbench`; `robots` None = every URL may be asked for."""

    def __init__(
        self,
        fetcher: Fetcher,
        workbench: Workbench,
        robots: RobotsCache | None,
        journal: Journal,
        clock: Clock,
        ways: PolitenessOptions,
    ) -> None:
        self._fetcher = fetcher
        self._workbench = workbench
        self._robots = robots
        self._journal = journal
        self._clock = clock
        self._ways = ways
        self._mourned = 0
        self._unnamed = 0  # robots.txt of which it was said that a sitemap in it has no URL
        self._answers: dict[str, Reason | None] = {}  # of guessed origins: why none came, None = one came

    # --- before it is asked --------------------------------------------------------------------------------------

    def needs_rules(self, request: Request) -> bool:
        """Whether the robots.txt of its origin has to be asked for first."""
        if self._robots is None or self._workbench.pace(request.url.host_port).down or self._silence(request):
            return False
        return not self._robots.knows(request.url)

    def refusal(self, request: Request) -> Visit | None:
        """What becomes of a URL that is not asked for; None = it may be."""
        pace = self._workbench.pace(request.url.host_port)
        if failure := self._silence(request):
            return outcomes.http_instead(request, failure)
        if pace.down:
            return outcomes.given_up(self.settled(request), pace.down, self._clock.wall())
        if self._robots is None:
            return None
        pace.crawl_delay = self._robots.crawl_delay(request.url)
        if self._ways.discover and (request.way.seed or not request.way.sitemap):
            self._discover(self._robots, request, self._ways.discover)
        return None if self._robots.allows(request.url) else outcomes.denied(request)

    def _discover(self, robots: RobotsCache, request: Request, judge: LinkJudge) -> None:
        """Sitemaps become known before what asks about their robots.txt ends, so no kill comes between.

        A sitemap may lie anywhere, and its host's other sitemaps are none of ours: only pages and seeds discover.
        """
        found = discovered(robots.take_sitemaps(request.url), request, judge)
        if found.finds:
            self._journal.note_finds(found.finds)
        if found.bad and self._unnamed < _NOTES:
            self._unnamed += 1
            told = (
                f"{counted(len(found.bad), 'sitemap')} in its robots.txt with no valid URL: {safe(found.bad[0], 100)}"
            )
            self._ways.say(f"{request.url.origin}: {told}")

    async def learn(self, request: Request, room: Room | None) -> RobotsOutcome:
        """Ask for the robots.txt of its origin, as an errand of its host; gives what that taught.

        Raises:
            NoNameServer: nobody can be asked where that is; the host is not blamed.
        """
        assert self._robots is not None  # noqa: S101 - nobody needs rules without it
        pace, asked_at = self._workbench.pace(host := request.url.host_port), self._clock.monotonic()
        try:
            lesson = await self._robots.learn(request, room)
            if lesson.reason is None:
                self._note_guess(request, None)
                self._heed(pace, lesson)
                pace.crawl_delay = self._robots.crawl_delay(request.url)
            elif lesson.reason is Reason.CLIENT_LIMIT or not lesson.is_counted:
                pace.put_off(PUT_OFF, self._clock.monotonic())
            elif is_settled(self.settled(request), lesson.reason):
                self._note_guess(request, lesson.reason)
            else:
                self._miss(pace, lesson, asked_at)
                self._mourn(request.url.origin, pace, lesson.message)
            return lesson
        except (CancelledError, NoNameServer) as error:
            now = self._clock.monotonic()
            pace.put_off(PUT_OFF, now, 0.0 if isinstance(error, NoNameServer) else now - asked_at)
            raise
        finally:
            self._workbench.end_errand(host, self._clock.monotonic())
            self._remember(host, pace)

    def _heed(self, pace: HostThrottle, lesson: RobotsOutcome) -> None:
        """An old copy may be in force, because nobody answered or somebody asked for a rest."""
        if lesson.is_answered:
            pace.reached(self._clock.monotonic())
        if lesson.retry_after:
            pace.rest(lesson.retry_after, self._clock.monotonic())

    def _miss(self, pace: HostThrottle, lesson: RobotsOutcome, asked_at: float) -> None:
        attempts = min(ROBOTS_ATTEMPTS, self._ways.retries + 1) if lesson.reason is not Reason.BLOCKED_ADDRESS else 1
        heard = Heard(asked_at=asked_at, failure=lesson.reason, retry_after=lesson.retry_after)
        pace.miss_robots(heard, self._clock.monotonic(), self._ways.jitter(), attempts=attempts)

    def _mourn(self, name: str, pace: HostThrottle, why: str) -> None:
        """Say why nothing happens: when it begins, and of each host that is given up. A list may have thousands."""
        if self._mourned and not pace.down:
            return
        self._mourned += 1
        if self._mourned <= _NOTES:
            again = max(0.0, pace.due - self._clock.monotonic())
            then = "given up, and its URLs fail" if pace.down else f"asked again in {again:.1f} s"
            self._ways.say(f"{name}: {why}; {then}")
        elif self._mourned == _NOTES + 1:
            self._ways.say("more hosts are given up; crawler hosts shows them all")

    # --- what was guessed ----------------------------------------------------------------------------------------

    def settled(self, request: Request) -> Request:
        """Return the request; it is no guess any more, if its origin has answered."""
        if not request.guess or not self._has_answered(request.url):
            return request
        return replace(request, guess=Guess.WRITTEN)

    def _has_answered(self, url: Url) -> bool:
        if url.origin in self._answers:
            return self._answers[url.origin] is None
        return self._robots is not None and self._robots.knows(url)

    def _silence(self, request: Request) -> Reason | None:
        """Return why no server answers over https, where that was guessed; None = one may."""
        return self._answers.get(request.url.origin) if request.guess == Guess.GUESSED else None

    def _note_guess(self, request: Request, failure: Reason | None) -> None:
        if request.guess:
            if len(self._answers) >= _MOST_GUESSES:
                self._answers.clear()
            self._answers[request.url.origin] = failure

    # --- while it is asked ---------------------------------------------------------------------------------------

    async def fetch(self, request: Request, room: Room) -> Response:
        """The response; the host is heard and released by then.

        Raises:
            FetchError: there was no usable response, and the host was heard all the same.
        """
        host, asked_at = request.url.host_port, self._clock.monotonic()
        pace = self._workbench.pace(host)
        self._workbench.sent(host, asked_at)  # a task does not start at the moment of its dispatch
        try:
            response = await self._fetcher.fetch(request, room)
            pace.sent(asked_at + _until_sent(response.timing))
            self._note_guess(request, None)
            self._hear(pace, _told(response, asked_at, self._clock.wall()))
            return response
        except FetchError as error:
            was_down, is_silent = pace.down, error.counted and is_settled(self.settled(request), error.reason)
            if is_silent:
                self._note_guess(request, error.reason)
            is_heard = error.counted and not is_silent
            failure = error.reason if is_heard else Reason.CLIENT_LIMIT
            self._hear(pace, Heard(asked_at=asked_at, failure=failure, again=request.attempts > 0))
            if error.counted and error.reason.blames_host and not (was_down or is_silent):
                self._mourn(host, pace, str(error))
            raise
        finally:
            self._workbench.release(host, self._clock.monotonic())
            self._remember(host, pace)

    def put_off(self, request: Request, waited: float) -> None:
        """Lay back a request that was broken off, to nobody's blame; others come first.

        It waited so many seconds for its host, in vain.
        """
        host = request.url.host_port
        pace = self._workbench.pace(host)
        pace.put_off(PUT_OFF, self._clock.monotonic(), waited)
        self._workbench.lay_back(request, self._clock.monotonic())
        self._remember(host, pace)

    def _hear(self, pace: HostThrottle, heard: Heard) -> None:
        pace.hear(heard, self._clock.monotonic(), self._ways.jitter())

    def _remember(self, host: Host, pace: HostThrottle) -> None:
        now = self._clock.monotonic()
        if news := pace.news(now):
            self._journal.note_host(host, news)
        if requests := self._workbench.withdraw(host, now):
            self._journal.give_back(requests)


def _told(response: Response, asked_at: float, wall: float) -> Heard:
    status, timing = response.status, response.timing
    asked = retry_after(response.header("retry-after"), wall) if status in RETRY_STATUSES else None
    return Heard(asked_at=asked_at, status=status, latency=timing.first_byte or timing.total, retry_after=asked)


def _until_sent(timing: Timing) -> float:
    """Seconds from dispatch until the request was written: a busy loop and a slow handshake are no part of a delay."""
    return (timing.total or 0.0) - (timing.first_byte or 0.0) - (timing.body or 0.0)
