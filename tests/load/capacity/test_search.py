"""The steps of a capacity search, told by hand what each window shows."""

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, pairwise

import pytest

from crawler.load.capacity.search import RATIO, Bounds, Ending, Search
from crawler.load.capacity.votes import AGREE
from crawler.load.capacity.windows import Outcome, Seen, Stage, Window
from crawler.load.quantiles import Quantile
from crawler.load.result import LoadVerdict
from support.queues import ceiling

HELD = replace(ceiling(100), p50=Quantile(share=0.5, value=1_000_000, low=900_000, high=1_100_000), excess=(-0.005,))
MISSED = replace(HELD, outcome=Outcome.MISSED, because="too slow", excess=(0.005,))
CLIENT = replace(MISSED, outcome=Outcome.CLIENT, because="the client used 95 % of a core")
SLOW = replace(HELD, p50=Quantile(share=0.5, value=9_000_000, low=8_000_000, high=10_000_000))


def bounds(begin: float = 100, end: float | None = None, drain: float = 10) -> Bounds:
    """The bounds of a search whose windows take a second."""
    return Bounds(begin=begin, end=end, seconds=lambda _: 1.0, settle=0.0, drain=drain)


def told(search: Search, seen: Callable[[Window, int], Seen], client: float = 1e6) -> list[Window]:
    """The windows of a search; `seen` gets each with its number, and the ceiling is `client`."""
    windows = list[Window]()
    steps = search.steps()
    window = next(steps, None)
    while window is not None:
        windows.append(window)
        try:
            window = steps.send(ceiling(client) if window.stage is Stage.CEILING else seen(window, len(windows)))
        except StopIteration:
            window = None
    return windows


def up_to(limit: float) -> Callable[[Window, int], Seen]:
    """A server that holds every rate up to a limit."""
    return lambda window, _: HELD if (window.rate or 0) <= limit else MISSED


@pytest.mark.parametrize("limit", [101, 1000, 1599, 1601, 43_210])
def test_a_sharp_limit_is_found_within_five_percent(limit: float) -> None:
    """The interval holds the limit and is no wider than asked for."""
    search = Search(bounds())

    windows = told(search, up_to(limit))

    assert search.ending is Ending.FOUND
    assert search.low is not None
    assert search.high is not None
    assert search.low <= limit < search.high
    assert search.high / search.low <= RATIO + 0.001
    assert [window.stage for window in windows[:3]] == [Stage.IDLE, Stage.CEILING, Stage.CLIMB]


def test_each_miss_is_followed_by_a_drain() -> None:
    """After a window that missed nothing is sent but probes, ten a second at the most."""
    windows = told(Search(bounds()), up_to(1000))

    after = [window for before, window in pairwise(windows) if (before.rate or 0) > 1000]
    assert {window.stage for window in after} == {Stage.DRAIN}
    assert {window.rate for window in after} == {10}


def test_one_hiccup_decides_nothing() -> None:
    """A single window that misses far below the limit is asked for again, and the limit is still found."""
    search = Search(bounds())

    told(search, lambda window, number: MISSED if number == 4 else up_to(1000)(window, number))

    assert search.low is not None
    assert search.high is not None
    assert search.low <= 1000 < search.high <= 1.05 * 1000


def test_an_end_that_its_windows_do_not_confirm_moves_outward() -> None:
    """Above 900/s every second window holds: neither end lies in there."""
    search, turns = Search(bounds()), cycle([HELD, MISSED])

    def seen(window: Window, number: int) -> Seen:
        if 900 < (window.rate or 0) < 1100:
            return next(turns)
        return up_to(1100)(window, number)

    told(search, seen)

    assert search.ending is Ending.FOUND
    assert (search.low or 0) <= 900
    assert (search.high or 0) >= 1100


def test_three_windows_of_five_confirm_no_end() -> None:
    """Two misses of five, for their backlog alone and with clear figures, keep a rate from counting as held."""
    search, turns = Search(bounds()), cycle([HELD, replace(MISSED, excess=HELD.excess, is_behind=True)])

    def seen(window: Window, number: int) -> Seen:
        if 900 < (window.rate or 0) <= 1000:
            return next(turns)
        return up_to(1000)(window, number)

    told(search, seen)

    assert search.ending is Ending.FOUND
    assert (search.low or 0) <= 900


def test_an_end_is_confirmed_only_by_figures_clear_of_the_limit() -> None:
    """Five windows that hold, but by less than they differ, confirm nothing."""
    search, turns = Search(bounds()), cycle([-0.0001, -0.0001, -0.0001, -0.0001, -0.02])

    def seen(window: Window, number: int) -> Seen:
        if 900 < (window.rate or 0) <= 1000:
            return replace(HELD, excess=(next(turns),))
        return up_to(1000)(window, number)

    told(search, seen)

    assert search.ending is Ending.FOUND
    assert (search.low or 0) <= 900
    assert search.low != search.high


def test_a_server_that_misses_at_the_lowest_rate_ends_the_search() -> None:
    """Nothing is known but an upper bound."""
    search = Search(bounds())

    told(search, up_to(99))

    assert (search.ending, search.low, search.high) == (Ending.NEVER_HOLDS, None, 100)
    assert search.because == "it does not hold even at 100/s, the lowest rate: too slow"


def test_failures_at_the_lowest_rate_are_told_with_their_kind() -> None:
    """A server that fails under load alone has a capacity: it is below the lowest rate."""
    search = Search(bounds())
    failing = replace(
        MISSED, because="errors<1%: 38 %", is_failing=True, said="38 % of the requests failed: status_503"
    )

    told(search, lambda window, _: HELD if window.stage in {Stage.IDLE, Stage.DRAIN} else failing)

    assert search.ending is Ending.NEVER_HOLDS
    assert search.because.endswith("the lowest rate: errors<1%: 38 %; 38 % of the requests failed: status_503")


@pytest.mark.parametrize(
    ("verdict", "ending"), [(LoadVerdict.NOTHING_OK, Ending.NOTHING_OK), (LoadVerdict.FAILING, Ending.FAILING)]
)
def test_a_server_that_fails_while_idle_ends_the_search_before_any_load(verdict: LoadVerdict, ending: Ending) -> None:
    """The verdict, its figure and the next step are those of a load test; nothing else is sent."""
    search = Search(bounds())
    dead = replace(MISSED, is_failing=True, verdict=verdict, said="40 connect_refused", advice="is the server running?")

    windows = told(search, lambda *_: dead)

    assert (search.ending, search.because) == (ending, "the idle server: 40 connect_refused")
    assert search.advice == "is the server running?"
    assert [window.stage for window in windows] == [Stage.IDLE]


def test_an_idle_server_without_a_median_ends_the_search() -> None:
    """Probes of which the end was not waited for have not failed, and are no ground to climb from."""
    search = Search(bounds())

    told(search, lambda *_: replace(MISSED, p50=None, said="no request was ok: 40 in flight"))

    assert search.ending is Ending.NEVER_HOLDS
    assert "40 in flight" in search.because


def test_the_highest_rate_to_try_is_tried_and_not_passed() -> None:
    """A server that holds all of them has a lower bound."""
    search = Search(bounds(end=700))

    windows = told(search, up_to(1e9))

    assert (search.ending, search.low, search.high) == (Ending.HOLDS_THROUGHOUT, 700, None)
    assert [window.rate for window in windows[2:]] == [100, 200, 400, 700]


def test_above_half_of_the_clients_ceiling_nothing_is_asked() -> None:
    """The search ends there, however high it was to go."""
    search = Search(bounds(end=10_000))

    windows = told(search, up_to(1e9), client=1000)

    assert (search.ending, search.low, search.high) == (Ending.CLIENT_BOUND, 500, None)
    assert max(window.rate or 0 for window in windows) == 500


def test_windows_in_which_the_client_was_the_limit_decide_nothing() -> None:
    """Two of them are repeated; three in a row end the search with what is known."""
    search, twice = Search(bounds()), Search(bounds())

    told(search, lambda window, _: CLIENT if (window.rate or 0) > 800 else HELD)
    told(twice, lambda window, number: CLIENT if number in {5, 7} else up_to(1000)(window, number))

    assert (search.ending, search.low, search.high) == (Ending.CLIENT_BOUND, 800, None)
    assert "at 1,600/s this client was the limit: the client used 95 % of a core" in search.because
    assert twice.ending is Ending.FOUND


def test_a_server_that_stays_slow_after_an_overload_ends_the_search() -> None:
    """Probes go on for the time of the drain, and what held is kept."""
    search = Search(bounds(drain=10))
    is_down = False

    def seen(window: Window, number: int) -> Seen:
        nonlocal is_down
        is_down = is_down or (window.rate or 0) > 1000
        return SLOW if is_down and window.stage is Stage.DRAIN else up_to(1000)(window, number)

    windows = told(search, seen)

    assert (search.ending, search.low) == (Ending.DOES_NOT_RECOVER, 800)
    assert "still get a median of 9 ms; idle it was 1 ms" in search.because
    assert sum(window.stage is Stage.DRAIN for window in windows) == 5


def test_a_server_without_a_steady_answer_ends_the_search() -> None:
    """A server that holds and misses in turn at every rate is given up."""
    search = Search(bounds(begin=1))

    windows = told(
        search,
        lambda window, number: (
            (HELD if number % 2 else MISSED) if window.stage is Stage.CONFIRM else up_to(1000)(window, number)
        ),
    )

    assert search.ending in {Ending.UNSTEADY, Ending.NEVER_HOLDS}
    assert len(windows) < 300


def test_a_lowest_rate_whose_windows_do_not_agree_is_not_said_to_miss() -> None:
    """It may hold: a lower rate is no better advice than a longer window."""
    search, turns = Search(bounds()), cycle([HELD, MISSED])

    told(search, lambda window, _: next(turns) if window.stage is Stage.CONFIRM else up_to(150)(window, 0))

    assert (search.ending, search.low) == (Ending.UNSTEADY, None)
    assert search.because == "the windows at 100/s, the lowest rate, do not agree, or prove too little"


def test_a_search_that_is_left_half_way_has_what_was_known() -> None:
    """The attributes hold at any moment."""
    search = Search(bounds())
    steps = search.steps()
    next(steps)
    for seen in (HELD, ceiling(1e6), HELD, HELD):
        steps.send(seen)

    assert (search.ending, search.low, search.high) == (Ending.INTERRUPTED, 200, None)


def test_most_of_five_is_four() -> None:
    """The documents say so."""
    assert AGREE == 4
