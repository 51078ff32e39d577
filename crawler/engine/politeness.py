"""Politeness towards hosts: ask for robots.txt first, tell each host's throttle what it said, and remember it.

Rules
- A new origin is asked for its robots.txt before anything else; a URL that it refuses costs no request. The sitemaps
  that it names are found with the first page of the origin that is dispatched.
- Every answer and every failure goes to the throttle of its host. What a later lease or life must know goes to the
  journal. A host that rests for long hands its leases back.
- A host that was given up is not asked: its remaining URLs fail with the cause.
- Where no server answers over https, no other guess is asked (`core/scheme_guesses.py`), and the host is not blamed: it
  may speak http on the same port. An origin that has answered is no guess any more.
- After a throttle has changed, its host is released or a request laid back, so the workbench offers the host anew.
Runs on: the loop.
"""

from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from msgspec.structs import replace

from crawler.core.errors import FetchError, NoNameServer
from crawler.core.finds import Guess
from crawler.core.messages import Request, Response
from crawler.core.protocols import Clock, Fetcher, Room
from crawler.core.reachability import ROBOTS_ATTEMPTS
from crawler.core.reasons import Reason
from crawler.core.scheme_guesses import is_settled
from crawler.core.scope import LinkJudge
from crawler.core.sitemaps import discovered
from crawler.core.text import counted, safe
from crawler.core.throttle import Heard, HostThrottle
from crawler.core.urls import Host
from crawler.core.visits import Visit
from crawler.engine import outcomes
from crawler.engine.entries import HostNote, LeaseReturn, LooseFinds
from crawler.engine.robots_cache import RobotsCache
from crawler.engine.workbench import Workbench
from crawler.http.retry import RETRY_STATUSES, retry_after
from crawler.robots.rules import RobotsOutcome

PUT_OFF = 3.0  # seconds that a host waits for its next turn after a request was broken off
_MOST_GUESSES = 10_000  # origins that are remembered; another is asked again
_MOST_WARNINGS = 5  # the summary and `crawler hosts` name all hosts that cannot be reached


class Notes(Protocol):
    """Memory of what is learned of hosts: the journal."""

    def note(self, entry: HostNote | LooseFinds | LeaseReturn, /) -> None:
        """Remember an entry; never waits."""
        ...


@dataclass(kw_only=True, eq=False, repr=False)
class Politeness:
    """The behaviour towards all hosts of the `workbench`.

    Attributes:
        robots: says which URLs may be asked for; None = every URL.
        jitter: returns a random number in [0, 1).
        say: tells the user about single events.
        retries: further tries that a robots.txt gets.
        discover: judges the sitemaps that a robots.txt names; None = they are not read.
    """

    fetcher: Fetcher
    workbench: Workbench
    robots: RobotsCache | None
    notes: Notes
    clock: Clock
    jitter: Callable[[], float]
    say: Callable[[str], None]
    retries: int
    discover: LinkJudge | None = None
    _warned: int = field(default=0, init=False)
    _unnamed: int = field(default=0, init=False)  # robots.txt files of which the user was told that they are wrong
    _silences: dict[str, Reason | None] = field(default_factory=dict, init=False)
    """Why no server answers, by guessed origin; None = one does."""

    # --- before it is asked --------------------------------------------------------------------------------------

    def needs_robots(self, request: Request) -> bool:
        """Return whether the robots.txt of its origin has to be fetched first."""
        if self.robots is None or self.workbench.throttle(request.url.host_port).down or self._silence(request):
            return False
        return not self.robots.knows(request.url)

    def refusal(self, request: Request) -> Visit | None:
        """Return the visit of a URL that is not asked for; None = it may be."""
        throttle = self.workbench.throttle(request.url.host_port)
        if failure := self._silence(request):
            return outcomes.http_instead(request, failure)
        if throttle.down:
            return outcomes.given_up(self.settled(request), throttle.down, self.clock.wall())
        if self.robots is None:
            return None
        throttle.crawl_delay = self.robots.crawl_delay(request.url)
        if self.discover and (request.way.seed or not request.way.sitemap):
            # Noted before the visit that asks about the robots.txt ends, so no kill comes between. A sitemap may be on
            # any host, whose other sitemaps are of no concern here: only pages and seeds discover.
            found = discovered(self.robots.take_sitemaps(request.url), request, self.discover)
            if found.finds:
                self.notes.note(LooseFinds(found.finds))
            if found.bad and self._unnamed < _MOST_WARNINGS:
                self._unnamed += 1
                named = f"{counted(len(found.bad), 'sitemap')} in its robots.txt with no valid URL"
                self.say(f"{request.url.origin}: {named}: {safe(found.bad[0], 100)}")
        return None if self.robots.allows(request.url) else outcomes.denied(request)

    async def fetch_robots(self, request: Request, room: Room | None) -> RobotsOutcome:
        """Fetch the robots.txt of its origin, as a request of its host, and heed the outcome.

        Raises:
            NoNameServer: the origin has no address for now; the host is not blamed.
        """
        assert self.robots is not None  # noqa: S101 - without it, `needs_robots` is False
        host, asked_at = request.url.host_port, self.clock.monotonic()
        throttle = self.workbench.throttle(host)
        try:
            outcome = await self.robots.fetch(request, room)
            if outcome.reason is None:
                self._note_guess(request, None)
                if outcome.is_answered:  # otherwise an old copy is in force
                    throttle.reached(self.clock.monotonic())
                if outcome.retry_after:
                    throttle.rest(outcome.retry_after, self.clock.monotonic())
                throttle.crawl_delay = self.robots.crawl_delay(request.url)
            elif outcome.reason is Reason.CLIENT_LIMIT or not outcome.is_counted:
                throttle.put_off(PUT_OFF, self.clock.monotonic())
            elif is_settled(self.settled(request), outcome.reason):
                self._note_guess(request, outcome.reason)
            else:
                attempts = 1 if outcome.reason is Reason.BLOCKED_ADDRESS else min(ROBOTS_ATTEMPTS, self.retries + 1)
                heard = Heard(asked_at=asked_at, failure=outcome.reason, retry_after=outcome.retry_after)
                throttle.miss_robots(heard, self.clock.monotonic(), self.jitter(), attempts=attempts)
                self._warn_unreachable(request.url.origin, throttle, outcome.message)
            return outcome
        except (CancelledError, NoNameServer) as error:
            now = self.clock.monotonic()
            throttle.put_off(PUT_OFF, now, 0.0 if isinstance(error, NoNameServer) else now - asked_at)
            raise
        finally:
            self.workbench.robots_done(host, self.clock.monotonic())
            self._remember(host, throttle)

    def _warn_unreachable(self, name: str, throttle: HostThrottle, why: str) -> None:
        """Tell the user of the first failure, and of each host that is given up; a list may have thousands."""
        if self._warned and not throttle.down:
            return
        self._warned += 1
        if self._warned <= _MOST_WARNINGS:
            again = max(0.0, throttle.due - self.clock.monotonic())
            then = "given up, and its URLs fail" if throttle.down else f"next request in {again:.1f} s"
            self.say(f"{name}: {why}; {then}")
        elif self._warned == _MOST_WARNINGS + 1:
            self.say("more hosts are given up; crawler hosts shows them all")

    # --- guessed schemes -----------------------------------------------------------------------------------------

    def settled(self, request: Request) -> Request:
        """Return the request; its scheme is no guess any more if its origin has answered."""
        if not request.guess:
            return request
        if (origin := request.url.origin) in self._silences:
            has_answered = self._silences[origin] is None
        else:
            has_answered = self.robots is not None and self.robots.knows(request.url)
        return replace(request, guess=Guess.WRITTEN) if has_answered else request

    def _silence(self, request: Request) -> Reason | None:
        """Return why no server answers over https, where that was guessed; None = one may."""
        return self._silences.get(request.url.origin) if request.guess == Guess.GUESSED else None

    def _note_guess(self, request: Request, failure: Reason | None) -> None:
        if request.guess:
            if len(self._silences) >= _MOST_GUESSES:
                self._silences.clear()
            self._silences[request.url.origin] = failure

    # --- while it is asked ---------------------------------------------------------------------------------------

    async def fetch(self, request: Request, room: Room) -> Response:
        """Return the response; the throttle was told and the host released by then.

        Raises:
            FetchError: there was no usable response; the throttle was told all the same.
        """
        host, asked_at = request.url.host_port, self.clock.monotonic()
        throttle = self.workbench.throttle(host)
        throttle.sent(asked_at)  # a task does not start at the moment of its dispatch
        try:
            response = await self.fetcher.fetch(request, room)
            status, timing = response.status, response.timing
            # The delay counts from the written request: a busy loop and a slow handshake are no part of it.
            throttle.sent(asked_at + (timing.total or 0.0) - (timing.first_byte or 0.0) - (timing.body or 0.0))
            self._note_guess(request, None)
            latency, now = timing.first_byte or timing.total, self.clock.wall()
            asked = retry_after(response.header("retry-after"), now) if status in RETRY_STATUSES else None
            self._hear(throttle, Heard(asked_at=asked_at, status=status, latency=latency, retry_after=asked))
            return response
        except FetchError as error:
            was_down, is_silent = throttle.down, error.counted and is_settled(self.settled(request), error.reason)
            if is_silent:
                self._note_guess(request, error.reason)
            failure = error.reason if error.counted and not is_silent else Reason.CLIENT_LIMIT
            self._hear(throttle, Heard(asked_at=asked_at, failure=failure, again=request.attempts > 0))
            if error.counted and error.reason.blames_host and not (was_down or is_silent):
                self._warn_unreachable(host, throttle, str(error))
            raise
        finally:
            self.workbench.release(host)
            self._remember(host, throttle)

    def put_off(self, request: Request, waited: float) -> None:
        """Lay back a request that was broken off without blame for its host; others come first.

        `waited`: seconds that it waited for its host without an answer.
        """
        host, now = request.url.host_port, self.clock.monotonic()
        throttle = self.workbench.throttle(host)
        throttle.put_off(PUT_OFF, now, waited)
        self.workbench.lay_back(request, now)
        self._remember(host, throttle)

    def hand_back(self, count: int) -> None:
        """Ask no more of so many hosts, and return their requests once nothing of them is in flight."""
        for host in self.workbench.hand_back(count):
            self._remember(host, self.workbench.throttle(host))

    def _hear(self, throttle: HostThrottle, heard: Heard) -> None:
        throttle.hear(heard, self.clock.monotonic(), self.jitter())

    def _remember(self, host: Host, throttle: HostThrottle) -> None:
        now = self.clock.monotonic()
        if news := throttle.news(now):
            self.notes.note(HostNote(host, news))
        if requests := self.workbench.withdraw(host, now):
            self.notes.note(LeaseReturn(tuple(requests)))
