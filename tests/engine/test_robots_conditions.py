"""engine.robots_cache: every condition of a server, with and without an old copy; the table of the docs is the test."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.core.leases_and_commits import RobotsCopy
from crawler.core.urls import parse
from crawler.robots.rules import RobotsOutcome
from crawler.testing import FakeClock
from support.fetching import open_fetcher
from support.rawserver import Handler, raw_server
from support.robots_conditions import (
    CONDITIONS,
    COPY,
    HOUR,
    NEVER,
    PATHS,
    Condition,
    Outcome,
    State,
    outcome,
    table,
)
from support.robots_copies import Kept, a_cache, a_copy, asked_again, learned

PAGE = Path(__file__).parent.parent.parent / "docs" / "politeness.md"


@dataclass(slots=True)
class Servers:
    """Two servers that do what the condition says, and what they were asked."""

    condition: Condition
    here: str = ""
    other: str = ""
    dead: str = ""
    asked: list[str] = field(default_factory=list)

    def handler(self, prefix: str) -> Handler:
        """Return the handler of one of them; `prefix` tells its pages from the other's."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            path = prefix + head.split()[1].decode()
            self.asked.append(path)
            said = self.condition.pages[path].replace(b"{other}", self.other.encode())
            said = said.replace(b"{dead}", self.dead.encode())
            writer.write(said.removesuffix(NEVER))
            await writer.drain()
            if said.endswith(NEVER):
                await asyncio.Event().wait()

        return serve


@contextmanager
def port_without_listener() -> Iterator[str]:
    """The origin of a port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@asynccontextmanager
async def serving(condition: Condition) -> AsyncIterator[Servers]:
    """Servers in this condition."""
    servers = Servers(condition)
    with port_without_listener() as servers.dead:
        async with (
            raw_server(servers.handler("")) as here,
            raw_server(servers.handler("other"), "127.0.0.2") as other,
        ):
            servers.here = servers.dead if condition.refused else f"http://{here[0]}:{here[1]}"
            servers.other = f"http://{other[0]}:{other[1]}"
            yield servers


def known_before(state: State, origin: str, clock: FakeClock) -> dict[str, RobotsCopy]:
    """Return the copies that are known of an origin in this state."""
    if state is State.NONE:
        return {}
    return {origin: a_copy(clock, age=HOUR if state is State.FRESH else 24 * HOUR, body=COPY)}


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
async def test_every_condition(condition: Condition, state: State) -> None:
    """A real server in this condition, asked by the real fetcher: the verdicts, and when it is asked again."""
    clock, kept = FakeClock(), Kept()
    fetching = open_fetcher(first_byte_timeout=0.3, idle_timeout=0.3, allow_nets=("127.0.0.0/8",))
    async with serving(condition) as servers, fetching as fetcher:
        origin, url = servers.here, parse(f"{servers.here}/")
        cache = a_cache(fetcher, clock, kept)
        cache.remember(known_before(state, origin, clock))

        lesson = RobotsOutcome(None) if cache.knows(url) else await learned(cache, url.href)

        verdicts = tuple(cache.allows(parse(origin + path)) for path in PATHS)
        stored = kept.copies.get(origin)
        left = stored.expires_at - clock.wall() if stored else None
        found = Outcome(verdicts, asked_again(cache, url, clock), lesson.reason, lesson.retry_after)
    wanted = outcome(condition, state)

    assert found == wanted
    assert left == (None if state is State.FRESH else wanted.again)
    assert bool(servers.asked) == (state is not State.FRESH and not condition.refused)
    assert len(servers.asked) <= 6


def test_the_table_of_conditions_is_the_test() -> None:
    """`docs/politeness.md` has a row for each of them; CRAWLER_WRITE_DOCS=1 writes the table anew."""
    marks = "<!-- conditions: made from tests/support/robots_conditions.py -->\n", "<!-- /conditions -->"
    head, rest = PAGE.read_text("utf-8").split(marks[0])
    written, tail = rest.split(marks[1])
    wanted = f"{table()}\n"

    if os.environ.get("CRAWLER_WRITE_DOCS"):
        PAGE.write_text(head + marks[0] + wanted + marks[1] + tail, "utf-8")

    assert os.environ.get("CRAWLER_WRITE_DOCS") or written == wanted
