import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvloop

from crawler.runtime.loop import LagProbe, Stop, raise_open_files, run, terminable

ROOT = Path(__file__).parents[2]
LOOPS = pytest.mark.parametrize("use_uvloop", [True, False], ids=["uvloop", "asyncio"])


def signal_myself(signum: int) -> None:
    """Send a signal to this process, as a terminal or an operator does."""
    os.kill(os.getpid(), signum)


@LOOPS
def test_main_runs_on_the_loop_that_was_asked_for(use_uvloop: bool) -> None:
    """It is uvloop unless that is declined; the result comes back."""

    async def main(stop: Stop) -> tuple[bool, bool]:
        return isinstance(asyncio.get_running_loop(), uvloop.Loop), stop.draining

    assert run(main, use_uvloop=use_uvloop) == (use_uvloop, False)


@LOOPS
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_the_second_cancels(use_uvloop: bool, signum: int) -> None:
    """Two signals are two stages, and the first one's number is kept for the exit code."""
    seen = []

    async def main(stop: Stop) -> None:
        signal_myself(signum)
        await stop.wait_draining()
        seen.append((stop.draining, stop.cancelled, stop.signal))
        signal_myself(signal.SIGTERM)
        await stop.wait_cancelled()
        seen.append((stop.draining, stop.cancelled, stop.signal))

    run(main, use_uvloop=use_uvloop)

    assert seen == [(True, False, signum), (True, True, signum)]


@LOOPS
def test_the_third_signal_leaves_at_once(use_uvloop: bool) -> None:
    """A program that does not follow its stop ends with 128 and the signal's number."""
    text = f"""
import os, signal
from crawler.runtime.loop import run
async def main(stop):
    for wait in (stop.wait_draining, stop.wait_cancelled, asyncio.Event().wait):
        os.kill(os.getpid(), signal.SIGINT)
        await wait()
import asyncio
run(main, use_uvloop={use_uvloop})
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    ended = subprocess.run([sys.executable, "-c", text], env=env, timeout=30, check=False)

    assert ended.returncode == 128 + signal.SIGINT


@LOOPS
def test_a_drain_that_lasts_too_long_becomes_a_cancel(use_uvloop: bool) -> None:
    """The deadline runs from the first request to drain, whoever made it."""

    async def main(stop: Stop) -> tuple[bool, int | None]:
        stop.request_drain()
        await stop.wait_cancelled()
        return stop.cancelled, stop.signal

    assert run(main, use_uvloop=use_uvloop, drain_seconds=0.01) == (True, None)


@pytest.fixture
def own_handlers() -> Iterator[dict[int, object]]:
    """A program that handles signals in its own way."""
    before = {signum: signal.signal(signum, lambda *_: None) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield {signum: signal.getsignal(signum) for signum in before}
    for signum, handler in before.items():
        signal.signal(signum, handler)


@LOOPS
def test_no_handler_is_left_behind(use_uvloop: bool, own_handlers: dict[int, object]) -> None:
    """After a run, even one that failed, signals go where they went before."""

    async def main(_stop: Stop) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(main, use_uvloop=use_uvloop)

    assert {signum: signal.getsignal(signum) for signum in own_handlers} == own_handlers


def test_another_thread_runs_without_signals() -> None:
    """Off the main thread a run works, and leaves signals alone."""
    results = []

    async def main(stop: Stop) -> None:
        results.append(stop.draining)

    thread = threading.Thread(target=run, args=(main,))
    thread.start()
    thread.join()

    assert results == [False]


async def test_the_first_signal_is_the_one_that_is_told() -> None:
    """A later request, even after a program's own, does not change who asked first."""
    stop = Stop()

    stop.request_drain()
    stop.request_drain(signal.SIGTERM)
    stop.request_drain(signal.SIGINT)

    assert repr(stop) == f"<Stop draining, signal={signal.SIGTERM}>"


def test_a_cancel_is_a_drain_too() -> None:
    """A task that waits for the drain wakes when a cancel comes first."""
    stop = Stop()

    stop.request_cancel()

    assert (stop.draining, stop.cancelled) == (True, True)
    assert repr(stop) == "<Stop cancelled, signal=None>"


@pytest.mark.both_loops
async def test_lag_is_how_long_others_blocked() -> None:
    """A callback that blocks for 60 ms makes a 10 ms timer 50 ms late, and the worst is kept when all is well again."""
    async with LagProbe(0.01) as probe:
        await asyncio.sleep(0.03)
        time.sleep(0.06)  # noqa: ASYNC251 - the crime that is to be noticed
        await asyncio.sleep(0.05)

    assert 0.04 <= probe.worst < 5
    assert probe.last < probe.worst
    assert repr(probe).startswith("<LagProbe last=")


@pytest.mark.both_loops
async def test_the_probe_stops_with_its_block() -> None:
    """After the block nothing is measured any more."""
    async with LagProbe(0.001) as probe:
        await asyncio.sleep(0.01)
    probe.worst = -1.0

    await asyncio.sleep(0.01)

    assert probe.worst == -1.0


def test_open_files_are_raised_to_the_hard_limit() -> None:
    """The soft limit becomes the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))

    limit = raise_open_files()
    after = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert (limit, limit) == after
    assert limit == before[1]


def test_sigterm_ends_a_block_like_an_exception() -> None:
    """The block is closed in order; its exit code is a shell's, and afterwards SIGTERM is what it was."""
    before = signal.getsignal(signal.SIGTERM)
    closed: list[bool] = []
    stack = ExitStack()
    stack.callback(closed.append, True)

    with pytest.raises(SystemExit) as ended, terminable(), stack:
        signal_myself(signal.SIGTERM)

    assert ended.value.code == 143
    assert closed == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_on_another_thread_sigterm_stays_as_it_is() -> None:
    """Python lets only the main thread decide about signals; the block works there all the same."""
    before = signal.getsignal(signal.SIGTERM)
    entered = []

    def work() -> None:
        with terminable():
            entered.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert entered == [before]
