"""report.workers: the table of workers, and rates between two looks."""

from msgspec.structs import replace

from crawler.core.frontier_reports import WorkerReport
from crawler.core.leases_and_commits import Totals
from crawler.report.workers import Look, shared_run, workers_text

WORKS = WorkerReport(id=1, place="m:/w1", late=-20.0, seen=0.1, hosts=3, lines=100, groups=9)
LATE = WorkerReport(id=2, place="n:/w\x1b2", late=61.0, seen=91.0, hosts=2, lines=50, groups=4)
ENDED = WorkerReport(id=3, place="n:/w3", late=None, seen=4000.0, hosts=0, lines=7, groups=1)
TOTALS = Totals(pending=2000, done=150, failed=7, skipped={"depth_limit": 3, "nofollow": 1})
FIRST = Look(at=10.0, name="docs", workers=(WORKS, LATE, ENDED), totals=TOTALS, letters=0)


def test_rates_are_those_between_two_looks() -> None:
    """Of workers at work: lines since the look before by the seconds since then; the run's is their sum."""
    joined = WORKS._replace(id=4, lines=30)
    later = replace(FIRST, at=12.0, workers=(WORKS._replace(lines=125), LATE, ENDED, joined))

    shared = shared_run(later, FIRST)

    assert [worker.per_second for worker in shared.workers] == [12.5, None, None, None]
    assert shared.run.per_second == 12.5


def test_one_look_tells_no_rate() -> None:
    """Nobody is at work, or it was looked at once."""
    shared = shared_run(FIRST, None)

    assert [worker.per_second for worker in shared.workers] == [None, None, None]
    assert shared.run.per_second is None


def test_the_table_tells_who_works_is_late_and_has_ended() -> None:
    """A worker is late when its lease is over; what a folder's name holds is no command to a terminal."""
    later = replace(FIRST, at=11.0, letters=2, workers=(WORKS._replace(lines=1112), LATE, ENDED))

    assert workers_text(shared_run(later, FIRST)) == [
        "worker  state               hosts  lines    per s  groups            seen    place",
        "1       works                   3  1,112  1,012.0       9             now    m:/w1",
        "2       late by 1 min 01 s      2     50        -       4  1 min 31 s ago    n:/w\\u001b2",
        "3       ended                   0      7        -       1  1 h 06 min ago    n:/w3",
        (
            "run docs: 2,000 pending, 150 done, 7 failed, 4 skipped, 2 finds on the way to a worker,"
            " 1,012.0 lines per second"
        ),
    ]
