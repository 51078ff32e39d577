"""engine.politeness: what asking for a robots.txt tells of its host, while an old copy of it is at hand."""

from dataclasses import dataclass, field

from crawler.core.leases_and_commits import HostState, RobotsCopy
from crawler.core.messages import Request, Response
from crawler.core.throttle import LONGEST_REST, HostThrottle, ThrottleBounds
from crawler.core.urls import Host, Url, parse
from crawler.engine.entries import HostNote, LeaseReturn, LooseFinds, RobotsNote
from crawler.engine.politeness import Politeness
from crawler.engine.robots_cache import RobotsCache
from crawler.engine.workbench import Workbench
from crawler.robots.rules import LIFETIME
from crawler.testing import Answer, FakeClock, FakeFetcher, refused

URL = parse("http://127.0.0.1:8080/")
FAILURES = 7


@dataclass(slots=True)
class Noted:
    """A journal that keeps what is noted of hosts."""

    states: dict[Host, HostState] = field(default_factory=dict)
    given_back: list[Request] = field(default_factory=list)

    def note(self, entry: HostNote | LooseFinds | LeaseReturn) -> None:
        """Keep a state, or leases that are handed back."""
        if isinstance(entry, HostNote):
            self.states[entry.host] = entry.state
        elif isinstance(entry, LeaseReturn):
            self.given_back += entry.requests

    async def put(self, entry: RobotsNote) -> None:
        """Copies are of no concern here."""


def old_copy(clock: FakeClock) -> dict[str, RobotsCopy]:
    """Return a robots.txt that was learned a day ago."""
    then = clock.wall() - LIFETIME
    return {URL.origin: RobotsCopy(fetched_at=then, expires_at=clock.wall(), status=200, body=b"")}


async def learned(robots_txt: Answer) -> tuple[HostThrottle, Noted, float]:
    """The pace of a host that could not be reached before, once it was asked again for its robots.txt; and when."""
    clock, noted, fetcher = FakeClock(), Noted(), FakeFetcher({f"{URL.origin}/robots.txt": robots_txt})
    pace = HostThrottle(
        ThrottleBounds(per_host=4, delay=0.5), HostState(failures=FAILURES, failing_since=clock.monotonic())
    )
    workbench = Workbench(lambda _host, _state: pace, 8)
    cache = RobotsCache(fetcher, noted, clock, agent="crawler")
    cache.remember(old_copy(clock))
    politeness = Politeness(
        fetcher=fetcher,
        workbench=workbench,
        robots=cache,
        notes=noted,
        clock=clock,
        jitter=lambda: 0.0,
        say=lambda _: None,
        retries=3,
    )
    workbench.add([request(URL)], {}, clock.monotonic())
    taken = workbench.take(clock.monotonic(), 8, may_dial=True)
    assert taken
    workbench.robots_first(taken.request, taken.since)

    outcome = await politeness.fetch_robots(taken.request, None)

    assert outcome.reason is None
    return pace, noted, clock.monotonic()


def request(url: Url) -> Request:
    """For the page of this URL."""
    return Request(url=url, named=True)


def asks_for_a_rest(seconds: float, status: int = 429) -> Answer:
    """An answer with Retry-After."""
    head = ((b"Retry-After", str(int(seconds)).encode()),)
    return lambda request: Response(request=request, status=status, headers=head)


async def test_a_rest_is_kept_while_an_old_copy_stays_in_force() -> None:
    """The copy lets us ask for the page, and the server asked to be left alone: its leases go back until then."""
    pace, noted, now = await learned(asks_for_a_rest(1000.0))
    eternal, _, then = await learned(asks_for_a_rest(1e9, 503))

    assert pace.due == now + 1000.0
    assert noted.states[URL.host_port].cause == "retry-after"
    assert [request.url for request in noted.given_back] == [URL]
    assert eternal.due == then + LONGEST_REST


async def test_an_old_copy_is_no_answer() -> None:
    """A host that refuses its robots.txt was not reached, whatever is remembered; one that answers badly was."""
    dead, _, now = await learned(refused())
    alive, _, _ = await learned((500, b""))

    assert dead.state(now).failures == FAILURES
    assert alive.state(now).failures == 0
