"""run.verify: the files of a run against its frontier."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler.run.verify import AuditVerdict
from support.audits import execute, findings, verify


def test_a_run_that_nobody_touched_is_clean(run: Path) -> None:
    """The output is what the frontier remembers, for URLs of every outcome."""
    assert verify(run) == AuditVerdict(lines=6, findings=(), pending=0)


@pytest.mark.parametrize("save", ["-", "-,files", "files,-"])
def test_lines_that_were_printed_are_not_missed(run: Path, save: str) -> None:
    """With `--save -` there is no file to audit."""
    execute(run, "DELETE FROM file")
    (run / "pages.jsonl").unlink()

    assert verify(run, save=save) == AuditVerdict(lines=0, findings=(), pending=0)


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
    """Change the lines of `rejected.jsonl`, and return the findings about it."""
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
