"""The result of a capacity search: its text, its JSON, and the exit code of the command."""

import json

import pytest

from crawler.cli.capacity import exit_code
from crawler.load.capacity.result import CapacityResult, CapacityRow
from crawler.load.capacity.search import Ending
from support.load_results import load_setup


def row(rate: float | None, outcome: str, p99: float | None, **changes: object) -> CapacityRow:
    """A window of the climb."""
    facts: dict[str, object] = {"p50_ms": 1.0, "service_ms": 1.0, "waited": 0.0, "errors": 0.0}
    return CapacityRow(
        stage="climb",
        rate=rate,
        seconds=5.0,
        outcome=outcome,
        verdict="OK",
        because="",
        answered=rate or 30_000,
        p99_ms=p99,
        **{**facts, **changes},  # type: ignore[arg-type]
    )


def found(verdict: Ending = Ending.FOUND, **changes: object) -> CapacityResult:
    """A search that ended between 800 and 840 requests per second."""
    facts: dict[str, object] = {
        "because": "at least 4 of 5 windows agreed at either end",
        "low": 800.0,
        "high": 840.0,
        "slo": ("p99<50ms", "errors<1%"),
        "at_least": None,
        "ceiling": 30_000.0,
        "idle_ms": 1.0,
        "asked": load_setup(rate=50.0, connections=64),
        "rows": (
            row(None, "", 1.0),
            row(400, "held", 2.0),
            row(800, "held", 20.0),
            row(840, "missed", 90.0, why="p99 90 ms"),
            row(1600, "missed", 900.0, errors=0.51, why="errors 51 %"),
        ),
    }
    return CapacityResult(verdict=verdict, **{**facts, **changes})  # type: ignore[arg-type]


def test_the_text_begins_with_the_interval_and_fits_a_terminal() -> None:
    """The answer comes first, the windows and the knee behind it; no line is wider than 80 columns."""
    lines = found().text().splitlines()

    assert lines[0] == "Capacity     800 to 840 requests/s (p99<50ms, errors<1%)"
    assert lines[1] == "Verdict      FOUND (at least 4 of 5 windows agreed at either end)"
    assert any(
        line.split() == ["climb", "1,600/s", "1,600/s", "1.000", "900.0", "51", "%", "missed:", "errors", "51", "%"]
        for line in lines
    )
    assert max(map(len, lines)) <= 80


def test_the_windows_are_left_out_where_they_were_just_shown() -> None:
    """A terminal that has shown each window as it ended gets the answer alone, and the knee."""
    text = found().text(has_windows=False)

    assert "climb" not in text
    assert text.splitlines()[0].startswith("Capacity     800 to 840")
    assert "o held, x missed" in text


def test_the_knee_is_drawn() -> None:
    """Rates go to the right and times upward: the slowest window is at the top right."""
    lines = found().text().splitlines()
    drawn = [line for line in lines if line[10:12] == " |"]

    assert drawn[0].startswith("       900 |")
    assert drawn[0].endswith("x")
    assert len(drawn[0]) == 12 + 66
    assert drawn[-1].startswith("         2 |o")


def test_nothing_is_drawn_of_one_rate() -> None:
    """A search that never left its first rate has no knee."""
    assert "|" not in found(rows=(row(50, "missed", 90.0),)).text()


@pytest.mark.parametrize(
    ("verdict", "changes", "code"),
    [
        (Ending.FOUND, {}, 0),
        (Ending.FOUND, {"at_least": 800.0}, 0),
        (Ending.FOUND, {"at_least": 801.0}, 8),
        (Ending.HOLDS_THROUGHOUT, {"high": None}, 0),
        (Ending.NEVER_HOLDS, {"low": None, "high": 50.0}, 8),
        (Ending.DOES_NOT_RECOVER, {"at_least": 100.0}, 8),
        (Ending.CLIENT_BOUND, {"high": None}, 11),
        (Ending.CLIENT_BOUND, {"high": None, "at_least": 700.0}, 0),
        (Ending.CLIENT_BOUND, {"high": None, "at_least": 900.0}, 11),
        (Ending.UNSTEADY, {}, 11),
        (Ending.NOTHING_OK, {"low": None, "high": None}, 1),
        (Ending.FAILING, {"low": None, "high": None, "at_least": 100.0}, 10),
    ],
)
def test_the_exit_code_says_whether_the_level_holds(verdict: Ending, changes: dict[str, object], code: int) -> None:
    """1 and 10 are those of a load test, 8 is the server's fault, 11 means that no answer was to be had."""
    assert exit_code(found(verdict, **changes)) == code


def test_the_json_has_the_documented_keys() -> None:
    """Rates in requests per second, times in milliseconds, one row per window."""
    read = json.loads(found(at_least=900.0).to_json())

    assert (read["kind"], read["verdict"], read["low"], read["high"], read["is_met"]) == (
        "capacity",
        "FOUND",
        800,
        840,
        False,
    )
    assert read["asked"]["connections"] == 64
    assert read["windows"][3] == {
        "stage": "climb",
        "rate": 840,
        "seconds": 5,
        "outcome": "missed",
        "verdict": "OK",
        "because": "",
        "answered": 840,
        "p50_ms": 1,
        "p99_ms": 90,
        "service_ms": 1,
        "waited": 0,
        "errors": 0,
        "why": "p99 90 ms",
    }


def test_connections_that_are_the_limit_are_named() -> None:
    """All were busy and the server was as quick as ever: more of them may hold more."""
    busy = found(rows=(row(800, "held", 2.0), row(840, "missed", 90.0, waited=0.3, service_ms=1.1)))
    slow = found(rows=(row(800, "held", 2.0), row(840, "missed", 90.0, waited=0.3, service_ms=30.0)))

    assert busy.advice.startswith("more connections than -c 64: at 840/s they were all busy")
    assert slow.advice.startswith("run `crawler load --rate`")


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(None, None, "not known"), (None, 50.0, "below 50 requests/s"), (900.0, None, "at least 900 requests/s")],
)
def test_an_open_interval_is_told_in_words(low: float | None, high: float | None, words: str) -> None:
    """An end that is not known is not made up."""
    assert found(low=low, high=high).text().splitlines()[0].startswith(f"Capacity     {words} (")
