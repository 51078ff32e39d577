"""A program that ends with the process that started it, even if that is killed; it may run as another user.

Rules
- The program is asked to end as by Ctrl-C (SIGINT), then to quit (SIGQUIT), and is killed at last.
- The kernel sends it SIGINT when the thread that started it ends (Linux), so that thread lives as long as the program.
- It is in a session of its own: Ctrl-C in the terminal is for this process alone.
- This file is also a script: it becomes the program, because the kernel's promise does not outlive a change of user.
  The script is read before that change, so the program's user need not be able to read it.
Runs on: any thread; it waits for the program's end there.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

NOT_STARTED = 126
"""The exit code of a program that cannot be started; the reason is in its output."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_QUIT = 5.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to start.

    Attributes:
        command: its absolute path and its arguments.
        output: the file descriptor for its output, standard error included.
        account: the ids of the user and the group that it runs as; None = those of this process.
        environment: its variables, and no others.
        keeps: file descriptors that it inherits under the same numbers.
        folder: its working directory.
    """

    command: Sequence[str]
    output: int
    account: tuple[int, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    keeps: Sequence[int] = ()
    folder: str = "/"


class BoundChild:
    """A program that has been started."""

    def __init__(self, program: Program) -> None:
        account = ",".join(map(str, program.account or ()))
        self._process = subprocess.Popen(  # noqa: S603 - the command is the caller's
            [sys.executable, "-I", "-S", __file__, str(os.getpid()), account, *program.command],
            cwd=program.folder,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=program.output,
            stderr=subprocess.STDOUT,
            pass_fds=program.keeps,
            start_new_session=True,
        )

    def __repr__(self) -> str:
        return f"<BoundChild {self.id}>"

    @property
    def id(self) -> int:
        """Return the id of its process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None = it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self._process.wait()

    def interrupt(self) -> None:
        """Ask the program to end, as by Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self, seconds: float) -> None:
        """Ask the program to end, and kill it some seconds after these; it has ended then."""
        try:
            for signum, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, _QUIT)):
                self._process.send_signal(signum)
                try:
                    self._process.wait(patience)
                except subprocess.TimeoutExpired:
                    continue
                return
        finally:
            self._process.kill()
            self._process.wait()


def _become(parent: int, account: str, command: list[str]) -> NoReturn:
    """Turn this process into the program."""
    library = ctypes.CDLL(None)
    try:
        if account:
            user, group = map(int, account.split(","))
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
        if sys.platform == "linux":
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() == parent:  # else it died before the line above
            os.execv(command[0], command)  # noqa: S606 - no shell is meant
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode("utf-8", "surrogateescape"))
    os._exit(NOT_STARTED)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
