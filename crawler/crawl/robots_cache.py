"""May this URL be asked for? Each origin's robots.txt is fetched once and remembered (RFC 9309).

Rules
- One fetch per origin, however many URLs wait for it: their host gives nothing else meanwhile.
- 2xx: the first 512 KiB decide. Other 3xx (after five redirects) and 4xx: everything is allowed. 5xx, 429 and an
  unreachable host: nothing is, for now; the URLs are tried again later.
- A copy is good for 24 hours.
Runs on: the loop.
"""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from protego import Protego

from crawler.core.decode import DecodeProblem, codings, decode_steps
from crawler.core.errors import FetchError, UrlError
from crawler.core.models import Request, Response, RobotsCopy
from crawler.core.outcomes import REDIRECTS, as_utf8
from crawler.core.protocols import Clock, Fetcher, Room
from crawler.core.reasons import Reason
from crawler.core.robots import Lesson
from crawler.core.urls import Url, parse
from crawler.crawl.journal import Journal

LIFETIME = 24 * 3600.0
LONGEST = 512 * 1024
MAX_REDIRECTS = 5
_ORIGINS = 10_000


@dataclass(slots=True)
class _Origin:
    """What is known of one origin."""

    rules: Protego | None = None
    expires: float = 0.0


class RobotsCache:
    """Answers for the product token `agent`; copies go to the `journal` to outlive a crash."""

    def __init__(self, fetcher: Fetcher, journal: Journal, clock: Clock, *, agent: str) -> None:
        self._fetcher = fetcher
        self._journal = journal
        self._clock = clock
        self._agent = agent
        self._origins: OrderedDict[str, _Origin] = OrderedDict()

    def remember(self, copies: Mapping[str, RobotsCopy]) -> None:
        """Take over copies that an earlier life stored, as long as they are fresh."""
        now = self._clock.wall()
        for name, copy in copies.items():
            if copy.fetched_at <= now < copy.expires_at:
                origin = self._origin(name)
                origin.rules = _rules(copy.body)
                origin.expires = self._clock.monotonic() + copy.expires_at - now

    def knows(self, url: Url) -> bool:
        """Whether the rules of this URL's origin are known and still believed."""
        origin = self._origins.get(url.origin)
        return origin is not None and origin.rules is not None and self._clock.monotonic() < origin.expires

    def allows(self, url: Url) -> bool:
        """Whether the rules of a known origin let us ask for this URL."""
        return bool(self._known(url).can_fetch(url.href, self._agent))

    def crawl_delay(self, url: Url) -> float | None:
        """Seconds between two requests that a known origin asks for; None = it does not say."""
        return self._known(url).crawl_delay(self._agent)

    def _known(self, url: Url) -> Protego:
        rules = self._origins[url.origin].rules
        assert rules is not None  # noqa: S101 - whoever asks knows that it is known
        return rules

    async def learn(self, request: Request, room: Room) -> Lesson:
        """Ask for the robots.txt of this request's origin; `room` is where its bytes are counted."""
        origin = self._origin(request.url.origin)
        try:
            response = await self._ask(request, room)
            copy = self._judge(response)
        except FetchError as error:
            origin.rules = None
            return Lesson(reason=error.reason, message=str(error))
        origin.rules = _rules(copy.body)
        origin.expires = self._clock.monotonic() + LIFETIME
        await self._journal.put_robots(request.url.origin, copy)
        return Lesson()

    def _origin(self, name: str) -> _Origin:
        origin = self._origins.setdefault(name, _Origin())
        self._origins.move_to_end(name)
        if len(self._origins) > _ORIGINS:
            self._origins.popitem(last=False)
        return origin

    async def _ask(self, request: Request, room: Room) -> Response:
        url, named, foreign = parse(f"{request.url.origin}/robots.txt"), request.named, request.foreign
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._fetcher.fetch(Request(url=url, named=named, foreign=foreign, most=LONGEST), room)
            location = response.header("location")
            if response.status not in REDIRECTS or not location:
                break
            try:
                target = parse(as_utf8(location), url)
            except UrlError:
                break
            named = named and target.host_port == url.host_port
            foreign = foreign or target.origin != url.origin
            url = target
        return response

    def _judge(self, response: Response) -> RobotsCopy:
        if response.status >= 500 or response.status == 429:
            raise FetchError(Reason.ROBOTS_UNREACHABLE, f"the server answered {response.status}")
        body = _decoded(response) if response.status < 300 else b""
        now = self._clock.wall()
        return RobotsCopy(fetched_at=now, expires_at=now + LIFETIME, status=response.status, body=body)


def _decoded(response: Response) -> bytes:
    """As much as can be read: a file that is too long or cut short still forbids what its beginning forbids."""
    layers = codings(response.header_list("content-encoding"))
    if not layers:
        return response.body
    steps: list[bytes] = []
    with suppress(DecodeProblem):
        for step in decode_steps(response.body, layers, LONGEST):
            steps.append(step)  # noqa: PERF402 - what came before a problem is kept
    return b"".join(steps) or response.body


def _rules(body: bytes) -> Protego:
    text = body[:LONGEST].decode("utf-8-sig", "replace")
    return Protego.parse(text)
