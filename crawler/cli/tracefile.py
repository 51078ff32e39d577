"""`--trace FILE`: checked before anything begins, and written at an orderly end.

Runs on: the main thread.
"""

import os
from pathlib import Path
from tempfile import TemporaryFile

from crawler.core.errors import UsageError
from crawler.core.records import moment
from crawler.run.disk import write_whole

_BEGINS = b'{"displayTimeUnit"'  # as traces do


def trace_file(name: str | None, folder: Path | None = None) -> Path | None:
    """Return the named file, which may lie in the run's own `folder`, even before that exists; None = none is named.

    Raises:
        UsageError: the file cannot be written, or exists and is no trace.
    """
    if name is None:
        return None
    path = Path(name)
    is_own = folder is not None and path.parent.resolve() == folder.resolve()
    above = (path.parent, *path.parent.resolve().parents) if is_own else (path.parent,)
    where = next((folder for folder in above if folder.exists()), path.parent)
    if not where.is_dir():
        raise UsageError(f"--trace: {name}: there is no folder {path.parent}; make it first")
    try:
        with TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise UsageError(f"--trace: {name}: the folder {where} cannot be written: {error.strerror}") from None
    if is_own and (path.suffix != ".json" or path.name == "summary.json"):
        raise UsageError(f"--trace: {name}: in the run's own folder its name has to end with .json, as trace.json does")
    start = None
    if path.is_file():
        try:
            with path.open("rb") as file:
                start = file.read(len(_BEGINS))
        except OSError as error:
            raise UsageError(f"--trace: {path}: {error.strerror}") from None
    if path.exists() and start not in (b"", _BEGINS):  # only a trace is replaced, or a file that holds nothing
        raise UsageError(f"--trace: {name}: exists and is no trace; give another file")
    return path


class Tracing:
    """Trace of one life of a run with this number of `slots`: an `observer` while it lasts, then a file."""

    def __init__(self, path: Path, command: str, slots: int) -> None:
        from crawler.runtime.clock import SystemClock
        from crawler.timeline.recorder import Trace

        clock = SystemClock()
        self._path = path
        self._command = command
        self._slots = slots
        self._started = clock.wall()
        self.observer = Trace(clock.monotonic())

    def write(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            StorageError: the disk failed; the run itself is safe.
        """
        from crawler.timeline.trace_events import About, trace_json

        started = moment(self._started)
        about = About(command=self._command, pid=os.getpid(), started=started, slots=self._slots)
        write_whole(self._path, trace_json(self.observer, about))
