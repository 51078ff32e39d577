"""Waits of many tasks that can be broken off all at once, while the tasks go on.

Why this model: a cancellation is the only way to end another task's wait, and it ends the task, too. Here the task gets
an error in place of the cancellation, unless it was cancelled for another reason as well.
Runs on: the event loop.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class BrokenOff(Exception):
    """The wait was broken off."""


class BreakableWaits:
    """Waits within `wait`, until `break_off`."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[Any]] = set()
        self._broken_off: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<BreakableWaits {len(self._waiting)} under way>"

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`.

        Raises:
            BrokenOff: `break_off` came first.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        self._waiting.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._broken_off or task.uncancel() > 0:
                raise
            raise BrokenOff from None
        finally:
            self._waiting.discard(task)
            self._broken_off.discard(task)

    def break_off(self) -> None:
        """End every wait that is under way."""
        for task in self._waiting - self._broken_off:
            self._broken_off.add(task)
            task.cancel()
