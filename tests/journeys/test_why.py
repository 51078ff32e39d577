"""`crawler why` on runs that the engine made: every decision about a URL, in the words that its user reads."""

import asyncio
import json
import re
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.main import _run
from crawler.core import tables
from crawler.core.config import configure
from crawler.core.messages import Response, Timing
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.seed_lists import SeedList
from crawler.testing import Answer, FakeFetcher, refused
from support.crawls import crawl

ROBOTS = b"User-agent: *\nDisallow: /private/ # not for robots\n"
TRAP = "/x/y/x/y/x/y/x/y/x/y/x/y/x"
SESSIONS = [f"/page?PHPSESSID={number:032x}" for number in range(6)]
LINKS = [
    "/a",
    "/old",
    "/private/x",
    "http://other.example/",
    "http://sub.site.example/",
    TRAP,
    "/print?1",
    "/gone",
    "/deep",
    "/moved",
]


def page(*links: str) -> Answer:
    """A page with these links."""
    body = "".join(f'<a href="{link}">x</a>' for link in links).encode()
    return lambda request: Response(
        request=request,
        status=200,
        headers=((b"Content-Type", b"text/html"),),
        body=body,
        timing=Timing(total=0.001),
    )


def moved(to: bytes) -> Answer:
    """A redirect."""
    return lambda request: Response(
        request=request, status=301, headers=((b"Location", to),), timing=Timing(total=0.001)
    )


SITE: Mapping[str, Answer] = {
    "http://site.example/robots.txt": (200, ROBOTS),
    "http://site.example/": page(*LINKS),
    "http://site.example/a": page(*SESSIONS),
    "http://site.example/old": moved(b"/a"),
    "http://site.example/moved": moved(b"/landed"),
    "http://site.example/gone": refused(),
    "http://site.example/deep": page("/deep/2"),
    "http://site.example/deep/2": page("/deep/3"),
}


def a_run(folder: Path, command: str = "crawl", **options: Any) -> Path:
    """A run from http://site.example/ that ended."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    fetcher = FakeFetcher(SITE, default=(404, b""))
    asyncio.run(crawl(folder, ["http://site.example/"], fetcher, command=command, robots=True, delay=0, **options))
    facts = RunFacts(
        command=command,
        sources=(SeedList("seeds.txt", 1),),
        seeds_bytes=(folder / "seeds.txt").stat().st_size,
        config=configure(named),
    )
    RunFolder(folder).write_facts(facts)
    return folder


RUNS: Mapping[str, Mapping[str, Any]] = {
    "whole": {"retries": 2, "max_depth": 2, "exclude": ["print"], "check": True},
    "two-pages": {"max_pages": 2},
    "two-pages-per-host": {"max_pages_per_host": 2},
    "list": {"command": "fetch"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs of the site by their names, each made when it is first asked for."""
    folder = tmp_path_factory.mktemp("runs")
    return cache(lambda name: a_run(folder / name, **RUNS[name]))


@pytest.fixture
def run(runs: Callable[[str], Path]) -> Path:
    """A crawl of the site to the end of its options."""
    return runs("whole")


Told = Callable[..., list[str]]


@pytest.fixture
def told(runs: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """The lines that the command prints for a URL of a run, unwrapped, with times and folders made the same for all."""
    monkeypatch.setattr(tables, "WIDTH", 10_000)

    def ask(url: str, name: str = "whole") -> list[str]:
        folder = str(runs(name))
        assert _run(["why", url, folder]) == 0
        text = capsys.readouterr().out.replace(shlex.quote(folder), "RUN")
        text = re.sub(r"fetched [\d.]+ m?s ago", "fetched 2.0 s ago", text)
        text = re.sub(r"pending;.*", "pending", text)  # the pace of its host depends on the moment
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-25 12:00:00 UTC", text).splitlines()

    return ask


def test_a_page_that_was_fetched(told: Told) -> None:
    """Every step says yes, and how many pages lead to it is known, since links were checked."""
    assert told("http://site.example/a") == [
        "http://site.example/a",
        "Fetched: 200 (ok).",
        "",
        "      found       by a link on http://site.example/; 2 pages lead to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no rule matches it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 200 (ok)",
        "      state       done: ok",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_page_that_failed(told: Told) -> None:
    """Each try with its time, its reason and the wait after it, the last one without."""
    assert told("http://site.example/gone") == [
        "http://site.example/gone",
        "Failed: connect_refused, after 3 tries.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no rule matches it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       3",
        "                  2026-11-25 12:00:00 UTC: connect_refused, again after 0 ms",
        "                  2026-11-25 12:00:00 UTC: connect_refused, again after 0 ms",
        "                  the last: connect_refused",
        "      state       failed: connect_refused",
        "",
        "to change it: crawler fetch http://site.example/gone",
    ]


def test_a_page_that_was_never_seen(told: Told) -> None:
    """The typed text, its canonical URL, and the effect of a link to it, as far as known."""
    assert told("HTTP://Site.example:80/b/../new#top") == [
        "http://site.example/new",
        "Never seen. If a page linked to it, it would be fetched, as far as is known (see depth).",
        "",
        "      asked for   HTTP://Site.example:80/b/../new#top",
        "                  becomes http://site.example/new",
        "      found       on no page that was read",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ?   depth       not known before a page links to it; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no rule matches it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "",
        "to change it: a page that links to it",
        "          or: crawler fetch http://site.example/new",
    ]


# Below each URL: the sentence, the steps that decide about it, and all that would change it.

OF_THE_WHOLE_RUN = """\
http://site.example/
Fetched: 200 (ok).
      found       in line 1 of seeds.txt; 0 pages lead to it
  ok  scope       a seed is always fetched: scope, patterns, depth and traps do not apply
      tries       1: 200 (ok)
to change it: nothing: it is done

http://site.example/private/x
Not fetched: robots.txt forbids it.
  no  robots.txt  line 2, "Disallow: /private/", for the agent * (200, fetched 2.0 s ago)
      tries       none
      state       skipped: robots_denied
to change it: a new run with --no-robots, if the site is yours

http://other.example/
Not fetched: it is outside the scope of the seeds.
  no  scope       --scope host: the seeds opened site.example; the URL is in other.example
  ok  traps       an ordinary shape; 0 of 250,000 URLs of its host
  ?   robots.txt  none of http://other.example is stored
      host        other.example:80: 0 pages, 0 failed, 0 pending
      state       skipped: out_of_scope
to change it: a new run with --scope all
          or: crawler fetch http://other.example/

http://sub.site.example/
Not fetched: it is outside the scope of the seeds.
  no  scope       --scope host: the seeds opened site.example; the URL is in sub.site.example
  ?   robots.txt  none of http://sub.site.example is stored
to change it: a new run with --scope domain
          or: crawler fetch http://sub.site.example/

http://site.example/old
Fetched: 301 (redirect) to http://site.example/a which was known already, so it is a duplicate of that.
      tries       1: 301 (redirect)
      redirect    to http://site.example/a which was known already and is done: 200 (ok)
      state       done: redirect
to change it: nothing: it is done

http://site.example/moved
Fetched: 301 (redirect) to http://site.example/landed.
      redirect    to http://site.example/landed which was new and is done: 404 (http_status)
      state       done: redirect
to change it: nothing: it is done

http://site.example/landed
Fetched: 404 (http_status).
      found       by a redirect of http://site.example/moved; 1 page leads to it
  ok  depth       1 link and 1 redirect from a seed; --max-depth 2
      state       done: http_status
to change it: nothing: it is done

http://site.example/deep/3
Not fetched: it is too far from a seed.
      found       by a link on http://site.example/deep/2; 1 page leads to it
  no  depth       3 links from a seed; --max-depth 2
      state       skipped: depth_limit
to change it: a new run with --max-depth 3
          or: crawler fetch http://site.example/deep/3

http://site.example/x/y/x/y/x/y/x/y/x/y/x/y/x
Not fetched: it looks like a crawler trap.
  ?   patterns    not checked: the URL's shape is refused first
  no  traps       one segment repeats in its path more than 5 times
      state       skipped: trap_repeated_segments
to change it: a new run with --no-traps
          or: crawler fetch http://site.example/x/y/x/y/x/y/x/y/x/y/x/y/x

http://site.example/page?PHPSESSID=00000000000000000000000000000005
Not fetched: it looks like a crawler trap.
      found       by a link on http://site.example/a; 1 page leads to it
  ok  depth       2 links from a seed; --max-depth 2
  no  traps       5 sessions of the same page were found; the limit is 5
      state       skipped: trap_session_id
to change it: a new run with --no-traps
          or: crawler fetch 'http://site.example/page?PHPSESSID=00000000000000000000000000000005'

http://site.example/print?1
Not fetched: a pattern of --exclude matches it.
  no  patterns    --exclude 'print' matches
      state       skipped: excluded
to change it: a new run without --exclude 'print'
          or: crawler fetch 'http://site.example/print?1'

http://new.example/print
Never seen. If a page linked to it, it would not be fetched: it is outside the scope of the seeds; \
a pattern of --exclude matches it.
      found       on no page that was read
  no  scope       --scope host: the seeds opened site.example; the URL is in new.example
  no  patterns    --exclude 'print' matches
  ?   depth       not known before a page links to it; --max-depth 2
  ?   robots.txt  none of http://new.example is stored
to change it: a new run with --scope all and without --exclude 'print'
          or: crawler fetch http://new.example/print

http://site.example/private/new
Never seen. If a page linked to it, it would not be fetched: robots.txt forbids it.
  ?   depth       not known before a page links to it; --max-depth 2
  no  robots.txt  line 2, "Disallow: /private/", for the agent * (200, fetched 2.0 s ago)
to change it: a new run with --no-robots, if the site is yours

http://site.example/page?PHPSESSID=99999999999999999999999999999999
Never seen. If a page linked to it, it would not be fetched: it looks like a crawler trap.
  ?   depth       not known before a page links to it; --max-depth 2
  no  traps       5 sessions of the same page were found; the limit is 5
to change it: a new run with --no-traps
          or: crawler fetch 'http://site.example/page?PHPSESSID=99999999999999999999999999999999'
"""

OF_TWO_PAGES = """\
http://site.example/deep
Not fetched yet: --max-pages 2 is spent.
      found       by a link on http://site.example/
  ok  patterns    no --include or --exclude is given
  ok  depth       1 link from a seed; there is no --max-depth
      host        site.example:80: 2 pages, 0 failed, 11 pending
  no  budget      --max-pages 2 is spent: the output has 2 lines
      state       pending
to change it: crawler resume RUN --max-pages N, N above 2
"""

OF_TWO_PAGES_PER_HOST = """\
http://site.example/deep
Not fetched yet: --max-pages-per-host 2 is spent for its host.
  no  budget      --max-pages-per-host 2 is spent, so its host is closed
      state       pending
to change it: crawler resume RUN --max-pages-per-host N, N above 2
"""

OF_A_LIST = """\
http://site.example/
Fetched: 200 (ok).
      found       in line 1 of seeds.txt
  ok  scope       a list is fetched as it is: scope, patterns, depth and traps do not apply
      host        site.example:80: 1 page, 0 failed, 0 pending
to change it: nothing: it is done

http://site.example/deep
Never seen: it is not in the list.
      found       on no page that was read
to change it: crawler fetch http://site.example/deep
"""

DECISIONS = [
    (name, block.strip())
    for name, text in (
        ("whole", OF_THE_WHOLE_RUN),
        ("two-pages", OF_TWO_PAGES),
        ("two-pages-per-host", OF_TWO_PAGES_PER_HOST),
        ("list", OF_A_LIST),
    )
    for block in text.split("\n\n")
]


@pytest.mark.parametrize(("name", "block"), DECISIONS, ids=[f"{name} {block.split()[0]}" for name, block in DECISIONS])
def test_a_url_is_told_what_decides_about_it(told: Told, name: str, block: str) -> None:
    """The sentence, the steps that decide, no other step that stops or leaves open, and no other change."""
    wanted = block.splitlines()

    shown = [line for line in told(wanted[0], name) if line]

    other = ("  ok", "      ")  # steps that pass or tell; the second change is indented, too
    assert [line for line in shown if line in wanted or " or: " in line or not line.startswith(other)] == wanted


@pytest.mark.parametrize(
    ("url", "name", "questions"),
    [
        ("http://site.example/", "whole", "found scope robots.txt host budget tries state"),
        ("http://site.example/", "list", "found scope robots.txt host budget tries state"),
        ("http://site.example/deep", "list", "found scope robots.txt host budget"),
        ("http://new.example/print", "whole", "found scope patterns depth traps robots.txt budget"),
    ],
)
def test_only_the_steps_that_apply_are_shown(told: Told, url: str, name: str, questions: str) -> None:
    """A seed and a list know no patterns, depth or traps; a URL that was never seen has no tries and no state."""
    shown = told(url, name)

    assert [line[6:17].strip() for line in shown[3 : shown.index("", 3)]] == questions.split()


def test_the_answer_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same chain for programs: each step with its verdict, and the word of the frontier for what stops."""
    assert _run(["why", "http://site.example/private/x", str(run), "--json"]) == 0

    answer = json.loads(capsys.readouterr().out)
    steps = {step["question"]: step for step in answer.pop("steps")}
    assert answer == {
        "url": "http://site.example/private/x",
        "state": "skipped",
        "reason": "robots_denied",
        "status": None,
        "conclusion": "Not fetched: robots.txt forbids it.",
        "change": ["a new run with --no-robots, if the site is yours"],
    }
    assert (steps["robots.txt"]["verdict"], steps["robots.txt"]["reason"]) == ("stops", "robots_denied")
    assert (steps["depth"]["verdict"], steps["depth"]["reason"]) == ("passes", None)
    assert steps["robots.txt"]["details"] == []


def test_nothing_of_the_run_is_changed(run: Path) -> None:
    """The command leaves every file as it was."""
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()}

    assert _run(["why", f"http://site.example{SESSIONS[5]}", str(run)]) == 0

    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.iterdir()} == before


@pytest.mark.parametrize("url", ["http://site.example/a", f"http://site.example{TRAP}", "http://new.example/print"])
def test_the_answer_fits_into_a_terminal(run: Path, capsys: pytest.CaptureFixture[str], url: str) -> None:
    """No line is longer than 80 columns, and what goes on stands below where it began."""
    assert _run(["why", url, str(run)]) == 0

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "site.example/a",
            "site.example/a: no http:// or https:// in front, and it does not begin with a host: write the whole URL",
        ),
        ("ftp://site.example/", "ftp://site.example/: its scheme is ftp, and only http and https are fetched"),
        ("ftp://me:hunter2@h/", "***@h/: its scheme is ftp, and only http and https are fetched"),
    ],
)
def test_what_is_no_url_is_refused(run: Path, capsys: pytest.CaptureFixture[str], url: str, message: str) -> None:
    """One line says what to write instead, without a password that was typed."""
    assert _run(["why", url, str(run)]) == 2

    assert capsys.readouterr().err == f"crawler: {message}\n"


def test_a_folder_in_front_of_the_url_is_told_the_order(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two arguments are swapped easily."""
    assert _run(["why", str(run), "http://site.example/a"]) == 2

    assert capsys.readouterr().err == f"crawler: the URL comes first: crawler why URL {run}\n"


def test_a_password_is_not_repeated(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The typed URL is shown without the password."""
    assert _run(["why", "http://me:hunter2@site.example/a", str(run)]) == 0

    printed = capsys.readouterr().out
    assert "asked for   ***@site.example/a" in printed
    assert "hunter2" not in printed
