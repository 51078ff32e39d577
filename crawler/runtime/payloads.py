"""Payloads: large bytes on their way to a worker, each held once on either side of a pipe.

Why this model: pickling copies, into the pickle here and out of it there, which costs a large body its size twice. So a
thread writes the body from the object that holds it, with the GIL released, and the worker reads it into the object
that it uses.
Rules
- A payload has a number, which its call brings along. A payload whose call never arrived is skipped.
- The thread ends with its pipe: when it is closed here, or when the worker, which has the only other end, is gone.
Runs on: `Payloads` on the event loop, with a thread of its own; `receive` in the worker process.
"""

import os
import struct
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

_HEAD = struct.Struct("=QQ")  # number and size
_PIPE_BYTES = 1024 * 1024  # what Linux grants a user who asks


class Payloads:
    """The parent's side; `far_end` is the worker's, to be closed here once the worker has it."""

    def __init__(self, context: BaseContext) -> None:
        self.far_end, self._near_end = context.Pipe(duplex=False)
        self._numbers = count()
        self._waiting: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def __repr__(self) -> str:
        return f"<Payloads {self._waiting.qsize()} wait>"

    def send(self, payload: bytes) -> int:
        """Queue a payload for writing; returns its number."""
        number = next(self._numbers)
        self._waiting.put((number, payload))
        if self._thread is None:
            self._thread = Thread(target=self._write_all, name="payloads", daemon=True)
            self._thread.start()
        return number

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


class Inlet:
    """The worker's side."""

    def __init__(self, far_end: Connection) -> None:
        self._far_end = far_end  # open as long as this is
        self._file: BinaryIO = open(far_end.fileno(), "rb", closefd=False)  # noqa: SIM115

    def receive(self, number: int) -> bytes:
        """Return the payload of this number.

        Raises:
            EOFError: the parent is gone.
        """
        while True:
            found, size = _HEAD.unpack(self._read(_HEAD.size))
            payload = self._read(size)
            if found == number:
                return payload

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)  # into an object of just this size
        if len(data) < size:
            raise EOFError
        return data
