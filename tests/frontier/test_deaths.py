"""frontier: a death of the process counts for the URLs in flight, and suspects run alone."""

from typing import Any

import pytest

from crawler.core.leases_and_commits import (
    Group,
    Opened,
)
from crawler.core.reasons import Reason
from crawler.core.visits import State
from crawler.frontier.in_flight import MappedBoard
from support.frontiers import NOW, A, Run, again, deaths, done, ended, urls

pytestmark = pytest.mark.usefixtures("each_store")


def kill_with(run: Run, *in_flight: str) -> Opened:
    """Lease everything, dispatch these, die and begin again."""
    for request in run.lease().requests:
        if urls((request,))[0] in in_flight:
            run.board.enter(request.id)
    run.die()
    return run.begin()


def test_a_death_counts_what_was_in_flight(run: Run) -> None:
    """A URL that was dispatched and not committed gets a death; one only leased, or finished, does not."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    one, *_ = run.dispatch(new_share=2)
    run.finish(one)
    run.lease({A: 1})

    run.die()
    run.begin()

    assert deaths(run) == [0, 1, 0]
    assert urls(run.lease()) == ["a/2", "a/3"]
    assert run.problems() == []


def test_an_orderly_end_counts_nobody(run: Run) -> None:
    """URLs in flight when a run is closed in order are pending, and that is all."""
    run.add("http://a/1", "http://a/2")
    run.dispatch()

    run.end()
    run.begin()

    assert deaths(run) == [0, 0]
    assert urls(run.lease()) == ["a/1", "a/2"]


def test_a_death_between_commit_and_board_does_no_harm(run: Run) -> None:
    """A URL that is committed but still on the board stays done."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    run.frontier.commit(Group(visits=(done(one),)))

    run.die()

    assert run.begin().totals.done == 1
    assert deaths(run) == [0]
    assert run.problems() == []


def test_a_life_that_dies_while_opening_counts_nobody_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A death after the deaths are committed, before the board is cleared, changes no count."""
    run.add("http://a/1")
    run.dispatch()
    run.die()
    with monkeypatch.context() as patch:
        patch.setattr(MappedBoard, "clear", lambda *_: None)
        run.begin()
        assert deaths(run) == [1]
        run.die()

    run.begin()

    assert deaths(run) == [1]


class Cells:
    """The board's memory in a process that is killed before its n-th write."""

    def __init__(self, cells: Any, writes: int) -> None:
        self._cells, self._left = cells, writes

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, place: int) -> int:
        return int(self._cells[place])

    def __setitem__(self, place: int, value: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        self._cells[place] = value

    def release(self) -> None:
        """Let go of the memory."""
        self._cells.release()


@pytest.mark.parametrize("writes", range(8))
def test_a_life_that_dies_while_it_clears_the_board_counts_nobody_twice(
    run: Run, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After any number of writes to the board, the next life finds either all deaths counted or none to count."""
    run.add("http://a/1", "http://a/2", "http://a/3")
    run.dispatch()
    run.die()
    clear = MappedBoard.clear

    def die_within(board: MappedBoard, generation: int) -> None:
        board._cells = Cells(board._cells, writes)  # type: ignore[assignment] # stands in for a memoryview
        clear(board, generation)

    with monkeypatch.context() as patch:
        patch.setattr(MappedBoard, "clear", die_within)
        with pytest.raises(KeyboardInterrupt):
            run.begin(slots=5)
    run.board.close()

    run.begin(slots=5)

    assert deaths(run) == [1, 1, 1]


def test_a_lost_board_loses_no_later_death(run: Run) -> None:
    """A run whose board was deleted after many lives counts the deaths of the next one."""
    run.add("http://a/1")
    for _ in range(3):
        run.die()
        run.begin()
    run.end()
    run.board._path.unlink()
    run.begin()
    run.dispatch()

    run.die()
    run.begin()

    assert deaths(run) == [1]


def test_after_two_deaths_a_url_runs_alone(run: Run) -> None:
    """A suspect waits until nothing else is leased, and nothing else is leased while it runs."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    kill_with(run, "a/1", "a/2")
    kill_with(run, "a/1")

    lease = run.lease()
    assert urls(lease) == ["a/2", "b/1"]
    assert run.lease().requests == ()
    run.finish(*lease.requests)

    (suspect,) = run.lease().requests
    assert (suspect.url.href, suspect.alone) == ("http://a/1", True)
    run.add("http://a/4")
    assert run.lease({A: 5}).requests == ()
    run.finish(suspect)
    assert urls(run.lease()) == ["a/4"]
    assert deaths(run) == [0, 0, 0, 0]
    assert run.problems() == []


def test_the_least_suspicious_goes_first(run: Run) -> None:
    """Of several suspects the one with the fewest deaths runs first, so that a kill hits another."""
    run.add("http://a/1", "http://a/2")
    for _ in range(2):
        kill_with(run, "a/1", "a/2")

    kill_with(run, "a/1")

    assert deaths(run) == [3, 2]
    assert urls(run.lease()) == ["a/2"]


def test_after_four_deaths_a_url_is_given_up(run: Run) -> None:
    """A URL that died alone twice is handed out as a suspect to be failed, at every opening until that is committed."""
    run.add("http://a/1", "http://a/2")
    for _ in range(2):
        kill_with(run, "a/1")
    run.finish(*run.lease().requests)
    assert kill_with(run, "a/1").suspects == ()

    for opened in (kill_with(run, "a/1"), kill_with(run)):
        assert [(request.url.href, request.alone) for request in opened.suspects] == [("http://a/1", True)]
        assert run.lease().requests == ()

    totals = run.commit(visits=(ended(opened.suspects[0], State.FAILED, Reason.SUSPECT),)).totals
    assert (totals.done, totals.failures, totals.pending) == (1, {"suspect": 1}, 0)
    assert run.problems() == []
    run.die()
    assert run.begin().suspects == ()


@pytest.mark.parametrize("how", ["finished", "postponed"])
def test_a_url_that_came_back_is_no_suspect(run: Run, how: str) -> None:
    """A committed visit or retry sets its deaths to 0, and a retry then runs with the others."""
    run.add("http://a/1")
    for _ in range(2):
        kill_with(run, "a/1")
    (suspect,) = run.lease().requests
    assert suspect.alone

    if how == "finished":
        run.finish(suspect)
    else:
        run.commit(retries=(again(suspect, NOW),))

    assert deaths(run) == [0]
    assert [request.alone for request in run.lease().requests] == [False] * (how == "postponed")
    assert run.problems() == []


def test_a_suspect_that_is_returned_runs_alone_later(run: Run) -> None:
    """Giving it back keeps its deaths and lets others go first."""
    run.add("http://a/1")
    for _ in range(2):
        kill_with(run, "a/1")
    (suspect,) = run.lease().requests
    run.add("http://b/1")

    run.commit(returned=(suspect,))

    others = run.lease().requests
    assert urls(others) == ["b/1"]
    run.finish(*others)
    assert run.lease().requests == (suspect,)
