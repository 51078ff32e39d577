"""A load test from its options to its result: on this loop, or in processes of its own.

Rules
- The command line sends from other processes, so that neither its display nor its own work delays a request. The
  library sends on the caller's loop, unless it is asked for several processes.
- A test that is stopped or cancelled has a partial result. A cancelled one ends without the grace for requests in
  flight; a second cancellation breaks it off without a result.
Runs on: the main thread and its loop.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Unpack

from crawler.core.errors import UsageError
from crawler.core.options import in_keywords
from crawler.load.conduct import conduct
from crawler.load.config import LoadConfig
from crawler.load.keywords import KEYWORDS, LoadOptions, configure_by_keywords
from crawler.load.load_progress import LoadProgress, Teller, check_callback
from crawler.load.metrics_server import metrics_server
from crawler.load.prepare import prepare
from crawler.load.processes import LoadProcesses, run_until_signal, scratch_folder
from crawler.load.result import LoadResult
from crawler.load.supervise import Steering, supervise
from crawler.load.thresholds import with_gates
from crawler.load.watching import MetricsPort, View, Watch
from crawler.runtime.loop import Stop
from crawler.runtime.tasks import finished


class LoadTest:
    """A load test that can be stopped, and that keeps what it has measured when it is cancelled.

    Args:
        url: of a server of this machine; None = `targets` name it.
        progress: called about once a second with a `LoadProgress`; an error that it raises ends the test.
        options: those of `load_test`.

    Attributes:
        result: None until the test has ended. After a cancellation, such as by `asyncio.timeout`, the partial result;
            None if it had not begun to send.

    Raises:
        UsageError: an option is impossible.
    """

    is_apart = False
    """Even a single process is one of its own."""

    def __init__(
        self,
        url: str | None = None,
        *,
        progress: Callable[[LoadProgress], object] | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        check_callback(progress)
        with in_keywords(KEYWORDS):
            self._config = configure_by_keywords(options, "load_test")
        self._url = url
        self._progress = progress
        self._has_run = False
        self._steering = Steering()
        self.result: LoadResult | None = None

    def __repr__(self) -> str:
        state = "ended" if self.result else "running" if self._has_run else "new"
        return f"<LoadTest {self._url} {state}>"

    async def run(self) -> LoadResult:
        """Run the test, once, and return its result.

        Raises:
            UsageError: an option is impossible, or the test has run.
            TargetRefused: the target is not this machine.
        """
        if self._has_run:
            raise UsageError("a LoadTest runs once: make another one")
        self._has_run = True
        return await finished(self._run(), self._break_off)

    def stop(self) -> None:
        """End the test early, on its loop: requests in flight have the usual grace, then `run` returns the result."""
        self._steering.stop.request_drain()

    def _break_off(self) -> bool:
        """End the test at once; return whether it will have a result."""
        self._steering.stop.request_cancel()
        return self._steering.has_begun

    async def _run(self) -> LoadResult:
        config, steering = self._config, self._steering
        with in_keywords(KEYWORDS):
            async with AsyncExitStack() as stack:
                folder = stack.enter_context(scratch_folder())
                asked, plan = await prepare(self._url, config, folder)
                if self._progress is not None:
                    steering.show = Teller(asked, plan, self._progress)
                if config.shape.processes > 1 or (self.is_apart and config.users.function is None):
                    processes = await stack.enter_async_context(LoadProcesses(config.shape.processes))
                    result = await processes.test(asked, plan, steering)
                else:
                    result = await supervise(asked, plan, folder / "board", conduct, steering)
                self.result = with_gates(result, config.gate.gates())
            return self.result


async def load_test(
    url: str | None = None, *, progress: Callable[[LoadProgress], object] | None = None, **options: Unpack[LoadOptions]
) -> LoadResult:
    """Load-test a server of this machine and return the result; options are those of `crawler load`.

    `rate=500, duration=10`, `headers={"X-Team": "data"}`, `connections=64, requests=100_000`,
    `stages="10s:100,30s:1000"`, `expect_status="200"`... The test runs on the caller's loop, so other work on that loop
    shows as the client's own share; with `processes=2` it runs in worker processes. `progress` is called about once a
    second with a `LoadProgress`. A test that may be cancelled or stopped is a `LoadTest`, which keeps what it has.

    Raises:
        UsageError: an option is impossible.
        TargetRefused: the target is not this machine.
    """
    return await LoadTest(url, progress=progress, **options).run()


def run(
    url: str | None, config: LoadConfig, view: View, seconds: float, metrics: MetricsPort | None = None
) -> tuple[LoadResult, int | None]:
    """Run a test in processes of its own, and return the result and the signal that ended it early, if one did.

    `view` is called every `seconds`, and `metrics` are served until the test has ended.

    Raises:
        UsageError, TargetRefused: nothing was sent.
    """

    async def main(stop: Stop) -> LoadResult:
        async with AsyncExitStack() as stack:
            asked, plan = await prepare(url, config, stack.enter_context(scratch_folder()))
            watch = Watch(asked, view, seconds, has_metrics=metrics is not None)
            if metrics is not None:
                metrics.told(await stack.enter_async_context(metrics_server(metrics.port, watch.metrics)))
            processes = await stack.enter_async_context(LoadProcesses(config.shape.processes))
            steering = Steering(stop=stop, show=watch.look, seconds=watch.pace)
            result = await processes.test(asked, plan, steering)
            return with_gates(result, config.gate.gates())

    return run_until_signal(config.shape, main)
