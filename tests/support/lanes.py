"""Limits of lanes for tests, and what comes of many items at once."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from crawler.runtime.processes import Lanes
from crawler.runtime.worker_lane import Death, Limits, WorkerDied

PATIENT = Limits(cpu_seconds=60, grace_seconds=60, memory_bytes=256 << 20)


QUICK = replace(PATIENT, cpu_seconds=0.3, grace_seconds=0.5)


async def outcomes(lanes: Lanes, func: Callable[[Any], Any], items: Iterable[object]) -> list[Any]:
    """Return the result or error of each item; all are given at once."""
    return await asyncio.gather(*(lanes.run(func, item) for item in items), return_exceptions=True)


def kinds(results: Iterable[object]) -> list[Death | None]:
    """Return the kind of each item's end."""
    return [result.kind if isinstance(result, WorkerDied) else None for result in results]
