"""robots.txt cache: each origin's robots.txt is fetched once and remembered (RFC 9309).

Rules
- One fetch per origin, however many URLs wait for it: the workbench offers their host again only afterwards.
- A copy is valid for 24 hours, then the server is asked again. While the server cannot be reached the old copy stays
  in force, for two hours more at a time (2.4).
- Without a copy no URL is allowed. `politeness.py` decides when to ask again after a failure.
- The cache is bounded in origins and in bytes. It forgets the least recently used origin; origins that decided about no
  URL yet go last, since a host that loses its rules before its first page asks again.
Strategy: a copy is parsed at its first use. The rules take a multiple of the body, so they have a bound of their own:
beyond it they are dropped, and parsed again at their next use.
Runs on: the loop.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

import msgspec
from msgspec.structs import replace

from crawler.core.discovery import Way
from crawler.core.errors import FetchError, NoNameServer, UrlError
from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.messages import Request, Response
from crawler.core.protocols import Clock, Fetcher, Room
from crawler.core.reasons import Reason
from crawler.core.records import moment
from crawler.core.urls import Url, parse
from crawler.engine.entries import RobotsNote
from crawler.http.redirects import target
from crawler.robots.parser import LONGEST
from crawler.robots.rules import LIFETIME, MAX_REDIRECTS, STALE_LIFETIME, RobotsOutcome, RobotsRules, judge, rules_of

_ORIGINS = 10_000
_BYTES = 128 * 1024 * 1024  # of bodies
_ORIGIN_BYTES = 1024
_RULES_BYTES = 128 * 1024 * 1024  # so parsing again is rare: 3 KB take 1 to 2 ms, 512 KiB 60 to 250
_RULES_FACTOR = 16  # size of the rules, in sizes of the body; measured up to 15


class Keeper(Protocol):
    """Durable memory of copies: the journal."""

    async def put(self, entry: RobotsNote, /) -> None:
        """Remember an origin's robots.txt."""
        ...


class _Origin(msgspec.Struct):
    """The copy of one origin, valid until `expires` (monotonic)."""

    copy: RobotsCopy
    expires: float
    rules: RobotsRules | None = None  # None = the body was not parsed, or the rules were dropped
    are_sitemaps_taken: bool = False

    @property
    def weight(self) -> int:
        return _ORIGIN_BYTES + len(self.copy.body)

    @property
    def rules_weight(self) -> int:
        return _RULES_FACTOR * len(self.copy.body)


class RobotsCache:
    """Answers for the product token `agent`; copies go to the `keeper` to outlive a crash."""

    def __init__(self, fetcher: Fetcher, keeper: Keeper, clock: Clock, *, agent: str) -> None:
        self._fetcher = fetcher
        self._keeper = keeper
        self._clock = clock
        self._agent = agent
        self._new: OrderedDict[str, _Origin] = OrderedDict()  # origins that decided about no URL yet
        self._used: OrderedDict[str, _Origin] = OrderedDict()
        self._weight = 0
        self._read: OrderedDict[str, _Origin] = OrderedDict()  # origins whose rules are parsed
        self._read_weight = 0

    def remember(self, copies: Mapping[str, RobotsCopy]) -> None:
        """Take over stored copies, stale ones as stale; a later copy stays."""
        for name, copy in copies.items():
            known = self._find(name)
            if known is None or known.copy.fetched_at < copy.fetched_at:
                self._store(name, copy)

    def knows(self, url: Url) -> bool:
        """Return whether the rules of this URL's origin are known and valid."""
        origin = self._find(url.origin)
        return origin is not None and self._clock.monotonic() < origin.expires

    def allows(self, url: Url) -> bool:
        """Return whether the rules of its origin, stale ones too, allow this URL; without rules no URL is allowed."""
        if (origin := self._find(name := url.origin)) is None:
            return False
        self._new.pop(name, None)
        self._used[name] = origin
        self._used.move_to_end(name)
        return self._rules(name, origin).allows(url)

    def crawl_delay(self, url: Url) -> float | None:
        """Return the seconds between two requests that the rules of its origin ask for; None = none, or no rules."""
        origin = self._find(url.origin)
        return self._rules(url.origin, origin).crawl_delay if origin else None

    def take_sitemaps(self, url: Url) -> tuple[str, ...]:
        """Return the sitemaps that the robots.txt of its origin names, as written there; once for each copy."""
        origin = self._find(url.origin)
        if origin is None or origin.are_sitemaps_taken:
            return ()
        origin.are_sitemaps_taken = True
        return self._rules(url.origin, origin).sitemaps

    async def fetch(self, request: Request, room: Room | None) -> RobotsOutcome:
        """Fetch the robots.txt of this request's origin; `room` counts its bytes.

        Raises:
            NoNameServer: no name server answers; the origin is not to blame.
        """
        name = request.url.origin
        found = await fetch_robots(self._fetcher, request, room, self._clock)
        if isinstance(found, RobotsOutcome):
            if (origin := self._find(name)) is None:
                return found
            # An old copy stays in force while the server cannot be reached.
            now, old = self._clock.wall(), origin.copy
            copy = replace(old, fetched_at=min(old.fetched_at, now), expires_at=now + STALE_LIFETIME)
            self._store(name, copy)
            await self._keeper.put(RobotsNote(name, copy))
            since = moment(copy.fetched_at)
            return replace(found, reason=None, message=f"{found.message}; the copy of {since} stays in force")
        self._store(name, found)
        await self._keeper.put(RobotsNote(name, found))
        return RobotsOutcome(None)

    def _store(self, name: str, copy: RobotsCopy) -> None:
        now = self._clock.wall()
        # A copy from the future comes from a clock that was set back since: its age is unknown.
        left = min(copy.expires_at - now, LIFETIME) if copy.fetched_at <= now else 0.0
        self._forget(name)
        origin = self._new[name] = _Origin(copy, self._clock.monotonic() + left)
        self._weight += origin.weight
        while len(self._new) + len(self._used) > _ORIGINS or self._weight > _BYTES:
            self._forget(next(iter(self._used or self._new)))

    def _find(self, name: str) -> _Origin | None:
        return self._new.get(name) or self._used.get(name)

    def _forget(self, name: str) -> None:
        self._drop_rules(name)
        if origin := self._new.pop(name, None) or self._used.pop(name, None):
            self._weight -= origin.weight

    def _rules(self, name: str, origin: _Origin) -> RobotsRules:
        if (rules := origin.rules) is None:
            rules = origin.rules = rules_of(origin.copy.body, self._agent)
            self._read[name] = origin
            self._read_weight += origin.rules_weight
            while self._read_weight > _RULES_BYTES:
                self._drop_rules(next(iter(self._read)))
        else:
            self._read.move_to_end(name)
        return rules

    def _drop_rules(self, name: str) -> None:
        if origin := self._read.pop(name, None):
            origin.rules = None
            self._read_weight -= origin.rules_weight


async def fetch_robots(
    fetcher: Fetcher, request: Request, room: Room | None, clock: Clock
) -> RobotsCopy | RobotsOutcome:
    """Fetch the robots.txt of this request's origin; returns a copy, or the failure.

    Raises:
        NoNameServer: no name server answers; the origin is not to blame.
    """
    try:
        response = await _answer(fetcher, request, room)
    except NoNameServer:
        raise
    except FetchError as error:
        return RobotsOutcome(error.reason, f"robots.txt: {error}", is_answered=False, is_counted=error.counted)
    return judge(response, clock.wall())


async def _answer(fetcher: Fetcher, request: Request, room: Room | None) -> Response:
    """Return the answer after at most five redirects, also across hosts, which the user has not named then."""
    step = Request(
        url=parse(f"{request.url.origin}/robots.txt"),
        named=request.named,
        way=Way(foreign=request.way.foreign),
        most=LONGEST,
        success_only=True,
    )
    for left in range(MAX_REDIRECTS, -1, -1):
        try:
            response = await fetcher.fetch(step, room)
        except FetchError as error:
            if error.reason.blames_host and step.url.host_port != request.url.host_port:
                message = f"it is at {step.url.origin}: {error}"  # the host to be judged did answer
                raise FetchError(Reason.ROBOTS_UNREACHABLE, message, counted=error.counted) from error
            raise
        try:
            url = target(response) if left else None
        except UrlError:
            break
        if url is None:
            break
        step = replace(
            step,
            url=url,
            named=step.named and url.host_port == step.url.host_port,
            way=Way(foreign=step.way.foreign or url.origin != step.url.origin),
        )
    return response
