"""Further processes of one command, which work beside this one and end with it.

Rules
- A drain of this process is a Ctrl-C for each of them, and a cancel a second one. Ctrl-C in the terminal is for this
  process alone.
- The block ends when all of them have ended, as they do by themselves. If it fails, they are asked to end.
- They are asked to end, too, when this process is killed (`bound_child.py`).
- What one of them says is read when it has ended: its last line tells why.
Runs on: the loop of the main thread.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import msgspec

from crawler.runtime.bound_child import BoundChild, Program
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import background

POLL = 0.05  # seconds
_SAID = 4096  # bytes of its output from which the last line is taken


class Sibling(msgspec.Struct, frozen=True, kw_only=True):
    """A process to start; `variables` are added to the environment of this one, and `name` is told of it."""

    name: str
    command: Sequence[str]
    variables: Mapping[str, str]


class Siblings:
    """Processes to start beside this one; an exit code other than `good` is a failure.

    Attributes:
        programs: the processes.
        failure: the exit code of the first that failed, 128 + N if signal N killed it; None = none has failed.
    """

    def __init__(self, programs: Sequence[Sibling] = (), good: Collection[int] = (0,)) -> None:
        self.failure: int | None = None
        self.programs = programs
        self._good = good
        self._running: dict[str, tuple[BoundChild, IO[bytes]]] = {}
        self._is_asked = False

    def __len__(self) -> int:
        return len(self.programs)

    @asynccontextmanager
    async def beside(self, stop: Stop, say: Callable[[str], None]) -> AsyncIterator[None]:
        """Run them beside the block, and wait until all have ended; `say` is told of each that failed."""
        if not self.programs:
            yield
            return
        with ExitStack() as files:
            for program in self.programs:
                output = files.enter_context(tempfile.TemporaryFile())
                self._running[program.name] = _started(program, output), output
            async with background(self._follow, stop):
                try:
                    async with background(self._watch, say):
                        yield
                except BaseException:
                    self._interrupt()
                    raise
                finally:
                    await self._watch(say)

    async def _follow(self, stop: Stop) -> None:
        await stop.wait_draining()
        self._interrupt()
        await stop.wait_cancelled()
        self._interrupt()

    def _interrupt(self) -> None:
        self._is_asked = True
        for child, _ in self._running.values():
            child.interrupt()

    async def _watch(self, say: Callable[[str], None]) -> None:
        """Return when all have ended."""
        while self._running:
            for name, (child, output) in list(self._running.items()):
                if (code := child.exit_code) is not None:
                    del self._running[name]
                    self._ended(name, code, output, say)
            await asyncio.sleep(POLL)

    def _ended(self, name: str, code: int, output: IO[bytes], say: Callable[[str], None]) -> None:
        is_asked_for = self._is_asked and code in {128 + signal.SIGINT, -signal.SIGINT}
        if code in self._good or is_asked_for:
            return
        self.failure = self.failure or (code if code > 0 else 128 - code)
        if code < 0:
            say(f"{name} was killed by signal {-code}")
        else:
            say(f"{name} ended with exit code {code}: {_last_line(output)}")


def _started(program: Sibling, output: IO[bytes]) -> BoundChild:
    environment = {**os.environ, **program.variables}
    return BoundChild(
        Program(command=program.command, output=output.fileno(), environment=environment, folder=str(Path.cwd()))
    )


def _last_line(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    lines = os.pread(output.fileno(), _SAID, max(0, size - _SAID)).decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
