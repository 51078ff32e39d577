"""Small jobs for worker processes: each is a function of one item, importable by a process that was spawned."""

import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import FrameType


def double(number: int) -> int:
    """The quick and good one."""
    return 2 * number


def pid(_item: object) -> int:
    """Return the id of this process."""
    return os.getpid()


def fail(text: str) -> None:
    """An error that travels."""
    raise ValueError(text)


class TwoArgumentsError(Exception):
    """An error that pickles, but cannot be rebuilt from its pickle."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def fail_with(kind: str) -> None:
    """An error that cannot travel, or that may not leave a coroutine."""
    raise {
        "unpicklable": ValueError(lambda: None),
        "unbuildable": TwoArgumentsError("a reason", "the message"),
        "exit": SystemExit(3),
        "stop": StopIteration(),
    }[kind]


def fault(kind: str) -> None:
    """Hang, crash, eat memory or stop, each in its own way."""
    match kind:
        case "sleep":
            time.sleep(60)
        case "loop in C":
            sum(range(10**12))
        case "regular expression":
            re.match(r"(a+)+$", "a" * 64 + "b")
        case "abort":
            os.abort()
        case "exit":
            os._exit(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            bytearray(1 << 40)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)


def double_unless_fault(item: int | str) -> int:
    """Quick and good for a number; a fault for the name of one."""
    if isinstance(item, str):
        fault(item)
        return 0
    return double(item)


def crash_once(marker: str) -> str:
    """Ends the process the first time that it is called with this file's name."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.abort()
    return "done"


def has_imported(module: str) -> bool:
    """Return True if this process has imported a module."""
    return module in sys.modules


def blocks(signum: int) -> bool:
    """Return True if a signal is blocked in this process."""
    return signum in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def unpicklable(_item: object) -> object:
    """A result that cannot travel."""
    return lambda: None


def huge(size: int) -> bytes:
    """A result larger than any pipe."""
    return bytes(size)


def refuse_to_start() -> None:
    """A `prepare` that fails."""
    raise ValueError("not today")


def be_killed_at_start(log: str) -> None:
    """A `prepare` that survives every fourth time only; for a partial."""
    with Path(log).open("a", encoding="ascii") as starts:
        starts.write(".")
    if Path(log).stat().st_size % 4:
        os.kill(os.getpid(), signal.SIGKILL)


def sleep_at_start() -> None:
    """A `prepare` that never ends."""
    time.sleep(60)


def be_stopped_at_start(log: str) -> None:
    """A `prepare` that gets stuck the first time; for a partial."""
    if not Path(log).exists():
        Path(log).touch()
        os.kill(os.getpid(), signal.SIGSTOP)


def weigh(item: object, payload: bytes) -> tuple[object, int, int]:
    """Return the item, and the size and checksum of its payload."""
    return item, len(payload), zlib.crc32(payload)


def fault_with(kind: str, _payload: bytes) -> None:
    """A fault, once the payload has come."""
    fault(kind)


def crash_once_with(marker: str, payload: bytes) -> int:
    """The same with a payload; gives its size."""
    crash_once(marker)
    return len(payload)


def nap(seconds: float) -> None:
    """Wait, which costs no CPU time."""
    time.sleep(seconds)


def timers(_item: object) -> tuple[float, float]:
    """Return the CPU time and wall time that are left for this item."""
    return signal.getitimer(signal.ITIMER_PROF)[0], signal.getitimer(signal.ITIMER_REAL)[0]


def start_child(_item: object) -> int:
    """Start a program that would go on for long; gives its process."""
    return subprocess.Popen(["sleep", "77"]).pid


def die_in_mid_answer(_item: object) -> None:
    """Send the beginning of an answer, then die: what the kernel's out-of-memory killer may do at any time."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and "result_queue" not in frame.f_locals:
        frame = frame.f_back
    assert frame is not None
    answers = frame.f_locals["result_queue"]._writer.fileno()
    os.write(answers, struct.pack("!i", 1000) + b"the first bytes")
    os.kill(os.getpid(), signal.SIGKILL)
