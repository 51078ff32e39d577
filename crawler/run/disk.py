"""Files written durably, and the one gate for OSError: every writer of a run's folder uses this file.

Rules
- The message of an error says which file, what happened and what to do; the run can be resumed in every case.
- `write_whole` writes a temporary name, syncs and renames: the file is whole or not there.
Runs on: the main thread and the storage thread, blocking.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler.core.errors import DiskFull, ReaderGone, StorageError, UsageError

datasync = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_gate(name: str) -> Iterator[None]:
    """Raise a StorageError in place of an OSError; `name` is the file that the block works on."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, name) from error


def storage_error(error: OSError, name: str) -> StorageError:
    """Return the StorageError that stands for an OSError while working on the file `name`."""
    if error.errno in _FULL:
        return disk_full(name)
    if error.errno == errno.EPIPE:
        return ReaderGone(f"{name}: its reader stopped; resume the run to get the rest")
    return StorageError(f"{name}: {error.strerror or error}; check the disk, then resume")


def disk_full(name: str) -> DiskFull:
    """Return the error of a full disk while working on the file `name`."""
    return DiskFull(f"{name}: no space left on the disk; free some and resume, nothing committed is lost")


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file from its parts, whole or not at all: temporary name, fsync, rename, fsync of the folder.

    Raises:
        StorageError: the disk failed; the file is what it was before.
    """
    partial = partial_of(path)
    with disk_gate(str(path)):
        try:
            with partial.open("wb") as out:
                out.writelines(parts)
                out.flush()
                os.fsync(out.fileno())
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)  # a full disk needs its room
            raise
        sync_folder(path.parent)


def partial_of(path: Path) -> Path:
    """Return the temporary name of a file that is still being written."""
    return path.with_name(path.name + ".partial")


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however often the kernel takes only some."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(path: Path) -> int:
    """Return a file's size in bytes; 0 = it is missing, or empty."""
    return path.stat().st_size if path.exists() else 0


def read_toml(path: Path) -> dict[str, object]:
    """Return the content of a TOML file.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    import tomllib  # noqa: PLC0415 - a new run without a file of options reads none

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None
