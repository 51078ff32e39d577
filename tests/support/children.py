"""The things that a test of resources counts: the children of this process, its open files, and temporary folders."""

import os
import tempfile
from pathlib import Path


def children() -> set[int]:
    """The ids of the processes that this one has started and that live, multiprocessing's own tracker aside."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = status.parent.name, status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if int(rest[1]) == os.getpid() and rest[0] != "Z" and b"resource_tracker" not in command:
            found.add(int(number))
    return found


def sockets() -> set[str]:
    """The sockets that this process has open."""
    found = set()
    for file in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(file.readlink()))
        except OSError:
            continue  # the folder itself
    return {name for name in found if name.startswith("socket:")}


def folders(prefix: str = "crawler-") -> set[str]:
    """The temporary folders with this prefix."""
    return {path.name for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")}
