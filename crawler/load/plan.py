"""The plan of a load test: what each process needs to know, with its share of it.

Rules
- With its `index`, a plan is one process's share of the test.
Runs on: the loop, before the test; in a worker process, `pacer`.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from crawler.core.protocols import Pacer
from crawler.core.urls import Url
from crawler.load.config import RequestConfig, ShapeConfig
from crawler.load.dial import Endpoint
from crawler.load.exchange import Exchange
from crawler.load.loop_setup import Span
from crawler.load.nanoseconds import nanoseconds
from crawler.load.pacers import Curve, First, Poisson, Regular
from crawler.load.referee import Referee
from crawler.load.targets.targets import Targets
from crawler.load.users.config import UsersConfig
from crawler.load.users.stages import Stay, UserStages


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One process's share of a load test.

    Attributes:
        origins, endpoints: the hosts by their numbers: their URLs, and the addresses to dial.
        exchange: the rule for a good answer, and the one request if there are no targets.
        is_open: a schedule decides when to send.
        spans: the phases.
        groups: names of the groups of targets.
        targets, login: the requests of files; None = there is no such file.
        asked: the options of each request that a script sends.
        login_groups, login_hosts: from the numbers in the log-in's file to those of the plan.
        referee: ends the test when a threshold is lost; None = none does (--abort).
    """

    origins: tuple[Url, ...]
    endpoints: tuple[Endpoint, ...]
    exchange: Exchange
    shape: ShapeConfig
    is_open: bool
    spans: tuple[Span, ...]
    asked: RequestConfig = field(default_factory=RequestConfig)
    users: UsersConfig = field(default_factory=UsersConfig)
    groups: tuple[str, ...] = ("",)
    targets: Targets | None = None
    login: Targets | None = None
    login_groups: Mapping[int, int] = field(default_factory=dict)
    login_hosts: Mapping[int, int] = field(default_factory=dict)
    referee: Referee | None = None
    index: int = 0

    @property
    def connections(self) -> int:
        """Return the process's share of the connections, or of the users."""
        return _share(self.shape.most_users, self)

    @property
    def requests(self) -> int | None:
        """Return the process's share of the requests of a closed loop; the schedule of an open loop ends by itself."""
        return None if self.shape.requests is None or self.is_open else _share(self.shape.requests, self)

    @property
    def has_users(self) -> bool:
        """Return whether users do more than send the next request."""
        return self.users.are_told or self.shape.has_user_stages

    def stays(self, user: int) -> list[Stay]:
        """Return when a user, counted over all processes, takes part."""
        return UserStages(self.shape.steps()).stays(user) if self.shape.has_user_stages else [(0, None)]


def _share(whole: int, plan: Plan) -> int:
    count = plan.shape.processes
    return whole // count + (plan.index < whole % count)


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


def spans(shape: ShapeConfig, replay: int | None = None) -> list[Span]:
    """Return the phases: the warm-up and the measured phase, or one phase per stage.

    `replay` is the due moment of the last request of a replay.
    """
    if shape.stages is not None:
        stages, begin = [], 0
        for seconds, level in shape.steps():
            end = begin + nanoseconds(seconds)
            name = f"to {level:.0f} users" if shape.has_user_stages else f"to {level:g}/s"
            stages.append(Span(name=name, begin=begin, end=end))
            begin = end
        return stages
    warmup = nanoseconds(shape.warmup)
    until = None if shape.duration is None else warmup + nanoseconds(shape.duration)
    if shape.is_open and shape.requests is not None:
        curve = shape.curve()
        last = _arrivals(shape, curve).due(_before(shape, curve) + shape.requests - 1)
        until = min(moment for moment in (until, None if last is None else last + 1) if moment is not None)
    if replay is not None:
        until = min(replay + 1, until if until is not None else replay + 1)
    before = [Span(name="warm-up", begin=0, end=warmup, measured=False)] if warmup else []
    return [*before, Span(name="measured", begin=warmup, end=until)]
