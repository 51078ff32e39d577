"""frontier.sqlite: one transaction per group, one process at a time, damage told, nothing lost."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import CrawlerError, DiskFull, RunInUse, StorageDamaged, StorageError
from crawler.core.leases_and_commits import (
    HostState,
    RejectedLine,
    RobotsCopy,
    SeedBatch,
)
from crawler.core.reasons import Reason
from crawler.core.visits import State
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.frontier import SqliteFrontier
from support.frontiers import BROKEN, NOW, A, Run, again, audited, batch_of, deaths, done, ended, found, urls
from support.stores import connection
from support.ways import a_request

ROOT = Path(__file__).parent.parent.parent


def test_a_lease_tells_where_the_run_stands(run: Run) -> None:
    """Leased counts what is handed out; exhausted is a run of which nothing is handed out and nothing left."""
    run.add("http://a/1", "http://a/2", "http://b/1")

    lease = run.lease(new_hosts=1, new_share=1)
    assert (run.leased, lease.is_exhausted, lease.next_due) == (1, False, None)

    run.finish(*lease.requests)
    lease = run.lease()
    assert (run.leased, lease.is_exhausted) == (2, False)

    run.commit(visits=(done(lease.requests[0]),), retries=(again(lease.requests[1], NOW + 5),))
    assert not run.lease().is_exhausted
    run.now = NOW + 5
    run.finish(*run.lease().requests)
    assert run.lease().is_exhausted


def test_a_request_carries_what_is_known_of_its_url(run: Run) -> None:
    """Depth, hops, tries, referrer, seed and the host's naming come from the frontier, through a death too."""
    run.add("http://a/page")
    (page,) = run.lease().requests
    run.commit(visits=(done(page, found("http://other:8080/x?y", depth=4, hops=2)),))
    run.lease()
    run.die()
    run.begin()

    assert run.lease().requests == (
        a_request("http://other:8080/x?y", id=2, depth=4, hops=2, referrer="http://a/page"),
    )
    assert (page.way.seed, page.named, page.id, page.referrer) == (True, True, 1, None)
    assert run.problems() == []


def test_robots_copies_come_with_their_hosts(run: Run) -> None:
    """A stored robots.txt is handed out when its host is opened, and a newer copy replaces it."""
    old, new = (RobotsCopy(fetched_at=at, expires_at=at + 9, status=200, body=b"\xff\x00") for at in (1.0, 2.0))
    run.add("http://a/1", "http://a/2", "http://b/1")
    run.commit(robots={"http://a": old, "https://a:80": old, "http://b": old})
    run.commit(robots={"http://a": new})

    lease = run.lease(new_hosts=1, new_share=1)

    assert lease.robots == {"http://a": new, "https://a:80": old}
    assert run.lease({A: 5}, new_hosts=0).robots == {}


# One transaction


def a_full_group(run: Run) -> dict[str, Any]:
    """A group with everything in it, for a run that has leased three URLs."""
    one, two, three = run.dispatch()
    return {
        "visits": (done(one, found("http://new/1")), ended(two, State.FAILED, Reason.TLS_EXPIRED)),
        "retries": (again(three, NOW + 9),),
        "seeds": (
            SeedBatch(
                cursor=99,
                line=99,
                lines=1,
                rejected=(RejectedLine(line=99, reason=Reason.NOT_A_URL, message="", text=""),),
            ),
        ),
        "hosts": {A: HostState(due=NOW + 5)},
        "robots": {"http://a": RobotsCopy(fetched_at=1.0, expires_at=9.0, status=200, body=b"")},
        "files": {"pages.jsonl": 50},
        "seconds": 3.0,
    }


@pytest.mark.parametrize("trigger", BROKEN.values(), ids=BROKEN)
def test_a_group_is_committed_whole_or_not_at_all(run: Run, trigger: str) -> None:
    """A commit that fails at any place leaves nothing of the group behind, and can be repeated."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    group = a_full_group(run)
    before = run.commit().totals
    rows = list(connection(run.frontier).iterdump())
    connection(run.frontier).executescript(trigger)

    with pytest.raises(StorageError):
        run.commit(**group)

    connection(run.frontier).execute("DROP TRIGGER no")
    assert list(connection(run.frontier).iterdump()) == rows
    assert run.commit().totals == before
    lease = run.lease()
    assert (lease.requests, run.leased) == ((), 3)
    assert run.problems() == []

    after = run.commit(**group).totals
    assert (after.discovered, after.done, after.failed, after.pending) == (4, 1, 1, 2)
    assert urls(run.lease()) == ["new/1"]
    assert run.problems() == []


def test_a_failed_commit_leaves_nothing_in_memory(run: Run) -> None:
    """Scope, ids and named hosts are as before, so the commit that is repeated stores all of them."""
    connection(run.frontier).executescript(BROKEN["INSERT file"])
    with pytest.raises(StorageError):
        run.commit(seeds=(batch_of("http://a/1", "http://a/2", named=True),), files={"pages.jsonl": 0})
    connection(run.frontier).execute("DROP TRIGGER no")

    run.add("http://a/1", "http://a/2")

    assert run.one("SELECT count(*) FROM place") == 1
    assert run.one("SELECT max(id) FROM url") == 2
    assert run.one("SELECT named FROM host") == 1


def test_a_failed_commit_is_not_there_after_a_death(run: Run) -> None:
    """The next life starts from the commit before."""
    run.add("http://a/1", "http://a/2", "http://b/1")
    group = a_full_group(run)
    connection(run.frontier).executescript(BROKEN["INSERT file"])
    with pytest.raises(StorageError):
        run.commit(**group)
    run.die()

    opened = run.begin()

    assert (opened.totals.discovered, opened.totals.pending) == (3, 3)
    assert opened.files == {}
    assert opened.cursor.line == 3
    assert len(run.lease().requests) == 3


def test_a_kill_within_a_transaction_leaves_the_one_before(tmp_path: Path) -> None:
    """A process that is killed while it commits has committed nothing of that group; its board counts."""
    script = """
import os, signal, sys
from pathlib import Path
from test_sqlite import Run, done, found

def visits(requests):
    yield done(requests[0], found("http://new/1"))
    yield done(requests[1], found("http://new/2"))
    os.kill(os.getpid(), signal.SIGKILL)

run = Run(Path(sys.argv[1]))
run.begin()
run.add("http://a/1", "http://a/2", "http://a/3")
run.commit(visits=(done(run.dispatch(new_share=1)[0]),))
run.commit(visits=visits(run.dispatch()))
"""
    folder = tmp_path / "run"

    assert child(script, str(folder)).returncode == -signal.SIGKILL

    run = Run(folder)
    totals = run.begin().totals
    assert (totals.discovered, totals.done, totals.pending) == (3, 1, 2)
    assert run.one("SELECT group_concat(deaths) FROM url") == "0,1,1"
    assert urls(run.lease()) == ["a/2", "a/3"]
    assert run.problems() == []
    run.end()


def child(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, which can import this file."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=env, timeout=30, check=False, capture_output=True, text=True)


# One process at a time, and damage


def test_a_second_connection_is_refused_at_once(run: Run) -> None:
    """While a run is open nobody else opens it, and it goes on undisturbed."""
    run.add("http://a/1")
    (one,) = run.dispatch()
    other = SqliteFrontier(run.path, MappedBoard(run.board._path, 5), create=False)

    with pytest.raises(RunInUse, match="another process"):
        other.open(NOW)

    assert run.finish(one).done == 1
    run.die()
    run.begin()
    assert deaths(run) == [0]


def test_the_lock_is_taken_before_anything_is_read(run: Run) -> None:
    """Of two that open a run at the same moment, the second is refused although the first has done nothing yet."""
    run.end()
    first, second = (SqliteFrontier(run.path, run.board, create=False) for _ in range(2))
    first._lock()

    with pytest.raises(RunInUse):
        second.open(NOW)

    first._db.close()


def test_a_second_process_is_refused_at_once(run: Run) -> None:
    """Another process that resumes the run gets the same answer, and touches neither frontier nor board."""
    run.add("http://a/1")
    run.dispatch()
    board = run.board._path.read_bytes()
    script = """
import sys
from pathlib import Path
from crawler.core.errors import RunInUse
from test_sqlite import Run
try:
    Run(Path(sys.argv[1])).begin()
except RunInUse as error:
    sys.exit(error.exit_code)
"""

    assert child(script, str(run.folder)).returncode == 3

    assert run.board._path.read_bytes() == board
    assert run.problems() == []


def test_the_lock_ends_with_the_run(run: Run) -> None:
    """Closed in order, the run can be opened again at once."""
    run.end()

    run.begin()
    run.end()


def foreign(path: Path) -> None:
    """Somebody else's database in its place."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE url (id)")
    db.commit()
    db.close()


def newer(path: Path) -> None:
    """A frontier of a version that is not out yet."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


DAMAGE = {
    "not a database": lambda path: path.write_bytes(b"<html>" * 500),
    "zero bytes": lambda path: path.write_bytes(b""),
    "cut within the header": lambda path: os.truncate(path, 50),
    "cut after the first page": lambda path: os.truncate(path, 4096),
    "cut in the middle": lambda path: os.truncate(path, 10_000),
    "missing": lambda path: path.unlink(),
    "somebody else's": foreign,
    "another version": newer,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("is_audited", [True, False], ids=["audited", "opened"])
def test_what_is_no_frontier_is_damage(run: Run, damage: Any, is_audited: bool) -> None:
    """A frontier that is broken, missing or somebody else's is told as such, with its name and what to do."""
    run.add(*(f"http://a/{n}" for n in range(300)))
    run.end()
    damage(run.path)
    opener = SqliteFrontier(run.path, run.board, create=False)

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: .|frontier\.sqlite is missing") as caught:
        audited(run.path).__enter__() if is_audited else opener.open(NOW)

    assert caught.value.exit_code == 5
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opener._db.execute("SELECT 1") if hasattr(opener, "_db") else closed()


def closed() -> None:
    """Stands for a connection that was never made."""
    raise sqlite3.ProgrammingError("closed")


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    """Beginning a run where somebody else's database lies changes nothing in it."""
    path = tmp_path / "frontier.sqlite"
    foreign(path)
    before = path.read_bytes()

    with pytest.raises(StorageDamaged, match="not a frontier"):
        SqliteFrontier(path, MappedBoard(tmp_path / "board", 5), create=True).open(NOW)

    assert path.read_bytes() == before


def test_a_page_that_breaks_while_the_run_works_is_damage(run: Run) -> None:
    """Damage that SQLite finds later ends the run with the same words."""
    run.add(*(f"http://a/{n}" for n in range(2000)))
    run.end()
    with run.path.open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 40)

    def work() -> None:
        run.begin()
        run.finish(*run.lease().requests)

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: damaged"):
        work()


def test_a_full_disk_is_told_and_loses_nothing_committed(run: Run) -> None:
    """A commit for which no page is left fails as a full disk, and all before it is still there."""
    run.add("http://a/0")
    (first,) = run.dispatch()
    pages = run.one("PRAGMA page_count")
    connection(run.frontier).execute(f"PRAGMA max_page_count = {pages + 3}")
    links = tuple(found(f"http://a/{n}", depth=1) for n in range(1, 2000))

    with pytest.raises(DiskFull, match=r"^frontier\.sqlite: no space left .* resume") as caught:
        run.commit(visits=(done(first, *links),))

    assert caught.value.exit_code == 4
    assert run.problems() == []
    assert run.leased == 1
    run.end()
    assert run.begin().totals.pending == 1
    assert run.commit(visits=(done(run.lease().requests[0], *links),)).totals.discovered == 2000


@pytest.mark.parametrize("name", ["a b", "what?mode=memory", "part#1", "100%25", "ü", "'quoted\"", "x&y=z;"])
def test_any_folder_name_works(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URI mean nothing in a path."""
    run = Run(tmp_path / name)
    run.begin()
    run.add("http://a/1")
    run.end()

    assert run.path.exists()
    with audited(run.path) as audit:
        assert audit.counts()[State.PENDING] == 1
    assert run.begin().totals.pending == 1
    run.end()


def test_a_frontier_tells_of_itself(run: Run) -> None:
    """Its repr says what is leased."""
    run.add("http://a/1", "http://b/1", "http://b/2")
    run.lease()

    assert repr(run.frontier) == "<SqliteFrontier frontier.sqlite, <Leasing 3 URLs of 2 hosts>>"


def test_a_row_that_is_no_way_is_damage(run: Run) -> None:
    """A text where a number should be ends a run as a damaged file does, and not as a fault of the program."""
    run.add("http://a/")
    connection(run.frontier).execute("UPDATE url SET hops = 'many'")

    with pytest.raises(StorageDamaged, match=r"^frontier\.sqlite: damaged"):
        run.lease()


def test_errors_of_the_frontier_are_ours() -> None:
    """Every error of a frontier has a class with an exit code."""
    assert {kind.exit_code for kind in (RunInUse, StorageDamaged, DiskFull, StorageError)} == {3, 4, 5}
    assert issubclass(StorageError, CrawlerError)
