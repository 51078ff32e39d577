"""core.budget: a limit of 100 pages means 100 lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.budget import Budget
from crawler.core.config import BudgetConfig
from crawler.core.leases_and_commits import Totals
from crawler.core.urls import Host

IDS = st.integers(1, 8)
STEPS = st.lists(st.tuples(st.sampled_from(["reserve", "write", "give_back"]), IDS), max_size=60)


def a_budget(*, pages: int = 0, size: int = 0, started: float = 0.0, **limits: float) -> Budget:
    """A budget with these limits, after so much in earlier lives."""
    budget = Budget(BudgetConfig(**limits))  # type: ignore[arg-type] # one table for int and float limits
    budget.begin(Totals(done=pages, bytes=size), started)
    return budget


@given(STEPS, st.integers(0, 4), st.integers(1, 6))
def test_reserved_and_written_never_exceed_the_limit(steps: list[tuple[str, int]], earlier: int, limit: int) -> None:
    """URLs start and end in any order: no page more than the limit is given out, and none is lost."""
    budget, written, reserved = a_budget(max_pages=limit, pages=earlier), earlier, set[int]()
    for step, url_id in steps:
        if step == "reserve":
            may = budget.reserve(url_id)

            assert may == (url_id in reserved or written + len(reserved) < limit)
            reserved |= {url_id} if may else set()
        elif step == "write" and url_id in reserved:
            budget.write(url_id, 1)
            reserved, written = reserved - {url_id}, written + 1
        elif step == "give_back":
            assert budget.give_back(url_id) == (url_id in reserved)
            reserved -= {url_id}
        assert written + len(reserved) <= max(limit, earlier)
        assert (budget.spent(0.0) is not None) == (written >= limit)


def test_a_reservation_is_kept_through_retries() -> None:
    """Asking again for the same URL takes no second page."""
    budget = a_budget(max_pages=1)

    assert [budget.reserve(1), budget.reserve(1), budget.reserve(2)] == [True, True, False]


def test_a_skipped_url_frees_its_page() -> None:
    """A URL that ends without a line makes room for another, once."""
    budget = a_budget(max_pages=1)
    budget.reserve(1)

    assert [budget.give_back(1), budget.give_back(1)] == [True, False]
    assert budget.reserve(2)


def test_without_a_limit_everything_may_go() -> None:
    """No limit reserves for ever and is never spent."""
    budget = a_budget()

    assert all(budget.reserve(url_id) for url_id in range(1000))
    assert not budget.give_back(5)
    assert budget.spent(1e12) is None
    assert budget.deadline is None


@pytest.mark.parametrize(
    ("limits", "pages", "size", "now", "reason"),
    [
        ({"max_pages": 3}, 2, 0, 0.0, None),
        ({"max_pages": 3}, 3, 0, 0.0, "--max-pages 3"),
        ({"max_bytes": 100}, 9, 99, 0.0, None),
        ({"max_bytes": 100}, 9, 100, 0.0, "--max-bytes 100"),
        ({"max_time": 2.5}, 0, 0, 12.4, None),
        ({"max_time": 2.5}, 0, 0, 12.5, "--max-time 2.5"),
        ({"max_time": 1_234_567.0}, 0, 0, 1e9, "--max-time 1234567"),
        ({"max_pages": 1, "max_bytes": 1}, 1, 1, 0.0, "--max-pages 1"),
    ],
)
def test_a_spent_budget_says_which(
    limits: dict[str, float], pages: int, size: int, now: float, reason: str | None
) -> None:
    """At its limit, not before, a budget is spent, named as the user wrote it; earlier lives count."""
    assert a_budget(pages=pages, size=size, started=10.0, **limits).spent(now) == reason


def test_bytes_and_pages_of_committed_lines_count() -> None:
    """Each written line adds its body to what is spent."""
    budget = a_budget(max_bytes=10)

    budget.write(1, 6)
    assert budget.spent(0.0) is None
    budget.write(2, 6)

    assert budget.spent(0.0) == "--max-bytes 10"


def test_time_is_counted_from_the_start_of_this_life() -> None:
    """The deadline is the start plus the limit."""
    assert a_budget(max_time=30, started=5.0).deadline == 35.0


# --- shared by several workers -------------------------------------------------------------------------------------

LIMIT = 6
MOVES = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(["reserve", "write", "give_back", "ask", "hear"]), IDS, st.integers(0, 3)
    ),
    max_size=120,
)


class _Worker:
    """A budget of one worker, and what the book has granted it; an answer of the book may be on its way."""

    def __init__(self) -> None:
        self.budget = Budget(BudgetConfig(max_pages=LIMIT))
        self.budget.begin(Totals(), 0.0, 0)
        self.reserved: set[int] = set()
        self.written = 0
        self.grant = 0
        self.coming: int | None = None

    def ask(self, ahead: int, left: int) -> None:
        """Ask for pages, of which the book has so many left besides the grant so far."""
        self.grant = self.coming = min(self.budget.ask(ahead), self.grant + left)

    def move(self, step: str, url_id: int) -> None:
        """Take another step."""
        if step == "reserve":
            if self.budget.reserve(url_id):
                self.reserved.add(url_id)
        elif step == "hear" and self.coming is not None:
            self.budget.grant(self.coming)
            self.coming = None
        elif step == "write" and url_id in self.reserved:
            self.budget.write(url_id, 1)
            self.reserved.discard(url_id)
            self.written += 1
        elif step == "give_back":
            self.budget.give_back(url_id)
            self.reserved.discard(url_id)


@given(MOVES)
def test_workers_on_one_book_never_write_more_than_the_limit(moves: list[tuple[int, str, int, int]]) -> None:
    """The book counts a grant as soon as it is asked, and its answer comes later: no worker is ever above its grant."""
    workers = [_Worker(), _Worker()]
    for who, step, url_id, ahead in moves:
        worker = workers[who]
        if step == "ask" and worker.coming is None:
            worker.ask(ahead, LIMIT - sum(each.grant for each in workers))
        else:
            worker.move(step, url_id)

        assert all(each.written + len(each.reserved) <= each.grant for each in workers)
        assert sum(each.grant for each in workers) <= LIMIT


def test_a_worker_has_no_page_before_the_first_grant() -> None:
    """Its earlier lives have written seven lines, and the others thirty: what counts for its grant are its own."""
    budget = Budget(BudgetConfig(max_pages=100))
    budget.begin(Totals(done=37), 0.0, 7)

    assert not budget.reserve(1)
    budget.grant(8)
    assert [budget.reserve(1), budget.reserve(2)] == [True, False]
    assert budget.ask(5) == 13


def test_the_sums_of_all_workers_say_that_the_pages_are_spent() -> None:
    """A worker that has written nothing ends with the others."""
    budget = Budget(BudgetConfig(max_pages=10))
    budget.begin(Totals(), 0.0, 0)

    assert budget.spent(0.0) is None
    budget.heed(Totals(done=7, failed=3))

    assert budget.spent(0.0) == "--max-pages 10"


def test_a_worker_without_a_limit_of_pages_needs_no_grant() -> None:
    """It may go on before the first share comes, and with one that sets no limit."""
    budget = Budget(BudgetConfig())
    budget.begin(Totals(), 0.0, 0)

    assert budget.reserve(1)
    budget.grant(None)
    assert budget.reserve(2)


def test_a_host_that_is_given_up_leaves_the_pages_of_its_retries() -> None:
    """Its URLs are another worker's; those of other hosts keep their pages."""
    budget = Budget(BudgetConfig(max_pages=2))
    budget.begin(Totals(), 0.0)
    for url_id, host in enumerate((Host("a:80"), Host("b:80"))):
        budget.reserve(url_id)
        budget.put_off(url_id, host)

    budget.release([Host("a:80")])

    assert set(budget.awaited) == {1}
    assert [budget.reserve(7), budget.reserve(8)] == [True, False]
