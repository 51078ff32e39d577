"""A server that does nothing but wait: `python slow_server.py LATENCY LOG HOSTS`, one line of JSON when it is ready.

The built-in site makes a page for every request, which takes longer than the crawler takes to ask for it. Here a
request is a timer and its answer 200 bytes, one `asyncio.Protocol` per connection. It notes every request in LOG just
as the built-in site does, and ends when its standard input closes. Each host is an address of its own, 127.0.1.1 first.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crawler.runtime.loop import Stop, raise_open_files, run
from crawler.site.log import Hit, RequestLog
from crawler.site.parent_pipe import end_with_parent

_BODY = b"<title>Late</title>".ljust(100, b".")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
_NO_ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def slow_server(latency: float, log: Path) -> Iterator[str]:
    """Serve one host in another process until the block ends; gives the base URL. All is in the log then."""
    with slow_servers(latency, log, 1) as (url,):
        yield url


@contextmanager
def slow_servers(latency: float, log: Path, hosts: int) -> Iterator[list[str]]:
    """Serve so many hosts; gives their base URLs."""
    command = [sys.executable, str(Path(__file__)), str(latency), str(log), str(hosts)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        ready = server.stdout.readline() if server.stdout else b""
        try:
            yield json.loads(ready)["urls"]
        finally:
            if server.stdin:
                server.stdin.close()


class _Connection(asyncio.Protocol):
    """Answers each request of one connection when its time has come; a client sends one at a time."""

    def __init__(self, host: int, latency: float, log: RequestLog) -> None:
        self._host = host
        self._latency = latency
        self._log = log
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            target = self._head.split(b" ", 2)[1].decode("latin-1")
            self._head = b""
            answer = partial(self._answer, target, time.monotonic())
            if target == "/robots.txt":
                answer()
            else:
                asyncio.get_running_loop().call_later(self._latency, answer)

    def _answer(self, target: str, started: float) -> None:
        gone, is_page = self._transport.is_closing(), target != "/robots.txt"
        status = 0 if gone else 200 if is_page else 404
        ended = time.monotonic()
        self._log.add(Hit(host=self._host, method="GET", target=target, status=status, started=started, ended=ended))
        if not gone:
            self._transport.write(_ANSWER if is_page else _NO_ROBOTS)


async def _serve(latency: float, log_path: Path, hosts: int, stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    log = RequestLog(log_path)
    servers: list[asyncio.Server] = []
    port = 0
    for host in range(hosts):
        address = str(ip_address("127.0.1.1") + host)
        server = await loop.create_server(partial(_Connection, host, latency, log), address, port, backlog=8192)
        port = server.sockets[0].getsockname()[1]
        servers.append(server)
    await end_with_parent(stop)
    urls = ["http://{}:{}".format(*server.sockets[0].getsockname()) for server in servers]
    print(json.dumps({"urls": urls}), flush=True)
    await stop.wait_draining()
    for server in servers:
        server.close()
    log.close()


if __name__ == "__main__":
    raise_open_files()
    run(partial(_serve, float(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
