"""testing.command_server: a command's server is there for a block, and nothing of it stays."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.core.errors import FetchError, UsageError
from crawler.downloader.client import Fetcher
from crawler.testing import command_server
from crawler.testing.command_server import served_command

SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
# A server whose work is done by a child, and that does not end when it is asked to.
STUBBORN = """
import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if not child:
    time.sleep(600)

class Tell(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d %d" % (os.getpid(), child))

HTTPServer(("127.0.0.1", int(sys.argv[1])), Tell).serve_forever()
"""


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one whose parent has yet to learn of its end does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_the_server_of_a_command_gets_a_free_port() -> None:
    """It answers within the block, and is gone behind it."""
    async with served_command(SERVER) as url, Fetcher(retries=0) as fetcher:
        assert (await fetcher.get(f"{url}/")).status == 200

    async with Fetcher(retries=0) as fetcher:
        with pytest.raises(FetchError, match="nothing listens at"):
            await fetcher.get(f"{url}/")


async def test_a_server_that_does_not_end_is_killed_with_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the block ends with an error."""
    monkeypatch.setattr(command_server, "_END", 0.3)
    pids = list[int]()

    with suppress(KeyError):
        async with served_command([sys.executable, "-c", STUBBORN, "{port}"]) as url, Fetcher() as fetcher:
            pids = [int(pid) for pid in (await fetcher.get(url)).text.split()]
            assert all(map(is_alive, pids))
            raise KeyError

    assert len(pids) == 2
    async with asyncio.timeout(10):
        while any(map(is_alive, pids)):  # noqa: ASYNC110 - the kernel ends a grandchild a moment later
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["a-server", "--port", "8000"], "a-server --port 8000: no {port} in it: write it where the server"),
        (["/no/such/server", "{port}"], "/no/such/server {port}: No such file or directory"),
        (
            [sys.executable, "-c", "print('so {port}', flush=True); 1/0"],
            "ended with exit code 1 before it accepted a connection",
        ),
    ],
)
async def test_a_command_that_serves_nothing_is_refused(command: list[str], told: str) -> None:
    """The error has the last lines of its output."""
    with pytest.raises(UsageError) as raised:
        async with served_command(command):
            raise AssertionError
    assert told in str(raised.value)
    if "1/0" in command[-1]:
        assert str(raised.value).endswith("ZeroDivisionError: division by zero")


async def test_a_command_that_listens_elsewhere_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, too."""
    monkeypatch.setattr(command_server, "_START", 0.3)
    code = "import os, time; print(os.getpid(), '{port}', flush=True); time.sleep(600)"

    with pytest.raises(UsageError, match=r"accepts no connection at port \d+ within 0.3 s") as raised:
        async with served_command([sys.executable, "-c", code]):
            raise AssertionError
    pid = int(str(raised.value).splitlines()[-1].split()[0])
    assert pid != os.getpid()
    assert not is_alive(pid)
