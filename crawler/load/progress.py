"""The progress of a load test: the few numbers of each process that a display, a monitor and the verdict so far need.

Rules
- Counts since the start never fall, so a monitor can take their rate.
- The numbers for the verdict are of the same measured seconds, all of which have ended.
Runs on: anywhere (pure); the numbers stand in memory that the processes share.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any, NamedTuple


class Ranks(NamedTuple):
    """Percentiles of one time in nanoseconds; 0 = not known."""

    p50: int = 0
    p90: int = 0
    p99: int = 0
    p999: int = 0


UNKNOWN = Ranks()


@dataclass(slots=True, kw_only=True)
class Progress:
    """The progress of one process, or of all; times in nanoseconds.

    Attributes:
        due, answered, failed, timed_out: since the start, the warm-up included: these never fall. `due` are those that
            came due and found a connection; `failed` excludes those that timed out.
        measured: time of the measured seconds that have ended, to which all fields below refer.
        sent, ok, bad, late: requests of these seconds: sent, answered well, failed, timed out.
        waited: those that had found every connection busy.
        checked, unmet: checks of scripts, and those of them that failed.
        logins, lost_logins: requests of a log-in that have ended since the start, and those of them that failed.
        limited: failures that this machine caused, being out of files or ports.
        cpu: processor time, in millionths of a core.
        checks: by name, how many checks of scripts passed and failed since the start; not among the numbers.
        times: response times (closed loop: service times); `service`, `pacing` and `lag` as in a Phase and a client.
    """

    is_ready: int = 0
    due: int = 0
    answered: int = 0
    failed: int = 0
    timed_out: int = 0
    in_flight: int = 0
    measured: int = 0
    sent: int = 0
    ok: int = 0
    bad: int = 0
    late: int = 0
    waited: int = 0
    limited: int = 0
    checked: int = 0
    unmet: int = 0
    logins: int = 0
    lost_logins: int = 0
    cpu: int = 0
    times: Ranks = UNKNOWN
    service: Ranks = UNKNOWN
    pacing: Ranks = UNKNOWN
    lag: Ranks = UNKNOWN
    checks: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @staticmethod
    def total(rows: "Sequence[Progress]") -> "Progress":
        """Return the progress of all processes: the sum of each count, the maximum of each time.

        Of the measured times it is the minimum: all processes have sent at least the requests of that time.
        """
        columns = zip(_NAMES, zip(*(row.values() for row in rows), strict=True), strict=True)
        return Progress(**{name: _REDUCED.get(name, sum)(each) for name, each in columns})

    def values(self) -> "tuple[int | Ranks, ...]":
        """Return the numbers in order."""
        return tuple(getattr(self, name) for name in _NAMES)

    def words(self) -> list[int]:
        """Return the numbers in a row."""
        return [word for value in self.values() for word in (value if isinstance(value, Ranks) else (value,))]

    @staticmethod
    def of(words: Sequence[int]) -> "Progress":
        """Return the progress that these numbers are."""
        rest = iter(words)
        found: dict[str, Any] = {name: Ranks(*islice(rest, 4)) if name in _RANKS else next(rest) for name in _NAMES}
        return Progress(**found)


def _highest(rows: Iterable[Ranks]) -> Ranks:
    return Ranks(*map(max, zip(*rows, strict=True)))


_NAMES = [each.name for each in fields(Progress) if each.name != "checks"]
_RANKS = {"times", "service", "pacing", "lag"}
_REDUCED: dict[str, Callable[[Any], Any]] = {"measured": min, "cpu": max, **dict.fromkeys(_RANKS, _highest)}
WIDTH = len(Progress().words())
