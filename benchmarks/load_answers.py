"""The answers of `crawler capacity` and `crawler compare` on real servers of this machine.

Run with: python benchmarks/load_answers.py [--window SECONDS] [--blocks N]
Capacity: an nginx that refuses what is above a rate (limit_req, 500/s and a burst of 10), and an app of two workers
that take 5 ms for each request, so 400/s at most. Compare: that app beside a second version that takes 5 % longer, and
beside itself. Each claim allows for what a sleep costs on this machine, which is measured.
"""

import argparse
import getpass
import json
import os
import queue
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.support.debian import install
from benchmarks.support.programs import nginx_program
from benchmarks.support.tables import Claim, figure, verdict

_LIMIT, _SERVICE, _WORKERS = 500, 0.005, 2
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_SETTINGS = """
daemon off; {user} worker_processes 1; pid "{prefix}/nginx.pid"; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path "{prefix}/a"; proxy_temp_path "{prefix}/b"; fastcgi_temp_path "{prefix}/c";
    uwsgi_temp_path "{prefix}/d"; scgi_temp_path "{prefix}/e";
    limit_req_zone $server_port zone=all:1m rate={limit}r/s;
    server {{ listen 127.0.0.1:{port}; root "{prefix}"; location / {{ limit_req zone=all burst=10 nodelay; }} }}
}}
"""


def main() -> int:
    """Ask both questions; the exit code is 0 when the answers are the servers'."""
    if sys.argv[1:2] == ["--app"]:
        _app(float(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--window", default="3")
    parser.add_argument("--blocks", default="31")
    options = parser.parse_args()
    install({"nginx-light": nginx_program() is not None})
    return verdict("load_answers", [*_nginx(options.window), *_apps(options.window, options.blocks)])


def _nginx(window: str) -> Iterator[Claim]:
    with _limited_nginx() as url:
        found = _asked("capacity", url, "--slo", "errors<1%", "--from", "100", "--window", window)
    truth = _LIMIT / 0.99
    yield figure("nginx, limit_req 500/s, errors<1%", f"{found['low']} to {found['high']}/s, {found['verdict']}")
    yield Claim("it holds 500/s / 0.99", f"{truth:.1f}/s", _held(found, truth), _is_held(found, truth))


def _apps(window: str, blocks: str) -> Iterator[Claim]:
    truth = _WORKERS / (_SERVICE + _sleep_cost())
    with _served(_SERVICE) as first, _served(1.05 * _SERVICE) as second, _served(_SERVICE) as third:
        found = _asked("capacity", first, "--slo", "p99<50ms", "--from", "100", "--window", window)
        yield figure(
            "app of two workers, 5 ms each, p99<50ms", f"{found['low']} to {found['high']}/s, {found['verdict']}"
        )
        yield Claim("it holds their limit", f"{truth:.1f}/s", _held(found, truth), _is_held(found, truth))
        told = ("--blocks", blocks, "--tolerance", "2%", "-c", "4")
        slower, same = _asked("compare", first, second, *told), _asked("compare", first, third, *told)
    for name, compared in (("5 % slower", slower), ("itself", same)):
        yield figure(f"{name}", f"{compared['verdict']}: {compared['because']}")
    metric = next((each for each in slower["metrics"] if each["name"] == "p50"), None)
    shown = f"{metric['low']:.4f} to {metric['high']:.4f}" if metric else "none"
    yield Claim("the second version is found", "REGRESSION", shown, slower["verdict"] == "REGRESSION")
    is_quiet = same["verdict"] in {"NO-DIFFERENCE", "UNDECIDED"}
    yield Claim("nothing is found in itself", "no regression", same["verdict"], is_quiet)


def _held(found: dict[str, Any], truth: float) -> str:
    return "held" if _is_held(found, truth) else f"{found['low']} to {found['high']}"


def _is_held(found: dict[str, Any], truth: float) -> bool:
    return found["low"] is not None and found["high"] is not None and found["low"] <= truth <= found["high"]


def _asked(*told: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "crawler", *told, "--json"], check=False, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _sleep_cost() -> float:
    """Return how much longer a sleep takes than it was asked to, in seconds: the median of 200."""
    costs = []
    for _ in range(200):
        begin = time.perf_counter()
        time.sleep(_SERVICE)
        costs.append(time.perf_counter() - begin - _SERVICE)
    return sorted(costs)[100]


@contextmanager
def _limited_nginx() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="crawler-answers-") as prefix,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port = free.getsockname()[1]
        settings = Path(prefix) / "nginx.conf"
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        settings.write_text(_SETTINGS.format(prefix=prefix, limit=_LIMIT, port=port, user=user), "utf-8")
        (Path(prefix) / "page").write_text("ok", "utf-8")
        free.close()
        with _ended([nginx_program() or "nginx", "-p", prefix, "-c", str(settings)]):
            yield f"{_ready(port)}page"


@contextmanager
def _served(service: float) -> Iterator[str]:
    with _ended([sys.executable, __file__, "--app", str(service)]) as server:
        yield _ready(int(server.stdout.readline()) if server.stdout else 0)


@contextmanager
def _ended(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            yield server
        finally:
            server.terminate()


def _ready(port: int) -> str:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    return f"http://127.0.0.1:{port}/"


def _app(service: float) -> None:
    """Serve for ever: one thread reads requests, two take them in turn and sleep for their service time."""
    waiting: queue.SimpleQueue[socket.socket] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            connection = waiting.get()
            time.sleep(service)
            try:
                connection.sendall(_ANSWER)
            except OSError:
                continue

    for _ in range(_WORKERS):
        threading.Thread(target=serve, daemon=True).start()
    listener, selector = socket.create_server(("127.0.0.1", 0), backlog=256), selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    print(listener.getsockname()[1], flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            try:
                data = connection.recv(65536)
            except OSError:
                data = b""
            if data:
                waiting.put(connection)
            else:
                selector.unregister(connection)
                connection.close()


if __name__ == "__main__":
    sys.exit(main())
