"""Hosts that answer nothing at all."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def black_holes(count: int) -> Iterator[list[str]]:
    """URLs of so many hosts whose backlog is full: Linux drops each further SYN without a word."""
    with ExitStack() as stack:
        urls = []
        for number in range(count):
            listening = stack.enter_context(socket.socket())
            listening.bind((f"127.0.7.{number + 1}", 0))
            listening.listen(0)
            host, port = listening.getsockname()
            stack.enter_context(socket.create_connection((host, port)))
            urls.append(f"http://{host}:{port}/")
        yield urls
