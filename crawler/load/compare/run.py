"""A comparison of two servers: blocks of load that alternate between them, from the same processes.

Rules
- The blocks are sent from processes of their own, so that neither the caller nor a display delays a request.
- The requests are made once for each side. Each block begins with the first of them, so both sides get the same mix.
- A comparison that is stopped has a result like any other, of the pairs until then.
Runs on: the main thread and its loop.
"""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from random import Random
from typing import Unpack

from crawler.core.errors import UsageError
from crawler.core.keywords import by_keyword
from crawler.core.options import in_keywords
from crawler.core.text import duration
from crawler.load.compare.blocks import Block, block_of, order
from crawler.load.compare.config import COMPARE_OPTIONS, CompareConfig, configure_compare
from crawler.load.compare.judging import Rules, judge_blocks
from crawler.load.compare.result import Comparison
from crawler.load.compare.saved import compare_saved, is_saved
from crawler.load.keywords import CompareOptions, texts_of
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses, run_until_signal, scratch_folder
from crawler.load.supervise import Steering
from crawler.runtime.loop import Stop

_OPTIONS = by_keyword(COMPARE_OPTIONS.values())
_KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}

ShowBlock = Callable[[Block], object]
"""A display, called with each block that has ended."""


async def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    tolerance: float | str = "5%",
    **options: Unpack[CompareOptions],
) -> Comparison:
    """Compare two servers of this machine, or two saved reports of load tests; options as of `crawler compare`.

    `rate=500` (open loop), `connections=64`, `blocks=16`, `block=2`, `headers={...}`... The comparison takes minutes,
    sends from worker processes, and leaves the caller's loop free.

    Raises:
        UsageError: an option is impossible, or a file cannot be read.
        TargetRefused: a target is not this machine.
    """
    with in_keywords(_KEYWORDS):
        given = texts_of({"tolerance": f"{tolerance}", **options}, _OPTIONS, "compare")
        one, other = os.fspath(a), os.fspath(b)
        if are_saved(one, other):
            return compare_saved(one, other, configure_compare(given, saved=True))
        return await compare_servers(one, other, configure_compare(given), stop=Stop(), show=lambda _: None)


def are_saved(a: str, b: str) -> bool:
    """Return whether both are saved runs; False = both are URLs.

    Raises:
        UsageError: there is one of each.
    """
    if is_saved(a) != is_saved(b):
        file, url = (a, b) if is_saved(a) else (b, a)
        raise UsageError(f"{file} is a file and {url} a URL: give two URLs, which are measured in turn, or two files")
    return is_saved(a)


def run(a: str, b: str, config: CompareConfig, show: ShowBlock) -> tuple[Comparison, int | None]:
    """Run a comparison of two servers, and return its result and the signal that ended it early, if one did.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """
    return run_until_signal(config.load.shape, lambda stop: compare_servers(a, b, config, stop=stop, show=show))


async def compare_servers(a: str, b: str, config: CompareConfig, *, stop: Stop, show: ShowBlock) -> Comparison:
    """Run a comparison until it ends or `stop` ends it; `show` is called with each block that has ended."""
    shape = config.load.shape
    rules = Rules(are_pairs=True, is_open=shape.is_open, tolerance=config.blocks.share())
    chance = Random(shape.seed).random  # noqa: S311
    begin, blocks, told = 0.0, list[Block](), None
    async with AsyncExitStack() as stack:
        sides = {}
        for side, url in (("A", a), ("B", b)):
            sides[side] = await prepare(url, config.load, stack.enter_context(scratch_folder()))
            told = sides[side][0].targets
        processes = await stack.enter_async_context(LoadProcesses(shape.processes))
        for side in order(config.blocks.blocks, chance):
            result = await processes.test(*sides[side], Steering(stop=stop))
            if stop.draining:
                break
            blocks.append(block_of(side, begin, result))
            show(blocks[-1])
            begin += shape.warmup + result.seconds
    pairs = len(blocks) // 2
    one, other = ([block for block in blocks[: 2 * pairs] if block.side == side] for side in "AB")
    judged = judge_blocks(one, other, rules, chance)
    load = f"open loop, {shape.rate:,.12g}/s" if shape.rate else "closed loop"
    what = f"{told}; " if told else ""
    each = f"{config.blocks.blocks} blocks of {duration(config.blocks.block)} each, in turn"
    return Comparison(
        verdict=judged.verdict,
        because=judged.because,
        a=a,
        b=b,
        load=f"{load}, {shape.connections} connections; {what}{each}",
        tolerance=rules.tolerance,
        are_pairs=True,
        metrics=judged.metrics,
        unjudged=judged.unjudged,
        blocks=tuple(blocks),
        interrupted=stop.draining,
    )
