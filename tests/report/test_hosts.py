"""report.hosts: the hosts of a run as a table and as JSON."""

from dataclasses import replace
from typing import Any

import pytest

from crawler.core.history import HostReport, HostRobots
from crawler.core.models import HostState
from crawler.core.reasons import Reason
from crawler.core.urls import Host
from crawler.report.hosts import SORTS, WIDTH, host_row, hosts_text

QUICK = HostReport(
    host=Host("quick.example:443"),
    pages=6215,
    failed=3,
    first_at=100.0,
    last_at=200.0,
    robots=HostRobots(status=200, crawl_delay=2.5),
)
SLOW = HostReport(
    host=Host("slow.example:443"),
    pages=12,
    failed=2,
    pending=1400,
    first_at=100.0,
    last_at=210.0,
    state=HostState(delay=10.0, cause="crawl-delay", window=1.0),
    robots=HostRobots(status=404),
    troubles={"retry_status": 139, "connection_lost": 2, "truncated": 1},
)
GONE = HostReport(
    host=Host("gone.example:8080"),
    pages=1,
    failed=1,
    state=HostState(delay=0.5, cause="down", down=Reason.CONNECT_REFUSED),
    troubles={"connect_refused": 20},
)


def test_the_table_is_what_an_operator_reads() -> None:
    """Figures at the right, words at the left, trouble below its host, and nothing where nothing is known."""
    assert hosts_text([host_row(report) for report in (QUICK, SLOW, GONE)]) == [
        "host               done failed pending per s delay            limit robots",
        "quick.example:443 6,212      3       0  62.1 -                    - rules 2.5 s",
        "slow.example:443     10      2   1,400   0.1 10 s crawl-delay     1 none",
        "  failed tries: retry_status 139, connection_lost 2",
        "gone.example:8080     0      1       0     - 0.5 s down           - -",
        "  down: connect_refused; failed tries: connect_refused 20",
    ]


@pytest.mark.parametrize("facts", [{}, {"pages": 9_999_999, "failed": 9_999, "pending": 9_999_999}])
def test_a_long_name_loses_its_beginning(facts: dict[str, Any]) -> None:
    """The table stays within its width, and the end of a name says whose it is."""
    long = replace(SLOW, host=Host(f"{'very-' * 20}long.example.org:8080"), **facts)

    head, line, trouble = hosts_text([host_row(long)])

    assert max(len(head), len(line), len(trouble)) <= WIDTH
    assert line.startswith("…")
    assert line.split()[0].endswith("org:8080")


def test_a_name_cannot_write_to_the_terminal() -> None:
    """What is stored is shown as escapes where it could move a cursor."""
    assert "\x1b" not in "\n".join(hosts_text([host_row(replace(QUICK, host=Host("a\x1b[2J:80")))]))


def test_without_hosts_there_is_a_sentence() -> None:
    """An empty table would say nothing."""
    assert hosts_text([]) == ["no host was asked for anything"]


@pytest.mark.parametrize(
    ("status", "is_closed", "word"),
    [
        (200, False, "rules"),
        (200, True, "closed"),
        (301, False, "none"),
        (404, False, "none"),
        (429, False, "429"),
        (503, False, "503"),
        (None, False, None),
    ],
)
def test_robots_is_a_word(status: int | None, word: str | None, *, is_closed: bool) -> None:
    """Whether there are rules, whether they close the host, or why they are not known."""
    robots = None if status is None else HostRobots(status=status, is_closed=is_closed)

    assert host_row(replace(QUICK, robots=robots)).robots == word


@pytest.mark.parametrize(
    ("first_at", "last_at", "pages", "rate"),
    [(None, None, 0, None), (5.0, 5.0, 1, None), (5.0, 5.0, 9, None), (5.0, 9.0, 9, 2.0), (9.0, 5.0, 9, None)],
)
def test_a_rate_needs_two_moments(
    first_at: float | None, last_at: float | None, pages: int, rate: float | None
) -> None:
    """Nine lines in four seconds are two a second; a clock that was set back gives no rate."""
    report = HostReport(host=Host("h:80"), pages=pages, first_at=first_at, last_at=last_at)

    assert host_row(report).pages_per_second == rate


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("pages", ["quick", "slow", "gone"]),
        ("failed", ["quick", "slow", "gone"]),
        ("pending", ["slow", "quick", "gone"]),
        ("rate", ["quick", "slow", "gone"]),
        ("delay", ["slow", "gone", "quick"]),
        ("errors", ["gone", "slow", "quick"]),
        ("host", ["gone", "quick", "slow"]),
    ],
)
def test_a_table_may_be_sorted(sort: str, order: list[str]) -> None:
    """What is most stands first; who is given up is the greatest trouble."""
    rows = sorted((host_row(report) for report in (QUICK, SLOW, GONE)), key=SORTS[sort])

    assert [row.host.partition(".")[0] for row in rows] == order
