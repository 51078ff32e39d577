"""The built-in site in another process, for tests that want a real server on loopback.

Runs on: anywhere; starting it blocks for some tenths of a second.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def served_site(pages: int = 100) -> Iterator[str]:
    """Serve a site of pages that all answer 200, and give its URL, without a slash at the end.

    The server ends with the block, and with this process.
    """
    command = [
        sys.executable,
        "-m",
        "crawler",
        "serve",
        "--parent-pipe",
        "--port",
        "0",
        "--plain",
        "--pages",
        str(pages),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdin is not None  # noqa: S101 - both are pipes
        assert server.stdout is not None  # noqa: S101
        if not (ready := server.stdout.readline()):
            raise RuntimeError("the built-in site did not start: run `crawler serve --port 0` to see why")
        try:
            yield json.loads(ready)["urls"][0]
        finally:
            server.stdin.close()
            server.wait(10)
