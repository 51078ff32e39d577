"""The search for a capacity: look at the idle server, climb until the service level breaks, bisect, confirm both ends.

Strategy: a generator that yields the next window and is sent what was seen in it. It touches no clock and no network,
so the same search runs against real servers and in simulations whose capacity is known.
Rules
- The idle server comes first. One that does not answer, or that fails more probes than the level allows by more than
  chance, ends the search with the verdict of a load test and its next step: no rate mends it.
- The client's own ceiling comes next. Above `CEILING_SHARE` of it the search ends: there it would measure the client.
- A rate is doubled until a window misses. A miss counts when a second window misses, too: one hiccup decides nothing.
- After each miss the server gets probes only, until their median is that of the idle server again. Otherwise a queue
  that is left from before lowers every later figure. A server that does not recover in `drain` seconds ends the search.
- Between the last rate that held and the first that did not, the search halves the distance (geometric mean) until they
  are less than `RATIO` apart. Then five windows or more confirm each end (`votes.py`). An end that they do not confirm
  moves outward.
Runs on: anywhere (pure).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from math import inf, sqrt

from crawler.load.capacity.votes import AGREE, VOTES, Standing, standing
from crawler.load.capacity.windows import Outcome, Seen, Stage, Window
from crawler.load.nanoseconds import MILLISECOND
from crawler.load.result import LoadVerdict

CEILING_SHARE = 0.5
RATIO = 1.05
_VOTES = {Standing.HELD: True, Standing.MISSED: False, Standing.SPLIT: None}
_TRIES = 2  # windows, until a miss counts
_CLIENT_TRIES = 3  # windows in which the client is the limit, until the search ends
_WIDEN = 1.5  # by which the next step outward is longer than the last
_MOST = 100  # windows
_CEILING = Window(stage=Stage.CEILING, rate=None, seconds=2.0, settle=0.5)
_PROBES, _PROBE_RATE, _IDLE_PROBES = 22, 10.0, 40
_BACK, _CLOSE = 1.1, MILLISECOND // 5  # of the idle median: a share, and a time that shows nothing of a server

Steps = Generator[Window, Seen, None]
Judging = Generator[Window, Seen, bool]


class Ending(StrEnum):
    """The end of a search."""

    NOTHING_OK = "NOTHING-OK"
    FAILING = "FAILING"
    FOUND = "FOUND"
    HOLDS_THROUGHOUT = "HOLDS-THROUGHOUT"
    NEVER_HOLDS = "NEVER-HOLDS"
    CLIENT_BOUND = "CLIENT-BOUND"
    DOES_NOT_RECOVER = "DOES-NOT-RECOVER"
    UNSTEADY = "UNSTEADY"
    INTERRUPTED = "INTERRUPTED"


class _Ended(Exception):
    """The search has ended early; `advice` is a next step of its own, "" = that of every such ending."""

    def __init__(self, ending: Ending, because: str, advice: str = "") -> None:
        super().__init__(because)
        self.ending = ending
        self.advice = advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of a search.

    Attributes:
        begin, end: the lowest and the highest rate to try; None = up to the client's ceiling.
        seconds: the length of a window at a rate, long enough to carry the figures of the service level.
        settle: seconds of each window that do not count.
        drain: seconds in which an overloaded server must recover.
        spare: times as many probes, of a service level that allows many failures.
    """

    begin: float
    end: float | None
    seconds: Callable[[float], float]
    settle: float
    drain: float
    spare: float = 1.0


class Search:
    """A search; `steps()` yields its windows, and the attributes have what is known so far.

    Attributes:
        low: the highest rate that held; None = none has.
        high: the lowest rate above it that did not; None = none is known.
        ceiling: requests per second that the client can send on this machine.
        because: the reason for the ending.
        advice: the next step that fits what was seen; "" = the one that fits every such ending.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self.ceiling: float | None = None
        self.idle: Seen | None = None
        self.ending = Ending.INTERRUPTED
        self.because = "ended early"
        self.advice = ""
        self._bounds = bounds
        self._windows = 0
        self._missed: Seen | None = None  # the last window that made a rate miss

    def steps(self) -> Steps:
        """Yield the windows to run, one after the other; each is answered by what was seen in it."""
        try:
            yield from self._look_idle()
            seen = yield _CEILING
            self.ceiling = seen.answered * (1 - seen.errors)
            yield from self._climb()
            yield from self._bisect()
            yield from self._confirm()
            self.ending = Ending.FOUND
            self.because = f"at least {AGREE} of {VOTES} windows agreed at either end"
        except _Ended as ended:
            self.ending, self.because, self.advice = ended.ending, str(ended), ended.advice

    def _look_idle(self) -> Steps:
        self.idle = seen = yield self._probing(_IDLE_PROBES)
        if seen.is_failing:
            ending = Ending.NOTHING_OK if seen.verdict is LoadVerdict.NOTHING_OK else Ending.FAILING
            raise _Ended(ending, f"the idle server: {seen.said}", seen.advice)
        if seen.p50 is None:
            raise _Ended(Ending.NEVER_HOLDS, f"the idle server does not answer well: {seen.said}")

    @property
    def _top(self) -> float:
        """Return the highest rate to try."""
        return min(self._bounds.end or inf, CEILING_SHARE * (self.ceiling or 0))

    def _climb(self) -> Steps:
        rate = self._bounds.begin
        if rate > self._top:
            raise self._at_top()
        while (yield from self._holds(Stage.CLIMB, rate)):
            self.low = rate
            if rate >= self._top:
                raise self._at_top()
            rate = min(2 * rate, self._top)
        self.high = rate
        if self.low is None:
            raise self._never(self._missed)

    def _bisect(self) -> Steps:
        while (middle := _plain(sqrt(self._low * self._high))) and self._high / self._low > RATIO:
            if (yield from self._holds(Stage.BISECT, middle)):
                self.low = middle
            else:
                self.high = middle

    def _confirm(self) -> Steps:
        step, is_confirmed = RATIO, False
        while (vote := (yield from self._vote(self._low))) is not True:
            if vote is False:
                self.high, is_confirmed = self._low, True
            if self._low <= self._bounds.begin:
                self.low = None
                raise self._never() if vote is False else self._unproven()
            self.low = max(self._bounds.begin, _plain(self._low / step))
            step = _wider(step)
        step = RATIO
        while not is_confirmed and (vote := (yield from self._vote(self._high))) is not False:
            if vote is True:
                self.low = self._high
            if self._high >= self._top:
                self.high = None
                raise self._at_top()
            self.high = min(self._top, _plain(self._high * step))
            step = _wider(step)

    def _vote(self, rate: float) -> Generator[Window, Seen, bool | None]:
        """Return whether the windows at a rate hold it; None = they do not agree, or not clearly."""
        seen = list[Seen]()
        while (state := standing(seen)) is Standing.OPEN:
            seen.append((yield from self._run(Stage.CONFIRM, rate)))
        return _VOTES[state]

    def _holds(self, stage: Stage, rate: float) -> Judging:
        """Return whether the server holds this rate; a second window decides about a miss."""
        for _ in range(_TRIES):
            seen = yield from self._run(stage, rate)
            if seen.outcome is Outcome.HELD:
                return True
            self._missed = seen
        return False

    def _run(self, stage: Stage, rate: float) -> Generator[Window, Seen, Seen]:
        """Return a window at this rate, in which the client was not the limit; after a miss the server is drained."""
        for _ in range(_CLIENT_TRIES):
            self._windows += 1
            if self._windows > _MOST:
                raise _Ended(Ending.UNSTEADY, f"after {_MOST} windows there is no steady answer")
            seen = yield Window(stage=stage, rate=rate, seconds=self._bounds.seconds(rate), settle=self._bounds.settle)
            if seen.outcome is Outcome.HELD:
                return seen
            yield from self._drain()
            if seen.outcome is Outcome.MISSED:
                return seen
        raise _Ended(Ending.CLIENT_BOUND, f"at {rate:,.12g}/s this client was the limit: {seen.because}")

    def _drain(self) -> Steps:
        """Send probes until the server is as quick as when it was idle."""
        spent, idle = 0.0, self.idle
        while idle is not None and idle.p50 is not None:
            probing = self._probing(_PROBES, Stage.DRAIN)
            seen = yield probing
            if seen.p50 is not None and seen.p50.low <= max(_BACK * idle.p50.high, idle.p50.high + _CLOSE):
                return
            spent += probing.seconds
            if spent >= self._bounds.drain:
                median = f"a median of {seen.p50.value / 1e6:,.3g} ms" if seen.p50 else "no good answers"
                raise _Ended(
                    Ending.DOES_NOT_RECOVER,
                    f"{spent:.0f} s after the overload {probing.rate:g} requests/s still get {median};"
                    f" idle it was {idle.p50.value / 1e6:,.3g} ms",
                )

    def _probing(self, probes: int, stage: Stage = Stage.IDLE) -> Window:
        rate = min(_PROBE_RATE, self._bounds.begin)
        return Window(stage=stage, rate=rate, seconds=probes * self._bounds.spare / rate)

    @property
    def _low(self) -> float:
        assert self.low is not None  # noqa: S101 - the climb has set it
        return self.low

    @property
    def _high(self) -> float:
        assert self.high is not None  # noqa: S101 - the climb has set it
        return self.high

    def _at_top(self) -> _Ended:
        if self._top == self._bounds.end:
            return _Ended(Ending.HOLDS_THROUGHOUT, f"it holds up to {self._top:,.12g}/s, the highest rate to try")
        return _Ended(
            Ending.CLIENT_BOUND,
            f"this client can send {self.ceiling or 0:,.0f}/s on this machine, and above {CEILING_SHARE * 100:.0f} % "
            "of that the search would measure the client",
        )

    def _never(self, missed: Seen | None = None) -> _Ended:
        """Return the ending; `missed` is the window that decided it."""
        because = f"it does not hold even at {self._bounds.begin:,.12g}/s, the lowest rate"
        if missed is not None:
            because += f": {missed.because}{f'; {missed.said}' if missed.is_failing else ''}"
        return _Ended(Ending.NEVER_HOLDS, because)

    def _unproven(self) -> _Ended:
        rate = f"{self._bounds.begin:,.12g}/s"
        return _Ended(Ending.UNSTEADY, f"the windows at {rate}, the lowest rate, do not agree, or prove too little")


def _plain(rate: float) -> float:
    """Return a rate of four digits."""
    return float(f"{rate:.4g}")


def _wider(step: float) -> float:
    """Return the next step outward: each is half as long again as the last."""
    return 1 + (step - 1) * _WIDEN
