"""The folder of a private server: whose it is, which server serves it, and whose turn it is to start one.

Rules
- It has `data`, `server.log` and `lock`, and opens for its owner alone. New data is `data.new` until it is complete.
- The server's processes inherit the lock on `lock`, so it is free if and only if none of them lives.
- PostgreSQL refuses to run as root. Root's server runs as the folder's owner, else as `postgres`, else as `nobody`.
Runs on: any thread; it waits for other processes there.
"""

import fcntl
import os
import pwd
import socket
import time
from contextlib import suppress
from pathlib import Path

from crawler.core.errors import StorageError, UsageError
from crawler.core.text import safe

POLL = 0.02  # seconds; no file tells that another process has changed it
PORT = 5432  # a part of the socket's name, and no more

_SOCKET = f".s.PGSQL.{PORT}"
_OWN_NAMES = frozenset({"data.new", "server.log", "lock", _SOCKET, f"{_SOCKET}.lock"})


class ServerFolder:
    """A folder for the data of one server, made if it is absent.

    Attributes:
        path: of the folder, absolute.
        data: the folder of PostgreSQL's data in it.
        account: the ids of the user and the group of the server; None = those of this process.
        lock: the file descriptor with the lock.

    Raises:
        UsageError: it has other content.
        OSError: it cannot be made or used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.data = self.path / "data"
        self.path.mkdir(0o700, parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._claim()
        self.account = _account(self.path)
        self.lock = self.open("lock")

    def __repr__(self) -> str:
        return f"<ServerFolder {self.path}>"

    def _claim(self) -> None:
        """Make the folder one for a server, or refuse it."""
        if others := {path.name for path in self.path.iterdir()} - _OWN_NAMES:
            raise UsageError(f"{self.path} is no server's folder ({safe(min(others), 80)!r} is in it): name a new one")
        self.path.chmod(0o700)
        if (account := _account(self.path)) is not None:
            os.chown(self.path, *account)

    def open(self, name: str) -> int:
        """Open a file of the folder to read and append, made if it is absent; a symbolic link is refused."""
        file = os.open(self.path / name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if self.account is not None:
            os.fchown(file, *self.account)
        return file

    def close(self) -> None:
        """Close the lock; the processes of a server that live hold it on."""
        os.close(self.lock)

    def wait_for_turn(self, seconds: float) -> Path | None:
        """Wait until no process of a server lives here, or return the folder of the socket of one that serves.

        Raises:
            StorageError: one neither serves nor ends within these seconds.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return None
            lines = self._state()
            if self.is_ready() and _accepts(sockets := Path(lines[4])):
                return sockets
            time.sleep(POLL)
        raise StorageError(f"{self.path}: its server neither serves nor ends; see {self.path}/server.log")

    def is_ready(self, process: int | None = None) -> bool:
        """Return whether a server, or the one with this id, has said that it serves; a killed one says so, too."""
        lines = self._state()
        return len(lines) >= 8 and lines[7].strip() == "ready" and process in {None, int(lines[0])}

    def forget_killed_server(self) -> None:
        """Remove the state of a killed server if its id is another program's now, as PostgreSQL would believe it.

        It is for those who have the lock.
        """
        for process in self._state()[:1]:
            with suppress(OSError):  # no process has the id, or it is another user's, and PostgreSQL sees both
                if not Path(f"/proc/{int(process)}/cwd").samefile(self.data):
                    (self.data / "postmaster.pid").unlink()

    def _state(self) -> list[str]:
        """Return the server's own notes: its process, its data, start and port, its sockets, ..., its state."""
        try:
            return os.fsdecode((self.data / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            return []


def socket_path(folder: Path) -> Path:
    """Return the path of the socket of a server that has its socket in this folder."""
    return folder / _SOCKET


def _accepts(sockets: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(socket_path(sockets)))
        return True
    return False


def _account(folder: Path) -> tuple[int, int] | None:
    """Return the ids of the user and the group of the folder's server; None = those of this process.

    Raises:
        UsageError: this is root, and no other user is there.
    """
    if os.geteuid() != 0:
        return None
    status = folder.stat()
    if status.st_uid != 0:
        return status.st_uid, status.st_gid
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            return user.pw_uid, user.pw_gid
    raise UsageError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`: add one of them")
