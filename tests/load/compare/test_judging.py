"""The judgement on blocks that are spoilt, few, or fail."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.compare.blocks import Block, block_of, order
from crawler.load.compare.judging import Judged, Rules, judge_blocks
from crawler.load.compare.result import CompareVerdict, Judgement, Unjudged
from crawler.load.counts import note
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from support.compared import alternating, normal
from support.load_results import load_result

A, B = alternating(normal, 0, 1)


def judged(a: Sequence[Block], b: Sequence[Block], *, is_open: bool = False) -> Judged:
    """The judgement at a tolerance of 10 %."""
    rules = Rules(are_pairs=True, is_open=is_open, tolerance=0.1, draws=100)
    return judge_blocks(a, b, rules, Random(1).random)  # noqa: S311


def spoilt(blocks: Sequence[Block], fault: str, numbers: range) -> list[Block]:
    """The blocks, with this fault in some."""
    return [replace(block, fault=fault) if number in numbers else block for number, block in enumerate(blocks)]


@pytest.mark.parametrize("fault", ["were client-bound", "were failing", "had too few answers"])
def test_too_many_spoilt_blocks_make_a_comparison_worthless(fault: str) -> None:
    """More than a quarter of one side; the side and the fault are named, and no figure is."""
    found = judged(A, spoilt(B, fault.partition(" ")[2], range(1, 5)))

    assert found[:3] == (CompareVerdict.WORTHLESS, f"4 of 15 blocks of B {fault}", ())


def test_a_few_spoilt_blocks_are_left_out_with_their_neighbours() -> None:
    """Three of fifteen pairs are not used."""
    found = judged(A, spoilt(B, "client-bound", range(1, 4)))

    assert found.verdict is CompareVerdict.NO_DIFFERENCE
    assert found.metrics[-1].blocks == 12


def test_the_first_block_of_each_side_counts_for_nothing() -> None:
    """Its fault, or its figures, change no result."""
    cold = [replace(A[0], fault="failing"), *A[1:]]

    assert judged(cold, B).metrics == judged(A, B).metrics


def test_few_blocks_decide_nothing() -> None:
    """Five pairs are too few for any interval."""
    found = judged(A[:6], B[:6])

    assert found[:2] == (CompareVerdict.WORTHLESS, "5 usable blocks on one side; at least 6 are needed")


def test_errors_are_compared_as_shares() -> None:
    """A percentage point more is a regression, though the answers are as quick as before."""
    worse = [replace(block, errors=0.009) for block in B]

    found = judged(A, worse)

    assert found.verdict is CompareVerdict.REGRESSION
    assert found.because == "errors 0.9 to 0.9 points higher"
    assert found.metrics[-1].judgement is Judgement.REGRESSION


def test_a_lower_rate_is_worse_and_a_lower_time_better() -> None:
    """Of a closed loop the rate is judged; of an open one the mean."""
    slower = [replace(block, rate=block.rate / 2) for block in B]
    quicker = [replace(block, mean_ms=(block.mean_ms or 0) / 2) for block in B]

    assert judged(A, slower).because.startswith("rate 4")
    assert judged(A, slower).verdict is CompareVerdict.REGRESSION
    assert judged(A, quicker, is_open=True).verdict is CompareVerdict.IMPROVEMENT
    assert [metric.name for metric in judged(A, B, is_open=True).metrics] == ["p50", "p99", "mean", "errors"]


def test_a_figure_that_some_block_lacks_is_not_compared() -> None:
    """Without the p99 of one block there is none to compare."""
    found = judged(A, [replace(block, p99_ms=None) for block in B])

    assert [metric.name for metric in found.metrics] == ["p50", "rate", "errors"]
    assert found.unjudged == (Unjudged(name="p99", reason="15 of 30 blocks have none"),)
    assert found.because.endswith("p99 not judged: 15 of 30 blocks have none")


def test_a_late_client_spoils_only_what_it_can_explain() -> None:
    """The p99 and the rate of most blocks are the client's; the median is judged, and the others say why not."""
    late = [replace(block, late=("p99_ms", "rate"), p99_ms=500.0) for block in A]

    found = judged(late, B)

    assert found.verdict is CompareVerdict.NO_DIFFERENCE
    assert [metric.name for metric in found.metrics] == ["p50", "errors"]
    assert [(lost.name, lost.reason) for lost in found.unjudged] == [
        ("p99", "15 of 15 blocks of A were client-bound"),
        ("rate", "15 of 15 blocks of A were client-bound"),
    ]


def test_without_any_time_or_rate_a_comparison_is_worthless() -> None:
    """Errors alone are none, unless there are more of them."""
    late = [replace(block, late=("p50_ms", "p99_ms", "mean_ms", "rate")) for block in A]
    failing = [replace(block, fault="failing", errors=0.1) for block in B]

    assert judged(late, B).verdict is CompareVerdict.WORTHLESS
    assert judged(failing, failing).verdict is CompareVerdict.WORTHLESS
    assert judged(A, failing).verdict is CompareVerdict.REGRESSION
    assert judged(A, failing).because.startswith("errors 10.0 to 10.0 points higher; p50 not judged: 15 of 15 blocks")


def test_a_late_block_names_the_metrics_that_the_client_explains() -> None:
    """One pause in fifty calls is in the p99 alone; a lateness of a tenth of every time is in all but the p99."""
    phase = Phase(name="m", end=2 * SECOND, scheduled=2000, sent=2000, answered=2000)
    for _ in range(2000):
        note(phase.reused.whole, 10 * MILLISECOND)
    tail = {bucket(1000, FINE): 98, bucket(9 * MILLISECOND, FINE): 2}
    bulk = {bucket(MILLISECOND, FINE): 100}

    blocks = [block_of("A", 0.0, load_result([phase], lag)) for lag in (tail, bulk, {bucket(1000, FINE): 100})]

    assert [set(block.late) for block in blocks] == [{"p99_ms", "rate"}, {"p50_ms", "mean_ms", "rate"}, set()]
    assert [block.fault for block in blocks] == ["", "", ""]


def test_the_order_alternates_by_seed() -> None:
    """Each pair of neighbours has one of each side, each four are ABBA or BAAB, and both occur."""
    found = order(100, Random(1).random)  # noqa: S311

    assert {found[at : at + 4] for at in range(0, 200, 4)} == {"ABBA", "BAAB"}
    assert order(15, Random(1).random) == found[:30]  # noqa: S311


def test_a_load_test_becomes_a_block_with_its_fault() -> None:
    """Failures come before the verdict of the client, and few answers are no block."""
    phase = Phase(name="m", end=SECOND, scheduled=100, sent=100, answered=100)
    for _ in range(100):
        phase.fail("status_500", Example(at=1, took=7, port=None, detail="500"))

    failing, empty = block_of("A", 2.0, load_result([phase])), block_of("B", 0.0, load_result([Phase(name="m")]))

    assert (failing.fault, failing.errors, failing.begin_s, failing.p50_ms) == ("failing", 1, 2, None)
    assert empty.fault == "too few answers"
