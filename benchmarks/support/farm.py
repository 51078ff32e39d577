"""A farm of thousands of hosts on loopback, in one process: `python farm.py PLAN LOG PAGES`, PLAN a file of JSON.

Rules
- One socket listens at a port of all addresses, bound to the loopback device alone; the address to which a client
  connected says which host it wants. What each does is in the plan (support/broad_plan.py).
- A black hole is a port whose backlog of one is full: Linux drops each further SYN without a word, at every address.
  The farm does not start before it has seen this.
- Each request is noted with the moment when it had arrived, and each connection, as method CONNECTED, from when it was
  accepted until it was closed.
- A page is about 1 KB and links to all pages of its host, which are few if it has a name. Every second host has a
  robots.txt, which allows all.
- One line of JSON says that it is ready. It ends when its standard input closes, and then all is in the log.
"""

import asyncio
import select
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import trustme

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from benchmarks.support.broad_plan import FIRST_ADDRESS, Host, Kind, Ports, pages_of
from benchmarks.support.farm_log import CONNECTED, ROBOTS
from crawler.runtime.loop import Stop, raise_open_files, run
from crawler.site.log import Hit, RequestLog
from crawler.site.parent_pipe import end_with_parent
from support.nameserver import SILENT, Reply, name_server

NAMES_ADDRESS = "127.0.53.1"
_BACKLOG = 4096
_PROBES = 64  # addresses of the full port that must be silent
_DRIBBLE_EVERY = 10.0
_ROBOTS = b"User-agent: *\nAllow: /\n"
_FOUND = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_PAGE_BYTES = 1000


@contextmanager
def farm(hosts: Sequence[Host], pages: int, log: Path) -> Iterator[Ports]:
    """Serve these hosts in another process until the block ends; all is in the log then."""
    plan = log.with_suffix(".plan")
    plan.write_bytes(msgspec.json.encode(hosts))
    command = [sys.executable, str(Path(__file__)), str(plan), str(log), str(pages)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        ready = server.stdout.readline() if server.stdout else b""
        if not ready:
            sys.exit(2)  # it has said why
        try:
            yield msgspec.json.decode(ready, type=Ports)
        finally:
            if server.stdin:
                server.stdin.close()


def name_server_port() -> int:
    """Return 53, the only port that a resolv.conf can mean, where this process may have it; otherwise 0, any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((NAMES_ADDRESS, 53))
        except OSError:
            return 0
    return 53


class _Farm:
    """State that all connections share."""

    def __init__(self, hosts: Sequence[Host], pages: int, log: RequestLog) -> None:
        self.hosts = hosts
        self.pages = pages
        self.log = log
        self.open: set[_Connection] = set()
        self._bodies = {pages_of(host, pages): _body(pages_of(host, pages)) for host in hosts}

    def answer(self, host: Host, target: str) -> bytes:
        """Return the response of a host."""
        if target == ROBOTS:
            return _FOUND % (b"text/plain", len(_ROBOTS), _ROBOTS) if host.number % 2 else _MISSING
        page = target[1:] or "0"
        pages = pages_of(host, self.pages)
        if not page.isdecimal() or int(page) >= pages:
            return _MISSING
        body = self._bodies[pages].replace(b"PAGE", f"Page {page} of {host.number}".encode())
        return _FOUND % (b"text/html; charset=utf-8", len(body), body)


class _Connection(asyncio.Protocol):
    """Answers each request of one connection when its time has come; a client sends one at a time."""

    def __init__(self, farm: _Farm) -> None:
        self._farm = farm
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        address = transport.get_extra_info("sockname")[0]
        number = int.from_bytes(socket.inet_aton(address)) - FIRST_ADDRESS
        self._host = self._farm.hosts[number]
        self._began = time.monotonic()
        self._farm.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._farm.open.discard(self)
        self._note(CONNECTED, "", 0, self._began)

    def end(self) -> None:
        """Note a connection that is open still."""
        self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        host = self._host
        if host.kind is Kind.NO_TLS:
            self._transport.write(b"220 mail.farm.test ESMTP\r\n")
            self._transport.close()
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            target = self._head.split(b" ", 2)[1].decode("latin-1")
            self._head = b""
            self._take(host, target, time.monotonic())

    def _take(self, host: Host, target: str, now: float) -> None:
        if host.kind is Kind.SILENT:
            self._note("GET", target, 0, now)
        elif host.kind is Kind.DRIBBLING and target != ROBOTS:
            self._note("GET", target, 0, now)
            self._dribble(self._farm.answer(host, target), 0)
        else:
            asyncio.get_running_loop().call_later(host.seconds, self._answer, host, target, now)

    def _answer(self, host: Host, target: str, started: float) -> None:
        gone, answer = self._transport.is_closing(), self._farm.answer(host, target)
        status = 0 if gone else int(answer[9:12])
        self._note("GET", target, status, started)
        if not gone:
            self._transport.write(answer)

    def _dribble(self, answer: bytes, at: int) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer[at : at + 1])
            asyncio.get_running_loop().call_later(_DRIBBLE_EVERY, self._dribble, answer, at + 1)

    def _note(self, method: str, target: str, status: int, started: float) -> None:
        hit = Hit(
            host=self._host.number,
            method=method,
            target=target,
            status=status,
            started=started,
            ended=time.monotonic(),
        )
        self._farm.log.add(hit)


def _body(pages: int) -> bytes:
    links = "".join(f'<a href="/{page or ""}">{page}</a> ' for page in range(pages))
    return f"<!doctype html><title>PAGE</title><p>{links}</p>".ljust(_PAGE_BYTES, ".").encode()


# --- sockets ------------------------------------------------------------------------------------------------------


def _bound() -> socket.socket:
    """Return a socket of a free port at all addresses of loopback, and at no other."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    found.bind(("0.0.0.0", 0))
    return found


def _full(stack: ExitStack) -> int:
    """Return a port that answers no SYN while the stack is open."""
    listening = stack.enter_context(_bound())
    listening.listen(0)
    port: int = listening.getsockname()[1]
    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    with ExitStack() as probes:
        poll = select.poll()
        for number in range(_PROBES):
            probe = probes.enter_context(socket.socket())
            probe.settimeout(0)
            probe.connect_ex((socket.inet_ntoa((FIRST_ADDRESS + 101 * number).to_bytes(4)), port))
            poll.register(probe, select.POLLOUT | select.POLLERR)
        if answered := len(poll.poll(200)):
            sys.exit(f"{answered} of {_PROBES} addresses answered at a port with a full backlog: no black hole here")
    return port


def _tls() -> ssl.SSLContext:
    """Return a context with a certificate of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("farm.test").configure_cert(context)
    return context


def _names(hosts: Sequence[Host]) -> dict[str, Reply]:
    told = {host.name: Reply(host.address) for host in hosts if host.kind is Kind.LIVE and host.name}
    return told | {host.name: SILENT for host in hosts if host.kind is Kind.MUTE_NAME}


async def _serve(hosts: Sequence[Host], log_path: Path, pages: int, stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    log = RequestLog(log_path)
    shared = _Farm(hosts, pages, log)
    made = partial(_Connection, shared)
    with ExitStack() as stack:
        refusing = stack.enter_context(_bound())  # it is bound all the while, and does not listen
        full = _full(stack)
        plain = await loop.create_server(made, sock=_bound(), backlog=_BACKLOG)
        secure = await loop.create_server(made, sock=_bound(), backlog=_BACKLOG, ssl=_tls())
        async with name_server(_names(hosts), NAMES_ADDRESS, name_server_port()) as names:
            await end_with_parent(stop)
            ports = Ports(
                plain=plain.sockets[0].getsockname()[1],
                secure=secure.sockets[0].getsockname()[1],
                refusing=refusing.getsockname()[1],
                full=full,
                names=names.address,
            )
            sys.stdout.write(msgspec.json.encode(ports).decode() + "\n")
            sys.stdout.flush()
            await stop.wait_draining()
        plain.close()
        secure.close()
    for connection in list(shared.open):
        connection.end()
    log.close()


if __name__ == "__main__":
    raise_open_files()
    planned = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[Host])
    run(partial(_serve, planned, Path(sys.argv[2]), int(sys.argv[3])))
