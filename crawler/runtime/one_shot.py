"""A value that a callback sets once and one task waits for.

Why this model: the load tester's connections call back and know no tasks; a user's script is a coroutine. A future is
the bridge between the two.
Rule: setting it twice, or after the waiter has gone, does nothing.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class OneShot(Generic[T]):
    """`await one_shot` returns the value that `set` was given, or raises the error that `fail` was given."""

    def __init__(self) -> None:
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<OneShot {'set' if self._future.done() else 'waiting'}>"

    def __await__(self) -> Generator[Any, None, T]:
        return self._future.__await__()

    def set(self, value: T) -> None:
        """Give the value."""
        if not self._future.done():
            self._future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Raise an error where the value is waited for."""
        if not self._future.done():
            self._future.set_exception(error)
