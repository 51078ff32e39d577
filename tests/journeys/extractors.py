"""Functions of a user that act on a page: `--extract journeys.extractors:act` does what the URL's last part says."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable

import msgspec

from crawler.core.records import MAX_DATA
from crawler.parse.extract import PageSource


class UntellableError(Exception):
    """An error whose text is an error."""

    def __str__(self) -> str:
        raise ValueError("no")


def act(page: PageSource) -> object:
    """Print something, then raise or return what is named; `{"fine": True}` for any other page."""
    print("printed")  # noqa: T201 - this is what is tested
    sys.stdout.write("written\n")
    if multiprocessing.parent_process():
        os.system("echo echoed")  # noqa: S605 - any program would do
    return ACTS.get(page.url.rpartition("/")[2], lambda: {"fine": True})()


def _raise(error: BaseException) -> object:
    raise error


def _nested(depth: int) -> object:
    data: list[object] = []
    for _ in range(depth):
        data = [data]
    return data


ACTS: dict[str, Callable[[], object]] = {
    "exit": lambda: sys.exit(3),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "generator": lambda: _raise(GeneratorExit()),
    "cancelled": lambda: _raise(asyncio.CancelledError()),
    "untellable": lambda: _raise(UntellableError()),
    "raw": lambda: msgspec.Raw(b'{"a": 1}{'),
    "nested": lambda: _nested(100_000),
    "large": lambda: "x" * MAX_DATA,
    "nan": lambda: {"it": float("nan")},
    "bytes": lambda: {"it": b"abc"},
    "set": lambda: {"it": {1}},
}
