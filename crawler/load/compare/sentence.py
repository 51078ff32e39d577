"""The answer of a comparison in one plain sentence: which side is slower, by how much, and how sure that is.

Rules
- Only an interval that leaves out "no change" makes B slower or quicker; the first such metric gives the figure.
- Otherwise the sentence names the smallest difference that would have been seen, of the least exact metric.
Runs on: anywhere (pure).
"""

from collections.abc import Sequence

from crawler.load.compare.result import CompareVerdict, Comparison, Judgement, Metric

_SURE = "95 % sure"
_CLEAR = (Judgement.REGRESSION, Judgement.IMPROVEMENT)  # beyond the tolerance


def sentence(found: Comparison) -> str:
    """Return the sentence."""
    if found.verdict is CompareVerdict.WORTHLESS:
        return f"This says nothing of A and B: {found.because}."
    worse = _of(found, Judgement.REGRESSION, Judgement.WORSE)
    better = _of(found, Judgement.IMPROVEMENT, Judgement.BETTER)
    if worse or better:
        one, other = (worse, better) if worse else (better, worse)
        but = f", but {_effect(other[0])}" if other else ""
        return f"B {_kind(one[0])} than A: {_effect(one[0])}{but} ({_SURE}); {_beside_tolerance(one, found.tolerance)}."
    unseen = f"no difference larger than {_unseen(found):.2g} % would have gone unseen ({_SURE})"
    if found.verdict is CompareVerdict.NO_DIFFERENCE:
        return f"B is as quick as A: {unseen}."
    widest = [*_of(found, Judgement.UNDECIDED), *found.metrics][0]
    return f"It is not known whether B is slower: {_effect(widest)}; {unseen}."


def _of(found: Comparison, *judgements: Judgement) -> list[Metric]:
    """Return the metrics with these judgements, those with the first one before the others."""
    return [metric for judgement in judgements for metric in found.metrics if metric.judgement is judgement]


def _kind(metric: Metric) -> str:
    is_worse = metric.judgement in {Judgement.REGRESSION, Judgement.WORSE}
    if not metric.is_ratio:
        return f"fails {'more' if is_worse else 'less'} often"
    return "is slower" if is_worse else "is quicker"


def _effect(metric: Metric) -> str:
    """Return an interval in words, such as: its p50 is 4.6 to 5.5 % longer."""
    less = 1 if metric.is_ratio else 0
    low, high = ((value - less) * 100 for value in (metric.low, metric.high))
    more, fewer = ("more", "fewer") if metric.is_better_high or not metric.is_ratio else ("longer", "shorter")
    unit = "%" if metric.is_ratio else "percentage points"
    if low >= 0:
        change = f"{low:.1f} to {high:.1f} {unit} {more}"
    elif high <= 0:
        change = f"{-high:.1f} to {-low:.1f} {unit} {fewer}"
    else:
        change = f"between {-low:.1f} {unit} {fewer} and {high:.1f} {unit} {more}"
    if not metric.is_ratio:
        return f"{change} of its requests fail"
    return f"it answers {change} requests" if metric.is_better_high else f"its {metric.name} is {change}"


def _beside_tolerance(metrics: Sequence[Metric], tolerance: float) -> str:
    limit = f"the tolerance of {tolerance * 100:.3g} %" if metrics[0].is_ratio else "the half point that is tolerated"
    if metrics[0].judgement in _CLEAR:
        return f"that is beyond {limit}"
    return f"whether it is beyond {limit} is not decided"


def _unseen(found: Comparison) -> float:
    """Return the smallest difference that every metric would have shown, in percent."""
    return max((metric.smallest for metric in found.metrics if metric.is_ratio), default=1.0) * 100
