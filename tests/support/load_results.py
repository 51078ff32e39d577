"""Load tests that have ended: their setup and their result, as the process that judges them has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from crawler.load.counts import Table
from crawler.load.intervals import Interval
from crawler.load.records import ClientCost, Phase
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.verdict import judge


def load_setup(**changes: Any) -> LoadSetup:
    """A closed loop of one connection, with these fields changed; with a rate, an open loop."""
    usual = {
        "url": "http://h/",
        "address": "h:80",
        "method": "GET",
        "mode": "open" if changes.get("rate") else "closed",
        "arrivals": "regular" if changes.get("rate") else None,
        "connections": 1,
        "processes": 1,
        "keep_alive": True,
        "timeout": 10,
        "grace": 1,
        "cores": 2,
        "good": "status below 400",
    }
    return LoadSetup(**{**usual, **changes})


def load_result(
    phases: Sequence[Phase],
    lag: Mapping[int, int] | None = None,
    *,
    intervals: Sequence[Interval] = (),
    groups: Sequence[Phase] = (),
    logins: Phase | None = None,
    **changes: Any,
) -> LoadResult:
    """These phases with their verdict, of a client with time to spare and this lag; keywords change the setup."""
    setup, clients = load_setup(**changes), (ClientCost(seconds=10, cpu_seconds=1, lag=Table(int, lag or {})),)
    verdict, because, advice = judge(setup, phases, clients, logins)
    return LoadResult(
        asked=setup,
        phases=tuple(phases),
        clients=clients,
        verdict=verdict,
        because=because,
        advice=advice,
        groups=tuple(groups),
        logins=logins,
        intervals=tuple(intervals),
    )
