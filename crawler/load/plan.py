"""What a load test is to do, made from its options: whom to ask for what, when, and in which phases.

Rules
- A plan is all that a process needs to know; with its `index` it is one process's share.
- Everything that can be refused is refused here, before anything is sent.
Runs on: the loop, before the test; in a worker process, `pacer` and `spans`.
"""

import os
import random
from dataclasses import dataclass

from crawler.core.protocols import Pacer
from crawler.load.config import LoadConfig, ShapeConfig
from crawler.load.dial import Endpoint
from crawler.load.exchange import Exchange
from crawler.load.loop import Span
from crawler.load.nanoseconds import nanoseconds
from crawler.load.pacers import Curve, First, Poisson, Regular
from crawler.load.result import LoadSetup
from crawler.load.target import endpoint, exchange, is_own, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a process needs to know."""

    endpoint: Endpoint
    exchange: Exchange
    shape: ShapeConfig
    index: int = 0

    @property
    def connections(self) -> int:
        """Its share of the connections."""
        return _share(self.shape.connections, self)

    @property
    def requests(self) -> int | None:
        """Its share of the requests, in a closed loop; the schedule of an open one ends by itself."""
        return None if self.shape.requests is None or self.shape.is_open else _share(self.shape.requests, self)


def _share(whole: int, plan: Plan) -> int:
    count = plan.shape.processes
    return whole // count + (plan.index < whole % count)


async def prepare(url: str, config: LoadConfig) -> tuple[LoadSetup, Plan]:
    """Judge the target and make what the processes need.

    Raises:
        UsageError, TargetRefused: nothing is sent.
    """
    parsed = target(url)
    place = await endpoint(parsed, config.request)
    place.tls()  # a file that holds no certificates is found here
    plan = Plan(endpoint=place, exchange=exchange(parsed, config), shape=config.shape)
    shape, address = config.shape, place.address
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
        good=_good(config),
        rate=shape.rate,
        arrivals=("poisson" if shape.poisson else "regular") if shape.is_open else None,
        seed=shape.seed if shape.poisson else None,
        stages=shape.steps(),
        duration=shape.duration,
        requests=shape.requests,
        warmup=shape.warmup,
        insecure=config.request.insecure,
        allowed_host=config.request.i_may_test,
        shares_machine=isinstance(address, str) or is_own(address[0]),
    ), plan


def _good(config: LoadConfig) -> str:
    statuses = config.gate.statuses()
    text = "status below 400" if statuses is None else f"status {', '.join(map(str, sorted(statuses)))}"
    return text if config.gate.expect_body is None else f"{text} and the expected body"


def pacer(shape: ShapeConfig) -> Pacer:
    """The schedule of an open loop, all processes together."""
    curve = shape.curve()
    arrivals = _arrivals(shape, curve)
    return arrivals if shape.requests is None else First(arrivals, _before(shape, curve) + shape.requests)


def _arrivals(shape: ShapeConfig, curve: Curve) -> Pacer:
    return Poisson(curve, random.Random(shape.seed).random) if shape.poisson else Regular(curve)  # noqa: S311


def _before(shape: ShapeConfig, curve: Curve) -> int:
    """How many requests are due within the warm-up."""
    arrivals, number = _arrivals(shape, curve), 0
    while shape.warmup and (due := arrivals.due(number)) is not None and due < nanoseconds(shape.warmup):
        number += 1
    return number


def spans(shape: ShapeConfig) -> list[Span]:
    """The phases: warm-up and the measured one, or one per stage."""
    if shape.stages is not None:
        stages, begin = [], 0
        for seconds, rate in shape.steps():
            end = begin + nanoseconds(seconds)
            stages.append(Span(name=f"to {rate:g}/s", begin=begin, end=end))
            begin = end
        return stages
    warmup = nanoseconds(shape.warmup)
    before = [Span(name="warm-up", begin=0, end=warmup, measured=False)] if warmup else []
    return [*before, Span(name="measured", begin=warmup, end=_end(shape, warmup))]


def _end(shape: ShapeConfig, warmup: int) -> int | None:
    timed = None if shape.duration is None else warmup + nanoseconds(shape.duration)
    if not shape.is_open or shape.requests is None:
        return timed
    curve = shape.curve()
    last = _arrivals(shape, curve).due(_before(shape, curve) + shape.requests - 1)
    ends = [end for end in (timed, None if last is None else last + 1) if end is not None]
    return min(ends)
