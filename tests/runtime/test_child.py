"""runtime.child: a program beside this process, and its end."""

import asyncio
import sys
import tempfile

import pytest

from crawler.runtime.child import child

pytestmark = pytest.mark.both_loops

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


async def test_a_program_runs_for_a_block() -> None:
    """Its output is in the file, and it has ended by the signal behind the block."""
    with tempfile.TemporaryFile() as output:
        async with child(SLEEP, output, patience=10) as program:
            while not output.seek(0, 2):  # noqa: ASYNC110 - a file tells of no change
                await asyncio.sleep(0.01)
            assert program.exit_code is None
            assert repr(program).startswith("<Child ")
        output.seek(0)
        assert output.read() == b"up\n"

    assert program.exit_code == -15


async def test_a_program_that_has_ended_is_left_alone() -> None:
    """Its exit code is its own."""
    with tempfile.TemporaryFile() as output:
        async with child([sys.executable, "-c", "exit(7)"], output, patience=10) as program:
            while program.exit_code is None:  # noqa: ASYNC110 - see the rules of the file
                await asyncio.sleep(0.01)

    assert program.exit_code == 7


async def test_a_cancelled_block_ends_its_program() -> None:
    """Before the cancellation goes on."""
    started = list[object]()

    async def run() -> None:
        with tempfile.TemporaryFile() as output:
            async with child(SLEEP, output, patience=10) as program:
                started.append(program)
                await asyncio.sleep(60)

    running = asyncio.ensure_future(run())
    while not started:  # noqa: ASYNC110 - a list tells of no change
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert started[0].exit_code is not None  # type: ignore[attr-defined]
