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
from crawler.core.urls import Url, parse
from crawler.crawl.journal import Journal

LIFETIME = 24 * 3600.0
LONGEST = 512 * 1024
MAX_REDIRECTS = 5
_ORIGINS = 10_000
_ASK_AGAIN = 0.5  # seconds for which a failure is believed: those who waited for it fail with it, a retry asks again


@dataclass(slots=True)
class _Origin:
    """What is known of one origin."""

    rules: Protego | None = None
    expires: float = 0.0
    failure: FetchError | None = None


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
        """Whether the rules of this URL's origin, or that they cannot be had, are known and still believed."""
        origin = self._origins.get(url.origin)
        return origin is not None and self._clock.monotonic() < origin.expires

    def allows(self, url: Url) -> bool:
        """Whether the rules of a known origin let us ask for this URL.

        Raises:
            FetchError: robots.txt cannot be had now, so nothing of its origin may be asked for.
        """
        origin = self._origins[url.origin]
        if origin.failure:
            raise origin.failure
        assert origin.rules is not None  # noqa: S101 - either rules or a failure, since `learn`
        return bool(origin.rules.can_fetch(url.href, self._agent))

    async def learn(self, request: Request, room: Room, *, rest: float) -> None:
        """Ask for the robots.txt of this request's origin.

        `room` is where its bytes are counted. A failure is believed a little longer than the `rest` (seconds) until
        the host may be asked again, so that all who wait for it fail with it.
        """
        origin = self._origin(request.url.origin)
        try:
            response = await self._ask(request, room)
            copy = self._judge(response)
        except FetchError as error:
            origin.failure = FetchError(error.reason, f"robots.txt: {error}", counted=error.counted)
            origin.expires = self._clock.monotonic() + rest + _ASK_AGAIN
            return
        origin.failure, origin.rules = None, _rules(copy.body)
        origin.expires = self._clock.monotonic() + LIFETIME
        await self._journal.put_robots(request.url.origin, copy)

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
