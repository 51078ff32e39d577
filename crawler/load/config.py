"""The options of a load test: type, default and help of each. Flags, keywords and the reference are made from here.

Rules
- The letters are those of wrk: -t, -c, -d, -H mean the same there and here.
- `contradictions.py` refuses options that contradict each other.
Runs on: anywhere (pure).
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from math import nextafter
from typing import Annotated

import msgspec
from msgspec.structs import replace

from crawler.core.errors import UsageError
from crawler.core.options import Help, Option, OptionKind, check_names, options_of, turned
from crawler.load.nanoseconds import nanoseconds
from crawler.load.pacers import Curve, RateStage
from crawler.load.targets.config import TargetsConfig
from crawler.load.thresholds import Threshold, parse_threshold
from crawler.load.users.config import UsersConfig
from crawler.load.users.stages import UserStages

_STAGE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?:(\d+(?:\.\d{1,3})?)(u?)")
_UNITS = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


class ShapeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of the load: rate, time and connections."""

    connections: Annotated[
        int,
        Help(
            "Connections, over all processes; in a closed loop, one user each. With a smaller -n: as many as -n.",
            OptionKind.COUNT,
            short="c",
        ),
    ] = 64
    duration: Annotated[
        float | None,
        Help("Time to measure; 10 s unless -n or --stages end the test.", OptionKind.TIME_LIMIT, short="d"),
    ] = None
    requests: Annotated[int | None, Help("Number of requests to measure.", OptionKind.COUNT, short="n")] = None
    rate: Annotated[
        float | None,
        Help("Open loop: requests per second, whether or not earlier ones are answered.", OptionKind.RATE, short="R"),
    ] = None
    poisson: Annotated[bool, Help("Open loop: Poisson arrivals, as of independent users.", OptionKind.FLAG)] = False
    seed: Annotated[
        int, Help("Seed of all that is random: --poisson, --shuffle, weights.", OptionKind.COUNT_OR_NONE)
    ] = 1
    stages: Annotated[
        str | None,
        Help(
            "Go from rate to rate in straight lines, beginning at 0: 10s:100,30s:1000,10s:0 (open loop); or from number"
            " to number of users: 30s:10u,60s:200u (closed loop).",
            OptionKind.TEXT,
            metavar="TIME:RATE,...",
        ),
    ] = None
    warmup: Annotated[float, Help("Send for this long before measuring; reported apart.", OptionKind.SECONDS)] = 0.0
    processes: Annotated[
        int, Help("Processes to send from; each keeps one core busy.", OptionKind.COUNT, short="t", metavar="N")
    ] = 1
    timeout: Annotated[
        float, Help("Give up a request without a whole answer this long after it was sent.", OptionKind.TIME_LIMIT)
    ] = 10.0
    grace: Annotated[float, Help("Wait this long at the end for requests in flight.", OptionKind.SECONDS)] = 1.0

    @property
    def is_open(self) -> bool:
        """Return whether a schedule decides when to send (open loop)."""
        return self.rate is not None or (self.stages is not None and not self.has_user_stages)

    @property
    def has_user_stages(self) -> bool:
        """Return whether the stages give numbers of users."""
        return self.stages is not None and self.stages.rstrip(" ,").endswith("u")

    @property
    def most_users(self) -> int:
        """Return the number of users of a closed loop, at its largest."""
        return UserStages(self.steps()).most if self.has_user_stages else self.connections

    def steps(self) -> tuple[tuple[float, float], ...]:
        """Return the stages: the seconds of each, and the rate, or the number of users, at its end.

        Raises:
            UsageError: a stage is not written as TIME:RATE, or some of them give rates and some users.
        """
        found = []
        for text in self.stages.split(",") if self.stages else ():
            match = _STAGE.fullmatch(text.strip())
            if not match or float(match[1]) <= 0:
                raise UsageError(f"--stages: expected TIME:RATE,TIME:RATE such as 10s:100,30s:1000, got {text[:40]!r}")
            if bool(match[4]) != self.has_user_stages:
                raise UsageError("--stages: some give rates and some users: write u behind all numbers, or behind none")
            if match[4] and "." in match[3]:
                raise UsageError(f"--stages: {text.strip()[:40]!r} is no whole number of users")
            found.append((float(match[1]) * _UNITS[match[2]], float(match[3])))
        return tuple(found)

    def curve(self) -> Curve:
        """Return the rate over time, warm-up included; without end when only -n limits it."""
        if self.stages is not None:
            rates = pairwise([0, *(round(rate * 1000) for _, rate in self.steps())])
            lengths = [nanoseconds(seconds) for seconds, _ in self.steps()]
            return Curve([RateStage(length, *pair) for length, pair in zip(lengths, rates, strict=True)])
        thousandths = max(1, round((self.rate or 0) * 1000))
        length = None if self.duration is None else nanoseconds(self.duration + self.warmup)
        return Curve([RateStage(length, thousandths, thousandths)])


class RequestConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The request, and the server that gets it."""

    method: Annotated[
        str | None, Help("HTTP method; GET, or POST when there is a body.", OptionKind.TEXT, short="X", metavar="NAME")
    ] = None
    headers: Annotated[
        tuple[tuple[str, str], ...],
        Help("A header; repeatable, and replaces ours of that name.", OptionKind.HEADERS, flag="header", short="H"),
    ] = ()
    body: Annotated[bytes | None, Help("The body of each request, sent as it is.", OptionKind.CONTENT)] = None
    body_file: Annotated[
        str | None,
        Help("The body of each request, from this file; - is standard input.", OptionKind.TEXT, metavar="FILE"),
    ] = None
    chunked: Annotated[bool, Help("Send the body in chunks, without its length.", OptionKind.FLAG)] = False
    chunk_size: Annotated[int | None, Help("Size of each chunk of --chunked; 16K if not given.", OptionKind.BYTES)] = (
        None
    )
    keep_alive: Annotated[bool, Help("Send many requests over one connection.", OptionKind.FLAG)] = True
    requests_per_connection: Annotated[
        int | None, Help("Close a connection after so many answers, and open another one.", OptionKind.COUNT)
    ] = None
    unix_socket: Annotated[
        str | None,
        Help("Connect to this unix socket; the URL gives the host and the path.", OptionKind.TEXT, metavar="FILE"),
    ] = None
    ca_file: Annotated[
        str | None, Help("Trust the certificate authorities in this PEM file instead.", OptionKind.TEXT, metavar="FILE")
    ] = None
    insecure: Annotated[bool, Help("Do not verify certificates; the report says so.", OptionKind.FLAG)] = False
    client_cert: Annotated[
        str | None, Help("Show the certificate in this PEM file to the server.", OptionKind.TEXT, metavar="FILE")
    ] = None
    client_key: Annotated[
        str | None,
        Help("The key of --client-cert, where it is in a file of its own.", OptionKind.TEXT, metavar="FILE"),
    ] = None
    key_password_file: Annotated[
        str | None, Help("The password of that key, in this file.", OptionKind.TEXT, metavar="FILE")
    ] = None
    sni: Annotated[
        str | None,
        Help("Ask for this name, and verify the certificate against it.", OptionKind.TEXT, metavar="NAME"),
    ] = None
    tls_min: Annotated[
        str | None, Help("Refuse older versions of TLS: 1.2 or 1.3.", OptionKind.TEXT, metavar="VERSION")
    ] = None
    tls_max: Annotated[
        str | None, Help("Refuse newer versions of TLS: 1.2 or 1.3.", OptionKind.TEXT, metavar="VERSION")
    ] = None
    i_may_test: Annotated[
        str | None,
        Help(
            "Test this host although it is another machine: it is yours, or its owner agreed.",
            OptionKind.TEXT,
            metavar="HOST",
        ),
    ] = None


class GateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for a good answer and for a test that is passed."""

    expect_status: Annotated[
        str | None, Help("Only these statuses are good; otherwise all below 400.", OptionKind.TEXT, metavar="N,N,...")
    ] = None
    expect_body: Annotated[bytes | None, Help("A good answer has this text in its body.", OptionKind.CONTENT)] = None
    thresholds: Annotated[
        tuple[str, ...],
        Help(
            "Exit 8 unless this holds: p99<50ms, mean, max, errors<0.1%, status_503, rate>=1000, p99{stage 2}<9ms,"
            " checks<1% of a script; repeatable.",
            OptionKind.TEXTS,
            flag="threshold",
            metavar="GATE",
        ),
    ] = ()
    abort: Annotated[bool, Help("End the test as soon as a threshold cannot be met any more.", OptionKind.FLAG)] = False

    def statuses(self) -> frozenset[int] | None:
        """Return the good statuses; None = all below 400.

        Raises:
            UsageError: one of them is no status.
        """
        if self.expect_status is None:
            return None
        found = [part.strip() for part in self.expect_status.split(",")]
        if not all(re.fullmatch(r"[2-5]\d\d", part) for part in found):
            raise UsageError(f"--expect-status: expected statuses such as 200,204, got {self.expect_status[:40]!r}")
        return frozenset(map(int, found))

    def gates(self) -> tuple[Threshold, ...]:
        """Return the thresholds.

        Raises:
            UsageError: one of them cannot be read.
        """
        return tuple(map(parse_threshold, self.thresholds))

    def allowed(self, figure: str) -> float | None:
        """Return the largest share, of errors or of checks, that a threshold allows; None = no threshold names them."""
        gates = [gate for gate in self.gates() if gate.figure == figure and gate.scope is None]
        below = [nextafter(gate.limit, 0) for gate in gates if gate.sign == "<"]
        return min([*below, *(gate.limit for gate in gates if gate.sign == "<=")], default=None)


class LoadConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All options of a load test."""

    shape: ShapeConfig = msgspec.field(default_factory=ShapeConfig)
    request: RequestConfig = msgspec.field(default_factory=RequestConfig)
    targets: TargetsConfig = msgspec.field(default_factory=TargetsConfig)
    users: UsersConfig = msgspec.field(default_factory=UsersConfig)
    gate: GateConfig = msgspec.field(default_factory=GateConfig)

    @property
    def is_open(self) -> bool:
        """Return whether a schedule decides when to send (open loop)."""
        return self.shape.is_open or self.targets.replay is not None


LOAD_OPTIONS: Mapping[str, Option] = {option.name: option for option in options_of(LoadConfig)}


def read_load(values: Mapping[str, object]) -> LoadConfig:
    """Return a config with these options set, by name; values are text (flags) or native (keywords).

    Raises:
        UsageError: an option is unknown, or does not take its value.
    """
    check_names(values, LOAD_OPTIONS, "options")
    config = turned(LoadConfig(), values, LOAD_OPTIONS)
    shape = config.shape
    if shape.requests is not None and "connections" not in values and not shape.warmup:
        config = replace(config, shape=replace(shape, connections=min(shape.connections, shape.requests)))
        shape = config.shape
    ends = (shape.duration, shape.requests, shape.stages, config.targets.replay)
    if all(end is None for end in ends):
        config = replace(config, shape=replace(shape, duration=10.0))
    config.gate.statuses()
    config.gate.gates()
    config.users.think_time()
    config.targets.check()
    return config
