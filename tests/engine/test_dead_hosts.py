"""Crawl lists with dead hosts, whole and on virtual time."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from support.crawls import records
from support.virtual import crawl
from support.web import (
    ABSENT,
    BLACK_HOLE,
    REFUSES,
    RESTARTS,
    SILENT,
    UNNAMED,
    Kind,
    Web,
    check_manners,
    hosts,
    pages,
    reasons,
)


@pytest.mark.parametrize(("robots", "retries", "attempts"), [(False, 3, 6), (True, 0, 1)])
def test_dead_hosts_delay_no_live_one(tmp_path: Path, *, robots: bool, retries: int, attempts: int) -> None:
    """Half of a list swallows what it is sent: the other half notices nothing, and a minute later all is over."""
    live, dead = hosts(80), hosts(80, "dead")
    mixed = [name for both in zip(live, dead, strict=True) for name in both]
    options: dict[str, Any] = {"command": "crawl", "delay": 0.5, "concurrency": 40, "robots": robots}
    alone, beside = Web(), Web(dict.fromkeys(dead, BLACK_HOLE))

    crawl(tmp_path / "alone", pages(live, 10), alone, **options)
    crawl(tmp_path / "beside", pages(mixed, 10), beside, retries=retries, **options)

    assert beside.seconds() <= 1.2 * alone.seconds()
    assert beside.ended - beside.seconds() <= 75.0
    assert reasons(tmp_path / "beside") == {**dict.fromkeys(live, "ok"), **dict.fromkeys(dead, "connect_timeout")}
    assert {len(beside.of(name)) for name in dead} == {attempts}
    check_manners(beside, delay=0.5, robots=robots)


@pytest.mark.parametrize("robots", [False, True])
@pytest.mark.parametrize(
    ("kind", "attempts", "seconds"),
    [(ABSENT, 1, 0), (REFUSES, 4, 12), (BLACK_HOLE, 3, 47), (UNNAMED, 4, 49), (SILENT, 2, 46)],
)
def test_a_dead_host_has_its_attempts_and_its_urls_fail_together(
    tmp_path: Path, kind: Kind, attempts: int, seconds: int, *, robots: bool
) -> None:
    """The price of each kind of death; twenty URLs fail at once with the cause, most of them unasked."""
    dead = hosts(3, "dead")
    web = Web(dict.fromkeys(dead, kind))

    ending = crawl(tmp_path, pages(dead, 20), web, delay=0.5, per_host=1, robots=robots)

    assert {len(web.of(name)) for name in dead} == {attempts}
    assert seconds - 2 <= web.ended <= seconds + 0.1
    assert reasons(tmp_path) == dict.fromkeys(dead, str(kind.failure))
    assert (ending.totals.failed, ending.stopped_by) == (60, None)
    moments = [datetime.fromisoformat(str(record["fetched_at"])).timestamp() for record in records(tmp_path)]
    assert max(moments) - min(moments) < 1.0


@pytest.mark.parametrize("robots", [False, True])
def test_a_host_that_restarts_loses_nothing(tmp_path: Path, *, robots: bool) -> None:
    """It refuses for five seconds."""
    names = hosts(10)
    web = Web(dict.fromkeys(names, RESTARTS))

    ending = crawl(tmp_path, pages(names, 20), web, delay=0.5, robots=robots)

    assert (ending.totals.done, ending.totals.failed) == (200, 0)
    assert {asked.outcome for asked in web.asked} == {"ok", "connect_refused"}


def test_pages_that_never_answer_blame_no_host(tmp_path: Path) -> None:
    """Ten of them, among five hundred that do: all of those come, and the ten end within four minutes."""
    lines = pages(["site.test"], 510)
    silent = lines[25::51]
    web = Web(pages=dict.fromkeys(silent, SILENT))

    ending = crawl(tmp_path, lines, web, per_host=4, delay=0.0, robots=True)

    assert (ending.totals.done, ending.totals.failed) == (500, 10)
    assert {r["url"] for r in records(tmp_path) if r["reason"] == "first_byte_timeout"} == set(silent)
    assert {len([asked for asked in web.asked if asked.url == url]) for url in silent} == {4}  # not given up unasked
    assert web.ended <= 240.0
