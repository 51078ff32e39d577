"""The options of a capacity search: those of its own, and those of a load test that say how to send a request.

Rules
- The search sets the rate and the length of a window, so the options of a load test that set them do not exist here.
- Nor do users: they belong to a closed loop.
- A window lasts until its figures are known: a p99 needs 1,000 requests, which take 20 s at 50/s.
- A window waits at its end as long as the longest limit: a request that has no answer then has missed it.
- Without a limit of its own for errors, a service level has `errors<1%`: quick failures must not look like speed.
Runs on: anywhere (pure).
"""

from collections.abc import Mapping
from math import ceil, sqrt
from typing import Annotated

import msgspec
from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind
from crawler.core.text import safe
from crawler.load.capacity.search import Bounds
from crawler.load.capacity.windows import JUDGING, Window
from crawler.load.config import LoadConfig
from crawler.load.contradictions import MOST_RATE, configure_load
from crawler.load.quantiles import needed
from crawler.load.sending_options import sending_options, with_own_options
from crawler.load.thresholds import Threshold, parse_threshold

_LEAST = 100  # answers: a shorter test has the verdict TOO-SHORT
_LONGEST = 600.0  # seconds of a window
_ERRORS = "errors<1%"
_FEW = 0.02  # of failures, for which every window has room
_CHANCE = 1.3  # times as many, since failures come by chance


class SearchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The service level, and the rates to try."""

    slo: Annotated[
        tuple[str, ...],
        Help(
            "Service level: p99<50ms, mean, max, errors<0.1%; repeatable, all must hold. Without one for errors: <1%.",
            OptionKind.TEXTS,
            metavar="LIMIT",
        ),
    ] = ()
    from_rate: Annotated[float, Help("Lowest rate to try, requests per second.", OptionKind.RATE, flag="from")] = 50.0
    to_rate: Annotated[
        float | None,
        Help("Highest rate to try; otherwise half of this client's own ceiling.", OptionKind.RATE, flag="to"),
    ] = None
    at_least: Annotated[float | None, Help("Exit 8 unless this rate holds.", OptionKind.RATE)] = None
    window: Annotated[
        float, Help("Measure each rate for this long; longer where a percentile needs it.", OptionKind.TIME_LIMIT)
    ] = 5.0
    settle: Annotated[float, Help("Send for this long before each window counts.", OptionKind.SECONDS)] = 1.0
    drain: Annotated[float, Help("Time in which an overloaded server must recover.", OptionKind.TIME_LIMIT)] = 30.0

    def limits(self) -> tuple[Threshold, ...]:
        """Return the limits of the service level.

        Raises:
            UsageError: there is none, or one of them is no upper limit.
        """
        if not self.slo:
            raise UsageError("--slo: give the service level that must hold, such as --slo 'p99<50ms'")
        found = [_limit(text) for text in self.slo]
        if not any(limit.figure == "errors" for limit in found):
            found.append(parse_threshold(_ERRORS))
        return tuple(found)

    def bounds(self) -> Bounds:
        """Return the bounds of the search."""
        return Bounds(
            begin=self.from_rate,
            end=self.to_rate,
            seconds=self.seconds,
            settle=self.settle,
            drain=self.drain,
            spare=self.spare(),
        )

    def seconds(self, rate: float) -> float:
        """Return the length of a window at this rate; there may be fewer Poisson arrivals than the rate promises."""
        most = max(_LEAST, *(_needs(limit) for limit in self.limits()))
        return max(self.window, ceil(100 * (max(1.02, self.spare()) * most + 3 * sqrt(most)) / rate) / 100)

    def spare(self) -> float:
        """Return how many times as many requests are sent, so that enough are ok although as many as may fail do."""
        allowed = max((limit.limit for limit in self.limits() if limit.figure == "errors"), default=0.0)
        return 1.0 if allowed <= _FEW else _CHANCE / max(0.1, 1 - allowed)

    def patience(self) -> float:
        """Return the longest time that the service level allows an answer, in seconds."""
        return max((limit.limit for limit in self.limits() if not limit.is_share), default=0.0)


class CapacityConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a capacity search; `load` is the test of a window, whose rate and length the search sets."""

    search: SearchConfig = msgspec.field(default_factory=SearchConfig)
    load: LoadConfig = msgspec.field(default_factory=LoadConfig)


CAPACITY_OPTIONS: Mapping[str, Option] = sending_options(CapacityConfig)


def configure_capacity(values: Mapping[str, object]) -> CapacityConfig:
    """Return a config with these options set, by name; values are text (flags) or native (keywords).

    Raises:
        UsageError: an option is unknown, does not take its value, or contradicts another one.
    """
    config, others = with_own_options(CapacityConfig(), values, CAPACITY_OPTIONS)
    search, limits = config.search, config.search.limits()
    _check_rates(search)
    if search.seconds(search.from_rate) > max(_LONGEST, search.window):
        limit, seconds = max(limits, key=_needs), search.seconds(search.from_rate)
        raise UsageError(
            f"--slo {limit.text!r}: it needs {_needs(limit):,} requests, which take {seconds:,.0f} s "
            f"at --from {search.from_rate:g}: raise --from, or take a lower percentile"
        )
    load = configure_load({**others, "rate": search.from_rate, "duration": search.window})
    if search.patience() >= load.shape.timeout:
        raise UsageError(
            f"--slo: {search.patience():g} s are not below --timeout {load.shape.timeout:g}: raise --timeout, so that "
            "the answers are waited for"
        )
    return replace(config, load=load)


def _check_rates(search: SearchConfig) -> None:
    """Refuse rates beyond all use, and those that contradict each other."""
    for name, rate in (("from", search.from_rate), ("to", search.to_rate), ("at-least", search.at_least)):
        if rate is None:
            continue
        if rate > MOST_RATE:
            raise UsageError(f"--{name} {rate:,.12g}: give {MOST_RATE:,}/s at the most")
        if rate < search.from_rate:
            raise UsageError(f"--{name} {rate:g}: below the lowest rate to try (--from {search.from_rate:g})")
    if search.to_rate is not None and search.at_least is not None and search.at_least > search.to_rate:
        raise UsageError(f"--at-least {search.at_least:g}: above the highest rate to try (--to {search.to_rate:g})")


def window_of(config: CapacityConfig, window: Window, number: int = 0) -> LoadConfig:
    """Return the load test of a window; without a rate it is a closed loop. Probes come at constant gaps.

    `number` is that of the window: the arrivals of each are others, or five windows would be one, five times.
    """
    shape = replace(
        config.load.shape,
        rate=window.rate,
        duration=window.seconds,
        warmup=window.settle,
        grace=max(config.load.shape.grace, config.search.patience()),
        poisson=config.load.shape.poisson and window.stage in JUDGING,
        seed=config.load.shape.seed + number,
    )
    return replace(config.load, shape=shape)


def ceiling_of(config: CapacityConfig, window: Window) -> LoadConfig:
    """Return the load test of the client's own ceiling: plain requests, of which every answer is good."""
    return LoadConfig(shape=window_of(config, window).shape)


def _limit(text: str) -> Threshold:
    try:
        limit = parse_threshold(text)
    except UsageError as error:
        raise UsageError(str(error).replace("--threshold", "--slo").replace(" or rate>=1000", "")) from None
    if limit.scope is not None:
        raise UsageError(
            f"--slo {safe(text, 60)!r}: a search has no stages and judges all targets together: leave out the braces"
        )
    if limit.figure == "rate":
        raise UsageError(f"--slo {text!r}: the search sets the rate; limit what it does to the answers: p99<50ms")
    if limit.sign not in {"<", "<="}:
        raise UsageError(f"--slo {text!r}: a service level is an upper limit, such as p99<50ms")
    return limit


def _needs(limit: Threshold) -> int:
    """Return the number of requests without which a limit cannot be judged."""
    return needed(limit.share) if limit.share is not None else 0
