"""A believable load test, made from a seed without a server: for pages to be looked at, and for their bounds.

A stage that climbs, a stall of half a second, a spell of 503, a few timeouts, a client that is late now and then.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from math import exp, sin

from crawler.core.histogram import FINE, bucket, middle
from crawler.load.counts import Table, note
from crawler.load.intervals import MOST, Interval, halved
from crawler.load.nanoseconds import SECOND
from crawler.load.records import ClientCost, Example, Phase
from crawler.load.result import LoadResult
from crawler.load.verdict import judge
from support.load_results import load_setup

GROUPS = ("GET /products/{id}", "GET /search", "POST /cart", "GET /static/{name}")
_WEIGHTS = (50, 25, 10, 15)
_SLOWNESS = (1.0, 2.4, 1.7, 0.3)


def believable(
    *, seconds: int = 60, rate: int = 800, seed: int = 1, groups: Sequence[str] = GROUPS, staged: bool = True
) -> LoadResult:
    """A test of an open loop: warm-up or stages, groups of targets, failures, and every second of it."""
    run = _Run(seconds, rate, seed, groups, staged=staged)
    for second in range(seconds):
        run.second(second)
    clients = (ClientCost(seconds=seconds, cpu_seconds=seconds * 0.31, lag=run.lag),)
    stages = ((seconds / 4, rate / 2), (seconds / 2, rate), (seconds / 4, rate / 4)) if staged else ()
    setup = load_setup(rate=rate, connections=64, url="http://127.0.0.1:8000/", address="127.0.0.1:8000")
    setup = replace(setup, arrivals="poisson", seed=seed, stages=stages, rate=None if staged else rate)
    setup = replace(setup, duration=None if staged else seconds, warmup=0 if staged else seconds / 10)
    verdict, because, advice = judge(setup, run.phases, clients)
    return LoadResult(
        asked=setup,
        phases=tuple(run.phases),
        clients=clients,
        verdict=verdict,
        because=because,
        advice=advice,
        groups=tuple(run.groups) if len(run.groups) > 1 else (),
        intervals=tuple(run.intervals),
    )


class _Run:
    def __init__(self, seconds: int, rate: int, seed: int, groups: Sequence[str], *, staged: bool) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._seconds, self._rate = seconds, rate
        self.lag = Table(int)
        shares = (
            [(f"to {rate / 2:g}/s", 0, 0.25), (f"to {rate:g}/s", 0.25, 0.75), (f"to {rate / 4:g}/s", 0.75, 1)]
            if staged
            else [("warm-up", 0, 0.1), ("measured", 0.1, 1)]
        )
        self.phases = [
            Phase(
                name=name,
                begin=round(low * seconds * SECOND),
                end=round(high * seconds * SECOND),
                measured=name != "warm-up",
            )
            for name, low, high in shares
        ]
        self._staged = staged
        self.groups = [Phase(name=name, end=seconds * SECOND) for name in groups]
        self._weights = [_WEIGHTS[n % 4] for n in range(len(groups))]
        self.intervals: list[Interval] = []

    def _rate_at(self, second: int) -> int:
        part = second / self._seconds
        if not self._staged:
            return self._rate
        if part < 0.5:
            return round(self._rate * (0.02 + 2 * part * 0.98))
        return round(self._rate * (1 if part < 0.75 else 1 - 3 * (part - 0.75)))

    def second(self, second: int) -> None:
        rate, chance = self._rate_at(second), self._random
        phase = next(one for one in self.phases if one.begin <= second * SECOND < one.end)
        interval = Interval(begin=second * SECOND, measured=phase.measured, users=64)
        stall = second == self._seconds // 3
        failing = 0.62 < second / self._seconds < 0.68
        for number, which in zip(
            range(rate), chance.choices(range(len(self.groups)), self._weights, k=rate), strict=False
        ):
            load = 1 + 2.5 * (rate / self._rate) ** 6 + 0.15 * sin(second / 3)
            service = _SLOWNESS[which % 4] * load * 2.2e6 * exp(chance.gauss(0, 0.35))
            service *= 9 if chance.random() < 0.012 else 1
            waited = max(0.0, 0.6 - number / rate) * SECOND if stall else 0.0
            self._request(phase, interval, self.groups[which], (round(service), round(waited)), second, failing=failing)
        for _ in range(200):
            late = round(4e4 * exp(chance.gauss(0, 0.8)) * (40 if chance.random() < 0.01 else 1))
            note(self.lag, late)
            interval.lag[bucket(late)] += 1
        interval.scheduled = rate
        interval.in_flight = min(64, round(rate * 0.004) + chance.randrange(4) + (40 if stall else 0))
        interval.cpu_seconds = 0.08 + 0.3 * rate / self._rate + chance.random() * 0.03
        self.intervals.append(interval)
        if len(self.intervals) >= MOST:
            self.intervals = halved(self.intervals)

    def _request(
        self, phase: Phase, interval: Interval, group: Phase, times: tuple[int, int], second: int, *, failing: bool
    ) -> None:
        chance, (service, waited) = self._random, times
        for one in (phase, group):
            one.scheduled += 1
            one.sent += 1
            one.answered += 1
            one.bytes += 2311
            note(one.waiting if waited else one.pacing, waited or round(3e4 * exp(chance.gauss(0, 0.6))))
        at, port = second * SECOND + chance.randrange(SECOND), 40_000 + chance.randrange(64)
        if failing and chance.random() < 0.3:
            self._fail(
                phase,
                interval,
                group,
                "status_503",
                Example(at=at, took=service, port=port, detail="answered with status 503"),
            )
        elif chance.random() < 0.0004:
            detail = "the server closed the connection before the first byte"
            self._fail(
                phase, interval, group, "connection_lost", Example(at=at, took=service, port=port, detail=detail)
            )
        else:
            for one in (phase, group):
                note(one.reused.split, service)
                note(one.reused.first_byte, service * 9 // 10)
                note(one.reused.body, service // 10)
                one.reused.statuses[200] += 1
                note(one.response, service + waited)
            interval.times[bucket(middle(bucket(service + waited, FINE), FINE))] += 1
        if chance.random() < 0.002:
            phase.opened += 1
            note(phase.connect, round(9e4 * exp(chance.gauss(0, 0.5))))
            note(phase.tls, round(12e5 * exp(chance.gauss(0, 0.3))))

    def _fail(self, phase: Phase, interval: Interval, group: Phase, kind: str, example: Example) -> None:
        phase.fail(kind, example)
        group.fail(kind, example)
        interval.fail(kind)
