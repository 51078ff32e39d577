"""run.verify and run.recount: every line of the files of a run against its frontier, and all of them together."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from crawler import inspection
from crawler.core.config import configure
from crawler.core.messages import Request, Response, Timing
from crawler.core.records import MAX_DATA, MAX_LINE
from crawler.frontier.audit import FrontierAudit
from crawler.report.summary import MOST_HOSTS, as_json, summarize
from crawler.run import recount
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.recount import FirstFew, lines_of
from crawler.run.seed_lists import SeedList
from crawler.run.verify import AuditVerdict
from crawler.testing import FakeFetcher, refused
from support.crawls import crawl

HOST = "http://h:8000"
LINES = [*(f"{HOST}/{number}" for number in range(6)), "", "nonsense", f"{HOST}/0", "# done", "ftp://h/"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six pages, one of them a 404, one failed, one tried twice; three lines of its list were rejected."""
    folder = tmp_path_factory.mktemp("original") / "run"
    statuses = iter([503, 200])

    def later(request: Request) -> Response:
        return Response(request=request, status=next(statuses), body=b"late", timing=Timing(total=0.001))

    fetcher = FakeFetcher({f"{HOST}/1": (404, b"gone"), f"{HOST}/2": refused(), f"{HOST}/3": later}, (200, b"body"))
    ending = asyncio.run(crawl(folder, LINES, fetcher, retries=1))
    with FrontierAudit(folder / "frontier.sqlite") as audit:
        hosts, lost = audit.reports.hosts("crawler", MOST_HOSTS), audit.reports.lost_seeds()
    summary = summarize(ending.totals, peak_rss_mb=1.0, stopped_by=None, hosts=hosts, lost_seeds=lost)
    RunFolder(folder).write_summary(as_json(summary))
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of it to be tampered with."""
    return Path(shutil.copytree(original, tmp_path / "run"))


def verify(folder: Path, **options: object) -> AuditVerdict:
    """The audit of a run that was begun with these options."""
    size = sum(len(line) + 1 for line in LINES)
    facts = RunFacts(command="fetch", sources=(SeedList("list", 1),), config=configure(options), seeds_bytes=size)
    return inspection.verify(RunFolder(folder), facts)


def findings(folder: Path, about: str) -> list[str]:
    """Return the findings about one file, without its name."""
    return [found.removeprefix(about).lstrip(": ") for found in verify(folder).findings if found.startswith(about)]


def execute(folder: Path, statement: str) -> None:
    """Change the frontier behind its back."""
    with closing(sqlite3.connect(folder / "frontier.sqlite")) as db:
        db.executescript(statement)


def rewrite(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the lines of `pages.jsonl` as somebody would who knows that its length is remembered."""
    pages = folder / "pages.jsonl"
    pages.write_bytes(b"".join(change(sorted(pages.read_bytes().splitlines(keepends=True)))))
    execute(folder, f"UPDATE file SET length = {pages.stat().st_size}")  # noqa: S608


def other(path: str, name: str, value: object) -> Callable[[list[bytes]], list[bytes]]:
    """Another value in the line of one page."""

    def changed(raw: bytes) -> bytes:
        record = msgspec.json.decode(raw)
        return msgspec.json.encode({**record, name: value}) + b"\n" if record["url"] == HOST + path else raw

    return lambda lines: [changed(line) for line in lines]


def test_a_run_that_nobody_touched_is_clean(run: Path) -> None:
    """The output is what the frontier remembers, for URLs of every outcome."""
    assert verify(run) == AuditVerdict(lines=6, findings=(), pending=0)


# pages.jsonl

ONE_LINE: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[str]]] = {
    "another size": (other("/0", "bytes", 5), ["21 bytes of bodies in all its lines, but the sum says 20"]),
    "another status": (
        other("/0", "status", 404),
        ["status 200 in 3 lines, but the sum says 4", "status 404 in 2 lines, but the sum says 1"],
    ),
    "no status": (
        other("/0", "status", None),
        ["status 200 in 3 lines, but the sum says 4", "4 lines have a latency, but the sum says 5"],
    ),
    "another reason": (
        other("/1", "reason", "ok"),
        [f"line 2: another reason than in the frontier: {HOST}/1 ok instead of http_status"],
    ),
    "another outcome": (
        other("/2", "outcome", "done"),
        [
            f"line 3: another outcome than in the frontier: {HOST}/2 done instead of failed",
            "6 lines are done, but the sum says 5",
            "0 lines are failed, but the sum says 1",
        ],
    ),
    "another number of tries": (
        other("/3", "attempts", 1),
        [f"line 4: another number of attempts than in the frontier: {HOST}/3 1 instead of 2"],
    ),
    "another spelling": (
        other("/4", "url", "HTTP://h:8000/4"),
        [f"line 5: another spelling than in the frontier: HTTP://h:8000/4 instead of {HOST}/4"],
    ),
    "another URL": (
        other("/4", "url", f"{HOST}/X"),
        [
            f"line 5: not in the frontier: {HOST}/X",
            f"no line for a URL that is done or failed: {HOST}/4",
        ],
    ),
    "no URL": (
        other("/4", "url", "hptp://h/"),
        ["line 5: not a URL: hptp://h/", f"no line for a URL that is done or failed: {HOST}/4"],
    ),
    "no digest": (
        other("/4", "sha256", None),
        [f"line 5: a digest without bytes, or bytes without a digest: {HOST}/4"],
    ),
    "a line twice": (
        lambda lines: [*lines[:5], lines[0]],
        [f"line 6: twice in the output: {HOST}/0", f"no line for a URL that is done or failed: {HOST}/5"],
    ),
    "a line too many": (
        lambda lines: [*lines, lines[0]],
        [
            f"line 7: twice in the output: {HOST}/0",
            "7 lines, but 6 URLs are done or failed",
            "6 lines are done, but the sum says 5",
            "24 bytes of bodies in all its lines, but the sum says 20",
            "status 200 in 5 lines, but the sum says 4",
            "6 lines have a latency, but the sum says 5",
        ],
    ),
    "a line too few": (
        lambda lines: lines[:2] + lines[3:],
        [
            f"no line for a URL that is done or failed: {HOST}/2",
            "5 lines, but 6 URLs are done or failed",
            "0 lines are failed, but the sum says 1",
        ],
    ),
}


@pytest.mark.parametrize("case", ONE_LINE)
def test_a_line_that_was_changed_is_named(run: Path, case: str) -> None:
    """Every field that the frontier or its sums know is compared; the finding says where, and what was expected."""
    change, expected = ONE_LINE[case]

    rewrite(run, change)

    assert findings(run, "pages.jsonl") == expected
    assert len(verify(run).findings) == len(expected)


@pytest.mark.parametrize(
    ("field", "value"), [("status", "200"), ("status", 10**9), ("bytes", -1), ("sha256", "0" * 63), ("attempts", None)]
)
def test_a_line_with_a_field_of_another_kind_is_no_record(run: Path, field: str, value: object) -> None:
    """A finding has the number of the line and the name of the field."""
    rewrite(run, other("/0", field, value))

    assert any(found.startswith("line 1: not a record") and field in found for found in findings(run, "pages.jsonl"))


def test_many_findings_of_one_kind_are_counted(run: Path) -> None:
    """Five are told one by one, and how many there were."""
    rewrite(run, lambda lines: [b"{}\n"] * len(lines))

    found = findings(run, "pages.jsonl")

    assert sum("not a record" in line for line in found) == 6
    assert "not a record: 6 times in all" in found


def test_a_sum_that_was_changed_is_found_by_the_lines(run: Path) -> None:
    """Only the lines can confirm bytes, statuses and latencies."""
    execute(run, "UPDATE tally SET n = n + 1 WHERE name IN ('bytes', '404')")
    execute(run, "DELETE FROM tally WHERE kind = 'latency'")

    assert findings(run, "pages.jsonl") == [
        "20 bytes of bodies in all its lines, but the sum says 21",
        "status 404 in 1 lines, but the sum says 2",
        "5 lines have a latency, but the sum says 0",
    ]


def test_a_file_that_the_frontier_does_not_know_is_not_passed_over(run: Path) -> None:
    """A run that keeps its lines has a length for them; none means that nothing was committed."""
    execute(run, "DELETE FROM file")

    size = (run / "pages.jsonl").stat().st_size
    assert f"{size} bytes after the last commit; `crawler resume` cuts them off" in findings(run, "pages.jsonl")
    assert "0 lines, but 6 URLs are done or failed" in findings(run, "pages.jsonl")


def test_lines_that_were_printed_are_not_missed(run: Path) -> None:
    """With `--save -` there is no file to audit."""
    execute(run, "DELETE FROM file")
    (run / "pages.jsonl").unlink()

    assert verify(run, save="-") == AuditVerdict(lines=0, findings=(), pending=0)


def test_the_longest_line_that_a_run_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has as much data as is taken, and the longest title and URLs."""
    seed, linked = (f"{HOST}/{letter * (8192 - len(HOST) - 1)}" for letter in "ab")
    body = f"<title>{chr(1) * 1000}</title><a href={linked}>".encode()
    monkeypatch.setattr("builtins.full", lambda _: {"x": "x" * (MAX_DATA - len('{"x":""}'))}, raising=False)
    fetcher = FakeFetcher(default=(200, body))
    asyncio.run(crawl(tmp_path, [seed], fetcher, command="crawl", extract="builtins:full", traps=False, delay=0))
    facts = RunFacts(command="crawl", sources=(SeedList("list", 1),), seeds_bytes=len(seed) + 1)

    verdict = inspection.verify(RunFolder(tmp_path), facts)

    assert MAX_DATA + 20_000 < max(map(len, lines_of(tmp_path / "pages.jsonl"))) < MAX_LINE
    assert verdict == AuditVerdict(lines=2, findings=(), pending=0)


def test_a_line_without_end_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a line is, a piece of it at a time is in memory."""
    monkeypatch.setattr(recount, "MAX_LINE", 10)
    path = tmp_path / "pages.jsonl"
    path.write_bytes(b"x" * 25 + b"\n" + b"next\n")

    assert [len(raw) for raw in lines_of(path)] == [10, 10, 6, 5]
    assert list(lines_of(path, 20)) == [b"x" * 10] * 2
    assert list(lines_of(tmp_path / "missing")) == []


def test_a_finding_is_one_line() -> None:
    """Nothing from a file moves the cursor of whoever reads the finding."""
    (found,) = FirstFew("pages.jsonl").tell(3, "not a record", "a\x1b[2J\nb" + "c" * 1000)

    assert found.startswith(r"pages.jsonl line 3: not a record: a\u001b[2J\u000ab")
    assert len(found) < 400


# seeds.txt


@pytest.mark.parametrize(("cut", "what"), [(-1, "was cut: 123 bytes instead of 124"), (5, "has grown: 129 bytes")])
def test_a_list_of_another_length_is_a_finding(run: Path, cut: int, what: str) -> None:
    """The list is as long as it was when the run began."""
    seeds = run / "seeds.txt"
    content = seeds.read_bytes()
    seeds.write_bytes(content[:cut] if cut < 0 else content + b"x" * cut)

    (found,) = verify(run).findings

    assert found.startswith("seeds.txt ")
    assert what.partition(":")[0] in found
    assert f"{len(content) + cut} bytes instead of {len(content)}; restore it" in found


# rejected.jsonl


def rejected(folder: Path, change: Callable[[list[bytes]], list[bytes]]) -> list[str]:
    """The audit names each line of `rejected.jsonl` that was changed."""
    path = folder / "rejected.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    assert all(found.startswith("rejected.jsonl") for found in verify(folder).findings)
    return findings(folder, "rejected.jsonl")


REJECTED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], list[str]]] = {
    "another reason": (
        lambda lines: [lines[0].replace(b"relative_url", b"not_a_url"), *lines[1:]],
        ["line 1: another line than the frontier's: 8 relative_url nonsense"],
    ),
    "another number": (
        lambda lines: [lines[0].replace(b'"line":8', b'"line":7'), *lines[1:]],
        ["line 1: another line than the frontier's: 8 relative_url nonsense"],
    ),
    "another text": (
        lambda lines: [lines[0].replace(b"nonsense", b"something"), *lines[1:]],
        ["line 1: another line than the frontier's: 8 relative_url nonsense"],
    ),
    "no JSON": (lambda lines: [*lines[:2], b"{nonsense}\n"], ["line 3: not a record: JSON is malformed"]),
    "a line too few": (
        lambda lines: lines[:2],
        ["2 lines, but 3 lines of the list were rejected; `crawler resume` writes it anew"],
    ),
    "a line too many": (
        lambda lines: [*lines, lines[0]],
        ["line 4: more lines than the frontier has: nonsense"],
    ),
    "nothing left": (
        lambda _: [],
        ["0 lines, but 3 lines of the list were rejected; `crawler resume` writes it anew"],
    ),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_rejected_line_that_was_changed_is_named(run: Path, case: str) -> None:
    """Each line is what the frontier committed of it, and there are as many."""
    change, expected = REJECTED[case]

    found = rejected(run, change)

    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


def test_a_missing_file_of_rejected_lines_is_found(run: Path) -> None:
    """It is a file of the run like the others."""
    (run / "rejected.jsonl").unlink()

    assert findings(run, "rejected.jsonl") == [
        "0 lines, but 3 lines of the list were rejected; `crawler resume` writes it anew"
    ]


# summary.json


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (b'"done": 5', b'"done": 6', "done is 6, but the frontier says 5; `crawler resume` writes it anew"),
        (b'"retries": 2', b'"retries": 0', "retries is 0, but the frontier says 2"),
        (b'"404": 1', b'"404": 2', "statuses is {"),
        (b'"read": 11', b'"read": 12', "lines is {"),
        (b'"bytes": 20,', b"", "bytes is None, but the frontier says 20"),
        (b"{", b"", "not a summary: Expected `object`"),
    ],
)
def test_a_summary_that_says_something_else_is_found(run: Path, old: bytes, new: bytes, finding: str) -> None:
    """Every figure of a whole run is the frontier's; the others are its last life's."""
    path = run / "summary.json"
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))

    (found,) = findings(run, "summary.json")

    assert found.startswith(finding)


def test_what_is_written_at_an_orderly_end_is_not_missed_in_a_killed_run(run: Path) -> None:
    """A life that was killed left the older files behind, or none; that is no damage."""
    living = run.with_name("living")
    with closing(sqlite3.connect(run / "frontier.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("UPDATE tally SET n = n + 3 WHERE name = 'seconds'")
        shutil.copytree(run, living)
    (living / "rejected.jsonl").write_bytes((run / "rejected.jsonl").read_bytes().splitlines(keepends=True)[0])

    assert verify(living).findings == ()
    assert findings(living, "rejected.jsonl") == []
