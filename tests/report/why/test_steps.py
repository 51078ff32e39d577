"""report.why.steps: the answer of each step, and the reason of those that stop."""

from typing import Any

import pytest
from msgspec.structs import replace

from crawler.core.discovery import Way
from crawler.core.frontier_reports import HostReport, Leader, Target, Try
from crawler.core.leases_and_commits import HostState, RobotsCopy
from crawler.core.reasons import Reason
from crawler.core.traps import Family
from crawler.core.urls import Host
from crawler.core.visits import State
from crawler.report.why.chain import Step, StepVerdict
from support.url_histories import FAMILY, NOW, a_history, a_row, ask, pending, skipped, step

CALENDAR = Family(b"x", 200, 100_000, Reason.TRAP_CALENDAR)


@pytest.mark.parametrize(
    ("facts", "listed", "told"),
    [
        ({}, None, "by a link on http://h/"),
        ({}, "in line 3 of urls.txt", "by a link on http://h/, and in line 3 of urls.txt"),
        ({"leader": None}, "named on the command line", "named on the command line"),
        ({"leader": None, "row": a_row(way=Way(sitemap=True))}, None, "in robots.txt, which names it as a sitemap"),
        ({"leader": Leader(url="http://h/", redirects=True, sitemap=False)}, None, "by a redirect of http://h/"),
        ({"leader": Leader(url="http://h/s", redirects=False, sitemap=True)}, None, "in the sitemap http://h/s"),
        ({"linked_from": 1}, None, "by a link on http://h/; 1 page leads to it"),
        ({"linked_from": 1200}, None, "by a link on http://h/; 1,200 pages lead to it"),
    ],
)
def test_who_led_there_is_told(facts: dict[str, Any], listed: str | None, told: str) -> None:
    """A list, a link, a redirect, a sitemap or robots.txt; and how many pages, where that is kept."""
    assert step(ask(listed=listed, **facts), "found").answer == told


@pytest.mark.parametrize(
    ("status", "body", "age", "verdict", "told"),
    [
        (404, b"", 7200.0, StepVerdict.PASSES, "there is none, so everything is allowed (404, fetched 2 h 00 min ago)"),
        (
            503,
            b"",
            1.0,
            StepVerdict.STOPS,
            "it could not be fetched, so no URL may be requested (503, fetched 1.0 s ago)",
        ),
        (200, b"", 1.0, StepVerdict.PASSES, "no rule matches it (200, fetched 1.0 s ago)"),
        (
            200,
            b"User-agent: *\nDisallow: /b\n",
            90000.0,
            StepVerdict.PASSES,
            "no rule matches it (200, fetched 25 h 00 min ago, to be requested again)",
        ),
    ],
)
def test_robots_txt_is_told_with_its_age(status: int, body: bytes, age: float, verdict: StepVerdict, told: str) -> None:
    """For every status; a stale one would be requested again."""
    copy = RobotsCopy(fetched_at=NOW - age, expires_at=NOW - age + 86400, status=status, body=body)

    assert step(ask(robots=copy), "robots.txt") == Step("robots.txt", verdict, told)


def test_a_robots_txt_that_changed_does_not_rewrite_the_past() -> None:
    """A refused URL stays refused, and the answer says that it would be allowed now."""
    copy = RobotsCopy(fetched_at=NOW, expires_at=NOW + 9, status=200, body=b"User-agent: *\nAllow: /a\n")

    found = step(ask(robots=copy, row=skipped(Reason.ROBOTS_DENIED)), "robots.txt")

    assert found.verdict is StepVerdict.STOPS
    assert found.answer.startswith('it forbade it then; now line 2, "Allow: /a", for the agent * (200')


def test_without_robots_nobody_asks() -> None:
    """`--no-robots` is said where the file would decide."""
    found = step(ask(options={"robots": False}), "robots.txt")

    assert found == Step("robots.txt", StepVerdict.PASSES, "--no-robots: robots.txt is not requested")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (HostState(), ""),
        (HostState(delay=0.0, cause="loopback"), "; no delay"),
        (
            HostState(delay=0.5, cause="configured", window=4.0),
            "; a request each 500 ms (configured); at most 4 at once",
        ),
        (
            HostState(delay=10.0, cause="retry-after", window=0.5, due=NOW + 90),
            "; a request each 10.0 s (retry-after); at most 1 at once; the next in 1 min 30 s",
        ),
        (
            HostState(failures=20, failing_since=NOW - 40, down=Reason.CONNECT_TIMEOUT),
            "; not reached 20 times in a row since 2023-11-14 22:12:40 UTC; given up: connect_timeout",
        ),
    ],
)
def test_the_pace_of_its_host_is_told(state: HostState, told: str) -> None:
    """Delay with its cause, how many at once, when the next may go, and since when it is down."""
    host = HostReport(host=Host("h:80"), pages=1, failed=0, pending=1200, state=state)

    found = step(ask(host=host), "host")

    assert found.answer == f"h:80: 1 page, 0 failed, 1,200 pending{told}"
    assert found.verdict is (StepVerdict.STOPS if state.down else StepVerdict.TELLS)


def test_a_page_that_nobody_may_follow_to_says_so() -> None:
    """The step that asks how it was found is the one that stops it."""
    found = step(ask(row=skipped(Reason.NOFOLLOW)), "found")

    assert found.verdict is StepVerdict.STOPS
    assert found.answer == "by a link on http://h/; the page that links to it says nofollow"


def test_a_page_of_a_calendar_without_end_counts_for_many() -> None:
    """Its weight is told, or nobody would understand the count."""
    scope = replace(a_history().scope, families=((FAMILY, 5), (CALENDAR, 99_900)))

    found = step(ask(row=skipped(Reason.TRAP_CALENDAR), scope=scope), "traps")

    assert found.answer == (
        "99,900 dates in the same place were found; the limit is 100,000; this one would count as 200"
    )


def test_a_redirect_to_itself_says_so() -> None:
    """It failed, and leads nowhere else."""
    row = a_row(state=State.FAILED, reason=Reason.REDIRECT_LOOP, status=301)
    answer = ask(row=row, target=Target(row=row, was_known=True))

    assert answer.conclusion == "Failed: 301 (redirect_loop), after one try."
    assert step(answer, "redirect").answer == "it leads to itself"


def test_a_page_of_a_host_that_was_given_up_was_not_tried() -> None:
    """It failed without a request of its own."""
    answer = ask(row=a_row(state=State.FAILED, reason=Reason.CONNECT_REFUSED, status=None, attempts=0))

    assert answer.conclusion == "Failed: connect_refused; its host was given up before this URL was asked for."
    assert step(answer, "tries").answer == "none"


def test_each_try_is_told_with_its_wait() -> None:
    """The time, the reason and the delay of each."""
    tries = (
        Try(at=NOW - 9, reason=Reason.RETRY_STATUS, not_before=NOW - 7.5),
        Try(at=NOW - 5, reason=Reason.TRUNCATED, not_before=NOW + 3600),
    )

    found = step(ask(row=pending(attempts=2), tries=tries), "tries")

    assert (found.answer, found.details) == (
        "2",
        (
            "2023-11-14 22:13:11 UTC: retry_status, again after 1.5 s",
            "2023-11-14 22:13:15 UTC: truncated, again after 1 h 00 min",
        ),
    )


@pytest.mark.parametrize(
    ("mode", "place", "told"),
    [
        ("all", "", "--scope all: links are followed anywhere"),
        ("host", "h", "--scope host: it lies in h"),
        ("prefix", "h/", "--scope prefix: it lies in h/"),
        ("prefix", None, "--scope prefix: the seeds opened h/x/, h/y/ and 3 more; the URL is in h/"),
    ],
)
def test_the_scope_is_told_with_its_places(mode: str, place: str | None, told: str) -> None:
    """The one that the page lies in; or the first few of those that seeds brought in."""
    scope = replace(a_history().scope, place=place, places=("h/x/", "h/y/"), all_places=5)

    assert step(ask(options={"scope": mode}, scope=scope), "scope").answer == told


def test_before_the_first_seed_nothing_is_in_scope() -> None:
    """A run that was stopped before it read its list says so."""
    scope = replace(a_history().scope, place=None, places=(), all_places=0)

    found = step(ask(row=None, scope=scope), "scope")

    assert found.answer == "--scope host: the seeds opened nothing; the URL is in h"
