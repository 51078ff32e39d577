"""frontier.reading: a frontier is looked at under its lock, and not a byte of its folder is changed."""

import errno
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.core.errors import DiskFull, RunInUse, StorageError
from crawler.core.leases_and_commits import Group, SeedBatch
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite import reading as reading_file
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.frontier.sqlite.reading import reading, shared_lock
from support.ways import a_find

NOW = 1_700_000_000.0
WORKING = """
import sys
from pathlib import Path
from crawler.core.errors import RunInUse
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.frontier import SqliteFrontier
path = Path(sys.argv[1])
frontier = SqliteFrontier(path, MappedBoard(path.with_name("board"), 8), create=False)
try:
    frontier.open(0.0)
except RunInUse:
    sys.exit(3)
print("open", flush=True)
sys.stdin.read()
frontier.close()
"""


@contextmanager
def run(folder: Path) -> Iterator[Path]:
    """The frontier of a run with one committed URL, which is closed where the block ends."""
    folder.mkdir()
    path = folder / "frontier.sqlite"
    frontier = SqliteFrontier(path, MappedBoard(folder / "board", 8), create=True)
    frontier.open(NOW)
    find = a_find("http://h/", seed=True, line=1)
    frontier.commit(Group(seeds=(SeedBatch(cursor=9, line=1, lines=1, finds=(find,), last=True),)))
    try:
        yield path
    finally:
        frontier.close()


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The frontier of a run that ended in order."""
    with run(tmp_path / "run") as path:
        pass
    return path


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The frontier of a run that was killed: all that is committed lies beside it."""
    with run(tmp_path / "living") as path:
        shutil.copytree(path.parent, tmp_path / "run")
    return tmp_path / "run" / path.name


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder: what it holds and when it was changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize(("kind", "is_closed"), [("closed", True), ("killed", False)])
def test_what_is_committed_is_read_and_nothing_is_changed(
    request: pytest.FixtureRequest, kind: str, is_closed: bool
) -> None:
    """The last commit is seen, after any end of the last life, and the folder stays as it was, file by file."""
    path: Path = request.getfixturevalue(kind)
    before = state(path.parent)

    with reading(path) as (db, found):
        rows = db.execute("SELECT url FROM url").fetchall()

    assert rows == [("http://h/",)]
    assert found == is_closed
    assert ("frontier.sqlite-wal" in before) != is_closed
    assert state(path.parent) == before


@pytest.mark.parametrize("kind", ["closed", "killed"])
def test_nobody_works_on_a_run_that_is_read(request: pytest.FixtureRequest, kind: str) -> None:
    """Another process finds the run in use until the block ends, and may go on afterwards."""
    path: Path = request.getfixturevalue(kind)

    with reading(path) as (db, _):
        db.execute("SELECT count(*) FROM url").fetchone()
        meanwhile = work(path)

    assert meanwhile == 3
    assert work(path) == 0


def work(path: Path) -> int:
    """Open and close a run in another process; its exit code."""
    return subprocess.run(
        [sys.executable, "-c", WORKING, path], check=False, input="", text=True, timeout=20
    ).returncode


def test_a_run_that_somebody_works_on_is_in_use(closed: Path) -> None:
    """While another process has the run open, nobody reads it; when that process has ended, it can be read."""
    with subprocess.Popen(
        [sys.executable, "-c", WORKING, closed], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        with pytest.raises(RunInUse, match=r"^frontier\.sqlite is locked: another process"), reading(closed):
            pass
        worker.communicate("", timeout=20)

    with reading(closed) as (_, is_closed):
        assert is_closed


def test_readers_do_not_exclude_each_other(closed: Path) -> None:
    """Two may look at a run at the same time."""
    script = (
        "import sys, pathlib, crawler.frontier.sqlite.reading as r\nwith r.reading(pathlib.Path(sys.argv[1])): pass"
    )

    with reading(closed):
        ended = subprocess.run([sys.executable, "-c", script, closed], check=False, timeout=20)

    assert ended.returncode == 0


def test_the_copy_is_gone_afterwards(killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy in the temporary folder is removed, after an error too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    with reading(killed):
        assert len(list((tmp_path / "temporary").glob("*/frontier.sqlite"))) == 1
    with pytest.raises(KeyboardInterrupt), reading(killed):
        raise KeyboardInterrupt

    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_room_for_the_copy_says_where_and_what_to_do(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the run's disk that is full, and the message does not say so."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reading_file, "copyfileobj", full)

    with pytest.raises(DiskFull, match=r"^no space in /.* for a copy of frontier\.sqlite, .* TMPDIR"), reading(killed):
        pass


def test_a_frontier_that_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    """Foreign errors do not get through."""
    (tmp_path / "frontier.sqlite").mkdir()

    with (
        pytest.raises(StorageError, match=r"^frontier\.sqlite: Is a directory"),
        shared_lock(tmp_path / "frontier.sqlite"),
    ):
        pass
