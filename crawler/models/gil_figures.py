"""What was measured of the interpreter's lock.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The same reading, shared among so many threads or processes.

    Attributes:
        kind: "threads" or "processes".
        seconds: for all of it, once everybody is ready.
        cores: processor seconds over seconds.
    """

    kind: str
    count: int
    seconds: float
    cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How late a thread that sleeps a millisecond at a time wakes up while another one works.

    Attributes:
        work: what the other thread did.
        interval: the switch interval, in seconds.
        median, worst: seconds.
        call: seconds of a single call of that work with nobody else about; None = it is no call into C, but
            bytecode.
    """

    work: str
    interval: float
    median: float
    worst: float
    call: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GilFacts:
    """All of it.

    Attributes:
        build: whether the interpreter can do without a GIL ("free-threaded") or not ("standard").
        enabled: whether it has one now.
    """

    python: str
    build: str
    enabled: bool
    cores: int
    speeds: tuple[Speed, ...]
    lateness: tuple[Lateness, ...]

    def speed_up(self, speed: Speed) -> float:
        """How much quicker than one thread."""
        first = next(one for one in self.speeds if one.kind == "threads" and one.count == 1)
        return first.seconds / speed.seconds if speed.seconds else 0.0
