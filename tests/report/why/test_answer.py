"""report.why: from the history of a URL to an answer; what real runs show is in journeys/test_why.py."""

from dataclasses import replace
from typing import Any

import pytest

from crawler.core.config import configure
from crawler.core.handover import HostState, RobotsCopy, Totals
from crawler.core.reasons import UNREAD, Reason
from crawler.core.stored import Borderline, HostReport, Leader, StoredUrl, Target, Try, UrlHistory
from crawler.core.tables import WIDTH
from crawler.core.traps import Family
from crawler.core.urls import Host, parse
from crawler.core.visits import State
from crawler.core.ways import Way
from crawler.report.why.answer import explain
from crawler.report.why.case import Question
from crawler.report.why.chain import Answer, Step, StepVerdict, chain_text

NOW = 1_700_000_000.0
URL = "http://h/a"
FAMILY = Family(b"", 1, 250_000, Reason.TRAP_HOST_SIZE)
CALENDAR = Family(b"x", 200, 100_000, Reason.TRAP_CALENDAR)


def a_row(**facts: Any) -> StoredUrl:
    """A page that was fetched, one link from a seed."""
    fetched = StoredUrl(
        url=URL,
        state=State.DONE,
        reason=Reason.OK,
        status=200,
        way=Way(depth=1),
        attempts=1,
        line=None,
        not_before=None,
        is_suspect=False,
    )
    return replace(fetched, **facts)


def a_history(**facts: Any) -> UrlHistory:
    """Its history."""
    borders = Borderline(
        place="h", places=("h",), all_places=1, named=(Host("h:80"),), families=((FAMILY, 5),), full=None
    )
    known = UrlHistory(
        row=a_row(),
        leader=Leader(url="http://h/", redirects=False, sitemap=False),
        linked_from=None,
        borders=borders,
        robots=None,
        host=None,
        is_host_closed=False,
        tries=(),
        target=None,
        totals=Totals(),
        is_list_read=True,
    )
    return replace(known, **facts)


def ask(
    *, follows: bool = True, listed: str | None = None, options: dict[str, object] | None = None, **facts: Any
) -> Answer:
    """The answer for this history; `options` are those of the run."""
    asked = Question(
        text=URL, url=parse(URL), folder="my run", agent="crawler", follows=follows, listed=listed, now=NOW
    )
    return explain(asked, a_history(**facts), configure(options or {}))


def step(answer: Answer, question: str) -> Step:
    """One step of it."""
    return next(step for step in answer.steps if step.question == question)


def pending(**facts: Any) -> StoredUrl:
    """A row that waits."""
    return a_row(**{"state": State.PENDING, "reason": None, "status": None, "attempts": 0, **facts})


def skipped(reason: Reason) -> StoredUrl:
    """A row that was never asked for."""
    return a_row(state=State.SKIPPED, reason=reason, status=None, attempts=0)


@pytest.mark.parametrize(
    ("facts", "listed", "told"),
    [
        ({}, None, "by a link on http://h/"),
        ({}, "in line 3 of urls.txt", "by a link on http://h/, and in line 3 of urls.txt"),
        ({"leader": None}, "named on the command line", "named on the command line"),
        (
            {"leader": None, "row": a_row(way=Way(sitemap=True))},
            None,
            "in robots.txt, which names it as a sitemap",
        ),
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
    """Whatever its status was; one that is too old would be asked for again."""
    copy = RobotsCopy(fetched_at=NOW - age, expires_at=NOW - age + 86400, status=status, body=body)

    assert step(ask(robots=copy), "robots.txt") == Step("robots.txt", verdict, told)


def test_a_robots_txt_that_changed_does_not_rewrite_the_past() -> None:
    """What was refused stays refused, and that it would be allowed now is said."""
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


@pytest.mark.parametrize(
    ("facts", "options", "conclusion", "change"),
    [
        ({"row": pending()}, {}, "the run ended before its turn came", "crawler resume 'my run'"),
        (
            {"row": pending(not_before=NOW + 60, attempts=1)},
            {},
            "it waits until 2023-11-14 22:14:20 UTC for its next try",
            "crawler resume 'my run'",
        ),
        (
            {"row": pending(is_suspect=True)},
            {},
            "the process died repeatedly while fetching it, so it is fetched alone, last of all",
            "crawler resume 'my run'",
        ),
        (
            {"row": pending(), "totals": Totals(bytes=2048)},
            {"max-bytes": "2K"},
            "--max-bytes 2048 is spent",
            "crawler resume 'my run' --max-bytes N, N above 2048",
        ),
    ],
)
def test_what_a_pending_page_waits_for_is_told(
    facts: dict[str, Any], options: dict[str, object], conclusion: str, change: str
) -> None:
    """A budget, a retry, its turn alone, or only a resume."""
    answer = ask(options=options, **facts)

    assert answer.conclusion == f"Not fetched yet: {conclusion}."
    assert answer.change == (change,)


@pytest.mark.parametrize(
    ("facts", "options", "change"),
    [
        (
            {"row": skipped(Reason.NOFOLLOW)},
            {},
            ("a new run with --no-robots, if the site is yours", "crawler fetch http://h/a"),
        ),
        ({"row": skipped(Reason.HOP_LIMIT)}, {}, ("a new run from another page", "crawler fetch http://h/a")),
        (
            {"row": skipped(Reason.NOT_INCLUDED)},
            {"include": ["/docs/", "/b"]},
            ("a new run with an --include that matches it besides '/docs/', '/b'", "crawler fetch http://h/a"),
        ),
        ({"row": a_row(reason=Reason.BODY_LIMIT)}, {}, ("a new run with a larger --max-body",)),
        ({"row": None, "is_list_read": False}, {}, ("crawler resume 'my run'",)),
    ],
)
def test_what_would_change_it_is_told(
    facts: dict[str, Any], options: dict[str, object], change: tuple[str, ...]
) -> None:
    """The option that decided; or the page by itself, where nothing but links was in the way."""
    assert ask(options=options, **facts).change == change


def test_a_page_that_nobody_may_follow_to_says_so() -> None:
    """The step that asks how it was found is the one that stops it."""
    found = step(ask(row=skipped(Reason.NOFOLLOW)), "found")

    assert found.verdict is StepVerdict.STOPS
    assert found.answer == "by a link on http://h/; the page that links to it says nofollow"


def test_a_page_of_a_calendar_without_end_counts_for_many() -> None:
    """Its weight is told, or nobody would understand the count."""
    borders = replace(a_history().borders, families=((FAMILY, 5), (CALENDAR, 99_900)))

    found = step(ask(row=skipped(Reason.TRAP_CALENDAR), borders=borders), "traps")

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
    """When, why, and for how long it was put off."""
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
    borders = replace(a_history().borders, place=place, places=("h/x/", "h/y/"), all_places=5)

    assert step(ask(options={"scope": mode}, borders=borders), "scope").answer == told


def test_before_the_first_seed_nothing_is_in_scope() -> None:
    """A run that was stopped before it read its list says so."""
    borders = replace(a_history().borders, place=None, places=(), all_places=0)

    found = step(ask(row=None, borders=borders), "scope")

    assert found.answer == "--scope host: the seeds opened nothing; the URL is in h"


def test_a_command_is_not_broken_into_lines() -> None:
    """Prose is wrapped at 80 columns; what is to be copied is not."""
    command = f"crawler fetch {'http://h/' + 'long/' * 30}"
    answer = replace(ask(), conclusion="word " * 40, change=("prose " * 40, command))

    lines = chain_text(answer)

    assert lines[-1] == f"          or: {command}"
    assert max(map(len, lines[:-1])) <= WIDTH


def test_nothing_that_is_stored_writes_to_the_terminal() -> None:
    """Text from outside is made safe wherever it stands."""
    copy = RobotsCopy(
        fetched_at=NOW, expires_at=NOW + 9, status=200, body=b"User-agent: *\nDisallow: /a*\x1b[2J\nDisallow: /a\n"
    )

    assert "\x1b" not in "\n".join(chain_text(ask(robots=copy, listed="in line 1 of \x1b[31m")))


@pytest.mark.parametrize("reason", sorted(UNREAD))
def test_an_answer_that_was_not_read_is_told_as_such(reason: Reason) -> None:
    """Each reason has words of its own, and such an answer is never told as a page like any other."""
    answer = ask(row=a_row(reason=reason))

    assert answer.conclusion.startswith(f"Fetched: 200 ({reason}), but not read in full: ")
    assert len(answer.conclusion) > len(f"Fetched: 200 ({reason}), but not read in full: .")
