"""Payloads: bytes on their way to a worker, beside their calls and not in them.

Why this model: pickling copies, into the pickle here and out of it there, and a pipe copies twice more, a piece at a
time. So the payloads of a batch lie in memory that both processes share: one copy in, and one out. A payload for which
there is no room goes through a pipe of its own: a thread writes it from the object that holds it, with the GIL
released, and the worker reads it into the object that it uses. Either side then holds it once.
Rules
- Shared memory has room for two batches, which take turns: a third is sent once the first was answered.
- Shared memory has no name and belongs to the two processes: it is gone when both are. A new worker has its own.
- A payload in the pipe has a number, which its call brings along. A payload whose call never arrived is skipped.
- The thread ends with its pipe: when it is closed here, or when the worker, which has the only other end, is gone.
Runs on: `Payloads` on the event loop, with a thread of its own; `receive` in the worker process.
"""

import mmap
import os
import struct
from contextlib import ExitStack, suppress
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.reduction import DupFd
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, Self

ROOM = 1024 * 1024
"""Bytes of shared memory for the payloads of one batch."""

_BATCHES = 2
_HEAD = struct.Struct("=QQ")  # number and size
_PIPE_BYTES = 1024 * 1024  # what Linux grants a user who asks

Ticket = tuple[int, int]
"""The place of a payload: its start and size in the shared memory, or its number and IN_PIPE.

A plain tuple is pickled in a tenth of the time of a named one.
"""

IN_PIPE = -1


Memory = mmap.mmap | bytes
"""Shared memory; empty bytes where the system has none."""


class Payloads:
    """The parent's side; `far_end` is the worker's, to be closed here once the worker has it."""

    def __init__(self, context: BaseContext) -> None:
        pipe, self._near_end = context.Pipe(duplex=False)
        self.far_end = FarEnd.new(pipe, _BATCHES * ROOM)
        self._shared = self.far_end.memory
        self._batches = count()
        self._free = self._end = 0  # the part of the shared memory that this batch may still use
        self._numbers = count()
        self._waiting: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def __repr__(self) -> str:
        return f"<Payloads {self._waiting.qsize()} wait>"

    def begin_batch(self) -> None:
        """Use the memory of the batch with payloads before the last, which was answered."""
        if isinstance(self._shared, mmap.mmap):
            self._free = next(self._batches) % _BATCHES * ROOM
            self._end = self._free + ROOM

    def send(self, payload: bytes) -> Ticket:
        """Copy a payload into the shared memory, or queue it for writing; returns its place."""
        start, size = self._free, len(payload)
        if isinstance(self._shared, mmap.mmap) and start + size <= self._end:
            self._free += size
            self._shared[start : self._free] = payload
            return start, size
        number = next(self._numbers)
        self._waiting.put((number, payload))
        if self._thread is None:
            self._thread = Thread(target=self._write_all, name="payloads", daemon=True)
            self._thread.start()
        return number, IN_PIPE

    def close(self) -> None:
        """Close this end: at once, or when the worker has read, or can no longer read, the payload being written."""
        self._waiting.put(None)
        if self._thread is None:
            self._near_end.close()

    def _write_all(self) -> None:
        with self._near_end as end, suppress(OSError):  # the worker is gone
            # A pipe that holds more than 64 KiB, where the system can: the two sides then switch less often.
            with suppress(ImportError, AttributeError, OSError):
                import fcntl  # noqa: PLC0415 - not everywhere

                fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            while (found := self._waiting.get()) is not None:
                _write(end.fileno(), _HEAD.pack(found[0], len(found[1])))
                _write(end.fileno(), found[1])
                del found  # so that no payload is held while this waits for the next one


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class FarEnd:
    """The worker's ends of pipe and memory; they can be given to a process that is being spawned."""

    def __init__(self, pipe: Connection, memory: Memory, file: int | None = None) -> None:
        self.pipe = pipe
        self.memory = memory
        self._file = file  # behind the memory

    @classmethod
    def new(cls, pipe: Connection, size: int) -> Self:
        """Return these ends, with `size` bytes of new memory where the system has some that needs no name (Linux)."""
        with ExitStack() as undo, suppress(AttributeError, OSError):
            file = os.memfd_create("payloads")
            undo.callback(os.close, file)
            os.ftruncate(file, size)
            memory = mmap.mmap(file, size)
            undo.pop_all()
            return cls(pipe, memory, file)
        return cls(pipe, b"")

    def __reduce__(self) -> tuple[object, ...]:
        file = None if self._file is None else DupFd(self._file)
        return _attached, (self.pipe, file, len(self.memory))

    def close(self) -> None:
        """Close the files; the memory stays."""
        self.pipe.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _attached(pipe: Connection, file: Any, size: int) -> FarEnd:
    """Return a far end in the process to which it was given."""
    if file is None:
        return FarEnd(pipe, b"")
    descriptor = file.detach()
    try:
        return FarEnd(pipe, mmap.mmap(descriptor, size))
    finally:
        os.close(descriptor)


class Inlet:
    """The worker's side, at the far end."""

    def __init__(self, end: FarEnd) -> None:
        self._end = end  # open as long as this is
        self._file: BinaryIO = open(end.pipe.fileno(), "rb", closefd=False)  # noqa: SIM115

    def receive(self, ticket: Ticket) -> bytes:
        """Return the payload of this ticket.

        Raises:
            EOFError: the parent is gone.
        """
        start, size = ticket
        if size != IN_PIPE:
            return self._end.memory[start : start + size]
        while True:
            found, size = _HEAD.unpack(self._read(_HEAD.size))
            payload = self._read(size)
            if found == start:
                return payload

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)  # into an object of just this size
        if len(data) < size:
            raise EOFError
        return data
