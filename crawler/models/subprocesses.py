"""Runs a command in a process of its own, and samples the size of its tree meanwhile.

Rules
- The process leads a group of its own, so only this process gets a terminal's Ctrl-C. It passes it on to the whole
  group, as a terminal would, and kills the group if it does not end in time.
- This process samples ten times a second, which costs little; the other process is not disturbed.
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

from crawler.models.process_tree import TreeSize, tree_size

_SAMPLE_SECONDS = 0.1
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The output of a process, its exit code (negative: the signal that ended it), and the peak size of its tree."""

    output: bytes
    errors: str
    code: int
    peak: TreeSize

    @property
    def killer(self) -> str | None:
        """Return the name of the signal that ended the process; None = it ended by itself."""
        return signal.Signals(-self.code).name if self.code < 0 else None


def run_apart(command: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a command to its end.

    Raises:
        KeyboardInterrupt: in this process; the command has ended, too.
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
            if process.poll() is None:
                for signum in (signal.SIGINT, signal.SIGKILL):
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signum)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_GRACE_SECONDS)
                        break
        errors.seek(0)
        return Ended(output=output, errors=errors.read().decode("utf-8", "replace"), code=code, peak=peak)


def _watch(pid: int, output: IO[bytes]) -> tuple[bytes, TreeSize]:
    """Read the output to its end, and sample the size of the tree meanwhile."""
    pieces: list[bytes] = []
    peak = TreeSize()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            if selector.select(_SAMPLE_SECONDS):
                if not (piece := os.read(output.fileno(), 65_536)):
                    return b"".join(pieces), peak
                pieces.append(piece)
            peak = TreeSize(*map(max, peak, tree_size(pid)))
