"""The C library's memory: how much of what is freed stays with the process, for the next use.

glibc gives freed memory back to the kernel as soon as 128 KiB of it are free at the heap's end, and takes blocks above
128 KiB from the kernel one by one; but once such a block is freed, blocks of up to its size come from the heap, where
what lies behind them keeps their memory from going back.
Runs on: any process, at its start. Linux only: elsewhere it does nothing.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_MIB = 1024 * 1024


def keep(mebibytes: int = 64) -> None:
    """Keep up to this much freed memory, in blocks of less than 1 MiB; larger ones always go back at once.

    A worker keeps 64 MiB: a page would pay for page faults on memory that the page before it had warm.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_TRIM_THRESHOLD, mebibytes * _MIB)
        mallopt(_M_MMAP_THRESHOLD, _MIB)
