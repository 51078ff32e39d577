"""Runs a command in a process of its own, and looks at its whole tree while it runs.

Rules
- It leads a group of processes, so a Ctrl-C in the terminal comes here first; it is passed on to the whole group, as a
  terminal would, and what does not end by itself in time is killed.
- Looking costs little and is done ten times a second, from here: the process itself is not disturbed.
Runs on: the main thread.
"""

import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from crawler.models.process_tree import TreeSize, crowd_of

_EVERY = 0.1
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a process printed, its exit code (negative: the signal that ended it), and its largest crowd."""

    output: bytes
    errors: str
    code: int
    peak: TreeSize

    @property
    def killer(self) -> str | None:
        """The signal that ended it, by name; None = it ended by itself."""
        return signal.Signals(-self.code).name if self.code < 0 else None


def run_apart(command: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a command to its end.

    Raises:
        KeyboardInterrupt: here, and then the process has ended, too.
    """
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            process_group=0,
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            output, peak = _watch(process.pid, process.stdout)
            code = process.wait()
        finally:
            _end(process)
        errors.seek(0)
        return Ended(output=output, errors=errors.read().decode("utf-8", "replace"), code=code, peak=peak)


def _watch(pid: int, output: IO[bytes]) -> tuple[bytes, TreeSize]:
    """Read what it prints until it closes its output; meanwhile, count heads."""
    pieces: list[bytes] = []
    peak = TreeSize()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(_EVERY):
                if not (piece := os.read(output.fileno(), 65_536)):
                    return b"".join(pieces), peak
                pieces.append(piece)
            peak = _larger(peak, crowd_of(pid))


def _larger(one: TreeSize, other: TreeSize) -> TreeSize:
    return TreeSize(max(one.processes, other.processes), max(one.threads, other.threads), max(one.memory, other.memory))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for signum in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            return
