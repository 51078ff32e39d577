"""The programs of a benchmark: the crawler, the built-in site, nginx. Each ends with the block that started it."""

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from crawler.report.summary import Summary
from crawler.site.plan import SitePlan
from crawler.site.truth import Site

T = TypeVar("T")

_READY_SECONDS = 10.0
SERVE = (sys.executable, "-m", "crawler", "serve", "--parent-pipe", "--port", "0")


@dataclass(frozen=True, slots=True)
class Run:
    """A command of the crawler that has ended; `seconds` from its start to its end."""

    code: int
    seconds: float
    summary: Summary


def crawler(*arguments: str) -> Run:
    """Run `crawler crawl`, `fetch` or `resume` to its end, silently."""
    began = time.monotonic()
    command = [sys.executable, "-m", "crawler", *arguments, "--quiet", "--json"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    seconds = time.monotonic() - began
    if done.returncode not in {0, 1}:
        sys.exit(f"exit {done.returncode}: crawler {' '.join(arguments)}")
    return Run(done.returncode, seconds, msgspec.json.decode(done.stdout, type=Summary))


def audit(*run: Path | str) -> int:
    """The exit code of `crawler verify`: 0 = clean. `run` is its folder, or its database and options."""
    command = [sys.executable, "-m", "crawler", "verify", *map(str, run)]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


@contextmanager
def built_in_site(*arguments: str) -> Iterator[list[str]]:
    """Serve the built-in site; gives its base URLs. The server dies with this process."""
    with _served([*SERVE, *arguments]) as base_urls:
        yield base_urls


@contextmanager
def planned_site(plan: SitePlan, *, port: int = 0, log: Path | None = None) -> Iterator[Site]:
    """Serve the built-in site with this plan; gives its truth. All is in the log when the server has ended."""
    script = Path(__file__).with_name("planned_site.py")
    command = [sys.executable, str(script), msgspec.json.encode(plan).decode(), str(port)]
    with _served([*command, *([str(log)] if log else [])]) as base_urls:
        yield Site(plan, base_urls)


@contextmanager
def _served(command: list[str]) -> Iterator[list[str]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        ready = server.stdout.readline() if server.stdout else b""
        try:
            yield json.loads(ready)["urls"]
        finally:
            if server.stdin:
                server.stdin.close()


@contextmanager
def nginx(
    root: Path, prefix: Path, *, log: Path | None = None, extra: str = "", addresses: Sequence[str] = ()
) -> Iterator[str]:
    """Serve the files of `root` with an nginx of our own, whose other files are all in `prefix`; gives its base URL.

    Each request becomes a line of JSON in `log`, if there is one: `uri`, `status` and `type`.
    `extra`: further directives of the server. `addresses`: where it listens at the same port, besides 127.0.0.1.
    """
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    listens = "".join(f"listen {address}:{port} backlog=4096; " for address in ("127.0.0.1", *addresses))
    settings = prefix / "nginx.conf"
    settings.write_text(_nginx_settings(root, prefix, log, listens + extra), "utf-8")
    command = [nginx_program() or "nginx", "-p", str(prefix), "-c", str(settings), "-e", str(prefix / "error.log")]
    with ended_by_sigterm(), subprocess.Popen(command) as server:
        try:
            _wait_until_ready(server, port, prefix / "error.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def nginx_program() -> str | None:
    """Return the path of nginx; Debian keeps it where only root's PATH looks."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def _nginx_settings(root: Path, prefix: Path, log: Path | None, server: str) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f'    {kind}_temp_path "{prefix}/{kind}";' for kind in kinds)
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""  # workers read what the master may read
    return f"""
daemon off;
{user}
worker_processes 1;
pid "{prefix}/nginx.pid";
events {{ worker_connections 8192; }}
worker_rlimit_nofile 16384;
http {{
{temporary}
    log_format seen escape=json '{{"uri":"$request_uri","status":$status,"type":"$sent_http_content_type"}}';
    access_log {f'"{log}" seen' if log else "off"};
    default_type application/octet-stream;
    types {{ text/html html htm; text/css css; text/plain txt; application/javascript js; image/png png; }}
    sendfile on;
    server {{
        root "{root}";
        {server}
    }}
}}
"""


def available(names: Sequence[str], makers: Mapping[str, Callable[[], T | str]]) -> list[T]:
    """Return the tools of these names, without those that cannot be had; of each of them a line says why."""
    found: list[T] = []
    for name in names:
        made = makers[name]()
        if isinstance(made, str):
            print(f"{name} is left out: {made}", file=sys.stderr)
        else:
            found.append(made)
    return found


def _wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while server.poll() is None and time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)  # nginx tells nobody that it listens
    sys.exit(f"nginx does not start: {log.read_text('utf-8', 'replace') if log.exists() else 'no log'}")


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """A SIGTERM ends this process through its `finally` blocks, so that nothing is left running."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
