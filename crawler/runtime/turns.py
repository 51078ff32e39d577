"""Bounded turns: how many waiting tasks one turn of the event loop wakes.

Why: thousands of answers may arrive at once. If each woke its task in the same turn, all their steps would run before
the loop looks at a timer or a socket again: 5,000 steps of 0.1 ms are half a second for all others.
Rules
- The first `most` futures of a turn are resolved at once, and the others in the next turns, in their order.
- While one waits, the loop does not sleep: the work is spread, not delayed.
Runs on: the event loop.
"""

import asyncio
from collections import deque


class Waker:
    """Resolves futures, at most `most` in each turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._woken = 0  # in this turn
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __repr__(self) -> str:
        return f"<Waker {len(self._waiting)} waiting, {self._woken} of {self._most} woken in this turn>"

    def wake(self, waiter: asyncio.Future[None]) -> None:
        """Resolve a future, now or soon."""
        if not self._woken:
            self._loop.call_soon(self._next_turn)
        if self._woken < self._most and not self._waiting:
            self._woken += 1
            _resolve(waiter)
        else:
            self._waiting.append(waiter)

    def _next_turn(self) -> None:
        self._woken = min(self._most, len(self._waiting))
        for _ in range(self._woken):
            _resolve(self._waiting.popleft())
        if self._woken:
            self._loop.call_soon(self._next_turn)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
