"""report.summary: the account of a run."""

import json
from typing import Any

import pytest
from msgspec.structs import fields, replace

from crawler.core.frontier_reports import ChiefHosts, HostReport, HostRobots, HostsInVain, LostSeeds
from crawler.core.histogram import bucket
from crawler.core.leases_and_commits import HostState, Totals
from crawler.core.reasons import Reason
from crawler.core.urls import Host
from crawler.report.summary import Summary, as_json, as_text, summarize

TOTALS = Totals(
    discovered=1010,
    done=900,
    failed=40,
    pending=50,
    skipped={"robots_denied": 20},
    failures={"tls_expired": 10, "connect_refused": 30},
    unread={"parse_timeout": 3, "extract_error": 7},
    statuses={404: 100, 200: 800, 503: 30},
    lines={"read": 12, "url": 9, "duplicate": 2, "blank": 1, "comment": 0},
    bytes=5 * 1024**2,
    retries=1234,
    seconds=10.0,
    latency={bucket(1_000_000 * n): 1 for n in range(1, 101)},
)

CONTRACT = [
    *("discovered", "done", "failed", "skipped", "pending", "bytes", "seconds", "pages_per_second", "peak_rss_mb"),
    "latency",
]


def a_summary(totals: Totals = TOTALS, stopped_by: str | None = None) -> Summary:
    """The summary of these totals."""
    return summarize(totals, peak_rss_mb=64.04, stopped_by=stopped_by)


def test_the_json_has_the_keys_of_the_contract() -> None:
    """Scripts depend on these names; the file is indented and ends with a newline."""
    data = as_json(a_summary())

    told = json.loads(data, parse_constant=pytest.fail)
    assert list(told)[: len(CONTRACT)] == CONTRACT
    assert list(told) == [field.name for field in fields(Summary)]
    assert list(told["latency"]) == ["p50", "p90", "p99"]
    assert data.startswith(b'{\n  "discovered": 1010,\n')
    assert data.endswith(b"\n}\n")


def test_the_figures_are_those_of_the_totals() -> None:
    """Rates are over all lives, latencies in milliseconds within 1 %, statuses in order."""
    told = json.loads(as_json(a_summary()))

    assert told["discovered"] == told["done"] + told["failed"] + sum(told["skipped"].values()) + told["pending"]
    assert (told["pages_per_second"], told["peak_rss_mb"], told["seconds"]) == (94.0, 64.0, 10.0)
    assert told["latency"] == {
        name: pytest.approx(ms, rel=0.01) for name, ms in (("p50", 50), ("p90", 90), ("p99", 99))
    }
    assert list(told["statuses"].items()) == [("200", 800), ("404", 100), ("503", 30)]
    assert told["stopped_by"] is None


def test_an_empty_run_has_a_summary() -> None:
    """Nothing done in no time is no division by zero, and an unknown latency is null."""
    summary = a_summary(Totals())

    assert summary.pages_per_second == 0.0
    assert summary.latency == {"p50": None, "p90": None, "p99": None}
    assert as_text(summary, None) == (
        "complete: 0 URLs = 0 done + 0 failed + 0 skipped + 0 pending\n"
        "  0 B in 0 ms: 0.0 pages/s, peak memory 64 MiB\n"
        "  nothing to fetch: the list holds no URL"
    )


def test_a_run_that_was_stopped_at_once_blames_no_list() -> None:
    """Before the first line was read nobody knows what the list holds."""
    assert "list" not in as_text(a_summary(Totals(), stopped_by="interrupted"), None)


def test_the_text_shows_what_the_json_holds() -> None:
    """Every figure that a script reads, a person reads too."""
    assert as_text(a_summary(stopped_by="--max-pages 940"), "output/run").splitlines() == [
        "stopped by --max-pages 940: 1,010 URLs = 900 done + 40 failed + 20 skipped + 50 pending",
        "  5.0 MiB in 10.0 s: 94.0 pages/s, peak memory 64 MiB",
        "  latency p50 50 ms, p90 90 ms, p99 99 ms",
        "  status   200 800, 404 100, 503 30",
        "  failed   connect_refused 30, tls_expired 10",
        "  unread   extract_error 7, parse_timeout 3",
        "  skipped  robots_denied 20",
        "  retries  1,234",
        "  list     12 lines = 9 url + 1 blank + 2 duplicate; see rejected.jsonl",
        "  output/run (go on with: crawler resume output/run --max-pages N, N above 940)",
    ]


def a_run_of(*hosts: HostReport, more: int = 0) -> list[str]:
    """The lines on the hosts of a run, in its summary."""
    summary = summarize(TOTALS, peak_rss_mb=64.0, stopped_by=None, hosts=ChiefHosts(hosts, more))
    shown = as_text(summary, "output/my run").splitlines()
    return shown[shown.index("  retries  1,234") + 1 : -2]


def a_host(name: str, **facts: Any) -> HostReport:
    """A host with ten pages in nine seconds."""
    return HostReport(host=Host(name), pages=10, first_at=0.0, last_at=9.0, robots=HostRobots(status=404), **facts)


def test_one_host_without_trouble_is_not_told_again() -> None:
    """All the figures above are its own."""
    assert a_run_of() == a_run_of(a_host("one:80")) == []


def test_hosts_are_told_where_there_are_several() -> None:
    """Each with what it brought and how gently it was asked."""
    assert a_run_of(a_host("one:80"), a_host("two:80", state=HostState(delay=0.5, cause="configured"))) == [
        "  host    done  failed  pending  per s  delay             limit  robots",
        "  one:80    10       0        0    1.0  -                     -  none",
        "  two:80    10       0        0    1.0  0.5 s configured      -  none",
    ]


def test_the_trouble_of_one_host_is_told() -> None:
    """A run of a single host that was lost says so."""
    assert a_run_of(a_host("one:80", state=HostState(down=Reason.CONNECT_REFUSED)))[-1] == "    down: connect_refused"


def test_of_many_hosts_the_chief_ones_are_told() -> None:
    """Eight lines at the most, troubled hosts among them, and where the others are."""
    hosts = [a_host(f"busy{number}:80") for number in range(50)]
    told = a_run_of(*hosts, a_host("ill:80", troubles={"truncated": 3}), more=1000)

    assert len(told) == 8
    assert [line.split()[0] for line in told[1:-3]] == ["busy0:80", "busy1:80", "busy2:80", "busy3:80"]
    assert told[-3].split()[0] == "ill:80"
    assert told[-2] == "    failed tries: truncated 3"
    assert told[-1] == "  1,046 hosts more: crawler hosts 'output/my run'"


def test_the_json_holds_every_host_that_was_chosen() -> None:
    """With the words of `crawler hosts`, and how many there are besides."""
    summary = summarize(TOTALS, peak_rss_mb=64.0, stopped_by=None, hosts=ChiefHosts((a_host("one:80"),), 7))

    told = json.loads(as_json(summary))

    assert told["more_hosts"] == 7
    assert told["hosts"] == [
        {
            "host": "one:80",
            "done": 10,
            "failed": 0,
            "pending": 0,
            "pages_per_second": 1.0,
            "delay": None,
            "cause": None,
            "in_flight": None,
            "robots": "none",
            "crawl_delay": None,
            "errors": {},
            "down": None,
            "waiting": False,
            "waited": 0.0,
        }
    ]
    assert (told["waiting_hosts"], told["in_vain"]) == (0, {"hosts": 0, "seconds": 0.0})


SILENT = replace(a_host("silent:80"), pages=0, pending=1, state=HostState(failures=2, waited=20.04))
GIVEN_UP = replace(
    a_host("gone:80"), pages=1, failed=1, state=HostState(failures=3, waited=30.0, down=Reason.CONNECT_TIMEOUT)
)


@pytest.mark.parametrize(
    ("chief", "told"),
    [
        (ChiefHosts((a_host("one:80"),)), []),
        (ChiefHosts((SILENT,), waiting=1), ["  waiting  1 host that has not answered yet"]),
        (ChiefHosts((SILENT,), waiting=1212), ["  waiting  1,212 hosts that have not answered yet"]),
        (ChiefHosts((SILENT,), in_vain=HostsInVain(hosts=1, seconds=20.04)), []),
        (
            ChiefHosts((GIVEN_UP,), given_up=500, in_vain=HostsInVain(hosts=312, seconds=4321.04)),
            ["  given up 500 hosts", "  waited   1 h 12 min in vain for 312 hosts, beside each other"],
        ),
        (ChiefHosts((GIVEN_UP,), given_up=1), ["  given up 1 host"]),
    ],
)
def test_hosts_that_did_not_answer_are_told(chief: ChiefHosts, told: list[str]) -> None:
    """Those that may still answer, and what the others cost, once some are given up; nothing where there is none."""
    summary = summarize(TOTALS, peak_rss_mb=64.0, stopped_by="interrupted", hosts=chief)

    assert [line for line in as_text(summary, None).splitlines() if line.startswith(("  wait", "  given"))] == told
    figures = json.loads(as_json(summary))
    assert (figures["waiting_hosts"], figures["given_up_hosts"]) == (chief.waiting, chief.given_up)
    assert figures["in_vain"] == {"hosts": chief.in_vain.hosts, "seconds": round(chief.in_vain.seconds, 1)}


@pytest.mark.parametrize(
    ("stopped_by", "more"),
    [
        ("--max-bytes 5242880", " --max-bytes N, N above 5242880"),
        ("--max-pages-per-host 20", " --max-pages-per-host N, N above 20"),
        ("--max-time 10", ""),
        ("interrupted", ""),
        (None, ""),
    ],
)
def test_a_spent_budget_has_to_grow(stopped_by: str | None, more: str) -> None:
    """A resume with a spent budget would do nothing, so a larger one is asked for; each life has its own time."""
    assert as_text(a_summary(stopped_by=stopped_by), "run").endswith(f"run (go on with: crawler resume run{more})")


def test_one_thing_is_named_in_the_singular() -> None:
    """One URL and one line, and no rejected.jsonl to look into when no line was rejected."""
    shown = as_text(a_summary(Totals(discovered=1, done=1, lines={"read": 1, "url": 1})), None)

    assert shown.startswith("complete: 1 URL = 1 done")
    assert shown.endswith("  list     1 line = 1 url")


def test_a_run_that_is_complete_asks_for_no_resume() -> None:
    """Without anything pending the folder alone is named, and without a folder nothing is."""
    summary = a_summary(replace(TOTALS, discovered=960, pending=0))

    assert as_text(summary, "output/run").splitlines()[-1] == "  output/run"
    assert "output" not in as_text(summary, None)
    assert as_text(summary, None).startswith("complete: ")


def test_a_folder_cannot_write_to_the_terminal() -> None:
    """Control characters in a name are shown as escapes, and what a shell would read is quoted."""
    shown = as_text(a_summary(), "my out\x1b[31m")

    assert "\x1b" not in shown
    assert shown.endswith("crawler resume 'my out\\u001b[31m')")


def test_seeds_that_brought_nothing_are_told_first() -> None:
    """Below the account itself, with their reasons and an example of each; nobody looks for it further down."""
    lost = [
        LostSeeds(reason=Reason.CONNECT_REFUSED, status=None, seeds=1500, example="http://a/"),
        LostSeeds(reason=Reason.HTTP_STATUS, status=404, seeds=2, example="http://b/\x1b[2J"),
        LostSeeds(reason=Reason.DECODE_ERROR, status=200, seeds=1, example="http://c/"),
        LostSeeds(reason=Reason.ROBOTS_DENIED, status=None, seeds=1, example="http://d/"),
    ]
    totals = replace(TOTALS, lines={"read": 2000, "url": 2000})

    many = as_text(summarize(totals, peak_rss_mb=64.0, stopped_by=None, lost_seeds=lost), None).splitlines()
    one = as_text(summarize(TOTALS, peak_rss_mb=64.0, stopped_by=None, lost_seeds=lost[2:3]), None).splitlines()

    assert many[1] == (
        "  nothing from 1,504 of 2,000 seeds: connect_refused: 1,500 (http://a/), status 404: 2 (http://b/\\u001b[2J),"
        " decode_error: 1 (http://c/) and 1 other reason"
    )
    assert one[1] == "  not all from 1 of 9 seeds: decode_error (http://c/)"
    assert " from " not in as_text(a_summary(), None)


def test_a_reason_that_shows_no_status_is_told_once() -> None:
    """Circles of 301 and of 308 are told together, with the first as the example."""
    lost = [
        LostSeeds(reason=Reason.REDIRECT_LOOP, status=308, seeds=2, example="http://a/"),
        LostSeeds(reason=Reason.REDIRECT_LOOP, status=301, seeds=1, example="http://b/"),
    ]

    told = as_text(summarize(TOTALS, peak_rss_mb=64.0, stopped_by=None, lost_seeds=lost), None).splitlines()

    assert told[1] == "  nothing from 3 of 9 seeds: redirect_loop: 3 (http://a/)"
