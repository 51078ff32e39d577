"""The estimate of the time that a search still takes."""

import pytest
from load.capacity.test_search import bounds, up_to

from crawler.load.capacity.estimate import seconds_left
from crawler.load.capacity.search import Search
from crawler.load.capacity.windows import Seen, Stage, Window
from support.queues import ceiling


def watched(limit: float) -> list[tuple[Window, float]]:
    """Each window of a search, with the estimate at its begin; the server holds every rate up to a limit."""
    search, seen, found = Search(bounds()), list[Seen](), list[tuple[Window, float]]()
    steps = search.steps()
    window: Window | None = next(steps)
    while window is not None:
        found.append((window, seconds_left(bounds(), seen)))
        seen.append(ceiling(1e6) if window.stage is Stage.CEILING else up_to(limit)(window, 0))
        try:
            window = steps.send(seen[-1])
        except StopIteration:
            window = None
    return found


@pytest.mark.parametrize("limit", [101, 1000, 43_210])
def test_the_estimate_is_the_rest_of_the_search_once_both_ends_are_known(limit: float) -> None:
    """From the confirmation on each estimate is the time of the windows that follow, half a second around each."""
    found = watched(limit)

    lengths = [window.settle + window.seconds + 0.5 for window, _ in found]
    first = next(number for number, (window, _) in enumerate(found) if window.stage is Stage.CONFIRM)
    assert [left for _, left in found[first:]] == pytest.approx(
        [sum(lengths[number:]) for number in range(first, len(found))]
    )


def test_before_anything_is_known_the_estimate_is_that_of_a_usual_search() -> None:
    """Three doublings, and both ends: it is neither nothing nor the bound of a hundred windows."""
    (_, left), *_ = watched(1000)

    assert 30 < left < 100
