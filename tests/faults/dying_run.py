"""A run that kills itself at one step of the group commit: `python dying_run.py STEP NTH FOLDER`.

The step is patched in from here, so the program itself knows nothing of being killed.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crawler import build
from crawler.engine.journal import Journal
from crawler.frontier.host_rows import HostRows
from crawler.frontier.in_flight import MappedBoard
from crawler.frontier.sqlite.frontier import SqliteFrontier
from crawler.run.disk import write_all
from crawler.run.folder import RunFolder
from crawler.sinks import jsonl


def main() -> None:
    """Patch one step, then go on with the run."""
    step, nth, folder = sys.argv[1], int(sys.argv[2]), RunFolder(Path(sys.argv[3]))
    _patch(step, _Fuse(nth))
    show = build.Show(sample=lambda _: None, note=lambda _: None, seconds=3600)
    build.run(folder, folder.read_facts(), show)


class _Fuse:
    """Kills this process when it is lit for the n-th time."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def light(self) -> bool:
        self._left -= 1
        return self._left == 0

    def burn(self) -> None:
        if self.light():
            os.kill(os.getpid(), signal.SIGKILL)


def _patch(step: str, fuse: _Fuse) -> None:
    if step == "before_append":
        _wrap(jsonl.JsonlSink, "append", before=fuse.burn)
    elif step == "inside_append":
        _tear(fuse)
    elif step == "after_append":
        _wrap(jsonl.JsonlSink, "append", after=fuse.burn)
    elif step == "after_sync":
        _wrap(jsonl.JsonlSink, "sync", after=fuse.burn)
    elif step == "inside_transaction":
        _wrap(HostRows, "note", before=fuse.burn)
    elif step == "before_commit":
        _trace(fuse)
    elif step == "after_commit":
        _wrap(SqliteFrontier, "commit", after=fuse.burn)
    elif step == "after_acknowledged":
        _wrap(Journal, "_committed", after=fuse.burn)
    elif step == "after_truncate":
        _wrap(jsonl.JsonlSink, "rewind", after=fuse.burn)
    elif step == "after_deaths_counted":
        _wrap(MappedBoard, "clear", before=fuse.burn)


def _wrap(
    owner: type, name: str, *, before: Callable[[], None] | None = None, after: Callable[[], None] | None = None
) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            before()
        result = original(*args, **kwargs)
        if after:
            after()
        return result

    setattr(owner, name, wrapped)


def _tear(fuse: _Fuse) -> None:
    """Write half of the n-th group's lines, then die."""
    original = write_all

    def half(descriptor: int, data: bytes) -> None:
        if fuse.light():
            original(descriptor, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        original(descriptor, data)

    vars(jsonl)["write_all"] = half


def _trace(fuse: _Fuse) -> None:
    """Die when SQLite is about to run the n-th COMMIT of a connection that is open."""
    original = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = original(*args, **kwargs)
        db.set_trace_callback(lambda statement: fuse.burn() if statement == "COMMIT" else None)
        return db

    sqlite3.connect = connect  # type: ignore[assignment]  # stands in for it in this process


if __name__ == "__main__":
    main()
