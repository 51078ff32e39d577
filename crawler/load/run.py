"""A load test from its options to its result: on this loop, or in processes of its own.

Rules
- The command line sends from other processes, so that neither its display nor its own work delays a request. The
  library sends on the caller's loop, unless it is asked for several processes.
Runs on: the main thread and its loop.
"""

from contextlib import AsyncExitStack

from crawler.core.keywords import by_keyword, values_of
from crawler.core.options import in_keywords
from crawler.load.conduct import conduct
from crawler.load.config import LOAD_OPTIONS, LoadConfig
from crawler.load.contradictions import configure_load
from crawler.load.metrics_server import metrics_server
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses, result_of, scratch_folder
from crawler.load.result import LoadResult
from crawler.load.watching import MetricsPort, View, Watch
from crawler.runtime.loop import Stop
from crawler.runtime.loop import run as run_loop

_OF_EXIT_CODE = {"threshold", "abort"}
_OPTIONS = by_keyword(option for name, option in LOAD_OPTIONS.items() if name not in _OF_EXIT_CODE)
_KEYWORDS = {option.name: keyword for keyword, option in _OPTIONS.items()}


async def load_test(url: str | None = None, **options: object) -> LoadResult:
    """Load-test a server of this machine and return the result; options are those of `crawler load`.

    `rate=500, duration=10`, `headers={"X-Team": "data"}`, `connections=64, requests=100_000`,
    `stages="10s:100,30s:1000"`, `expect_status="200"`... The test runs on the caller's loop, so other work on that loop
    shows as the client's own share; with `processes=2` it runs in worker processes.

    Raises:
        UsageError: an option is impossible.
        TargetRefused: the target is not this machine.
    """
    with in_keywords(_KEYWORDS):
        config = configure_load(values_of(options, _OPTIONS, "load_test"))
        with scratch_folder() as folder:
            asked, plan = await prepare(url, config, folder)
            if config.shape.processes > 1:
                async with LoadProcesses(config.shape.processes) as processes:
                    return await processes.test(asked, plan)
            return result_of(asked, [await conduct(plan)], interrupted=False)


def run(
    url: str | None, config: LoadConfig, view: View, seconds: float, metrics: MetricsPort | None = None
) -> tuple[LoadResult, int | None]:
    """Run a test in processes of its own, and return the result and the signal that ended it early, if one did.

    `view` is called every `seconds`, and `metrics` are served until the test has ended.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """

    async def main(stop: Stop) -> tuple[LoadResult, int | None]:
        async with AsyncExitStack() as stack:
            asked, plan = await prepare(url, config, stack.enter_context(scratch_folder()))
            watch = Watch(asked, view, seconds, has_metrics=metrics is not None)
            if metrics is not None:
                metrics.told(await stack.enter_async_context(metrics_server(metrics.port, watch.metrics)))
            processes = await stack.enter_async_context(LoadProcesses(config.shape.processes))
            return await processes.test(asked, plan, stop=stop, show=watch.look, seconds=watch.pace), stop.signal

    return run_loop(main, drain_seconds=config.shape.grace + config.shape.timeout)
