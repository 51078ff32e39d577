"""The lines of a file, each turned into requests of the store, and put in order at the end.

Rules
- A line that cannot be read refuses the file, with its number. `--skip-broken` leaves such lines out, and counts them.
- A recorded request may change something: a method other than GET, HEAD, OPTIONS and TRACE has to be named. Once some
  are named, the lines of all others are left out, and counted; without that they refuse the file. A log-in is sent
  whole or not at all.
- A feed without a column that asks for it is refused. With a log-in, one column in either of the files is enough.
Runs on: a thread or the main thread, before the test, blocking.
"""

import random
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

from crawler.core.errors import UsageError
from crawler.core.text import counted
from crawler.load.config import LoadConfig
from crawler.load.targets.groups import OTHER, group_name, merged
from crawler.load.targets.line import BrokenLine, FileFacts, TargetLine
from crawler.load.targets.order import Alias
from crawler.load.targets.replay import is_coarse, offsets, spread, time_order
from crawler.load.targets.serialise import Serialiser
from crawler.load.targets.store import StoreWriter
from crawler.load.targets.targets import Targets

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1
_MOST_NAMES = 50_000  # of groups, while they are counted; later ones count as one


class Taking:
    """Lines that become requests, and what is counted meanwhile."""

    def __init__(
        self, config: LoadConfig, file: FileFacts, serialiser: Serialiser, writer: StoreWriter, rows: int
    ) -> None:
        self._is_alone = config.users.login is None
        self._asked, self._seed, self._rows = config.targets, config.shape.seed, rows
        self._file, self._serialiser, self._writer = file, serialiser, writer
        if file.is_written and self._is_targets and self._asked.methods is not None:
            raise UsageError(
                f"--methods: {file.name} is no log, HAR file or run: its requests are sent as written, so leave out"
                " --methods"
            )
        self._allowed = None if file.is_written else SAFE | self._asked.allowed()
        self._unsafe: Counter[str] = Counter()
        self._names: dict[str, int] = {}
        self._counts: list[int] = []
        self._groups, self._moments = array("H"), array("q")
        self._weights: array[float] | None = None
        self._targets = self._skipped = self._idle = 0

    @property
    def _is_targets(self) -> bool:
        """Return whether the lines are those of --targets, not the one of a URL or those of a log-in."""
        return self._asked.targets is not None and self._asked.option == "targets"

    def take(self, lines: Iterable[TargetLine | BrokenLine | None]) -> None:
        """Serialise the lines, one after the other.

        Raises:
            UsageError: one of them cannot be sent.
        """
        for line in lines:
            if line is None:
                self._idle += 1
            elif isinstance(line, BrokenLine):
                self._skip(line.number, line.problem)
            elif self._allowed is not None and line.method not in self._allowed:
                self._unsafe[line.method] += 1
            elif self._asked.replay is not None and line.moment is None:
                self._skip(line.number, "it has no time that can be read, and --replay needs one")
            else:
                try:
                    self._serialise(line)
                except ValueError as error:
                    self._skip(line.number, str(error))
        self._refuse_unsafe()

    def _skip(self, number: int, problem: str) -> None:
        if not self._asked.skip_broken:
            hint = "; --skip-broken leaves such lines out" if number and self._is_targets else ""
            raise UsageError(f"{self._file.place(number)}: {problem}{hint}")
        self._skipped += 1

    def _refuse_unsafe(self) -> None:
        if self._unsafe and not (self._is_targets and self._asked.methods is not None):
            names = ",".join(sorted(self._asked.allowed() | set(self._unsafe)))
            hint = ", and --methods GET if such lines are to be left out" if self._is_targets else ""
            raise UsageError(
                f"{self._file.name}: {self._unsafe_counts()}: such requests may change something on the server; give"
                f" --methods {names} if it may be changed{hint}"
            )

    def _unsafe_counts(self) -> str:
        return ", ".join(f"{count:,} {method}" for method, count in self._unsafe.most_common())

    def _serialise(self, line: TargetLine) -> None:
        writer, serialiser = self._writer, self._serialiser
        is_head = line.method == "HEAD"
        before = len(writer)
        if serialiser.is_template(line):
            for request, origin in serialiser.filled(line):
                writer.add(request, origin, is_head=is_head)
        else:
            writer.add(*serialiser.plain(line), is_head=is_head)
        writer.repeat(self._rows - (len(writer) - before))
        group = self._group(line)
        self._counts[group] += self._rows
        self._groups.extend([group] * self._rows)
        if line.weight != 1.0 and self._weights is None:
            self._weights = array("d", [1.0]) * self._targets
        if self._weights is not None:
            self._weights.append(line.weight)
        if self._asked.replay is not None and line.moment is not None:
            self._moments.append(line.moment)
        self._targets += 1

    def _group(self, line: TargetLine) -> int:
        """Return the number of a line's group, by its name."""
        name = line.tag
        if name is None:
            path = line.url.partition("?")[0]
            if not path.startswith("/"):
                path = "/" + path.partition("://")[2].partition("/")[2]
            name = group_name(line.method, path)
        number = self._names.get(name)
        if number is None:
            if len(self._names) >= _MOST_NAMES:
                name = OTHER
            number = self._names.setdefault(name, len(self._names))
            self._counts.extend([0] * (number + 1 - len(self._counts)))
        return number

    def finish(self) -> Targets:
        """Put the requests in order, write the arrays, and return the targets.

        Raises:
            UsageError: there is nothing to send, or the options contradict the file.
        """
        if not self._targets:
            skipped = f"; {counted(self._skipped, 'line')} cannot be read" if self._skipped else ""
            skipped += f"; --methods leaves out {self._unsafe_counts()}" if self._unsafe else ""
            raise UsageError(f"--{self._asked.option}: {self._file.name}: no request in it{skipped}")
        if self._is_alone and self._asked.feed is not None and not self._serialiser.has_filled:
            raise UsageError(f"--feed: no ${{column}} in {self._file.name} asks for it: write one, or leave out --feed")
        if self._weights is not None and self._asked.shuffle:
            raise UsageError("--shuffle: the file has weights, so its order is random: leave out --shuffle")
        notes = list[str]()
        numbers = self._order(notes)
        groups, places = merged(tuple(self._names), self._counts)
        if len(groups) < len(self._names):
            merged_away = len(self._names) - len(groups) + 1
            notes.append(f"the {merged_away:,} least common of {len(self._names):,} groups count together as other")
        if self._idle and self._file.idle:
            noun, problem = self._file.idle
            notes.append(f"{counted(self._idle, noun)} {problem} left out")
        if self._skipped:
            notes.append(f"{counted(self._skipped, 'line')} of the file left out, since they cannot be read")
        if self._unsafe:
            notes.append(f"{counted(self._unsafe.total(), 'line')} left out by --methods: {self._unsafe_counts()}")
        numbers["groups"] = array("B", map(places.__getitem__, self._groups))
        layout = self._writer.finish(numbers)
        return Targets(
            path=self._writer.path,
            layout=layout,
            count=len(self._writer),
            groups=groups,
            origins=tuple(self._serialiser.origins),
            is_replay=self._asked.replay is not None,
            skipped=self._skipped,
            note="; ".join(notes),
            has_columns=self._serialiser.has_filled,
            rows=self._rows,
            seed=self._seed,
        )

    def _order(self, notes: list[str]) -> dict[str, "array[Any]"]:
        """Return the arrays that say in which order the targets are sent, and when."""
        if self._asked.replay is not None:
            return self._replayed(self._asked.replay, notes)
        if self._weights is not None:
            alias = Alias.of(self._weights)
            return {"thresholds": array("d", alias.thresholds), "aliases": array("I", alias.aliases)}
        if self._asked.shuffle:
            order = array("I", range(self._targets))
            random.Random(self._seed).shuffle(order)  # noqa: S311 - chance that has to come again
            return {"order": order}
        return {}

    def _replayed(self, factor: float, notes: list[str]) -> dict[str, "array[Any]"]:
        moments = self._moments
        numbers: dict[str, array[Any]] = {}
        if (order := time_order(moments)) is not None:
            moments = array("q", map(moments.__getitem__, order))
            numbers["order"] = order
        if is_coarse(moments):
            spread(moments)
            notes.append("the file's times are whole seconds: its requests are spread evenly within each second")
        offsets(moments, factor)
        numbers["dues"] = moments
        return numbers
