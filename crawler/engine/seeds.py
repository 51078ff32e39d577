"""Import of seeds: the list of URLs goes into the frontier in batches, with a cursor that survives a kill.

Rules
- The next batch is read and judged while the one before is committed; at most one waits.
- The cursor is committed with the rows of its batch, so every line is imported exactly once.
Runs on: the loop; aiofiles' threads read blocks of 1 MiB (line by line they manage 11,000 lines/s, so millions).
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiofiles
import aiofiles.os
import msgspec

from crawler.core.errors import StorageDamaged
from crawler.core.leases_and_commits import SeedBatch, SeedCursor
from crawler.engine.journal import Journal
from crawler.run.list_reader import BatchBuilder, LineSplitter
from crawler.run.list_table import Table

BLOCK = 1024 * 1024
BATCH_LINES = 4000
_SLICE = 200  # lines judged between two turns of the loop: about 1 ms


class Seeds(msgspec.Struct, frozen=True):
    """The list of a run, and the tables in it."""

    path: Path
    tables: tuple[Table, ...] = ()


async def import_seeds(seeds: Seeds, cursor: SeedCursor, journal: Journal) -> None:
    """Read the list from `cursor` to its end; returns when the last line is committed."""
    path = seeds.path
    if (await aiofiles.os.stat(path)).st_size < cursor.offset:
        raise StorageDamaged(f"{path.name} is shorter than what was read of it; restore the file, or start a new run")
    async for batch in _batches(seeds, cursor):
        await journal.flush()
        await journal.put(batch)
    await journal.flush()


async def _batches(seeds: Seeds, cursor: SeedCursor) -> AsyncIterator[SeedBatch]:
    splitter = LineSplitter(cursor.offset)
    builder = BatchBuilder(line=cursor.line, offset=cursor.offset, tables=seeds.tables)
    async with aiofiles.open(seeds.path, "rb") as file:
        await file.seek(cursor.offset)
        while block := await file.read(BLOCK):
            for raw, offset in splitter.feed(block):
                builder.add(raw, offset)
                if len(builder) >= BATCH_LINES:
                    yield builder.build(last=False)
                elif len(builder) % _SLICE == 0:
                    await asyncio.sleep(0)
        for raw, offset in splitter.finish():
            builder.add(raw, offset)
    yield builder.build(last=True)
