"""Foreign errors of the disk, named: the one gate for OSError and sqlite3.Error on the storage thread.

Rules
- The message says which file, what happened and what to do; the run can be resumed in every case.
Runs on: anywhere (pure).
"""

import errno

from crawler.core.errors import DiskFull, ReaderGone, StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def storage_error(error: OSError, name: str) -> StorageError:
    """The StorageError that stands for an OSError while working on the file `name`."""
    if error.errno in _FULL:
        return DiskFull(f"{name}: no space left on the disk; free some and resume, nothing committed is lost")
    if error.errno == errno.EPIPE:
        return ReaderGone(f"{name}: whoever was reading it stopped; resume the run to get the rest")
    return StorageError(f"{name}: {error.strerror or error}; check the disk, then resume")
