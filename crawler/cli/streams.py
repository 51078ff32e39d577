"""The standard streams, in whatever state the shell hands them over.

Rules
- A stream that arrives closed is put on /dev/null: otherwise its number goes to the next file or socket that is opened,
  which then gets our text (and libuv ends the process when it is told to close one of the three).
- What cannot be written, since nobody reads any more or the disk behind it is full, is an error with an exit code.
Runs on: the main thread.
"""

import errno
import os
import sys

_LOST = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def claim() -> None:
    """Make sure that all three are open; call it before anything else is."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def abandon(*descriptors: int) -> None:
    """Let what is still to be printed there go nowhere: else Python tries once more at exit, and exits with 120."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def is_lost(error: BaseException) -> bool:
    """Whether a standard stream cannot be written any more; errors of files carry the file's name."""
    return isinstance(error, OSError) and error.errno in _LOST and error.filename is None
