"""The C library's memory: the amount of freed memory that stays with the process, for the next use.

glibc gives freed memory back to the kernel as soon as 128 KiB of it are free at the heap's end, and takes blocks above
128 KiB from the kernel one by one. But once such a block is freed, blocks of up to its size come from the heap, where
the blocks behind them keep their memory from going back.
Runs on: any process, at its start. Linux only: elsewhere it does nothing.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_MIB = 1024 * 1024


def keep_warm() -> None:
    """Keep up to 64 MiB: otherwise each document would pay page faults on memory that the one before had warm.

    For workers.
    """
    _keep(64 * _MIB, _MIB)


def keep_little() -> None:
    """Keep up to 16 MiB, in blocks below 128 KiB: pieces of bodies, and bodies, go back at once.

    For a main process. Holes that a wave of bodies leaves in the heap would stay with it to the end.
    """
    _keep(16 * _MIB, _MIB // 8)


def _keep(most: int, large: int) -> None:
    """Keep this much freed memory at the heap's end; blocks of `large` bytes or more always go back at once."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_TRIM_THRESHOLD, most)
        mallopt(_M_MMAP_THRESHOLD, large)
