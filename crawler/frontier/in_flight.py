"""The URLs in flight, in a memory-mapped file of ids that survives `kill -9`.

A write to a shared mapping is in the kernel's page cache at once, without a system call: cheap enough for every
dispatch, and safe through any death of the process (not of the machine, where it is not needed: no URL kills that).
Layout: magic, generation, number of slots, then one 64-bit id per slot; 0 = free.
Rules
- The loop writes while a run is open; the frontier reads and clears it when it opens the run.
- The file is locked as long as the board is open: one process works in a folder, also where the frontier is elsewhere.
- The generation tells whether its deaths are counted already, so that a death while opening counts no URL twice.
Runs on: the loop (`enter`, `leave`); the storage thread while opening and closing.
"""

import fcntl
import mmap
import os
from pathlib import Path

from crawler.core.errors import InternalError, RunInUse, StorageDamaged
from crawler.run.disk import disk_gate

_MAGIC = 0x6272_6431_6372_6C72
_HEADER = 3


class MappedBoard:
    """The board: `slots` places for ids in the file `path`, which is made when it does not exist."""

    def __init__(self, path: Path, slots: int) -> None:
        self._path = path
        self._slots = slots
        self._place: dict[int, int] = {}

    def open(self) -> tuple[int, tuple[int, ...]]:
        """The generation and the ids that the last life left behind; the board is mapped from here on."""
        with disk_gate(self._path.name):
            generation, ids = 0, tuple[int, ...]()
            if self._path.exists() and self._path.stat().st_size:
                data = self._path.read_bytes()
                cells = memoryview(data[: len(data) // 8 * 8]).cast("q")
                if len(cells) < _HEADER or cells[0] not in (0, _MAGIC):
                    raise StorageDamaged(f"{self._path.name}: this is not a board; delete it and resume")
                generation, ids = cells[1], tuple(sorted({cell for cell in cells[_HEADER:] if cell > 0}))
            size = (_HEADER + self._slots) * 8
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._lock(descriptor)
                found = os.fstat(descriptor).st_size
                # Take the blocks now, so that a write to the mapping can never meet a full disk.
                if found < size and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(descriptor, 0, size)
                elif found < size:  # macOS
                    os.ftruncate(descriptor, size)
                self._map = mmap.mmap(descriptor, max(size, found // 8 * 8))  # an earlier life may have had more slots
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        self._cells = memoryview(self._map).cast("q")
        return generation, ids

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunInUse(f"{self._path}: another process works in this folder; wait for it or stop it") from None

    @property
    def generation(self) -> int:
        """Return the number of this life."""
        return self._cells[1]

    def clear(self, generation: int) -> None:
        """Empty the board, as a new life begins or this one ends in order."""
        for slot in range(_HEADER, len(self._cells)):
            self._cells[slot] = 0
        # Last, so that a process that dies before this leaves ids of a generation whose deaths are counted.
        self._cells[0], self._cells[1], self._cells[2] = _MAGIC, generation, self._slots
        self._place.clear()
        self._free = list(range(_HEADER + self._slots - 1, _HEADER - 1, -1))

    def enter(self, url_id: int) -> None:
        """Note that the URL is dispatched."""
        if not self._free:
            raise InternalError(f"the board is full: {len(self._place)} URLs in flight or uncommitted")
        slot = self._place[url_id] = self._free.pop()
        self._cells[slot] = url_id

    def leave(self, url_id: int) -> None:
        """Note that the visit, retry or return of the URL is committed; a URL that never entered is ignored."""
        slot = self._place.pop(url_id, None)
        if slot is not None:
            self._cells[slot] = 0
            self._free.append(slot)

    def close(self) -> None:
        """Close the mapping; the ids on the board stay in the file."""
        self._cells.release()
        self._map.close()
        os.close(self._descriptor)

    def __repr__(self) -> str:
        return f"<MappedBoard {len(self._place)} of {self._slots} in flight>"
