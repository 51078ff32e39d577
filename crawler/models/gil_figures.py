"""The figures of a measurement of the GIL.

Runs on: anywhere (pure).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The same work, shared among `count` threads or processes.

    Attributes:
        kind: "threads" or "processes".
        seconds: for all the work, from when all of them are ready.
        cores: processor seconds over seconds.
    """

    kind: str
    count: int
    seconds: float
    cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """The lateness of a thread that sleeps a millisecond at a time while another thread works.

    Attributes:
        work: the work of the other thread.
        interval: the switch interval, in seconds.
        median, worst: seconds.
        call: seconds of a single call of that work, alone; None = it is bytecode, not a call into C.
    """

    work: str
    interval: float
    median: float
    worst: float
    call: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GilFacts:
    """All measurements of one interpreter.

    Attributes:
        build: "free-threaded" or "standard".
        enabled: the interpreter has a GIL now.
    """

    python: str
    build: str
    enabled: bool
    cores: int
    speeds: tuple[Speed, ...]
    lateness: tuple[Lateness, ...]

    def speed_up(self, speed: Speed) -> float:
        """Return the speed-up against one thread."""
        first = next(one for one in self.speeds if one.kind == "threads" and one.count == 1)
        return first.seconds / speed.seconds if speed.seconds else 0.0
