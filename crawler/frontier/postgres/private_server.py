"""A PostgreSQL server of one's own in a folder, for trials on one machine and for tests.

Rules
- It listens at a unix socket in a folder that opens for its user alone, and asks for no password; at no port of TCP.
- The next command uses a server that it finds (`server_folder.py`), and leaves it running.
- The server ends with the block of the command that started it, or when that is killed (`runtime/bound_child.py`).
- It has the disk's word before it confirms a commit.
Runs on: the thread that uses it, which lives as long as the block.
"""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from crawler.core.errors import DiskFull, StorageError, UsageError
from crawler.core.text import safe
from crawler.frontier.postgres import server_binaries
from crawler.frontier.postgres.server_folder import POLL, PORT, ServerFolder, socket_path
from crawler.runtime.bound_child import BoundChild, Program

_START = 300.0  # seconds; after a crash the server first reads its log again
_END = 60.0  # seconds; it writes to its data what it has in memory
_LONGEST_SOCKET = 107  # bytes, unix(7)
_USER = "crawler"
_SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": 100,
    "max_parallel_workers_per_gather": 0,  # they need /dev/shm, which containers keep small
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}


@contextmanager
def private_server(folder: Path, programs: Sequence[Path] | None = None) -> Iterator[str]:
    """Run the server of a folder for the length of the block, and give the name of its database `postgres`.

    The folder is made if it is absent. `programs` are folders of PostgreSQL's programs, the best first; None = those
    that are installed.

    Raises:
        UsageError: no PostgreSQL is installed, or none that can use this folder.
        DiskFull: no space is left.
        StorageError: the folder cannot be used, or the server does not start; the message says why.
    """
    found = server_binaries.installed() if programs is None else programs
    with _gate(folder):
        place = ServerFolder(folder)
    try:
        with _gate(folder):
            sockets = place.wait_for_turn(_START + _END)
        if sockets is not None:
            yield _dsn(sockets)
            return
        with _gate(folder):
            chosen = _with_data(place, found)
        with _socket_folder(place) as sockets, _served(place, chosen, sockets):
            yield _dsn(sockets)
    finally:
        place.close()


def is_made(folder: Path) -> bool:
    """Return whether a folder has the data of a server; True, too, where this user may not look."""
    try:
        return (folder / "data" / "PG_VERSION").exists()
    except PermissionError:
        return True  # `private_server` tells of it


def _with_data(place: ServerFolder, candidates: Sequence[Path]) -> Path:
    """Make the data if there is none, and return the folder of the programs that can serve it."""
    if place.data.exists():
        place.forget_killed_server()
        return server_binaries.for_data(candidates, place.data)
    programs = candidates[0]
    draft = place.data.with_name("data.new")
    if draft.exists():
        shutil.rmtree(draft)
    options = ["--encoding=UTF8", "--locale=C", "--auth=trust", f"--username={_USER}"]
    with tempfile.TemporaryFile() as output:
        command = [str(programs / "initdb"), f"--pgdata={draft}", *options]
        if BoundChild(_program(place, command, output.fileno())).wait() != 0:
            output.seek(0)
            raise _failure(place, output.read())
    draft.rename(place.data)
    return programs


@contextmanager
def _served(place: ServerFolder, programs: Path, sockets: Path) -> Iterator[None]:
    """Run the server for the length of the block."""
    escaped = str(sockets).replace('"', '""')
    settings = {**_SETTINGS, "unix_socket_directories": f'"{escaped}"'}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with _gate(place.path):
        log = place.open("server.log")
    try:
        before = os.fstat(log).st_size
        child = BoundChild(_program(place, [str(programs / "postgres"), "-D", str(place.data), *options], log))
        try:
            if not _becomes_ready(place, child):
                raise _failure(place, os.pread(log, 65536, before))
            yield
        finally:
            child.end(_END)
    finally:
        os.close(log)


def _becomes_ready(place: ServerFolder, server: BoundChild) -> bool:
    deadline = time.monotonic() + _START
    while server.exit_code is None and time.monotonic() < deadline:
        if place.is_ready(server.id):
            return True
        time.sleep(POLL)
    return False


@contextmanager
def _socket_folder(place: ServerFolder) -> Iterator[Path]:
    """Give a folder for the socket: the server's own, or a temporary one if its path cannot be in a DSN."""
    if _fits(place.path) and b"," not in os.fsencode(place.path):  # a comma separates hosts in a DSN
        yield place.path
        return
    with tempfile.TemporaryDirectory(prefix="crawler-") as name:
        if not _fits(Path(name)):
            raise UsageError(f"{name} is too long for a socket ({_LONGEST_SOCKET} bytes): set TMPDIR=/tmp")
        if place.account is not None:
            os.chown(name, *place.account)
        yield Path(name)


def _fits(folder: Path) -> bool:
    return len(os.fsencode(socket_path(folder))) <= _LONGEST_SOCKET


def _program(place: ServerFolder, command: Sequence[str], output: int) -> Program:
    """Return a program of PostgreSQL that speaks English and inherits the lock."""
    inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**inherited, "LC_ALL": "C"}
    return Program(command=command, output=output, account=place.account, environment=environment, keeps=[place.lock])


def _failure(place: ServerFolder, output: bytes) -> StorageError:
    """Return the error that the output of a program of PostgreSQL tells of."""
    text = output.decode("utf-8", "replace")
    if os.strerror(errno.ENOSPC) in text:
        return DiskFull(f"{place.path}: no space left on the disk: free some, then start again")
    told = re.findall(r"(?:error|FATAL|PANIC): +(.*)", text) or text.splitlines() or ["it said nothing"]
    why = safe(told[-1].strip(), 300)
    if place.account is not None and os.strerror(errno.EACCES) in why:
        return StorageError(
            f"{place.path}: root's server runs as another user: {why}: name a folder below /tmp, or do not run as root"
        )
    return StorageError(f"{place.path}: the server does not start: {why}")


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """Turn the system's errors about the folder into this program's."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"{folder}: no space left on the disk: free some, then start again") from None
        where = error.filename or folder
        raise StorageError(f"{safe(str(where), 200)}: cannot be used for a server: {error.strerror}") from None


def _dsn(sockets: Path) -> str:
    return f"postgresql://{_USER}@{quote(os.fsencode(sockets), safe='')}:{PORT}/postgres"
