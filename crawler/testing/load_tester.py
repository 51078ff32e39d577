"""Load tests within a test suite: the fixture `load_test` of pytest.

Rules
- Load comes from processes of its own, and the server has this one for itself if it is an application; only a function
  as `script` shares it.
- A failing server, a missed threshold and an interrupted test fail the test.
- A client that was the limit adds its own time to the server's, so what is kept all the same is kept. A miss for which
  it may be to blame judges nobody: `disturbed` is told, and may skip the test. It is told, too, where other tests run
  beside it.
- A plain call runs its loop in a thread of its own, so signals stay the test's. `run` uses the loop of the test, and
  serves an application on it, as other fixtures of the test may need.
Runs on: the test's thread.
"""

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Self, Unpack

from crawler.core.errors import LoadTestFailed, UsageError
from crawler.downloader.asgi_lifespan import AsgiApp
from crawler.load.blame import is_clients
from crawler.load.gates import LoadGate
from crawler.load.keywords import LoadOptions
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.run import LoadTest
from crawler.load.thresholds import Threshold, parse_threshold, with_gates
from crawler.runtime.loop_thread import iterate
from crawler.testing.command_server import served_command

Target = AsgiApp | Sequence[str] | str
"""An ASGI application, a command as a list of its arguments, or a URL."""


class LoadTester:
    """Load-tests a target: `result = load_test(app, "/items", rate=200, duration=5)`.

    Args:
        disturbed: called with the reason when the figures judge nobody; it skips the test, or returns, and then the
            test is judged as any other.
        workers: number of processes that run tests beside each other (pytest-xdist).
    """

    def __init__(self, disturbed: Callable[[str], object], workers: int = 1) -> None:
        self._disturbed = disturbed
        self._workers = workers

    def __call__(self, target: Target, path: str = "/", **options: Unpack[LoadOptions]) -> LoadResult:
        """Load-test a target and return the result; blocks until then.

        An application is served on a free port of loopback, started and shut down for each call. A command is a list
        such as `["python", "-m", "http.server", "{port}"]`; its server gets a free port and is ended afterwards.
        Options are those of `crawler.load_test`; `path` is put behind the target's address.

        Raises:
            LoadTestFailed: the server failed, or a threshold was missed.
            UsageError: an option is impossible, a command serves nothing, or an event loop runs here: await `run`.
        """
        __tracebackhide__ = True
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            raise UsageError("an event loop runs here: write `await load_test.run(...)`")
        self._refuse_company()

        async def once(_: AsyncIterator[None]) -> AsyncGenerator[LoadResult, None]:
            yield await _load(target, path, options)

        [result] = iterate(once, ())
        return self._judged(result)

    async def run(self, target: Target, path: str = "/", **options: Unpack[LoadOptions]) -> LoadResult:
        """Do what a call does, in an asynchronous test: an application is served on the loop of the test."""
        __tracebackhide__ = True
        self._refuse_company()
        return self._judged(await _load(target, path, options))

    def _refuse_company(self) -> None:
        __tracebackhide__ = True
        if self._workers > 1:
            self._disturbed(
                f"{self._workers} workers run tests beside each other, which disturbs the figures: run load tests"
                " alone, with -p no:xdist or -n 0"
            )

    def _judged(self, result: LoadResult) -> LoadResult:
        __tracebackhide__ = True
        fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(LoadResult)}
        return TestedResult(**fields | {"gates": _gates(result)}, disturbed=self._disturbed).check()


@dataclasses.dataclass(frozen=True, kw_only=True)
class TestedResult(LoadResult):
    """A result whose checks judge nobody if they fail and the client was the limit."""

    __test__ = False
    disturbed: Callable[[str], object]

    def check(self) -> Self:
        """Return the result if the test has passed; see `LoadResult.check`."""
        __tracebackhide__ = True
        if not self.passed and not self.has_failed and not self.interrupted:
            self._doubt([parse_threshold(gate.threshold) for gate in self.gates if not gate.is_kept])
        return super().check()

    def assert_below(self, percentile: float | str, seconds: float) -> None:
        """Refuse a percentile that is not surely below a limit; see `LoadResult.assert_below`."""
        __tracebackhide__ = True
        try:
            super().assert_below(percentile, seconds)
        except LoadTestFailed:
            limit = parse_threshold(f"p{str(percentile).removeprefix('p')}<{seconds:f}s")
            if self.quantile(limit.share or 0.0) is not None:
                self._doubt([limit])
            raise

    def _doubt(self, missed: Sequence[Threshold]) -> None:
        __tracebackhide__ = True
        if is_clients(self, missed):
            self.disturbed(f"the client was the limit: {self.because}; {self.advice}")


def _gates(result: LoadResult) -> tuple[LoadGate, ...]:
    """Return the gates, those aside that a client can only miss judged as if it had not been the limit."""
    if result.verdict is not LoadVerdict.CLIENT_BOUND:
        return result.gates
    thresholds = [parse_threshold(gate.threshold) for gate in result.gates]
    found = with_gates(dataclasses.replace(result, verdict=LoadVerdict.OK), thresholds).gates
    is_safe = [(one.sign in {">", ">="}) == (one.figure == "rate") for one in thresholds]
    return tuple(new if safe else old for new, old, safe in zip(found, result.gates, is_safe, strict=True))


class _LoadTestApart(LoadTest):
    is_apart = True


async def _load(target: Target, path: str, options: LoadOptions) -> LoadResult:
    async with _served(target) as address:
        is_whole = isinstance(target, str) and path == "/"
        return await _LoadTestApart(address if is_whole else f"{address.rstrip('/')}{path}", **options).run()


def _served(target: Target) -> AbstractAsyncContextManager[str]:
    if isinstance(target, str):
        return _at(target)
    if isinstance(target, list | tuple) and target and all(isinstance(part, str) for part in target):
        return served_command(target)
    if not callable(target) or _is_wsgi(target):
        raise UsageError(
            "load_test: expected an ASGI application, a list such as ['python', 'app.py', '{port}'], or a URL, got"
            f" {target!r:.60}; a WSGI application is served by a command"
        )
    from crawler.testing.asgi_server import served_app  # noqa: PLC0415 - aiohttp takes long to import

    return served_app(target)


@asynccontextmanager
async def _at(url: str) -> AsyncIterator[str]:
    yield url


def _is_wsgi(app: Callable[..., Any]) -> bool:
    """Return whether it takes two arguments, as WSGI's applications do (PEP 3333); ASGI's take three."""
    try:
        inspect.signature(app).bind({}, None)
    except (TypeError, ValueError):
        return False
    return True
