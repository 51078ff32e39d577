"""models.report and models.sentences: the figures alone decide the sentence about a model."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.models.figures import ClientCosts, Comparison, Figures, Sweep
from crawler.models.report import models_text
from crawler.models.sentences import BUSY, LATE, PAST, sentence
from crawler.models.sweep import crossover, sweep_text
from crawler.models.sweep_page import sweep_page


def row(seconds: float = 1.0, *, pages: int = 100, model: str = "a", **figures: object) -> Figures:
    """A model's row; what is not given is that of one thread that did nothing."""
    given_figures = {"processes": 1, "threads": 1, "results": "r", "files": "f", **figures}
    return Figures(model=model, seconds=seconds, pages=pages, **given_figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figures", "latency", "said"),
    [
        (row(5.0, cpu=0.15), 0.05, "waits: 0.03 cores used, one request at a time"),
        (row(0.25, cpu=0.1, threads=33), 0.05, "waits overlap: 20 requests at once, 0.40 cores used"),
        (row(2.0, cpu=0.8), 0.0, "waits for the server and the disk: 0.40 cores used"),
        (row(2.0, cpu=2.0), 0.0, "computes: 1.00 cores, its one thread has no use for another"),
        (row(1.0, cpu=0.9, threads=5, voluntary=100), 0.02, "computes: 0.90 cores"),
        (row(2.0, cpu=2.2, threads=33, voluntary=2000), 0.02, "the GIL: 33 threads, 1.10 cores"),
        (
            row(2.0, cpu=1.2, delayed=0.8, threads=33, voluntary=500),
            0.01,
            "the GIL: 33 threads, 0.60 cores, and 0.40 threads at a time waited for a core",
        ),
        (row(0.2, cpu=0.08, delayed=0.2, threads=33), 0.05, "waits overlap: 25 requests at once, 0.40 cores used"),
        (row(1.0, cpu=1.9, processes=4, threads=4), 0.0, "past the GIL: 1.90 cores in 4 processes"),
        (row(1.0, cpu=1.0, processes=4, threads=4), 0.0, "computes: 1.00 cores in 4 processes"),
        (row(1.0, cpu=1.9, threads=5), 0.0, "1.90 cores in one process: its threads computed at the same time"),
        (
            row(1.0, cpu=1.0, threads=5, lag=0.412),
            0.0,
            "computes: 1.00 cores; its loop was late by up to 412 ms: something held it",
        ),
        (
            row(1.0, cpu=0.5, threads=5, lag=0.003),
            0.02,
            "waits overlap: 2.0 requests at once, 0.50 cores used; its loop was never later than 3 ms",
        ),
        (
            row(1.0, cpu=0.5, failures={"u": "status 500"}),
            0.01,
            "waits: 0.50 cores used, one request at a time; 1 page failed (1 status 500)",
        ),
        (
            row(ended="BrokenProcessPool: a process died"),
            0.0,
            "cannot survive the death of a worker: the pool broke, and no page was kept (BrokenProcessPool)",
        ),
        (row(ended="killed by SIGKILL"), 0.0, "did not come to its end, and no page was kept: killed by SIGKILL"),
    ],
)
def test_the_numbers_decide_the_sentence(figures: Figures, latency: float, said: str) -> None:
    """Each kind of row has its sentence."""
    assert sentence(figures, latency) == said


def test_failing_quickly_is_no_speed() -> None:
    """Pages per second are pages; what was in flight on average counts what failed, too."""
    half = row(2.0, pages=10, failures={f"u{n}": "status 500" for n in range(10)})

    assert (half.rate, half.overlap(0.5)) == (5.0, 5.0)


AMOUNTS = st.floats(0, 10)


@given(
    st.floats(0.01, 100), AMOUNTS, AMOUNTS, st.integers(1, 9), st.integers(1, 40), st.none() | AMOUNTS, st.floats(0, 2)
)
def test_no_sentence_contradicts_its_row(
    seconds: float, cpu: float, delayed: float, processes: int, threads: int, lag: float | None, latency: float
) -> None:
    """For any figures, the sentence is true, and each number in it is one of them."""
    figures = row(seconds, cpu=cpu, delayed=delayed, processes=processes, threads=threads, lag=lag)

    said = sentence(figures, latency)

    assert f"{figures.cores:.2f} cores" in said
    assert ("past the GIL" in said) <= (figures.cores >= PAST and processes > 1)
    assert ("at the same time" in said) <= (figures.cores >= PAST and processes == 1)
    assert said.startswith("the GIL:") <= (processes == 1 < threads and figures.cores < PAST)
    assert ("waits" in said) <= (figures.cores < BUSY)
    assert ("one request at a time" in said) <= (figures.overlap(latency) < 1.5)
    assert ("something held it" in said) == (lag is not None and lag >= LATE)
    assert ("waited for a core" in said) <= (figures.missed > 0)
    assert all(int(n) in {processes, 1} for n in re.findall(r"in (\d+) processes", said))


def comparison(*rows: Figures) -> Comparison:
    """A job of a hundred pages under these."""
    costs = ClientCosts(blocking=0.0003, asynchronous=0.0004)
    return Comparison(pages=100, latency=0.02, parse_cost=1, cores=2, python="CPython 3", rows=rows, clients=costs)


def test_the_table_fits_a_terminal_and_names_who_differs() -> None:
    """Eighty columns, a sentence below each row, and whoever came to other results is named."""
    same = [row(12_345.0, model=name, cpu=9.0, lag=12.0, memory=2**30, server_cpu=0.1) for name in ("one", "two")]

    agreed = models_text(comparison(*same))
    differing = models_text(comparison(*same, row(model="odd", results="x")))

    assert max(map(len, agreed.splitlines() + differing.splitlines())) <= 80
    assert "Results  identical in all 2, files too" in agreed
    assert "NOT identical: odd came to others" in " ".join(differing.split())
    assert "http.client 300 us" in agreed


def swept(**rates: tuple[float, ...]) -> Sweep:
    """A sweep in which each model came to these pages per second, and a page cost a millisecond, two, four..."""
    return Sweep(
        points=tuple(
            comparison(*(row(100 / of_model[n], model=name, cpu=0.1 * 2**n) for name, of_model in rates.items()))
            for n in range(len(next(iter(rates.values()))))
        )
    )


def test_the_lead_changes_where_another_is_clearly_quicker() -> None:
    """A few percent are no lead; each change is told with the cost from which on it holds."""
    sweep = swept(a=(400, 100, 50, 20), b=(390, 110, 52, 80))

    assert sweep.leaders == ("a", "a", "a", "b")
    assert crossover(sweep) == "In the lead: a at 1 ms of CPU per page, b from 8 ms on."
    assert crossover(swept(a=(2, 2), b=(1, 1))) == "In the lead: a at 1 ms of CPU per page, and everywhere else."


def test_the_plot_puts_each_letter_at_its_rate() -> None:
    """The quickest stand on the top line, the slowest on the lowest, and nothing is wider than a terminal."""
    lines = sweep_text(swept(slow=(10, 10), quick=(1000, 100), gone=(10, 1000))).splitlines()

    assert lines[2].split("|")[1].split() == ["b", "c"]
    assert lines[15].split("|")[1].split() == ["ac", "a"]
    assert max(map(len, lines)) <= 80


def test_the_page_loads_nothing_and_holds_every_model() -> None:
    """The plot has a line and a name for each model, and no part of the page comes from elsewhere."""
    page = sweep_page(swept(a=(400, 100), b=(390, 110), **{"<c>": (1, 2)}))

    assert page.count("<polyline") == 3
    assert "&lt;c&gt;" in page
    assert not re.search(r"(src|href|url\(|@import|https?:)", page)
