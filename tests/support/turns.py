"""Turns of the event loop."""

import asyncio


async def turns(count: int = 5) -> None:
    """Let everyone else who can go on, go on."""
    for _ in range(count):
        await asyncio.sleep(0)
