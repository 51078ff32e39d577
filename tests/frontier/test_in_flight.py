"""frontier.board: what is in flight if we die now."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.core.errors import DiskFull, InternalError, StorageDamaged, StorageError
from crawler.frontier.in_flight import MappedBoard

ROOT = Path(__file__).parent.parent.parent

Found = tuple[int, tuple[int, ...]]


def begin(path: Path, slots: int = 8) -> tuple[MappedBoard, Found]:
    """A life begins as the frontier begins it: the board is read, and cleared for the next generation."""
    board = MappedBoard(path, slots)
    found = board.open()
    board.clear(found[0] + 1)
    return board, found


def left_behind(path: Path, slots: int = 8) -> Found:
    """The generation and ids that the next life finds."""
    board = MappedBoard(path, slots)
    found = board.open()
    board.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the board's path."""
    return tmp_path / "frontier.board"


def test_a_new_board_is_empty(path: Path) -> None:
    """The first life finds nothing, and its generation is the first."""
    board, found = begin(path)

    assert found == (0, ())
    assert board.generation == 1


def test_what_entered_and_did_not_leave_is_found(path: Path) -> None:
    """The next life gets the ids in flight, and the generation that they belong to."""
    board, _ = begin(path)
    for url_id in (5, 3, 2**40, 7):
        board.enter(url_id)
    board.leave(3)
    board.leave(99)
    board.close()

    assert left_behind(path) == (1, (5, 7, 2**40))


def test_a_board_survives_kill_9(path: Path) -> None:
    """The ids that a process wrote are there at once, without any orderly end."""
    script = """
import os, signal, sys
from pathlib import Path
from crawler.frontier.in_flight import MappedBoard
board = MappedBoard(Path(sys.argv[1]), 8)
board.open()
board.clear(41)
for url_id in (1, 2, 3):
    board.enter(url_id)
board.leave(2)
os.kill(os.getpid(), signal.SIGKILL)
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    ended = subprocess.run([sys.executable, "-c", script, str(path)], env=env, timeout=30, check=False)

    assert ended.returncode == -signal.SIGKILL
    assert left_behind(path) == (41, (1, 3))


def test_clearing_forgets_everything(path: Path) -> None:
    """A cleared board is empty, has room for as many as before, and is of the generation it was told."""
    board, _ = begin(path, slots=2)
    board.enter(1)
    board.enter(2)

    board.clear(7)

    assert board.generation == 7
    board.enter(3)
    board.enter(4)
    board.close()
    assert left_behind(path) == (7, (3, 4))


def test_a_full_board_is_a_broken_promise(path: Path) -> None:
    """More in flight than there are places cannot happen; if it does, it is told, and nothing on it is lost."""
    board, _ = begin(path, slots=2)
    board.enter(1)
    board.enter(2)

    with pytest.raises(InternalError, match="full: 2 URLs"):
        board.enter(3)

    board.leave(1)
    board.enter(3)
    board.close()
    assert left_behind(path)[1] == (2, 3)


@pytest.mark.parametrize(("before", "after"), [(2, 50), (50, 2), (50, 50)])
def test_the_next_life_may_have_another_size(path: Path, before: int, after: int) -> None:
    """Every id of a larger or smaller board is found once, and the new one has exactly its own places."""
    board, _ = begin(path, slots=before)
    for url_id in range(1, before + 1):
        board.enter(url_id)
    board.close()

    board, found = begin(path, slots=after)

    assert found == (1, tuple(range(1, before + 1)))
    for url_id in range(101, 101 + after):
        board.enter(url_id)
    with pytest.raises(InternalError):
        board.enter(1000)
    board.close()
    assert left_behind(path, slots=before) == (2, tuple(range(101, 101 + after)))


def test_an_id_far_back_is_not_found_again_by_a_smaller_life(path: Path) -> None:
    """An id that stood beyond the places of a smaller board is cleared too."""
    board, _ = begin(path, slots=50)
    for url_id in range(1, 51):
        board.enter(url_id)
    for url_id in range(1, 50):
        board.leave(url_id)
    board.close()

    board, found = begin(path, slots=2)
    board.close()

    assert found == (1, (50,))
    assert left_behind(path) == (2, ())


@pytest.mark.parametrize(
    "content", [b"not a board at all, but long enough", b"{}", b"\x01" * 24, b"\xff" * 4096], ids=repr
)
def test_what_is_no_board_is_damage(path: Path, content: bytes) -> None:
    """Somebody else's file is refused with what to do, and left as it is."""
    path.write_bytes(content)

    with pytest.raises(StorageDamaged, match=r"^frontier\.board: .* delete it and resume"):
        MappedBoard(path, 8).open()

    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", bytes(64), bytes(9000)], ids=len)
def test_a_board_that_was_made_but_never_used_is_empty(path: Path, content: bytes) -> None:
    """A life that died while it made the board left zeros, or nothing."""
    path.write_bytes(content)

    board, found = begin(path)

    assert found == (0, ())
    board.enter(1)
    board.close()
    assert left_behind(path) == (1, (1,))


def test_a_torn_end_is_ignored(path: Path) -> None:
    """Bytes behind the last whole place are no id."""
    board, _ = begin(path)
    board.enter(4)
    board.close()
    with path.open("ab") as file:
        file.write(b"\x05\x00\x00")

    assert left_behind(path) == (1, (4,))


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    """A refusal of the system is a storage error that names the board."""
    path.mkdir()

    with pytest.raises(StorageError, match=r"^frontier\.board: "):
        MappedBoard(path, 8).open()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve blocks")
def test_a_board_has_its_blocks_from_the_start(path: Path) -> None:
    """No later write to the mapping needs space that the disk may not have."""
    board = MappedBoard(path, 100_000)

    board.open()

    assert path.stat().st_blocks * 512 >= path.stat().st_size > 100_000 * 8
    board.close()


def test_a_board_that_finds_no_room_says_so(path: Path) -> None:
    """The blocks are taken when it is opened, so a full disk is met then and not by a later write."""
    script = """
import resource, sys
from pathlib import Path
from crawler.core.errors import DiskFull
from crawler.frontier.in_flight import MappedBoard
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    MappedBoard(Path(sys.argv[1]), 10_000).open()
except DiskFull as error:
    sys.exit(error.exit_code)
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    ended = subprocess.run([sys.executable, "-c", script, str(path)], env=env, timeout=30, check=False)

    assert ended.returncode == DiskFull.exit_code == 4


def test_a_board_tells_of_itself(path: Path) -> None:
    """Its repr says how many are in flight."""
    board, _ = begin(path)
    board.enter(1)

    assert repr(board) == "<MappedBoard 1 of 8 in flight>"
    board.close()
