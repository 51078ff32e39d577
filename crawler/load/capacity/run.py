"""A capacity search on real servers: each window is a load test, from processes that live through all of them.

Rules
- The windows are sent from processes of their own, so that neither the caller nor a display delays a request.
- The requests are made once. Each window begins with the first of them, so all windows send the same mix.
- A search that is stopped has a result like any other, of the windows until then.
Runs on: the main thread and its loop.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Unpack

from crawler.core.keywords import by_keyword
from crawler.core.options import in_keywords
from crawler.load.capacity.config import CAPACITY_OPTIONS, CapacityConfig, ceiling_of, configure_capacity, window_of
from crawler.load.capacity.display import SearchSilence, SearchView
from crawler.load.capacity.estimate import seconds_left
from crawler.load.capacity.null_server import null_server
from crawler.load.capacity.result import CapacityResult, CapacityRow, result_of, row_of
from crawler.load.capacity.search import Search
from crawler.load.capacity.windows import Seen, Stage, Window, observe
from crawler.load.config import ShapeConfig
from crawler.load.keywords import CapacityOptions, texts_of
from crawler.load.plan import Plan, spans
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses, run_until_signal, scratch_folder
from crawler.load.result import LoadResult, LoadSetup
from crawler.load.supervise import Steering
from crawler.runtime.loop import Stop

_OPTIONS = by_keyword(CAPACITY_OPTIONS.values())
_KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}


async def find_capacity(url: str, *, slo: str | Sequence[str], **options: Unpack[CapacityOptions]) -> CapacityResult:
    """Find the highest rate at which a server of this machine keeps a service level; options as of `crawler capacity`.

    `slo="p99<50ms"`, or a list of such limits; `from_rate=50`, `to_rate=2000`, `connections=64`, `headers={...}`...
    The search takes minutes, sends from worker processes, and leaves the caller's loop free.

    Raises:
        UsageError: an option is impossible.
        TargetRefused: the target is not this machine.
    """
    with in_keywords(_KEYWORDS):
        config = configure_capacity(texts_of({"slo": slo, **options}, _OPTIONS, "find_capacity"))
        return await search_capacity(url, config, stop=Stop(), view=SearchSilence())


def run(url: str, config: CapacityConfig, view: SearchView) -> tuple[CapacityResult, int | None]:
    """Run a search, and return its result and the signal that ended it early, if one did.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """
    return run_until_signal(config.load.shape, lambda stop: search_capacity(url, config, stop=stop, view=view))


async def search_capacity(url: str, config: CapacityConfig, *, stop: Stop, view: SearchView) -> CapacityResult:
    """Run a search until it ends or `stop` ends it; `view` shows each window."""
    limits, rows, history = config.search.limits(), list[CapacityRow](), list[Seen]()
    bounds = config.search.bounds()
    search, steering = Search(bounds), Steering(stop=stop, show=view.look, seconds=view.seconds)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        asked, plan = await prepare(url, config.load, folder)
        processes = await stack.enter_async_context(LoadProcesses(config.load.shape.processes))

        async def run_window(window: Window) -> LoadResult:
            if window.stage is not Stage.CEILING:
                load = window_of(config, window, len(rows))
                return await processes.test(*_with_shape(asked, plan, load.shape), steering)
            async with null_server() as place:
                with scratch_folder() as inner:
                    return await processes.test(*await prepare(place, ceiling_of(config, window), inner), steering)

        steps = search.steps()
        window = next(steps, None)
        while window is not None:
            view.begin(window, seconds_left(bounds, history))
            result = await run_window(window)
            if stop.draining:
                break
            seen = observe(result, limits)
            history.append(seen)
            rows.append(row_of(window, seen))
            view.end(rows[-1])
            try:
                window = steps.send(seen)
            except StopIteration:
                window = None
    return result_of(search, asked, tuple(limit.text for limit in limits), config.search.at_least, rows)


def _with_shape(asked: LoadSetup, plan: Plan, shape: ShapeConfig) -> tuple[LoadSetup, Plan]:
    """Return the setup and the plan of a window; the requests were made once, for all windows."""
    told = replace(
        asked,
        rate=shape.rate,
        arrivals="poisson" if shape.poisson else "regular",
        seed=shape.seed if shape.poisson else asked.seed,
        duration=shape.duration,
        warmup=shape.warmup,
        grace=shape.grace,
    )
    return told, replace(plan, shape=shape, spans=tuple(spans(shape)))
