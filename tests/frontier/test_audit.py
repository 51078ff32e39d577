"""frontier.audit: the frontier's integrity, all its sums counted again, and its rows against lines of output."""

import re
import tracemalloc
from pathlib import Path

import pytest
from msgspec import convert

from crawler.core.errors import StorageDamaged
from crawler.core.leases_and_commits import Group, RejectedLine, SeedBatch, Wanted
from crawler.core.reasons import Reason
from crawler.core.visits import State, Visit
from crawler.frontier.audit import _Ids
from crawler.run.recount import PageLine
from support.runs_at_rest import InDatabase, InFolder, Store, audited, problems
from support.ways import a_find

NOW = 1_700_000_000.0


@pytest.fixture(params=["folder", "database"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A frontier with a URL in every state, closed in order, in a folder or in a database."""
    is_folder = request.param == "folder"
    store = InFolder(tmp_path) if is_folder else InDatabase(request.getfixturevalue("database"), tmp_path)
    fill(store)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> InFolder:
    """The same in a folder."""
    store = InFolder(tmp_path)
    fill(store)
    return store


def fill(store: Store) -> None:
    """Begin a run, commit a URL in every state, and end it in order."""
    frontier = store.frontier()
    frontier.open(NOW)
    finds = tuple(a_find(f"http://h/{n}", seed=True, line=n + 1) for n in range(4))
    bad = RejectedLine(line=5, reason=Reason.NOT_A_URL, message="no", text="x")
    frontier.commit(Group(seeds=(SeedBatch(cursor=99, line=6, lines=6, blank=1, finds=finds, rejected=(bad,)),)))
    one, two, three, _ = frontier.lease(Wanted(new_hosts=9, new_share=9), NOW).requests
    visits = (
        Visit(request=one, state=State.DONE, reason=Reason.OK),
        Visit(request=two, state=State.FAILED, reason=Reason.TLS_EXPIRED),
        Visit(request=three, state=State.SKIPPED, reason=Reason.ROBOTS_DENIED),
    )
    frontier.commit(Group(visits=visits, files={"pages.jsonl": 123}))
    frontier.close()


def a_line(url: str, outcome: str, reason: str, attempts: int) -> PageLine:
    """A line of output with these facts."""
    told = {"url": url, "outcome": outcome, "reason": reason, "attempts": attempts, "timing": {"total": None}}
    return convert({**told, "status": None, "bytes": None, "sha256": None}, PageLine)


def test_a_sound_frontier_has_no_problems(store: Store) -> None:
    """A frontier that was closed in order is clean, at every look."""
    assert problems(store) == problems(store) == []


def test_an_audit_answers_about_states_and_files(store: Store) -> None:
    """Rows by state, the account, rejected lines, and what is committed of each file."""
    with audited(store) as audit:
        assert audit.counts() == dict.fromkeys(State, 1)
        assert audit.totals().failures == {"tls_expired": 1}
        assert [line.line for line in audit.reports.rejected()] == [5]
        assert audit.files(1) == {"pages.jsonl": 123}
        assert audit.files(2) == {}


def test_an_audit_tells_an_end_in_order(folder: InFolder) -> None:
    """The file that SQLite leaves beside a frontier tells of a kill."""
    with audited(folder) as audit:
        assert audit.is_closed


@pytest.mark.parametrize(
    ("line", "dispute"),
    [
        (("http://h/0", "done", "ok", 0), None),
        (("http://h/1", "failed", "tls_expired", 0), None),
        (("http://h/9", "done", "ok", 0), ("not in the frontier", "")),
        (
            ("HTTP://h:80/0#top", "done", "ok", 0),
            ("another spelling than in the frontier", "instead of http://h/0"),
        ),
        (("http://h/1", "done", "ok", 0), ("another outcome than in the frontier", "done instead of failed")),
        (("http://h/3", "done", "ok", 0), ("another outcome than in the frontier", "done instead of pending")),
        (
            ("http://h/1", "failed", "suspect", 0),
            ("another reason than in the frontier", "suspect instead of tls_expired"),
        ),
        (("http://h/0", "done", "ok", 7), ("another number of attempts than in the frontier", "7 instead of 0")),
    ],
)
def test_a_line_is_disputed_by_its_row(
    store: Store, line: tuple[str, str, str, int], dispute: tuple[str, str] | None
) -> None:
    """A line must say what the row of its URL says: spelling, outcome, reason and attempts."""
    with audited(store) as audit:
        assert audit.disputes([a_line(*line)]) == [dispute]


def test_a_second_line_and_a_missing_line_are_seen(store: Store) -> None:
    """The lines are remembered: one that comes again is one too many, one that never came is missing."""
    with audited(store) as audit:
        line = a_line("http://h/1", "failed", "tls_expired", 0)

        assert audit.disputes([line, line]) == [None, ("twice in the output", "")]
        assert audit.disputes([line]) == [("twice in the output", "")]
        assert list(audit.unshown()) == ["http://h/0"]


def test_a_line_with_a_url_that_is_none_is_a_fault(store: Store) -> None:
    """A text that is no URL cannot be looked up; the lines beside it are."""
    lines = [a_line("hptp://h/", "done", "ok", 1), a_line("http://h/0", "done", "ok", 0)]

    with audited(store) as audit:
        assert audit.disputes(lines) == [("not a URL", ""), None]


def test_a_million_lines_are_remembered_in_a_bit_each() -> None:
    """Memory does not grow by an object for each line."""
    tracemalloc.start()
    ids = _Ids()
    try:
        assert all(ids.add(number) for number in range(1, 1_000_001, 7))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 8 in ids
    assert 9 not in ids
    assert not ids.add(8)
    assert peak < 400_000


def test_an_empty_run_is_sound(tmp_path: Path) -> None:
    """A run that read nothing yet has a row for nothing."""
    store = InFolder(tmp_path)
    frontier = store.frontier()
    frontier.open(NOW)
    frontier.close()

    with audited(store) as audit:
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
        ("UPDATE rejected SET reason = 'not_utf8'", "by reason are .*not_utf8.* but the sums say .*not_a_url"),
        ("DELETE FROM rejected", "by reason are {}, but the sums say .*not_a_url"),
        ("UPDATE url SET line = NULL WHERE line = 2", "3 lines became a URL, but the sum says 4"),
        ("UPDATE url SET host = 99 WHERE state = 0", "1 URLs belong to no host, .*such as http://h/3"),
        ("DELETE FROM host", "4 URLs belong to no host"),
        ("UPDATE url SET shape = '7' WHERE id = 2", "1 URLs are known in another shape"),
        ("UPDATE url SET attempts = 3 WHERE state = 0", "3 further tries are noted, but the sum says 0"),
    ],
)
def test_a_sum_that_does_not_add_up_is_a_sentence(store: Store, statement: str, problem: str) -> None:
    """The audit says for any change what it counted and what was stored."""
    store.change(statement)

    assert any(re.search(rf"^accounting: .*{problem}", found) for found in problems(store))


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE url SET url = (SELECT url FROM url WHERE id = 1) WHERE id = 2", "4 URLs have a row, but 3 have a key"),
        ("INSERT INTO seen VALUES ('k', 99, '0')", "1 keys tell of another row"),
        ("INSERT INTO seen VALUES ('k', 1, '7')", "1 keys tell of another row"),
    ],
)
def test_an_index_of_keys_that_is_wrong_is_a_sentence(folder: InFolder, statement: str, problem: str) -> None:
    """Each row has one key, which tells of that row."""
    folder.change(statement)

    assert any(re.search(rf"^accounting: .*{problem}", found) for found in problems(folder))


def test_an_index_that_lacks_a_row_is_found(folder: InFolder) -> None:
    """Damage that no query would notice is found by SQLite's own check."""
    folder.change(
        "PRAGMA writable_schema = ON;"
        " UPDATE sqlite_master SET sql = replace(sql, 'host, attempts', 'attempts, host') WHERE name = 'url_ready'",
    )

    assert any(found.startswith("frontier.sqlite: ") for found in problems(folder))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tally SET n = 'many'",
        "UPDATE file SET length = 'long'",
    ],
)
def test_a_column_of_another_kind_is_damage(folder: InFolder, statement: str) -> None:
    """A column may hold anything once somebody wrote into it; the audit says so instead of failing itself."""
    folder.change(statement)

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: damaged \("), audited(folder) as audit:
        [audit.totals(), audit.files(1), list(audit.reports.rejected())]


def test_a_reason_that_is_none_is_damage(store: Store) -> None:
    """In a database, too, a text may be any."""
    store.change("UPDATE rejected SET reason = 'because'")

    with pytest.raises(StorageDamaged, match=r": damaged \('because'"), audited(store) as audit:
        list(audit.reports.rejected())


def test_a_missing_frontier_is_damage_and_stays_missing(tmp_path: Path) -> None:
    """Looking for a frontier makes none."""
    with (
        pytest.raises(StorageDamaged, match=r"^frontier\.sqlite is missing"),
        audited(InFolder(tmp_path)),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


def test_the_run_can_go_on_after_an_audit(folder: InFolder) -> None:
    """The lock ends with the audit."""
    problems(folder)

    frontier = folder.frontier()

    assert frontier.open(NOW).totals.pending == 1
    frontier.close()
