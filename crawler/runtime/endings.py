"""Signals that end the command before it has begun its work, or between two parts of it.

Rules
- While the command is imported there is nothing to clear away, and an exception in the middle of an import may come out
  as any other one: the process ends at once, with one line.
- Later SIGINT is KeyboardInterrupt, as Python has it, and SIGTERM is SystemExit, so that half-made files are cleared
  away. A loop that runs has handlers of its own.
- A signal that the parent process ignores (`nohup`, `&` in a script) stays ignored.
Runs on: the main thread; Python lets no other listen, and there nothing is changed.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM)


def end_at_once() -> None:
    """Let both signals end the process with the exit code of a shell, 130 or 143; for the time of the imports."""
    for signum in _ENDING:
        _hear(signum, _end)


def end_in_order() -> None:
    """Let both signals end what runs by an exception, KeyboardInterrupt or SystemExit."""
    _hear(signal.SIGINT, signal.default_int_handler)
    _hear(signal.SIGTERM, _leave)


def _hear(signum: signal.Signals, handler: Callable[[int, FrameType | None], Any]) -> None:
    if signal.getsignal(signum) != signal.SIG_IGN:
        with suppress(ValueError):  # another thread
            signal.signal(signum, handler)


def _end(signum: int, _frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, b"crawler: interrupted\n")
    os._exit(128 + signum)


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)
