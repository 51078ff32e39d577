"""`crawler why` on runs that the engine made: every decision about a URL, in the words that its user reads."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.main import _run
from crawler.core.config import configure, plain_values
from crawler.core.messages import Response, Timing
from crawler.report.why import chain
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
        options=plain_values(configure(named)),
    )
    RunFolder(folder).write_facts(facts)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl of the site to the end of its options."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return a_run(folder, retries=2, max_depth=2, exclude=["print"], check=True)


@pytest.fixture
def told(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Told":
    """What the command prints, on lines as long as they are, with times and folders made the same for all."""
    monkeypatch.setattr(chain, "WIDTH", 10_000)
    return Told(run, capsys)


class Told:
    """Asks, and gives the text."""

    def __init__(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._run = run
        self._capsys = capsys

    def __call__(self, url: str, folder: Path | None = None) -> str:
        """The text of the answer for a URL, in the run or in another."""
        assert _run(["why", url, str(folder or self._run)]) == 0
        text = self._capsys.readouterr().out.replace(str(folder or self._run), "RUN")
        text = re.sub(r"fetched [\d.]+ m?s ago", "fetched 2.0 s ago", text)
        text = re.sub(r"pending;.*", "pending", text)  # the pace of its host depends on the moment
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-25 12:00:00 UTC", text)


def test_a_page_that_was_fetched(told: Told) -> None:
    """Every step says yes, and how many pages lead to it is known, since links were checked."""
    assert told("http://site.example/a").splitlines() == [
        "http://site.example/a",
        "Fetched: 200 (ok).",
        "",
        "      found       by a link on http://site.example/; 2 pages lead to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 200 (ok)",
        "      state       done: ok",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_seed(told: Told) -> None:
    """A seed is judged by nothing, and says where it was listed."""
    assert told("http://site.example/").splitlines() == [
        "http://site.example/",
        "Fetched: 200 (ok).",
        "",
        "      found       in line 1 of seeds.txt; 0 pages lead to it",
        "  ok  scope       a seed is fetched wherever it lies: no scope, pattern, depth or trap is asked",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 200 (ok)",
        "      state       done: ok",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_page_that_robots_txt_refuses(told: Told) -> None:
    """The line that decides is named, with its number, and to whom it is addressed."""
    assert told("http://site.example/private/x").splitlines() == [
        "http://site.example/private/x",
        "Not fetched: robots.txt forbids it.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        '  no  robots.txt  line 2, "Disallow: /private/", for the agent * (200, fetched 2.0 s ago)',
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: robots_denied",
        "",
        "to change it: a new run with --no-robots, if the site is yours",
    ]


def test_a_page_out_of_scope(told: Told) -> None:
    """What the seeds brought in, and where the page lies; no narrower scope than everywhere has both."""
    assert told("http://other.example/").splitlines() == [
        "http://other.example/",
        "Not fetched: it lies outside of what the seeds brought into scope.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  no  scope       --scope host: the seeds brought in site.example; it lies in other.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 0 of 250,000 URLs of its host",
        "  ?   robots.txt  none of http://other.example is stored",
        "      host        other.example:80: 0 pages, 0 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: out_of_scope",
        "",
        "to change it: a new run with --scope all",
        "          or: crawler fetch http://other.example/",
    ]


def test_a_page_of_the_same_domain(told: Told) -> None:
    """The narrowest scope that would let it in is named."""
    assert told("http://sub.site.example/").splitlines() == [
        "http://sub.site.example/",
        "Not fetched: it lies outside of what the seeds brought into scope.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  no  scope       --scope host: the seeds brought in site.example; it lies in sub.site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 0 of 250,000 URLs of its host",
        "  ?   robots.txt  none of http://sub.site.example is stored",
        "      host        sub.site.example:80: 0 pages, 0 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: out_of_scope",
        "",
        "to change it: a new run with --scope domain",
        "          or: crawler fetch http://sub.site.example/",
    ]


def test_a_duplicate_by_redirect(told: Told) -> None:
    """Where it leads, that this was known before, and what became of that."""
    assert told("http://site.example/old").splitlines() == [
        "http://site.example/old",
        "Fetched: 301 (redirect) to http://site.example/a which was known already, so it is a duplicate of that.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 301 (redirect)",
        "      redirect    to http://site.example/a which was known already and is done: 200 (ok)",
        "      state       done: redirect",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_redirect_to_a_new_page(told: Told) -> None:
    """What it led to is no duplicate."""
    assert told("http://site.example/moved").splitlines() == [
        "http://site.example/moved",
        "Fetched: 301 (redirect) to http://site.example/landed.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 301 (redirect)",
        "      redirect    to http://site.example/landed which was found so and is done: 404 (http_status)",
        "      state       done: redirect",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_page_that_only_a_redirect_led_to(told: Told) -> None:
    """Who led there first, and how far it is from a seed."""
    assert told("http://site.example/landed").splitlines() == [
        "http://site.example/landed",
        "Fetched: 404 (http_status).",
        "",
        "      found       by a redirect of http://site.example/moved; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link and 1 redirect from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 404 (http_status)",
        "      state       done: http_status",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_page_that_is_too_far(told: Told) -> None:
    """Its distance against the limit, and the limit that would do."""
    assert told("http://site.example/deep/3").splitlines() == [
        "http://site.example/deep/3",
        "Not fetched: it is too far from a seed.",
        "",
        "      found       by a link on http://site.example/deep/2; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  no  depth       3 links from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: depth_limit",
        "",
        "to change it: a new run with --max-depth 3",
        "          or: crawler fetch http://site.example/deep/3",
    ]


def test_a_trap_by_its_shape(told: Told) -> None:
    """Which rule its shape breaks."""
    assert told("http://site.example" + TRAP).splitlines() == [
        "http://site.example/x/y/x/y/x/y/x/y/x/y/x/y/x",
        "Not fetched: it looks like one of a site without end.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ?   patterns    not asked: its shape is refused before",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  no  traps       one name stands in its path more than 5 times",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: trap_repeated_segments",
        "",
        "to change it: a new run with --no-traps",
        "          or: crawler fetch http://site.example/x/y/x/y/x/y/x/y/x/y/x/y/x",
    ]


def test_a_trap_by_its_family(told: Told) -> None:
    """How far its family had grown, and how far it may."""
    assert told("http://site.example" + SESSIONS[5]).splitlines() == [
        "http://site.example/page?PHPSESSID=00000000000000000000000000000005",
        "Not fetched: it looks like one of a site without end.",
        "",
        "      found       by a link on http://site.example/a; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       2 links from a seed; --max-depth 2",
        "  no  traps       5 sessions of the same page were found, and 5 are the most",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: trap_session_id",
        "",
        "to change it: a new run with --no-traps",
        "          or: crawler fetch 'http://site.example/page?PHPSESSID=00000000000000000000000000000005'",
    ]


def test_a_page_that_a_pattern_excludes(told: Told) -> None:
    """The pattern that decides."""
    assert told("http://site.example/print?1").splitlines() == [
        "http://site.example/print?1",
        "Not fetched: a pattern of --exclude matches it.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  no  patterns    --exclude 'print' matches",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       none",
        "      state       skipped: excluded",
        "",
        "to change it: a new run without --exclude 'print'",
        "          or: crawler fetch 'http://site.example/print?1'",
    ]


def test_a_page_that_failed(told: Told) -> None:
    """Each try with its time, its reason and the wait after it, the last one without."""
    assert told("http://site.example/gone").splitlines() == [
        "http://site.example/gone",
        "Failed: connect_refused, after 3 tries.",
        "",
        "      found       by a link on http://site.example/; 1 page leads to it",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ok  depth       1 link from a seed; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
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


def test_a_page_over_the_budget_of_the_run(told: Told, tmp_path: Path) -> None:
    """How far the budget went, and with which a resume would go on."""
    assert told("http://site.example/deep", a_run(tmp_path / "run", max_pages=2)).splitlines() == [
        "http://site.example/deep",
        "Not fetched yet: --max-pages 2 is spent.",
        "",
        "      found       by a link on http://site.example/",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --include or --exclude is given",
        "  ok  depth       1 link from a seed; there is no --max-depth",
        "  ok  traps       an ordinary shape; 12 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 2 pages, 0 failed, 11 pending",
        "  no  budget      --max-pages 2 is spent: the output has 2 lines",
        "      tries       none",
        "      state       pending",
        "",
        "to change it: crawler resume RUN --max-pages N, N above 2",
    ]


def test_a_page_over_the_budget_of_its_host(told: Told, tmp_path: Path) -> None:
    """The host is closed, and the larger budget that opens it."""
    assert told("http://site.example/deep", a_run(tmp_path / "run", max_pages_per_host=2)).splitlines() == [
        "http://site.example/deep",
        "Not fetched yet: --max-pages-per-host 2 is spent for its host.",
        "",
        "      found       by a link on http://site.example/",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --include or --exclude is given",
        "  ok  depth       1 link from a seed; there is no --max-depth",
        "  ok  traps       an ordinary shape; 12 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 2 pages, 0 failed, 11 pending",
        "  no  budget      --max-pages-per-host 2 is spent, so its host is closed",
        "      tries       none",
        "      state       pending",
        "",
        "to change it: crawler resume RUN --max-pages-per-host N, N above 2",
    ]


def test_a_page_that_was_never_seen(told: Told) -> None:
    """What was typed, what it means, and what a link to it would bring, as far as one can tell."""
    assert told("HTTP://Site.example:80/b/../new#top").splitlines() == [
        "http://site.example/new",
        "Never seen. If a page linked to it, it would be fetched, as far as is known (see depth).",
        "",
        "      asked for   HTTP://Site.example:80/b/../new#top",
        "                  becomes http://site.example/new",
        "      found       nowhere in what was read",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ?   depth       not known before a page links to it; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "",
        "to change it: a page that links to it",
        "          or: crawler fetch http://site.example/new",
    ]


def test_a_page_that_was_never_seen_and_would_be_refused(told: Told) -> None:
    """Everything that speaks against it, and all that would have to change."""
    assert told("http://new.example/print").splitlines() == [
        "http://new.example/print",
        (
            "Never seen. If a page linked to it, it would not be fetched: it lies outside of what the seeds "
            "brought into scope; a pattern of --exclude matches it."
        ),
        "",
        "      found       nowhere in what was read",
        "  no  scope       --scope host: the seeds brought in site.example; it lies in new.example",
        "  no  patterns    --exclude 'print' matches",
        "  ?   depth       not known before a page links to it; --max-depth 2",
        "  ok  traps       an ordinary shape; 0 of 250,000 URLs of its host",
        "  ?   robots.txt  none of http://new.example is stored",
        "  ok  budget      no limit is set",
        "",
        "to change it: a new run with --scope all and without --exclude 'print'",
        "          or: crawler fetch http://new.example/print",
    ]


def test_a_page_that_was_never_seen_and_is_forbidden(told: Told) -> None:
    """The stored robots.txt speaks for pages that nobody asked for, too; `fetch` would obey it."""
    assert told("http://site.example/private/new").splitlines() == [
        "http://site.example/private/new",
        "Never seen. If a page linked to it, it would not be fetched: robots.txt forbids it.",
        "",
        "      found       nowhere in what was read",
        "  ok  scope       --scope host: it lies in site.example",
        "  ok  patterns    no --exclude matches: 'print'",
        "  ?   depth       not known before a page links to it; --max-depth 2",
        "  ok  traps       an ordinary shape; 13 of 250,000 URLs of its host",
        '  no  robots.txt  line 2, "Disallow: /private/", for the agent * (200, fetched 2.0 s ago)',
        "      host        site.example:80: 13 pages, 1 failed, 0 pending",
        "  ok  budget      no limit is set",
        "",
        "to change it: a new run with --no-robots, if the site is yours",
    ]


def test_a_page_that_was_never_seen_and_whose_family_is_full(told: Told) -> None:
    """A link to one session more would be refused."""
    answer = told("http://site.example/page?PHPSESSID=99999999999999999999999999999999").splitlines()

    assert answer[1] == (
        "Never seen. If a page linked to it, it would not be fetched: it looks like one of a site without end."
    )
    assert "  no  traps       5 sessions of the same page were found, and 5 are the most" in answer


def test_a_page_of_a_list(told: Told, tmp_path: Path) -> None:
    """A list knows no scope, patterns, depth or traps."""
    assert told("http://site.example/", a_run(tmp_path / "run", command="fetch")).splitlines() == [
        "http://site.example/",
        "Fetched: 200 (ok).",
        "",
        "      found       in line 1 of seeds.txt",
        "  ok  scope       a list is fetched as it is: it knows no scope, patterns, depth or traps",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 1 page, 0 failed, 0 pending",
        "  ok  budget      no limit is set",
        "      tries       1: 200 (ok)",
        "      state       done: ok",
        "",
        "to change it: nothing: it is done",
    ]


def test_a_page_that_is_not_in_the_list(told: Told, tmp_path: Path) -> None:
    """Nothing but the list brings pages into such a run."""
    assert told("http://site.example/deep", a_run(tmp_path / "run", command="fetch")).splitlines() == [
        "http://site.example/deep",
        "Never seen: it is not in the list.",
        "",
        "      found       nowhere in what was read",
        "  ok  scope       a list is fetched as it is: it knows no scope, patterns, depth or traps",
        "  ok  robots.txt  no line concerns it (200, fetched 2.0 s ago)",
        "      host        site.example:80: 1 page, 0 failed, 0 pending",
        "  ok  budget      no limit is set",
        "",
        "to change it: crawler fetch http://site.example/deep",
    ]


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
    """Whoever asks leaves every file as it was."""
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
    """What was typed is shown without it."""
    assert _run(["why", "http://me:hunter2@site.example/a", str(run)]) == 0

    printed = capsys.readouterr().out
    assert "asked for   ***@site.example/a" in printed
    assert "hunter2" not in printed
