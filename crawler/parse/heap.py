"""A worker keeps the memory that one page gave back, for the next page.

glibc gives freed memory back to the kernel as soon as 128 KiB of it are free at the heap's end, and takes blocks above
128 KiB from the kernel one by one: each page then pays for page faults on memory that the page before it had warm.
Runs on: a worker process, once, before its first document.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_KEPT = 64 * 1024 * 1024
_LARGEST_KEPT = 1024 * 1024


def prepare() -> None:
    """Keep up to 64 MiB of freed memory, in blocks of at most 1 MiB; larger ones go back at once. Linux only."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
