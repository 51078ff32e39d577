"""The plan of a load test, made from its options: target, request, schedule and phases.

Rules
- With its `index`, a plan is one process's share of the test.
- An impossible test is refused here, before anything is sent.
Runs on: the loop, before the test; in a worker process, `pacer` and `spans`.
"""

import os
import random
from dataclasses import dataclass

from msgspec.structs import replace

from crawler.core.protocols import Pacer
from crawler.load.base_loop import Span
from crawler.load.config import LoadConfig, ShapeConfig
from crawler.load.dial import Endpoint
from crawler.load.exchange import Exchange, Request
from crawler.load.nanoseconds import nanoseconds
from crawler.load.pacers import Curve, First, Poisson, Regular, Share
from crawler.load.result import LoadSetup
from crawler.load.schedule import Schedule
from crawler.load.target import endpoint, exchange, identified, is_own, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One process's share of a load test."""

    endpoints: tuple[Endpoint, ...]
    exchange: Exchange
    shape: ShapeConfig
    index: int = 0

    @property
    def connections(self) -> int:
        """Return the process's share of the connections."""
        return _share(self.shape.connections, self)

    @property
    def requests(self) -> int | None:
        """Return the process's share of the requests of a closed loop; the schedule of an open loop ends by itself."""
        return None if self.shape.requests is None or self.shape.is_open else _share(self.shape.requests, self)


def _share(whole: int, plan: Plan) -> int:
    count = plan.shape.processes
    return whole // count + (plan.index < whole % count)


async def prepare(url: str, config: LoadConfig) -> tuple[LoadSetup, Plan]:
    """Check the target, and return the setup of the test and the plan of its processes.

    Raises:
        UsageError, TargetRefused: nothing is sent.
    """
    parsed = target(url)
    config = replace(config, request=identified(url, config.request))
    place = await endpoint(parsed, config.request)
    place.tls()  # a file that holds no certificates is found here
    plan = Plan(endpoints=(place,), exchange=exchange(parsed, config), shape=config.shape)
    shape, address, statuses = config.shape, place.address, config.gate.statuses()
    good = "status below 400" if statuses is None else f"status {', '.join(map(str, sorted(statuses)))}"
    return LoadSetup(
        url=parsed.href,
        address=f"unix:{address}" if isinstance(address, str) else f"{address[0]}:{address[1]}",
        method=plan.exchange.request.partition(b" ")[0].decode(),
        mode="open" if shape.is_open else "closed",
        connections=shape.connections,
        processes=shape.processes,
        keep_alive=config.request.keep_alive,
        timeout=shape.timeout,
        grace=shape.grace,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        good=good if config.gate.expect_body is None else f"{good} and the expected body",
        rate=shape.rate,
        arrivals=("poisson" if shape.poisson else "regular") if shape.is_open else None,
        seed=shape.seed if shape.poisson else None,
        stages=shape.steps(),
        duration=shape.duration,
        requests=shape.requests,
        warmup=shape.warmup,
        insecure=config.request.insecure,
        allowed_host=config.request.i_may_test,
        allowed_errors=config.gate.allowed_errors(),
        shares_machine=isinstance(address, str) or is_own(address[0]),
    ), plan


def schedules(plan: Plan) -> list[Schedule]:
    """Return the process's share of the schedule of an open loop, for each host its own."""
    usual = Request(plan.exchange.request, bodiless=plan.exchange.bodiless)
    return [Schedule(Share(pacer(plan.shape), plan.index, plan.shape.processes), usual=usual) for _ in plan.endpoints]


def pacer(shape: ShapeConfig) -> Pacer:
    """Return the schedule of an open loop, for all processes together."""
    curve = shape.curve()
    arrivals = _arrivals(shape, curve)
    return arrivals if shape.requests is None else First(arrivals, _before(shape, curve) + shape.requests)


def _arrivals(shape: ShapeConfig, curve: Curve) -> Pacer:
    return Poisson(curve, random.Random(shape.seed).random) if shape.poisson else Regular(curve)  # noqa: S311


def _before(shape: ShapeConfig, curve: Curve) -> int:
    """Return the number of requests that are due within the warm-up."""
    arrivals, number = _arrivals(shape, curve), 0
    while shape.warmup and (due := arrivals.due(number)) is not None and due < nanoseconds(shape.warmup):
        number += 1
    return number


def spans(shape: ShapeConfig) -> list[Span]:
    """Return the phases: the warm-up and the measured phase, or one phase per stage."""
    if shape.stages is not None:
        stages, begin = [], 0
        for seconds, rate in shape.steps():
            end = begin + nanoseconds(seconds)
            stages.append(Span(name=f"to {rate:g}/s", begin=begin, end=end))
            begin = end
        return stages
    warmup = nanoseconds(shape.warmup)
    until = None if shape.duration is None else warmup + nanoseconds(shape.duration)
    if shape.is_open and shape.requests is not None:
        curve = shape.curve()
        last = _arrivals(shape, curve).due(_before(shape, curve) + shape.requests - 1)
        until = min(moment for moment in (until, None if last is None else last + 1) if moment is not None)
    before = [Span(name="warm-up", begin=0, end=warmup, measured=False)] if warmup else []
    return [*before, Span(name="measured", begin=warmup, end=until)]
