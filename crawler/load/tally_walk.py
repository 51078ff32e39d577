"""The counts of one process for the referee of `--abort`, gathered a few records at a time.

Why: with a hundred groups of targets, reading all records at once took 60 to 140 ms of each second, within the loop
that sends. A walk reads a few with each look at the loop, so that it passes by all of them in about a second.
Rules
- A threshold's counts are whole numbers that add up over the records of its part, so nothing is merged.
- The number of requests that have ended is taken from each record with its counts. So what ended since is taken for
  what is left, and a count that is late only makes the referee more patient.
- The records of a phase are read while it or the one behind it runs; after that they hardly change.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence
from math import ceil

from crawler.load.abort import Tally, tally
from crawler.load.records import Phase
from crawler.load.thresholds import Threshold, stage_of

_LOOKS = 20  # in which a walk passes by all records
_RECENT = 2  # phases

Records = Sequence[Sequence[Phase]]
"""The records of each phase: those of the groups by their numbers, and others behind them."""


class TallyWalk:
    """A walk over the records of a loop, again and again."""

    def __init__(self, gates: Sequence[Threshold], *, is_open: bool) -> None:
        self._gates = gates
        self._is_open = is_open
        self._seen: dict[tuple[int, int], list[Tally]] = {}  # by phase and group: the counts for each gate
        self._left: list[tuple[int, int]] = []  # records that this walk has still to read
        self._stride = self._looks = 0

    def step(self, records: Records, groups: Sequence[str], current: int) -> list[int] | None:
        """Read the next few records, and return the words of this process when all are read; otherwise None.

        Args:
            records: those of all phases.
            groups: names of the groups of targets; one without a name = the targets have none.
            current: the number of the phase that runs.
        """
        if not self._looks:
            self._begin(records, current)
        if not self._left:
            self._looks = max(0, self._looks - 1)
            return None
        self._looks -= 1
        for phase, group in self._left[: self._stride]:
            self._seen[phase, group] = [
                tally(gate, records[phase][group], is_open=self._is_open) for gate in self._gates
            ]
        del self._left[: self._stride]
        return None if self._left else self._words(records, groups)

    def _begin(self, records: Records, current: int) -> None:
        recent = range(max(0, current - _RECENT + 1), min(current + 1, len(records)))
        places = ((phase, group) for phase in recent for group in range(len(records[phase])))
        self._left = [(phase, group) for phase, group in places if records[phase][group].measured]
        self._looks = _LOOKS if self._left else 0
        self._stride = ceil(len(self._left) / _LOOKS)

    def _words(self, records: Records, groups: Sequence[str]) -> list[int]:
        stages = [number for number, cells in enumerate(records) if cells[0].measured]
        names = [records[number][0].name for number in stages]
        ended = sum(counts[0].ended for counts in self._seen.values())
        words = list[int]()
        for number, gate in enumerate(self._gates):
            stage = None if gate.scope is None else stage_of(gate.scope, names)
            mine = [
                counts[number]
                for (phase, group), counts in self._seen.items()
                if gate.scope is None
                or (phase == stages[stage] if stage is not None else groups[group : group + 1] == [gate.scope])
            ]
            words += [*(sum(column) for column in zip(Tally(), *mine, strict=True)), ended]
        return words
