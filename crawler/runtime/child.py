"""A program that runs beside this process, in a process group of its own, so that its children end with it.

Rules
- It is asked to end (SIGTERM), and some seconds later killed, with all of its group that still lives.
- Its end is polled: the loops of threads other than the main one hear of no child's end.
Runs on: any event loop.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO

POLL = 0.02  # seconds


class Child:
    """A program that has been started."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def __repr__(self) -> str:
        return f"<Child {self._process.pid}>"

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None = it runs."""
        return self._process.poll()

    async def end(self, seconds: float) -> None:
        """Ask the program to end, and kill it after these seconds; it has ended then."""
        self._signal(signal.SIGTERM)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while self.exit_code is None:  # noqa: ASYNC110 - see the rules
                        await asyncio.sleep(POLL)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, signum: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group is gone; macOS says it so
            os.killpg(self._process.pid, signum)


@asynccontextmanager
async def child(command: Sequence[str], output: IO[bytes], *, patience: float) -> AsyncIterator[Child]:
    """Run a program for the length of the block; its output, standard error included, goes to this file.

    `patience` are the seconds that it has to end.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603, ASYNC220 - the command is the caller's, and starting it is quick
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    started = Child(process)
    try:
        yield started
    finally:
        await started.end(patience)
