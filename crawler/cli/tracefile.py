"""`--trace FILE`: whether it can be written is found out before anything begins; it is written at an orderly end.

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
    """The file that is named, which may lie in the run's own `folder`, be that there or not; None = it has none.

    Raises:
        UsageError: it cannot be written, or is there and is something else.
    """
    if name is None:
        return None
    path = Path(name)
    is_own = folder is not None and path.parent.resolve() == folder.resolve()
    where = _existing(path.parent) if is_own else path.parent
    if not where.is_dir():
        raise UsageError(f"--trace: {name}: there is no folder {path.parent}")
    try:
        with TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise UsageError(f"--trace: {name}: the folder {where} cannot be written: {error.strerror}") from None
    if is_own and (path.suffix != ".json" or path.name == "summary.json"):
        raise UsageError(f"--trace: {name}: in the run's own folder its name has to end with .json, as trace.json does")
    if path.exists() and not (path.is_file() and _is_trace(path)):
        raise UsageError(f"--trace: {name}: is there and is no trace; it would be lost")
    return path


class Tracing:
    """The trace of one life of a run with so many `slots`: `observer` while it lasts, and then a file."""

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


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((above for above in (folder, *folder.resolve().parents) if above.exists()), folder)


def _is_trace(path: Path) -> bool:
    """An empty file may be replaced as well."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_BEGINS))
    except OSError as error:
        raise UsageError(f"--trace: {path}: {error.strerror}") from None
    return not start or start == _BEGINS
