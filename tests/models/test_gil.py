"""models.gil: a heartbeat shows which work holds the GIL."""

import sys
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.models.gil import has_gil, heartbeat, in_processes, in_threads, loop_of_python


def nothing() -> None:
    """Do nothing."""


@pytest.mark.skipif(not has_gil(), reason="this interpreter has no GIL")
def test_the_heartbeat_waits_for_bytecode_and_not_for_a_call_that_lets_go() -> None:
    """At a switch interval of 50 ms, bytecode keeps it waiting for about as long; hashing does not.

    On a busy machine the other thread may get no core at all for a while, so the clearest of some tries counts.
    """
    before, hashing = sys.getswitchinterval(), partial(sha256, bytes(2**22))

    beside_bytecode = [heartbeat("bytecode", loop_of_python, 0.05, 0.4, is_call=False).median for _ in range(3)]
    beside_hashing = [heartbeat("hashing", hashing, 0.05, 0.2, is_call=True).median for _ in range(3)]

    assert max(beside_bytecode) > 0.025 > min(beside_hashing)
    assert sys.getswitchinterval() == before


def note(path: Path) -> None:
    """One piece of work, which leaves a mark."""
    with path.open("ab") as file:
        file.write(b".")


def test_the_same_work_is_shared_among_threads_and_processes(tmp_path: Path) -> None:
    """Each kind does all of it and tells how many did."""
    work = partial(note, tmp_path / "done")

    speeds = [in_threads(work, 8, 2), in_processes(work, 8, 2, nothing)]

    assert (tmp_path / "done").read_bytes() == b"." * 16

    assert [(speed.kind, speed.count) for speed in speeds] == [("threads", 2), ("processes", 2)]
    assert all(speed.seconds > 0 for speed in speeds)
