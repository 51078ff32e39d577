"""The judgement on two servers: a verdict from their blocks, and for each metric an interval of the ratio B to A.

Rules
- The first block of each side is left out: caches and connections are cold.
- Each metric is judged by the blocks in which it counts; a pair of which one does not count is left out. A metric that
  has lost more than a quarter of a side's blocks, or has fewer than six pairs left, is not judged, with the reason.
- A comparison of which neither a time nor the rate can be judged is worthless, unless its errors are a regression.
- A metric is a regression when its whole interval is beyond the tolerance on the worse side, and shows no difference
  only when the whole interval is within the tolerance. Between the two the run was too short to decide.
- Errors are compared as a difference of shares; half a percentage point is tolerated.
Runs on: anywhere (pure): chance comes in as a function.
"""

from collections import Counter
from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

from crawler.core.text import counted
from crawler.load.compare.blocks import FEW, Block
from crawler.load.compare.estimates import DRAWS, Chance, Estimate, paired, trimmed_mean, unpaired
from crawler.load.compare.result import CompareVerdict, Judgement, Metric, Unjudged

_SPOILT = 0.25
LEAST = 6  # pairs, or blocks of each of two runs
_ERRORS = 0.005
_GRAIN = 0.001  # of a ratio: the width of a latency's bucket


class Rules(NamedTuple):
    """The rules of a comparison: whether neighbours are pairs, the kind of loop, and the tolerance (0.05 = 5 %)."""

    are_pairs: bool
    is_open: bool
    tolerance: float
    draws: int = DRAWS


class Judged(NamedTuple):
    """The verdict, the figure that decided it, the metrics, and those that could not be judged."""

    verdict: CompareVerdict
    because: str
    metrics: tuple[Metric, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()


def judge_blocks(a: Sequence[Block], b: Sequence[Block], rules: Rules, chance: Chance) -> Judged:
    """Return the verdict on the blocks of A and of B, each in order of time; of pairs, both have the same number."""
    a, b = a[1:], b[1:]
    names, metrics, unjudged = (*_names(rules), "errors"), list[Metric](), list[Unjudged]()
    for name in names:
        why = _why_not(name, a, b, rules)
        if why:
            unjudged.append(Unjudged(name=name.removesuffix("_ms"), reason=why))
            continue
        one, other = _counting(name, a, b, rules)
        found = _estimated(name, one, other, rules, chance, len(names))
        metrics.append(_metric(name, one, other, found, rules))
    is_lost = not any(metric.is_ratio for metric in metrics)
    if is_lost and not any(metric.judgement is Judgement.REGRESSION for metric in metrics):
        return Judged(CompareVerdict.WORTHLESS, unjudged[0].reason, (), tuple(unjudged))
    judged = _decided(metrics)
    lost = "; ".join(f"{each.name} not judged: {each.reason}" for each in unjudged)
    return judged._replace(because=f"{judged.because}; {lost}" if lost else judged.because, unjudged=tuple(unjudged))


def _why_not(name: str, a: Sequence[Block], b: Sequence[Block], rules: Rules) -> str:
    """Return the reason why a metric cannot be judged; "" = it can."""
    for side, blocks in (("A", a), ("B", b)):
        faults = Counter(fault for block in blocks if (fault := block.fault_of(name)))
        if faults and faults.total() > _SPOILT * len(blocks):
            kind, count = faults.most_common(1)[0]
            verb = "had" if kind == FEW else "were"
            return f"{count} of {counted(len(blocks), 'block')} of {side} {verb} {kind}"
    one, other = _counting(name, a, b, rules)
    few = min(len(one), len(other))
    if few < LEAST:
        return f"{counted(few, 'usable block')} on one side; at least {LEAST} are needed"
    lacking = sum(not getattr(block, name) for block in (*one, *other)) if name != "errors" else 0
    return f"{lacking} of {counted(len(one) + len(other), 'block')} have none" if lacking else ""


def _counting(name: str, a: Sequence[Block], b: Sequence[Block], rules: Rules) -> tuple[list[Block], list[Block]]:
    """Return the blocks of both sides in which a metric counts."""
    if not rules.are_pairs:
        one, other = ([block for block in side if not block.fault_of(name)] for side in (a, b))
        return one, other
    pairs = [pair for pair in zip(a, b, strict=True) if not any(block.fault_of(name) for block in pair)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _names(rules: Rules) -> Sequence[str]:
    """Return the metrics with ratios: an open loop sets the rate, and a closed one turns it into the mean."""
    return ("p50_ms", "p99_ms", "mean_ms") if rules.is_open else ("p50_ms", "p99_ms", "rate")


def _estimated(name: str, a: Sequence[Block], b: Sequence[Block], rules: Rules, chance: Chance, count: int) -> Estimate:
    one, other = ([_value(name, block) for block in side] for side in (a, b))
    if rules.are_pairs:
        differences = [after - before for before, after in zip(one, other, strict=True)]
        return paired(differences, chance, metrics=count, draws=rules.draws)
    return unpaired(one, other, chance, metrics=count, draws=rules.draws)


def _value(name: str, block: Block) -> float:
    """Return the value of a metric that differences are made of."""
    value: float = getattr(block, name)
    return value if name == "errors" else log(value)


def _metric(name: str, a: Sequence[Block], b: Sequence[Block], found: Estimate, rules: Rules) -> Metric:
    is_ratio, is_better_high = name != "errors", name == "rate"
    grain = _GRAIN if is_ratio else 0.0
    low, high = min(found.low, found.value - grain), max(found.high, found.value + grain)
    tolerance = log(1 + rules.tolerance) if is_ratio else _ERRORS
    sides = [trimmed_mean([getattr(block, name) for block in side]) for side in (a, b)]
    shown = (
        (exp(found.value), exp(low), exp(high), exp(found.smallest) - 1)
        if is_ratio
        else (found.value, low, high, found.smallest)
    )
    return Metric(
        name=name.removesuffix("_ms"),
        unit="ms" if name.endswith("_ms") else "requests/s" if is_better_high else "share",
        is_ratio=is_ratio,
        is_better_high=is_better_high,
        a=sides[0],
        b=sides[1],
        change=shown[0],
        low=shown[1],
        high=shown[2],
        smallest=shown[3],
        judgement=_judgement(-high, -low, tolerance) if is_better_high else _judgement(low, high, tolerance),
        blocks=found.blocks,
        correlation=found.correlation,
    )


def _judgement(low: float, high: float, tolerance: float) -> Judgement:
    """Return the judgement on an interval of a metric of which more is worse."""
    if low > tolerance:
        return Judgement.REGRESSION
    if high < -tolerance:
        return Judgement.IMPROVEMENT
    if -tolerance <= low and high <= tolerance:
        return Judgement.NO_DIFFERENCE
    if low > 0:
        return Judgement.WORSE
    return Judgement.BETTER if high < 0 else Judgement.UNDECIDED


def _decided(metrics: Sequence[Metric]) -> Judged:
    found = {judgement: [each for each in metrics if each.judgement is judgement] for judgement in Judgement}
    if regressions := found[Judgement.REGRESSION]:
        verdict, named = CompareVerdict.REGRESSION, regressions
    elif len(found[Judgement.NO_DIFFERENCE]) == len(metrics):
        widest = max(metric.smallest for metric in metrics if metric.is_ratio) if len(metrics) > 1 else 0.0
        because = f"all intervals are within the tolerance; a change of {widest * 100:.2g} % would have been seen"
        return Judged(CompareVerdict.NO_DIFFERENCE, because, tuple(metrics))
    elif found[Judgement.IMPROVEMENT] and not found[Judgement.WORSE]:
        verdict, named = CompareVerdict.IMPROVEMENT, found[Judgement.IMPROVEMENT]
    else:
        verdict = CompareVerdict.UNDECIDED
        named = found[Judgement.WORSE] or found[Judgement.BETTER] or found[Judgement.UNDECIDED] or list(metrics)
    return Judged(verdict, "; ".join(metric.in_words for metric in named), tuple(metrics))
