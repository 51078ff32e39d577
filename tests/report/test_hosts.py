"""report.hosts: the hosts of a run as a table and as JSON."""

from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.core.frontier_reports import HostReport, HostRobots
from crawler.core.leases_and_commits import HostState
from crawler.core.reasons import Reason
from crawler.core.tables import WIDTH
from crawler.core.urls import Host
from crawler.report.hosts import SORTS, host_row, hosts_text

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
    state=HostState(delay=0.5, cause="down", down=Reason.CONNECT_REFUSED, waited=4.0),
    troubles={"connect_refused": 20},
)
SILENT = HostReport(
    host=Host("silent.example:80"),
    pending=3,
    state=HostState(delay=0.5, cause="unreachable", failures=2, waited=20.04),
    troubles={"first_byte_timeout": 1200, "connect_timeout": 1},
)
TRIES = "  failed tries: first_byte_timeout 1,200, connect_timeout 1"


def test_the_table_is_what_an_operator_reads() -> None:
    """Figures at the right, words at the left, trouble below its host, and nothing where nothing is known."""
    assert hosts_text([host_row(report) for report in (QUICK, SLOW, GONE)]) == [
        "host               done failed pending per s delay            limit robots",
        "quick.example:443 6,212      3       0  62.1 -                    - rules 2.5 s",
        "slow.example:443     10      2   1,400   0.1 10 s crawl-delay     1 none",
        "  failed tries: retry_status 139, connection_lost 2",
        "gone.example:8080     0      1       0     - down                 - -",
        "  down: connect_refused; waited 4.0 s in vain; failed tries: connect_refused 20",
    ]


@pytest.mark.parametrize(
    ("state", "pending", "lines"),
    [
        (SILENT.state, 3, ["  no answer yet; waited 20.0 s in vain", TRIES]),
        (replace(SILENT.state, answered=True), 3, ["  waited 20.0 s in vain", TRIES]),
        (
            replace(SILENT.state, down=Reason.CONNECT_TIMEOUT),
            3,
            ["  down: connect_timeout; waited 20.0 s in vain", TRIES],
        ),
        (replace(SILENT.state, waited=0.1), 3, [f"  no answer yet; {TRIES.strip()}"]),
        (replace(SILENT.state, failures=0), 3, ["  no answer yet; waited 20.0 s in vain", TRIES]),
        (replace(SILENT.state, failures=0, waited=0.0), 3, [TRIES]),
        (SILENT.state, 0, ["  waited 20.0 s in vain", TRIES]),
    ],
)
def test_a_host_tells_what_it_cost_in_vain(state: HostState, pending: int, lines: list[str]) -> None:
    """From a second on, and that it has not answered yet if it was tried and may still be; no line is too long."""
    row = host_row(replace(SILENT, state=state, pending=pending))

    assert hosts_text([row])[2:] == lines
    assert row.waited == round(state.waited, 1)
    assert row.waiting == ("  no answer yet" in lines[0])
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("facts", [{}, {"pages": 9_999_999, "failed": 9_999, "pending": 9_999_999}])
def test_a_long_name_loses_its_beginning(facts: dict[str, Any]) -> None:
    """The table stays within its width, and the end of a name says whose it is."""
    long = replace(SLOW, host=Host(f"{'very-' * 20}long.example.org:8080"), **facts)

    head, line, trouble = hosts_text([host_row(long)])

    assert max(len(head), len(line), len(trouble)) <= WIDTH
    assert line.startswith("…")
    assert line.split()[0].endswith("org:8080")


def test_a_name_cannot_write_to_the_terminal() -> None:
    """Stored text is escaped if it could move a cursor."""
    assert "\x1b" not in "\n".join(hosts_text([host_row(replace(QUICK, host=Host("a\x1b[2J:80")))]))


def test_without_hosts_there_is_a_sentence() -> None:
    """An empty table would say nothing."""
    assert hosts_text([]) == ["no host has got a request yet"]


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
    """Rules, a closed host, or the status because of which the rules are unknown."""
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
    assert host_row(replace(report, failed=pages)).pages_per_second is None


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("pages", ["quick", "slow", "gone"]),
        ("failed", ["quick", "slow", "gone"]),
        ("pending", ["slow", "quick", "gone"]),
        ("rate", ["quick", "slow", "gone"]),
        ("delay", ["slow", "gone", "quick"]),
        ("waited", ["gone", "quick", "slow"]),
        ("errors", ["gone", "slow", "quick"]),
        ("host", ["gone", "quick", "slow"]),
    ],
)
def test_a_table_may_be_sorted(sort: str, order: list[str]) -> None:
    """The largest figure stands first; by errors, a host that was given up."""
    rows = sorted((host_row(report) for report in (QUICK, SLOW, GONE)), key=SORTS[sort])

    assert [row.host.partition(".")[0] for row in rows] == order


def test_without_a_width_no_name_is_cut() -> None:
    """Every name can be found with grep."""
    row = host_row(HostReport(host=Host(f"{'long-' * 30}name.example:80"), pages=1))

    assert hosts_text([row])[1].startswith("…")
    assert hosts_text([row], inf)[1].startswith(f"{row.host} ")
