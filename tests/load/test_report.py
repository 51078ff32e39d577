"""load.report: no figure of a load test's report contradicts another, and every one says what it counts."""

import re

import pytest

from crawler.core.histogram import FINE, bucket
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.page.load_page import load_page
from crawler.load.records import Example, Phase
from crawler.load.report import load_text
from support.load_results import load_result
from support.simulation import measured, simulated


def row(text: str, title: str) -> str:
    """A row with the lines that go on with it."""
    found = re.search(rf"^ *{title} (.*(?:\n {{13}}.*)*)", text, re.MULTILINE)
    assert found is not None, text
    return " ".join(found[1].split())


def test_late_requests_are_told_apart_by_what_they_waited_for() -> None:
    """Twice the rate of the server: nearly all wait for a connection, none is sent late though one was free."""
    loop, _ = simulated(lambda _n, _now: 100 * MILLISECOND, rate=160, connections=8, seconds=10)
    phase = measured(loop)

    text = load_text(load_result(loop.phases, rate=160))

    free, waited = sum(phase.pacing.values()), sum(phase.waiting.values())
    assert free + waited == 880
    assert row(text, "Sent") == (
        f"{free} over a connection that was free (sent late), {waited} after all had been busy (waited);"
        f" {phase.late} of these 880 more than 1 ms after the due moment"
    )
    assert row(text, "sent late").split()[-2] == "0.000"
    assert float(row(text, "waited").split()[-2]) > 4000
    assert max(map(len, text.splitlines())) <= 80


def test_a_percentile_is_shown_or_said_to_be_missing() -> None:
    """100,000 requests carry a p99.99, and a million would carry the next."""
    phase = Phase(name="measured", end=10 * SECOND, scheduled=100_000, sent=100_000, answered=100_000)
    phase.reused.whole[bucket(2_000_000, FINE)] = 100_000

    text = load_text(load_result([phase]))

    assert row(text, "beyond") == "p99.99 2.000 (service)"
    assert "p99.99 2.000 - 2.000" in row(text, "95 % sure")
    assert row(text, "not shown") == "p99.999 and beyond: 1,000,000 ok requests are needed, 100,000 are here"


def test_where_nothing_is_ok_the_report_says_so_in_every_row() -> None:
    """The verdict, the bytes that came nevertheless, a dash in each column, and which requests are wanting."""
    phase = Phase(name="measured", end=2 * SECOND, scheduled=13_853, sent=13_853, answered=13_853, bytes=20_480)
    for _ in range(13_853):
        phase.fail("status_404", Example(at=1, took=MILLISECOND, port=1, detail="answered with status 404"))

    text = load_text(load_result([phase]))

    assert row(text, "Verdict") == "NOTHING-OK (no request was ok: 13,853 status_404)"
    assert row(text, "Rate").endswith("10.0 KiB/s received")
    assert row(text, "service") == "- - - - - -"
    assert len(re.findall(r"^  service.*", text, re.MULTILINE)[0]) == len(text[text.index("Latency") :].split("\n")[0])
    assert row(text, "not shown") == "p50 and beyond: 20 ok requests are needed, 0 are here"


@pytest.mark.parametrize(("count", "words"), [(1, "without an answer: 1; each counts"), (1200, "answer: 1,200; each")])
def test_one_is_not_several(count: int, words: str) -> None:
    """Numbers and their words agree, with separators where a number is long."""
    phase = Phase(name="measured", end=2 * SECOND, scheduled=500 + count, sent=500 + count, answered=500)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 500
    phase.in_flight[bucket(SECOND, FINE)] = count

    text = load_text(load_result([phase], rate=50_000))

    assert words in row(text, "Outcome")
    assert "open loop, 50,000/s, constant gaps" in row(text, "Load")


def test_checks_have_a_row_of_their_own() -> None:
    """Three of 40, of two kinds, the commonest first; the outcomes of the requests do not have them."""
    phase = Phase(name="measured", end=SECOND, scheduled=40, sent=40, answered=40, checked=40)
    phase.reused.whole[bucket(MILLISECOND, FINE)] = 40
    for name, at in (("script_error", 500), ("the cart", 100), ("the cart", 900)):
        phase.fail_check(name, Example(at=at * MILLISECOND, took=0, port=None, detail=f"user {at}: no"))

    result = load_result([phase])
    text = load_text(result)

    assert row(text, "Checks") == "3 of 40 failed"
    kinds = re.findall(r"^  failed +(.*)", text, re.MULTILINE)
    assert kinds == [
        "the cart 2: first 0.10 s, last 0.90 s; user 100: no",
        "script_error 1: first 0.50 s, last 0.50 s; user 500: no",
    ]
    assert "40 ok + 0 failed" in row(text, "Outcome")
    assert result.to_dict()["failures"] == {}
    assert result.to_dict()["checked"] == 40
    assert result.to_dict()["checks"]["the cart"] == {  # type: ignore[index]
        "count": 2,
        "first": {"at_s": 0.1, "detail": "user 100: no"},
        "last": {"at_s": 0.9, "detail": "user 900: no"},
    }
    assert max(map(len, text.splitlines())) <= 80


def test_a_test_without_checks_has_no_row_of_them() -> None:
    """Most tests have none."""
    assert "Checks" not in load_text(load_result([Phase(name="measured", end=SECOND)]))


@pytest.mark.parametrize(("stages", "word"), [(((1.0, 100.0), (1.0, 200.0)), "Stages"), ((), "Phases")])
def test_stages_are_called_by_the_name_of_their_option(stages: tuple[tuple[float, float], ...], word: str) -> None:
    """A warm-up is no stage, so without --stages the parts of a test are phases; text and page use one word."""
    result = load_result([Phase(name=name, end=SECOND) for name in ("one", "two")], rate=100, stages=stages)

    text, page = load_text(result), load_page(result, (), {})

    assert f"\n{word} " in text
    assert f">{word}<" in page
    assert ("Phases" in text) is ("Phases" in page) is (word == "Phases")
