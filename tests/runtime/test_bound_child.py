"""runtime.bound_child: a program that ends with this process."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from typing import IO

import pytest

from crawler.runtime.bound_child import NOT_STARTED, BoundChild, Program

FOREVER = "import time\nprint('up', flush=True)\ntime.sleep(600)"
STUBBORN = f"import signal\nfor s in (signal.SIGINT, signal.SIGQUIT):\n    signal.signal(s, signal.SIG_IGN)\n{FOREVER}"
PARENT = """
import os, sys
from crawler.runtime.bound_child import BoundChild, Program
child = BoundChild(Program(command=["/bin/sleep", "600"], output=2))
print(child.id, flush=True)
sys.stdin.read()
"""


def start(code: str) -> BoundChild:
    """Start a program of Python, and wait until it says that it is up."""
    read, write = os.pipe()
    child = BoundChild(Program(command=["/usr/bin/env", sys.executable, "-c", code], output=write))
    os.close(write)
    with os.fdopen(read, "rb") as output:
        assert output.readline() == b"up\n"
    return child


def output_of(*command: str, **options: object) -> str:
    """Return what a program writes."""
    with tempfile.TemporaryFile() as output:
        BoundChild(Program(command=command, output=output.fileno(), **options)).wait()  # type: ignore[arg-type]
        return read(output)


def read(output: IO[bytes]) -> str:
    """Return the content of a file."""
    output.seek(0)
    return output.read().decode()


def test_it_is_asked_as_by_ctrl_c() -> None:
    """Its exit code tells of the signal."""
    child = start(FOREVER)
    assert child.exit_code is None
    assert repr(child) == f"<BoundChild {child.id}>"

    child.end(30)

    assert child.exit_code in {-signal.SIGINT, 1, 130}


def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended then."""
    monkeypatch.setattr("crawler.runtime.bound_child._QUIT", 0.01)
    child = start(STUBBORN)

    child.end(0.01)

    assert child.exit_code == -signal.SIGKILL


def test_one_that_has_ended_is_left_alone() -> None:
    """Its exit code is its own."""
    with tempfile.TemporaryFile() as output:
        child = BoundChild(Program(command=["/bin/false"], output=output.fileno()))
        assert child.wait() == 1

        child.end(1)

    assert child.exit_code == 1


def test_it_ends_with_a_killed_process() -> None:
    """The kernel sees to it; no handler of that process runs."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()

    ended, _, _ = select.select([child], [], [], 60)
    os.close(child)

    assert ended == [child]


def test_a_program_that_is_absent_says_so() -> None:
    """In its output, as its starter is another program."""
    with tempfile.TemporaryFile() as output:
        child = BoundChild(Program(command=["/nowhere/at-all"], output=output.fileno()))

        assert child.wait() == NOT_STARTED
        assert read(output) == "/nowhere/at-all: No such file or directory\n"


def test_it_has_its_own_session_folder_and_variables() -> None:
    """Ctrl-C in the terminal does not reach it, and it holds no folder busy."""
    code = "import os; print(os.getsid(0) == os.getpid(), os.getcwd(), os.environ['A'], 'HOME' in os.environ)"

    assert output_of(sys.executable, "-c", code, environment={"A": "b"}) == "True / b False\n"


def test_it_inherits_what_it_keeps() -> None:
    """And no other file of this process."""
    with tempfile.TemporaryFile() as kept, tempfile.TemporaryFile() as other:
        names = output_of("/bin/ls", "/proc/self/fd", keeps=[kept.fileno()]).split()

        assert str(kept.fileno()) in names
        assert str(other.fileno()) not in names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change to another user")
def test_it_runs_as_another_user() -> None:
    """With that user's group alone."""
    groups = os.getgroups()
    os.setgroups([0, 4])
    try:
        told = output_of("/usr/bin/id", account=(65534, 65534))
    finally:
        os.setgroups(groups)

    assert told == "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)\n"
