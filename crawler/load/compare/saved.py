"""Two saved runs as the sides of a comparison: their files, and the check that they can be compared.

Rule: runs of different loads are refused. A file that is no report of a load test is refused with its name.
Runs on: the main thread.
"""

from pathlib import Path
from random import Random

import msgspec

from crawler.core.errors import UsageError
from crawler.core.text import counted, safe
from crawler.load.compare.blocks import BUSY, LATE, SavedInterval, blocks_of
from crawler.load.compare.config import CompareConfig
from crawler.load.compare.judging import LEAST, Judged, Rules, judge_blocks
from crawler.load.compare.result import CompareVerdict, Comparison
from crawler.load.result import SCHEMA

_SAME = (
    *("method", "mode", "rate", "arrivals", "stages", "has_user_stages", "connections", "processes", "hosts"),
    *("keep_alive", "requests_per_connection", "timeout", "good", "targets", "shuffle", "replay"),
    *("think", "user_cookies", "steps", "login", "feed", "script"),
)
_SPOILT = {"NOTHING-OK", "TOO-SHORT"}


class SavedProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that sent: its processor time, of a core."""

    cpu: float = 0.0


class SavedClient(msgspec.Struct, frozen=True, kw_only=True):
    """The client of a saved run: its processes, and its own part of each percentile."""

    processes: list[SavedProcess] = []
    share_at_most: dict[str, float] = {}


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of a report: load tests have none."""

    kind: str | None = None
    schema: int | None = None


class SavedRun(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a load test, as far as a comparison needs it."""

    verdict: str
    because: str
    asked: dict[str, object]
    intervals: list[SavedInterval] = []
    client: SavedClient = SavedClient()

    @property
    def late(self) -> tuple[str, ...]:
        """Return the metrics that a late client can explain; none = it was late in none, or the limit in all."""
        parts = {name: self.client.share_at_most.get(name.removesuffix("_ms"), 0.0) for name in LATE}
        is_late = self.verdict == "CLIENT-BOUND" and all(one.cpu < BUSY for one in self.client.processes)
        spoilt = [name for name, part in parts.items() if part >= LATE[name]]
        is_told = spoilt or any(part >= LATE["p50_ms"] for part in self.client.share_at_most.values())
        return (*spoilt, "rate") if is_late and is_told else ()

    @property
    def is_spoilt(self) -> bool:
        """Return whether nothing of the run can be compared."""
        return self.verdict in _SPOILT or (self.verdict == "CLIENT-BOUND" and not self.late)


def is_saved(name: str) -> bool:
    """Return whether an argument names a saved run: a file, or a name that ends as one."""
    return "://" not in name and (Path(name).is_file() or name.endswith(".json"))


def read_run(name: str) -> SavedRun:
    """Return a saved run.

    Raises:
        UsageError: the file cannot be read, or is no report of a load test with its seconds.
    """
    shown, anew = safe(name, 200), "make it anew with `crawler load --json`"
    try:
        raw = Path(name).read_bytes()
        known = msgspec.json.decode(raw, type=_Kind)
        if known.kind is not None:
            raise UsageError(
                f"{shown}: the report of `crawler {safe(known.kind, 20)}`; give those of `crawler load --json`"
            )
        if known.schema not in {None, SCHEMA}:
            raise UsageError(f"{shown}: has schema {known.schema}, and this version reads {SCHEMA}: {anew}")
        run = msgspec.json.decode(raw, type=SavedRun)
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown}: no report of a load test ({safe(str(error), 200)}): make it with --json") from None
    if not any(interval.measured for interval in run.intervals):
        raise UsageError(f"{shown}: has no measured seconds (`intervals`): {anew}")
    return run


def compare_saved(a: str, b: str, config: CompareConfig) -> Comparison:
    """Return the comparison of two saved runs.

    Raises:
        UsageError: a file cannot be read, or the runs are of different loads.
    """
    runs = [read_run(name) for name in (a, b)]
    if Path(a).samefile(b):
        raise UsageError(f"{safe(a, 200)} and {safe(b, 200)} are one file: give the reports of two runs")
    for key in _SAME:
        one, other = (run.asked.get(key) for run in runs)
        if one != other:
            raise UsageError(f"{safe(a, 200)} and {safe(b, 200)}: {key} is {one} and {other}: compare runs of one load")
    asked = runs[0].asked
    processes = asked.get("processes")
    count = processes if isinstance(processes, int) else 1
    sides = [blocks_of(side, run.intervals, count, run.late) for side, run in zip("AB", runs, strict=True)]
    for name, found in zip((a, b), sides, strict=True):
        if len(found) <= LEAST:
            have = counted(len(found), "measured second")
            raise UsageError(f"{safe(name, 200)}: has {have}, and {LEAST + 1} are needed: test longer, such as -d 30")
    rules = Rules(are_pairs=False, is_open=asked.get("mode") == "open", tolerance=config.blocks.share())
    spoilt = [(side, run) for side, run in zip("AB", runs, strict=True) if run.is_spoilt]
    if spoilt:
        side, run = spoilt[0]
        judged = Judged(CompareVerdict.WORTHLESS, safe(f"{side} was {run.verdict}: {run.because}", 300))
    else:
        judged = judge_blocks(sides[0], sides[1], rules, Random(config.load.shape.seed).random)  # noqa: S311
    load = f"{asked.get('mode')} loop" + (f", {asked['rate']}/s" if "rate" in asked else "")
    return Comparison(
        verdict=judged.verdict,
        because=judged.because,
        a=a,
        b=b,
        load=f"{load}, {asked.get('connections')} connections; two saved runs",
        tolerance=config.blocks.share(),
        are_pairs=False,
        metrics=judged.metrics,
        unjudged=judged.unjudged,
        blocks=tuple(block for side in sides for block in side),
    )
