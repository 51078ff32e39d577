"""A capacity search on real servers: each window is a load test, from processes that live through all of them.

Rules
- The windows are sent from processes of their own, so that neither the caller nor a display delays a request.
- A search that is stopped has a result like any other, of the windows until then.
Runs on: the main thread and its loop.
"""

from collections.abc import Callable, Sequence
from typing import Unpack

from msgspec.structs import replace

from crawler.core.keywords import by_keyword
from crawler.core.options import in_keywords
from crawler.load.capacity.config import CAPACITY_OPTIONS, CapacityConfig, configure_capacity, window_of
from crawler.load.capacity.null_server import null_server
from crawler.load.capacity.result import CapacityResult, CapacityRow, result_of, row_of
from crawler.load.capacity.search import Search
from crawler.load.capacity.windows import Stage, Window, observe
from crawler.load.config import LoadConfig, RequestConfig
from crawler.load.keywords import CapacityOptions, texts_of
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses, scratch_folder
from crawler.load.result import LoadResult
from crawler.runtime.loop import Stop
from crawler.runtime.loop import run as run_loop

_OPTIONS = by_keyword(CAPACITY_OPTIONS.values())
_KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}

ShowWindow = Callable[[CapacityRow], object]
"""A display, called with each window that has ended."""


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
        return await search_capacity(url, config, stop=Stop(), show=lambda _: None)


def run(url: str, config: CapacityConfig, show: ShowWindow) -> tuple[CapacityResult, int | None]:
    """Run a search, and return its result and the signal that ended it early, if one did.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """

    async def main(stop: Stop) -> tuple[CapacityResult, int | None]:
        return await search_capacity(url, config, stop=stop, show=show), stop.signal

    shape = config.load.shape
    return run_loop(main, drain_seconds=shape.grace + shape.timeout)


async def search_capacity(url: str, config: CapacityConfig, *, stop: Stop, show: ShowWindow) -> CapacityResult:
    """Run a search until it ends or `stop` ends it; `show` is called with each window that has ended."""
    with scratch_folder() as folder:
        asked, _ = await prepare(url, config.load, folder)
    limits, rows = config.search.limits(), list[CapacityRow]()
    search = Search(config.search.bounds())
    async with LoadProcesses(config.load.shape.processes) as processes:

        async def test(place: str, load: LoadConfig) -> LoadResult:
            with scratch_folder() as folder:
                setup, plan = await prepare(place, load, folder)
                return await processes.test(setup, plan, stop=stop)

        async def run_window(window: Window) -> LoadResult:
            load = window_of(config, window)
            if window.stage is Stage.CEILING:
                async with null_server() as place:
                    return await test(place, replace(load, request=RequestConfig()))
            return await test(url, load)

        steps = search.steps()
        window = next(steps, None)
        while window is not None:
            result = await run_window(window)
            if stop.draining:
                break
            seen = observe(result, limits)
            rows.append(row_of(window, seen))
            show(rows[-1])
            try:
                window = steps.send(seen)
            except StopIteration:
                window = None
    return result_of(search, asked, tuple(limit.text for limit in limits), config.search.at_least, rows)
