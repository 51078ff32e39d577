"""run.recount: every line of `pages.jsonl` against its URL's row, and all of them against the sums."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from crawler import inspection
from crawler.core.records import MAX_DATA, MAX_LINE
from crawler.frontier.sqlite.at_rest import at_rest
from crawler.run import recount
from crawler.run.folder import RunFacts, RunFolder
from crawler.run.recount import FirstFew, lines_of
from crawler.run.seed_lists import SeedList
from crawler.run.verify import AuditVerdict
from crawler.testing import FakeFetcher
from support.audits import HOST, execute, findings, verify
from support.crawls import crawl


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


def test_the_longest_line_that_a_run_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has as much data as is taken, and the longest title and URLs."""
    seed, linked = (f"{HOST}/{letter * (8192 - len(HOST) - 1)}" for letter in "ab")
    body = f"<title>{chr(1) * 1000}</title><a href={linked}>".encode()
    monkeypatch.setattr("builtins.full", lambda _: {"x": "x" * (MAX_DATA - len('{"x":""}'))}, raising=False)
    fetcher = FakeFetcher(default=(200, body))
    asyncio.run(crawl(tmp_path, [seed], fetcher, command="crawl", extract="builtins:full", traps=False, delay=0))
    facts = RunFacts(command="crawl", sources=(SeedList("list", 1),), seeds_bytes=len(seed) + 1)

    with at_rest(tmp_path / "frontier.sqlite") as frontier:
        verdict = inspection.verify(frontier, RunFolder(tmp_path), facts)

    assert MAX_DATA + 20_000 < max(map(len, lines_of(tmp_path / "pages.jsonl"))) < MAX_LINE
    assert verdict == AuditVerdict(lines=2, findings=(), pending=0)


def test_a_line_without_end_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of any length is in memory a piece at a time."""
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
