"""testing.load_tester: the targets of load tests in a test suite, and their skips, failures and results."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crawler.core.errors import LoadTestFailed, UsageError
from crawler.core.histogram import FINE, bucket
from crawler.load.nanoseconds import MILLISECOND, SECOND
from crawler.load.records import Example, Phase
from crawler.load.result import LoadResult, LoadVerdict
from crawler.load.thresholds import parse_threshold, with_gates
from crawler.testing import LoadTester, load_tester
from support.children import children

LOAD: dict[str, Any] = {"rate": 100, "duration": 1.1, "connections": 4}


class Skipped(Exception):
    """The reason of a test that judges nobody."""


def skip(reason: str) -> None:
    """Do as `pytest.skip`."""
    raise Skipped(reason)


@pytest.fixture
def judged() -> LoadTester:
    """A tester that judges every test, however disturbed."""
    return LoadTester(lambda _: None)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No test leaves a process or a thread."""
    before = children(), threading.active_count()
    yield
    assert (children() <= before[0], threading.active_count()) == (True, before[1])


class App:
    """An application that notes its requests, its loop, its phases, and the processes that send to it."""

    def __init__(self, status: int = 200) -> None:
        self.paths = list[str]()
        self.loops = set[int]()
        self.phases = list[str]()
        self.senders = set[int]()
        self._before = children()  # of other tests of this process
        self._status = status

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer, or start up and shut down."""
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{phase}"
                self.phases.append(phase)
                await send({"type": f"lifespan.{phase}.complete"})
            return
        self.loops.add(id(asyncio.get_running_loop()))
        self.paths.append(scope["path"])
        self.senders = self.senders or children() - self._before
        await send({"type": "http.response.start", "status": self._status, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % len(self.paths)})


# Targets


def test_an_application_is_served_while_it_is_tested(judged: LoadTester) -> None:
    """It starts up, gets its requests from another process, shuts down, and its state is the test's to look at."""
    app = App()

    result = judged(app, "/items", **LOAD, headers={"X-A": "b"})

    assert result.outcomes["ok"] == len(app.paths) > 100
    assert set(app.paths) == {"/items"}
    assert len(app.senders) == 1
    assert app.phases == ["startup", "shutdown"]
    assert result.asked.url.endswith("/items")
    assert judged(app, **LOAD).total.ok > 0
    assert app.phases == ["startup", "shutdown"] * 2


async def test_an_asynchronous_test_has_the_application_on_its_own_loop(judged: LoadTester) -> None:
    """Other fixtures of the test belong to that loop, too."""
    app = App()

    result = await judged.run(app, **LOAD)

    assert result.outcomes["ok"] == len(app.paths) > 100
    assert len(app.senders) == 1
    assert app.loops == {id(asyncio.get_running_loop())}


def test_a_command_is_run_while_it_is_tested(judged: LoadTester, tmp_path: Path) -> None:
    """Its server gets a free port."""
    (tmp_path / "page").write_text("hello")
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "{port}"]

    assert judged(command, "/page", **LOAD).outcomes["ok"] > 100


def test_a_url_is_tested_as_it_is(judged: LoadTester, crawler_site: str) -> None:
    """With a path behind it, if one is given; targets of paths go there, too."""
    assert judged(f"{crawler_site}/robots.txt", **LOAD).asked.url == f"{crawler_site}/robots.txt"
    assert judged(f"{crawler_site}/", "/robots.txt", **LOAD).asked.url == f"{crawler_site}/robots.txt"
    assert len(judged(crawler_site, targets=["/", "/robots.txt"], **LOAD).groups) == 2


def wsgi(environ: object, start_response: object) -> list[object]:
    """Answer as WSGI applications do."""
    return [environ, start_response]


@pytest.mark.parametrize("target", [wsgi, 7, [], ["a", 7], None])
def test_other_targets_are_refused(target: Any, judged: LoadTester) -> None:
    """A WSGI application, too, with the way to test it."""
    with pytest.raises(UsageError, match=r"expected an ASGI application, .*a WSGI application is served by a command"):
        judged(target)


def test_options_are_refused_as_in_the_library(judged: LoadTester) -> None:
    """By their keywords."""
    with pytest.raises(UsageError, match="load_test: there is no option 'rates'; did you mean 'rate'"):
        judged("http://127.0.0.1:9/", rates=5)  # type: ignore[call-arg]


async def test_a_plain_call_does_not_stop_a_loop(judged: LoadTester) -> None:
    """A server on the test's loop would not answer meanwhile, so the call names the other one."""
    with pytest.raises(UsageError, match=r"an event loop runs here: write `await load_test\.run\(\.\.\.\)`"):
        judged(App())


# Verdicts


def test_a_failing_application_fails_the_test(judged: LoadTester) -> None:
    """The message says so, thresholds or not."""
    with pytest.raises(LoadTestFailed, match=r"is NOTHING-OK \(no request was ok: .* status_500\)"):
        judged(App(500), **LOAD)


def result(*, milliseconds: int = 10, failed: int = 0, lag: int = 0, gates: tuple[str, ...] = ()) -> LoadResult:
    """2,000 good answers within a second, and a client whose loop was late by so many milliseconds."""
    from support.load_results import load_result  # noqa: PLC0415

    phase = Phase(name="measured", end=SECOND, answered=2000 + failed, scheduled=2000 + failed, sent=2000 + failed)
    phase.reused.whole[bucket(milliseconds * MILLISECOND, FINE)] = 2000
    for _ in range(failed):
        phase.fail("status_500", Example(at=1, took=1, port=None, detail="answered with status 500"))
    found = load_result([phase], {bucket(lag * MILLISECOND, FINE): 100} if lag else None)
    return with_gates(found, map(parse_threshold, gates))


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> Callable[[LoadResult], LoadResult]:
    """Return what a test is given for a result, where disturbances skip."""

    def tested(result: LoadResult) -> LoadResult:
        async def load(*_: object) -> LoadResult:
            await asyncio.sleep(0)
            return result

        monkeypatch.setattr(load_tester, "_load", load)
        return LoadTester(skip)("http://h/")

    return tested


Tested = Callable[[LoadResult], LoadResult]


def test_a_kept_threshold_passes_although_the_client_was_the_limit(tested: Tested) -> None:
    """The client's own lateness only adds to the times, so the server's are below the limits all the more."""
    found = result(lag=4, gates=("p99<20ms", "errors<1%", "rate>=1000"))
    assert found.verdict is LoadVerdict.CLIENT_BOUND
    assert not found.passed

    seen = tested(found)

    assert seen.passed
    assert [gate.is_kept for gate in seen.gates] == [True] * 3
    seen.assert_below("p99", 0.02)
    assert seen.verdict is LoadVerdict.CLIENT_BOUND


@pytest.mark.parametrize("gate", ["p99<8ms", "p99>5ms", "mean<8ms", "rate>=3000", "rate<3000"])
def test_a_missed_threshold_judges_nobody_if_the_client_may_be_to_blame(gate: str, tested: Tested) -> None:
    """The test is skipped, with the client's part as the reason; a longer time may be the client's, too."""
    with pytest.raises(Skipped, match=r"^the client was the limit: up to 40.\d % of .*; an idler machine"):
        tested(result(lag=4, gates=(gate,)))


def test_a_percentile_that_the_client_may_have_lengthened_judges_nobody(tested: Tested) -> None:
    """The assertion of the test skips it."""
    seen = tested(result(lag=4))

    with pytest.raises(Skipped, match="the client was the limit: up to 40"):
        seen.assert_below("p99", 0.008)


def test_a_miss_that_the_client_cannot_explain_is_the_server_s(tested: Tested) -> None:
    """Six of ten milliseconds are not the client's: a limit of five is missed whatever it did."""
    with pytest.raises(LoadTestFailed, match="missed 1 of 1 threshold"):
        tested(result(lag=4, gates=("p99<5ms",)))
    with pytest.raises(LoadTestFailed, match=r"expected below 5\.000 ms"):
        tested(result(lag=4)).assert_below("p99", 0.005)
    with pytest.raises(LoadTestFailed, match="missed 1 of 1 threshold"):
        tested(result(lag=4, failed=10, gates=("errors<0.1%",)))
    with pytest.raises(LoadTestFailed, match="requests are needed"):
        tested(result(lag=4)).assert_below("p99.9", 1)


def test_a_failing_server_is_not_the_client_s(tested: Tested) -> None:
    """It fails the test, however late the client was."""
    with pytest.raises(LoadTestFailed, match="is FAILING"):
        tested(result(lag=4, failed=500))


def test_an_interrupted_test_fails(tested: Tested) -> None:
    """There is no one to blame but the user."""
    with pytest.raises(LoadTestFailed, match="was interrupted"):
        tested(replace(result(lag=4), interrupted=True))


def test_workers_beside_each_other_disturb(tested: Tested) -> None:
    """The test is skipped before it is run, with the way to run it; `judge` goes on."""
    with pytest.raises(Skipped, match=r"4 workers run tests beside each other.*with -p no:xdist or -n 0"):
        LoadTester(skip, workers=4)("http://h/")
    tested(result())
    assert LoadTester(lambda _: None, workers=4)("http://h/").passed
