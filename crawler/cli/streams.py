"""Standard streams, in any state in which the shell hands them over.

Rules
- A stream that arrives closed is opened on /dev/null: otherwise the next file or socket gets its number and our text,
  and libuv aborts when it is told to close one of the three.
- A write that fails, since the reader left or the disk is full, is an error with an exit code.
Runs on: the main thread.
"""

import errno
import os
import sys

_LOST = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def claim() -> None:
    """Open those of the three that are closed; call it before anything else opens a file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def abandon(*descriptors: int) -> None:
    """Discard later output of these descriptors: else Python flushes once more at exit, and exits with 120."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def is_lost(error: BaseException) -> bool:
    """Return whether a standard stream cannot be written any more; errors of files carry the file's name."""
    return isinstance(error, OSError) and error.errno in _LOST and error.filename is None
