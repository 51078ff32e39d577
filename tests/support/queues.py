"""Servers with a known capacity, and a capacity search over them in virtual time.

The windows are sent by the real loops. One server lives through all windows of a search, so what an overload leaves
behind is still there in the next one.
"""

from collections.abc import Callable, Sequence
from math import log
from random import Random

from crawler.load.capacity.config import SearchConfig
from crawler.load.capacity.search import Search
from crawler.load.capacity.windows import Outcome, Seen, Stage, Window, observe
from crawler.load.nanoseconds import SECOND
from crawler.load.result import LoadVerdict
from support.load_results import load_result
from support.simulation import simulated


def ceiling(rate: float) -> Seen:
    """The client's own ceiling, as its window shows it."""
    return Seen(
        outcome=Outcome.HELD,
        because="",
        why="",
        excess=(),
        allowed=(),
        batches=(),
        is_behind=False,
        is_failing=False,
        answered=rate,
        verdict=LoadVerdict.SERVER_BOUND,
        said="",
        advice="",
        p50=None,
        p99=None,
        service=None,
        waited=0,
        errors=0,
    )


class QueueServer:
    """One worker that serves one request after the other; `service()` gives the nanoseconds of the next."""

    def __init__(self, service: Callable[[], int]) -> None:
        self.service = service
        self.base = 0  # of the current window, on the server's clock
        self.free = 0  # the moment at which the worker has nothing to do

    def latency(self, _number: int, now: int) -> int | None:
        """The time until the answer; None = there will be none."""
        now += self.base
        self.free = max(self.free, now) + self.service()
        return self.free - now


def exponential_server(rate: float, seed: int) -> QueueServer:
    """A worker whose services are exponential: D/M/1 under constant gaps."""
    chance = Random(seed)  # noqa: S311
    return QueueServer(lambda: round(chance.expovariate(rate) * SECOND))


def knee(rate: float, limit: float, share: float) -> float:
    """The rate at which a percentile (0.9 = p90) of D/M/1 is `limit` seconds.

    The response time of G/M/1 is exponential with the rate mu (1 - s), where s = exp(-mu (1 - s) / lambda).
    """
    idle = -log(1 - share) / (rate * limit)  # 1 - s
    return rate * idle / -log(1 - idle)


def searched(
    server: QueueServer, *slo: str, client: float = 1e6, connections: int = 64, **options: float
) -> tuple[Search, Sequence[tuple[Window, Seen]]]:
    """The search as it ended, and all of its windows."""
    config = SearchConfig(slo=slo, **options)
    search, limits, seen = Search(config.bounds()), config.limits(), list[tuple[Window, Seen]]()
    grace = max(1.0, config.patience())
    steps = search.steps()
    window = next(steps, None)
    while window is not None:
        if window.stage is Stage.CEILING:
            seen.append((window, ceiling(client)))
        else:
            rate, length = window.rate, window.seconds
            loop, _ = simulated(
                server.latency,
                rate=rate,
                seconds=length,
                warmup=window.settle,
                connections=connections,
                grace=grace,
            )
            server.base += round((window.settle + length + grace) * SECOND)
            lag, seconds = loop.setup.gauge.client.lag, loop.log.closed
            result = load_result(loop.phases, lag, intervals=seconds, rate=rate, connections=connections)
            seen.append((window, observe(result, limits)))
        try:
            window = steps.send(seen[-1][1])
        except StopIteration:
            window = None
    return search, seen
