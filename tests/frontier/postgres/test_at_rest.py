"""frontier.postgres.at_rest: a run in a database, as of one moment, and the faults of what its workers share."""

import re
from pathlib import Path

import pytest

from crawler.core.errors import StorageError
from crawler.core.leases_and_commits import Group, Wanted
from crawler.core.urls import Host
from support.frontiers import NOW, batch_of
from support.runs_at_rest import InDatabase, problems


@pytest.fixture
def store(database: str, tmp_path: Path) -> InDatabase:
    """A run of two hosts with two URLs each, whose only worker has ended."""
    store = InDatabase(database, tmp_path)
    frontier = store.frontier()
    frontier.open(NOW)
    frontier.commit(Group(seeds=(batch_of("http://a/1", "http://a/2", "http://b/1", "http://b/2"),)))
    frontier.close()
    return store


def test_a_run_that_nobody_touched_is_sound(store: InDatabase) -> None:
    """No key, host, letter or sum is out of place."""
    assert problems(store) == []


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE url SET key = 'x' WHERE url = 'http://a/2'", "1 URL not to be found by its key, such as http://a/2"),
        ("UPDATE url SET url = 'http://b/9' WHERE url = 'http://b/1'", "1 URL not to be found .* such as http://b/9"),
        ("UPDATE url SET url = 'mailto:a@b' WHERE url = 'http://b/1'", "1 URL not to be found .* such as mailto:a@b"),
        ("UPDATE host SET name = 'c:80' WHERE name = 'a:80'", "2 URLs not to be found by its key, such as http://a/1"),
        ("UPDATE host SET owner = 77", "2 hosts owned by a worker that has ended, such as a:80"),
        ("INSERT INTO letter (host, depth, body) VALUES (99, 0, '')", "1 letter to a host that has no row"),
        ("INSERT INTO letter (host, depth, body) VALUES (1, 0, 'x')", "1 letter that cannot be read"),
        ("INSERT INTO tally VALUES (7, 'state', 'DONE', 0)", "sums of worker 7, which has no row"),
        ("INSERT INTO file VALUES (7, 'pages.jsonl', 0)", "files of worker 7, which has no row"),
    ],
)
def test_what_workers_share_and_is_out_of_place_is_a_sentence(store: InDatabase, statement: str, problem: str) -> None:
    """The audit names what no worker would ever find, free or receive."""
    store.change(statement)

    assert any(re.fullmatch(f"accounting: {problem}", found) for found in problems(store))


def test_all_is_of_one_moment_while_workers_go_on(store: InDatabase) -> None:
    """A commit is neither kept waiting nor seen; the next look has it."""
    count = "SELECT count(*) FROM url"
    with store.at_rest() as frontier:
        before = frontier.tables.row(count)

        worker = store.worker(1)
        worker.open(NOW)
        worker.commit(Group(seeds=(batch_of("http://c/1", first=5),)))

        assert frontier.tables.row(count) == before == (4,)
    with store.at_rest() as frontier:
        assert frontier.tables.row(count) == (5,)
    worker.close()


def test_nothing_can_be_changed(store: InDatabase) -> None:
    """The transaction is read only, whatever the user may do."""
    with (
        store.at_rest() as frontier,
        pytest.raises(StorageError, match="read-only transaction"),
        frontier.gate(),
    ):
        frontier.tables.change("DELETE FROM url")


def test_the_owners_of_hosts_are_the_workers_that_live(store: InDatabase) -> None:
    """A host that nobody has is not among them."""
    worker = store.join()
    worker.open(NOW)
    worker.lease(Wanted(new_hosts=1, new_share=9), NOW)

    with store.at_rest() as frontier:
        assert frontier.owners() == {Host("a:80"): 2}
    worker.close()
    with store.at_rest() as frontier:
        assert frontier.owners() == {}


def test_a_look_may_take_its_time(store: InDatabase) -> None:
    """No timeout of a worker's connection ends it between two questions or within one."""
    with store.at_rest() as frontier:
        limits = [frontier.tables.row(f"SHOW {name}_timeout") for name in ("statement", "idle_in_transaction_session")]

        assert limits == [("0",), ("0",)]
