"""frontier.audit: the frontier's integrity, and all its sums counted again."""

import re
import sqlite3
from pathlib import Path

import pytest

from crawler.core.errors import StorageDamaged
from crawler.core.models import Find, Group, RejectedLine, SeedBatch, State, Visit
from crawler.core.reasons import Reason
from crawler.core.urls import parse
from crawler.frontier.audit import FrontierAudit
from crawler.frontier.board import MappedBoard
from crawler.frontier.sqlite import SqliteFrontier

NOW = 1_700_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A frontier with a URL in every state, closed in order."""
    path = tmp_path / "frontier.sqlite"
    frontier = SqliteFrontier(path, MappedBoard(tmp_path / "board", 8), create=True)
    frontier.open(NOW)
    finds = tuple(Find(url=parse(f"http://h/{n}"), seed=True, line=n + 1) for n in range(4))
    bad = RejectedLine(line=5, reason=Reason.NOT_A_URL, message="no", text="x")
    frontier.commit(Group(seeds=(SeedBatch(cursor=99, line=6, lines=6, blank=1, finds=finds, rejected=(bad,)),)))
    one, two, three, _ = frontier.lease({}, 9, 9, NOW).requests
    visits = (
        Visit(request=one, state=State.DONE, reason=Reason.OK),
        Visit(request=two, state=State.FAILED, reason=Reason.TLS_EXPIRED),
        Visit(request=three, state=State.SKIPPED, reason=Reason.ROBOTS_DENIED),
    )
    frontier.commit(Group(visits=visits, files={"pages.jsonl": 123}))
    frontier.close()
    return path


def change(path: Path, statement: str) -> None:
    """Change the frontier behind its back."""
    db = sqlite3.connect(path)
    db.executescript(statement)
    db.close()


def problems(path: Path) -> list[str]:
    """What an audit finds."""
    with FrontierAudit(path) as audit:
        return list(audit.problems())


def test_a_sound_frontier_has_no_problems(path: Path) -> None:
    """What was closed in order is clean, however often one looks."""
    assert problems(path) == problems(path) == []


def test_an_audit_answers_about_states_and_files(path: Path) -> None:
    """Rows by state, the state of a URL in any spelling, and what is committed of each file."""
    with FrontierAudit(path) as audit:
        assert audit.counts() == dict.fromkeys(State, 1)
        assert audit.state_of("HTTP://h:80/0#top") is State.DONE
        assert audit.state_of("http://h/1") is State.FAILED
        assert audit.state_of("http://h/unknown") is None
        assert audit.files() == {"pages.jsonl": 123}


def test_an_empty_run_is_sound(tmp_path: Path) -> None:
    """A run that read nothing yet has a row for nothing."""
    path = tmp_path / "frontier.sqlite"
    frontier = SqliteFrontier(path, MappedBoard(tmp_path / "board", 8), create=True)
    frontier.open(NOW)
    frontier.close()

    with FrontierAudit(path) as audit:
        assert list(audit.problems()) == []
        assert audit.counts() == dict.fromkeys(State, 0)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE url SET state = 1 WHERE state = 0", "2 URLs are done, but the sum says 1"),
        ("DELETE FROM url WHERE state = 2", "0 URLs are failed, but the sum says 1"),
        ("UPDATE url SET reason = 'suspect' WHERE state = 2", "failed by reason is .*suspect.*tls_expired"),
        ("UPDATE tally SET n = 5 WHERE kind = 'skipped'", "1 URLs are skipped, but the sum says 5"),
        ("UPDATE tally SET n = 5 WHERE name = 'PENDING'", "1 URLs are pending, but the sum says 5"),
        ("UPDATE host SET ready = 7", "ready URLs is wrong for 1 hosts"),
        ("UPDATE url SET deaths = 2 WHERE state = 0", "ready URLs is wrong for 1 hosts"),
        ("UPDATE url SET not_before = 5.0 WHERE state = 0", "ready URLs is wrong for 1 hosts"),
        ("UPDATE tally SET n = 7 WHERE name = 'read'", "7 lines were read, but 6 are accounted for"),
        ("DELETE FROM tally WHERE kind = 'line' AND name = 'blank'", "6 lines were read, but 5 are accounted for"),
    ],
)
def test_a_sum_that_does_not_add_up_is_a_sentence(path: Path, statement: str, problem: str) -> None:
    """Whatever was changed, the audit says what it counted and what was stored."""
    change(path, statement)

    assert any(re.search(rf"^accounting: .*{problem}", found) for found in problems(path))


def test_an_index_that_lacks_a_row_is_found(path: Path) -> None:
    """Damage that no query would notice is found by SQLite's own check."""
    change(
        path,
        "PRAGMA writable_schema = ON;"
        " UPDATE sqlite_master SET sql = replace(sql, 'host, depth, id', 'depth, host, id') WHERE name = 'url_ready'",
    )

    assert any(found.startswith("frontier.sqlite: ") for found in problems(path))


def test_an_audit_changes_nothing(path: Path) -> None:
    """The file is byte for byte what it was."""
    before = path.read_bytes()

    problems(path)

    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["board", "frontier.sqlite"]


def test_a_missing_frontier_is_damage_and_stays_missing(tmp_path: Path) -> None:
    """Looking for a frontier makes none."""
    with (
        pytest.raises(StorageDamaged, match=r"^frontier\.sqlite is missing"),
        FrontierAudit(tmp_path / "frontier.sqlite"),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


def test_the_run_can_go_on_after_an_audit(path: Path) -> None:
    """The lock ends with the audit."""
    problems(path)

    frontier = SqliteFrontier(path, MappedBoard(path.with_name("board"), 8), create=False)

    assert frontier.open(NOW).totals.pending == 1
    frontier.close()
