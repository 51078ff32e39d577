"""runtime.siblings: further processes of one command, which end with it."""

import asyncio
import signal
import sys

import pytest

from crawler.runtime.loop import Stop
from crawler.runtime.siblings import Sibling, Siblings

SLEEP = "import sys, time; print('begun', flush=True); time.sleep(60)"
ENDS_AT_THE_SECOND = """
import os, signal, time
heard = []
def hear(*_):
    heard.append(1)
    if len(heard) == 2:
        os._exit(130)
    os.kill(os.getppid(), signal.SIGUSR1)
signal.signal(signal.SIGINT, hear)
os.kill(os.getppid(), signal.SIGUSR1)
while True:
    time.sleep(60)
"""


def sibling(script: str, name: str = "one", **variables: str) -> Sibling:
    """A process of Python with this script."""
    return Sibling(name=name, command=[sys.executable, "-c", script], variables=variables)


async def run(siblings: Siblings) -> list[str]:
    """Let them run to their end; what was told."""
    told: list[str] = []
    async with siblings.beside(Stop(), told.append):
        pass
    return told


async def test_the_block_ends_when_all_have_ended() -> None:
    """Nothing is told of those that end as they should; each has its variables, beside those of this process."""
    script = "import os, sys; sys.exit(int(os.environ['CODE']) if 'PATH' in os.environ else 9)"
    siblings = Siblings([sibling(script, CODE="0"), sibling(script, "other", CODE="1")], good=(0, 1))

    told = await run(siblings)

    assert told == []
    assert siblings.failure is None


async def test_one_that_fails_is_told_with_its_last_line() -> None:
    """Its exit code is that of the failure."""
    siblings = Siblings([sibling("import sys; print('a line', flush=True); sys.exit('the disk is full')")])

    told = await run(siblings)

    assert told == ["one ended with exit code 1: the disk is full"]
    assert siblings.failure == 1


async def test_one_that_is_killed_is_told() -> None:
    """The failure is 128 and the number of the signal, as in a shell."""
    siblings = Siblings([sibling("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")])

    told = await run(siblings)

    assert told == ["one was killed by signal 9"]
    assert siblings.failure == 137


async def test_a_drain_and_a_cancel_are_two_interrupts() -> None:
    """The first asks to end in order, the second to end at once; ending so is no failure."""
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    siblings, stop, told = Siblings([sibling(ENDS_AT_THE_SECOND)]), Stop(), list[str]()
    try:
        async with siblings.beside(stop, told.append):
            await heard.wait()
            heard.clear()
            stop.request_drain()
            await heard.wait()
            stop.request_cancel()
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)

    assert told == []
    assert siblings.failure is None


async def test_a_block_that_fails_asks_them_to_end() -> None:
    """They have ended when the error is raised."""
    siblings = Siblings([sibling(SLEEP)])

    async with asyncio.timeout(30):
        with pytest.raises(OSError, match="no disk"):
            async with siblings.beside(Stop(), lambda _: None):
                raise OSError("no disk")

    assert siblings.failure is None
